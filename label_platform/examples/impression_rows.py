"""Training rows at impression grain: one per impression, grouped by the list it was shown in."""

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.hard import hard_impressions_sql
from label_platform.examples.negatives import (
    block_weight_sql,
    kept_sql,
    origins_sql,
    sampling_weight_sql,
)
from label_platform.examples.relations import ExampleRelations, Part
from label_platform.lake import quote_identifier
from label_platform.policy import (
    EXAMINATION,
    PREDICTION_SHARE,
    DualPositives,
    Policy,
    click_signal,
    with_examination,
)
from label_platform.problem import Problem

_KEYS = ("impression_id", "request_id", "query_id", "item_id", "position", "shown_at")


def impression_rows_sql(
    policy: Policy,
    problem: Problem,
    relations: ExampleRelations,
    part: Part,
) -> str:
    """SQL of the rows of one part that were shown."""
    source = f"(\n{_labelled(policy, problem, relations, part)}\n)"
    examination = "cast(null as double)"
    if relations.propensities is not None:
        examination = EXAMINATION
        source = f"(\n{with_examination(policy, problem, source, relations.propensities)}\n)"
    weight = block_weight_sql(policy, has_examination=relations.propensities is not None)
    negatives, hard = policy.negatives, None
    if negatives.hard is not None:
        hard = hard_impressions_sql(policy, negatives.hard, relations, part)
    return f"""with origins as (
    {origins_sql(negatives, source, hard)}
),

kept as (
    select * from origins
    where {kept_sql(policy.negatives)}
)

select
    '{part}' as part,
    kept.request_id as group_id,
    kept.query_id,
    kept.item_id,
    kept.impression_id,
    kept.position,
    kept.label,
    round(kept.weight * cast({weight} as double), 6) as weight,
    kept.raw_label,
    cast({sampling_weight_sql(policy.negatives)} as double) as raw_weight,
    cast(1 as bigint) as impressions,
    {examination} as expected_examinations,
    kept.origin{_listed(policy, "kept")}{feature_list_sql(relations, "kept")}
from kept{item_join_sql(relations, "kept")}"""


def label_columns(policy: Policy) -> dict[str, str]:
    """Columns of the labels that some policies have, with their types."""
    columns = {}
    if isinstance(policy.combine, DualPositives):
        columns["is_dense"] = "boolean"
    if policy.debias.method == "doubly_robust":
        columns[PREDICTION_SHARE] = "double"
    if policy.auxiliary is not None:
        columns["auxiliary_label"] = "double"
    return columns


def _listed(policy: Policy, rows: str) -> str:
    return "".join(f",\n    {rows}.{name}" for name in label_columns(policy))


def _labelled(policy: Policy, problem: Problem, relations: ExampleRelations, part: Part) -> str:
    """The labels with what their impressions say; labels leave excluded impressions out."""
    labels, signals = relations.of(part)
    wanted = (*_KEYS, "last_clicked_position", *problem.context, *relations.feature_columns)
    # each once: a context may also be a feature
    columns = "".join(f"    signals.{quote_identifier(name)},\n" for name in dict.fromkeys(wanted))
    click = quote_identifier(click_signal(problem))
    return f"""select
{columns}    labels.label,
    labels.weight{" * labels.decay as weight" if policy.decay else ""}{_listed(policy, "labels")},
    case when signals.{click} > 0 then cast(1 as double) else 0 end as raw_label
from {labels} as labels
inner join {signals} as signals on labels.impression_id = signals.impression_id"""
