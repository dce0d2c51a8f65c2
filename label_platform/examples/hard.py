"""Hard negatives: rows of a list that are easily taken for its positive.

For every rewarded row, the nearest unrewarded rows of the same list that pass the guard. A row
that is near to two positives is taken once, so a list may have fewer. Feedback against an item
(a label below 0) is no lack of reward, and stays what it is.

By features, the least Euclidean distance over standardised features; by score, the least
difference of the logging ranker's score, where both are known; by rank, the nearest logged
position, since neighbours are what the logging ranker scored alike: but not where chance made the
order, so rows that were randomised are neither near to a positive nor have any near to them. Of two
that are equally near the one above is taken, which was more probably seen.
"""

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.guard import known_ctes, looked_at_ctes, refused_sql
from label_platform.examples.relations import ExampleRelations, Part
from label_platform.examples.standardised import Features, number_sql
from label_platform.policy import Hard, Policy


def hard_impressions_sql(
    policy: Policy, block: Hard, relations: ExampleRelations, part: Part
) -> str:
    """SQL of the ids of the impressions of a part that the block takes."""
    return f"""{_looked_at(policy, block, relations, part)}

select distinct impression_id
from looked_at
where _own_reason is null"""


def refused_hard_sql(policy: Policy, block: Hard, relations: ExampleRelations, part: Part) -> str:
    """SQL of the near rows that the guard refused."""
    return refused_sql(_looked_at(policy, block, relations, part), part, "hard")


def _looked_at(policy: Policy, block: Hard, relations: ExampleRelations, part: Part) -> str:
    features = Features(relations, logged=True)
    distance = _distance_sql(block, features)
    tolerance = policy.negatives.near_duplicates
    told = _told_sql(block, distance)
    standardised = block.by == "features" or tolerance > 0
    return f"""with {known_ctes(policy, features, part=part, standardised=standardised)},

{_labelled(relations, part)},

featured as (
    select labelled.*{feature_list_sql(relations, "labelled", logged=False)}
    from labelled{item_join_sql(relations, "labelled")}
),

list_rows as (
    select featured.*{features.filled_sql("featured") if standardised else ""}
    from featured
    cross join statistics
),

pairs as (
    select
        other.*,
        positive.impression_id as _own_positive_id,
        {distance} as _own_distance
    from list_rows as positive
    inner join list_rows as other on positive.group_id = other.group_id
    cross join statistics
    where positive.label > 0 and other.label = 0{told}
),

candidates as (
    select
        *,
        row_number() over (
            partition by _own_positive_id
            order by _own_distance, position, impression_id
        ) as _own_draw
    from pairs
),

{looked_at_ctes(features, tolerance, block.per_positive, {})}"""


def _distance_sql(block: Hard, features: Features) -> str:
    if block.by == "rank":
        return "abs(cast(other.position as bigint) - positive.position)"
    if block.by == "score":
        return _difference_sql(block.score, features.relations)
    if not features.names:
        raise ValueError("negatives.hard.by: features needs features, there are none")
    return features.distance_sql("other", "positive")


def _difference_sql(score: str | None, relations: ExampleRelations) -> str:
    """How far two logged scores are apart, null where one is not known."""
    if score is None or score not in relations.feature_columns:
        raise ValueError(f"negatives.hard.score: no feature {score!r} is logged with impressions")
    return f"abs({number_sql(score, 'other')} - {number_sql(score, 'positive')})"


def _told_sql(block: Hard, distance: str) -> str:
    """A condition on pairs, after and: whether anything says how near they are."""
    if block.by == "rank":
        return " and not other.randomized and not positive.randomized"
    if block.by == "score":
        return f" and {distance} is not null"
    return ""


def _labelled(relations: ExampleRelations, part: Part) -> str:
    """CTE ``labelled``: the rows of lists that have a positive."""
    labels, signals = relations.of(part)
    return f"""labelled as (
    select
        signals.impression_id,
        signals.request_id as group_id,
        signals.query_id,
        signals.item_id,
        signals.position,
        signals.shown_at,
        signals.randomized,
        labels.label{feature_list_sql(relations, "signals", stored=False)}
    from {labels} as labels
    inner join {signals} as signals on labels.impression_id = signals.impression_id
    where labels.label >= 0
    -- only lists with a positive
    qualify max(labels.label) over (partition by signals.request_id) > 0
)"""
