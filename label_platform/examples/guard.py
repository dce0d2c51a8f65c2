"""The guard that keeps random and hard negatives from being positives in disguise.

A candidate is refused if it was not in the catalogue yet when the list was shown, if the list
showed it (random; at grain query_item, any list of the query in the training days), if it is
positive for the same query anywhere in the training days, or if it is a near duplicate of such a
positive: each of its features is within ``near_duplicates`` standard deviations of the positive's,
at 0 exactly the same.

Refused candidates are kept apart with their reason, as far as they were looked at: each positive
looks at its candidates in order, until it has as many as it needs.
"""

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.relations import Part
from label_platform.examples.rewarded import rewarded_sql
from label_platform.examples.standardised import Features
from label_platform.policy import Policy

NOT_YET = "not in the catalogue yet"
SHOWN = {"impression": "shown in the list", "query_item": "shown for the query"}
POSITIVE = "positive for the query"
NEAR_DUPLICATE = "near duplicate of a positive"


def known_ctes(policy: Policy, features: Features, *, part: Part, standardised: bool) -> str:
    """What is positive for a query: CTEs ``statistics``, ``known`` (items) and ``known_alike``.

    Args:
        policy: says at which grain what is positive.
        features: what likeness is told by.
        part: of the candidates; training days always count, and the candidates' own days too.
        standardised: whether anything is measured in standard deviations.
    """
    relations, filled = features.relations, ""
    if standardised:
        filled = features.filled_sql("known_rows")
    columns = feature_list_sql(relations, "rewarded_ever")
    parts: tuple[Part, ...] = ("train",) if part == "train" else ("train", part)
    union = "\nunion all\n".join(f"(\n{rewarded_sql(policy, relations, each)}\n)" for each in parts)
    return f"""statistics as (
    {features.statistics_sql() if standardised and features.names else "select 1"}
),

rewarded_ever as (
    {union}
),

known_rows as (
    select rewarded_ever.query_id, rewarded_ever.item_id{columns}
    from rewarded_ever{item_join_sql(relations, "rewarded_ever")}
),

known as (
    select distinct query_id, item_id from known_rows
),

known_alike as (
    select distinct
        known_rows.* exclude (item_id){filled}
    from known_rows
    cross join statistics
)"""


def looked_at_ctes(
    features: Features, tolerance: float, per_positive: int, reasons: dict[str, str]
) -> str:
    """The candidates that were looked at, as CTE ``looked_at``, with the reason of a refusal.

    Args:
        features: those of the CTE ``candidates``, which also has query_id, item_id,
            _own_positive_id and _own_draw, a number that orders the candidates of a positive.
        tolerance: within which candidates are near duplicates.
        per_positive: how many a positive needs.
        reasons: conditions over candidates that come before those that always hold.
    """
    told = "".join(
        f"\n            when {condition} then '{reason}'" for reason, condition in reasons.items()
    )
    return f"""{_alike_cte(features, tolerance)},

judged as (
    select
        candidates.*,
        case{told}
            when known.item_id is not null then '{POSITIVE}'
            when alike._own_draw is not null then '{NEAR_DUPLICATE}'
        end as _own_reason
    from candidates
    left join known
        on candidates.query_id = known.query_id and candidates.item_id = known.item_id
    left join alike
        on candidates._own_positive_id = alike._own_positive_id
        and candidates._own_draw = alike._own_draw
),

looked_at as (
    select * from judged
    qualify count(case when _own_reason is null then 1 end) over (
        partition by _own_positive_id
        order by _own_draw
        rows between unbounded preceding and 1 preceding
    ) < {per_positive}
)"""


def _alike_cte(features: Features, tolerance: float) -> str:
    """CTE ``alike``: the candidates that are near duplicates.

    A query that is asked often has many positives to compare with. What is within the tolerance of
    another is at most one cell away in a grid over the first feature, which leaves few of them.
    """
    candidates, known, cells = "candidates", "known_alike", ""
    # without features nothing is known to be alike
    alike = "false"
    if features.names:
        alike = features.alike_sql("candidates", "known_alike", tolerance)
    if features.names and tolerance > 0:
        cell = features.cell_sql(tolerance)
        candidates = f"(select *, {cell} as _own_cell from candidates cross join statistics)"
        known = f"""(
        select *, {cell} + _own_step as _own_cell
        from known_alike
        cross join statistics
        cross join (values (-1), (0), (1)) as steps(_own_step)
    )"""
        cells = " and candidates._own_cell = known_alike._own_cell"
    return f"""alike as (
    select distinct candidates._own_positive_id, candidates._own_draw
    from {candidates} as candidates
    inner join {known} as known_alike
        on candidates.query_id = known_alike.query_id{cells}
    cross join statistics
    where {alike}
)"""


def refused_sql(looked_at: str, part: Part, origin: str) -> str:
    """SQL of the refused candidates of a block: part, group_id, item_id, origin, reason."""
    return f"""{looked_at}

select
    '{part}' as part,
    group_id,
    item_id,
    '{origin}' as origin,
    _own_reason as reason
from looked_at
where _own_reason is not null"""
