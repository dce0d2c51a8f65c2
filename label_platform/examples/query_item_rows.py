"""Training rows at query-item grain: one per query and item (a cell), grouped by query.

Days hold additive parts; a part of the split adds up its days and divides once:

    label = sum gain_sum / sum expected_examinations

Decay multiplies the parts of a day, all of them alike.
"""

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.relations import ExampleRelations, Part
from label_platform.examples.sampling import sampled_sql
from label_platform.lake import quote_identifier
from label_platform.policy import PREDICTION_SHARE, Policy

_DECAYED = "decimal(28, 10)"


def query_item_rows_sql(policy: Policy, relations: ExampleRelations, part: Part) -> str:
    """SQL of the cells of one part, with the features of each cell's last impression in it."""
    labels, signals = relations.of(part)
    kept, weight = _never_examined(policy)
    added = "".join(f",\n    round(kept.{name}, 6) as {name}" for name in more_columns(policy))
    return f"""with {cells_cte(policy, labels)},

{last_impressions_cte(signals)},

kept as (
    select
        cells.*,
        last_impressions.shown.shown_at as shown_at{_logged(relations)}
    from {last_shown_sql(signals)}
    where {kept}
)

select
    '{part}' as part,
    kept.query_id as group_id,
    kept.query_id,
    kept.item_id,
    cast(null as uuid) as impression_id,
    cast(null as integer) as position,
    {label_sql("kept")} as label,
    round(cast({weight} as double), 6) as weight,
    round(kept._own_clicks / kept.impressions, 6) as raw_label,
    round(kept.impressions * cast({weight} as double), 6) as raw_weight,
    kept.impressions,
    kept.expected_examinations,
    'cell' as origin{added}{feature_list_sql(relations, "kept")}
from kept{item_join_sql(relations, "kept")}"""


def last_shown_sql(signals: str) -> str:
    """What follows ``from``: each of the CTE ``cells`` with the signals of its last impression."""
    return f"""cells
inner join last_impressions
    on cells.query_id = last_impressions.query_id
    and cells.item_id = last_impressions.item_id
inner join {signals} as signals
    on last_impressions.shown.impression_id = signals.impression_id"""


def label_sql(cells: str) -> str:
    """The label of a cell, over the sums of its days.

    Args:
        cells: the name of rows of the CTE ``cells``.
    """
    return f"round({cells}._own_gain_sum / {cells}.expected_examinations, 6)"


def more_columns(policy: Policy) -> dict[str, str]:
    """What only some policies' labels have, as columns of a training row over ``cells``' sums."""
    columns = {}
    if policy.debias.method in {"affine", "doubly_robust"}:
        columns["information"] = _sum(policy, "information")
    if policy.debias.method == "doubly_robust":
        unclipped, examined = (
            _sum(policy, each) for each in ("unclipped_examinations", "expected_examinations")
        )
        columns[PREDICTION_SHARE] = f"round(1 - {unclipped} / {examined}, 6)"
    if policy.auxiliary is not None:
        columns["auxiliary_label"] = (
            f"{_sum(policy, 'auxiliary_gain_sum')} / {_sum(policy, 'expected_examinations')}"
        )
    return columns


def cells_cte(policy: Policy, labels: str) -> str:
    """CTE ``cells``: the parts of all days, added up."""
    more = more_columns(policy)
    if policy.decay is not None:
        more["decay"] = "max(decay)"
    summed = "".join(f",\n        {sql} as {name}" for name, sql in more.items())
    return f"""cells as (
    select
        query_id,
        item_id,
        {_sum(policy, "gain_sum")} as _own_gain_sum,
        {_sum(policy, "expected_examinations")} as expected_examinations,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as double) as _own_clicks{summed}
    from {labels}
    group by query_id, item_id
)"""


def last_impressions_cte(signals: str) -> str:
    """CTE ``last_impressions``: of each cell the last time that it was shown."""
    return f"""last_impressions as (
    select
        query_id,
        item_id,
        max({{'shown_at': shown_at, 'impression_id': impression_id}}) as shown
    from {signals}
    where excluded_reason is null
    group by query_id, item_id
)"""


def _sum(policy: Policy, column: str) -> str:
    if policy.decay is None:
        return f"cast(sum({column}) as double)"
    # sums of decimals do not depend on their order
    return f"cast(sum(cast({column} * decay as {_DECAYED})) as double)"


def _logged(relations: ExampleRelations) -> str:
    names = [quote_identifier(name) for name in relations.feature_columns]
    return "".join(f",\n        signals.{name} as {name}" for name in names)


def _never_examined(policy: Policy) -> tuple[str, str]:
    """Which cells are kept, and their weight: a sample of those that nobody can have looked at."""
    block = policy.negatives.never_examined
    if block is None:
        return "true", "1"
    # only cells without gain: feedback, good or bad, shows that somebody looked
    never = "cells._own_gain_sum = 0 and cells.expected_examinations < " + repr(block.below)
    sampled = sampled_sql("cells.query_id, '|', cells.item_id", block.rate, "never_examined")
    weight = f"case when {never} then {1 / block.rate!r} else 1 end"
    return f"(not ({never}) or {sampled})", weight.replace("cells.", "kept.")
