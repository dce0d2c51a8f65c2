"""Two policies' finished training rows side by side, as SQL.

Rows belong together by their part, list, item and impression, at query-item grain by their part,
query and item. What only one side has, such as a negative that is drawn no more, has null in all
columns of the other. What ``label_diff`` counts of labels it counts of these rows just as well.
"""

from collections.abc import Mapping

from label_platform.policy.diff_sql import (
    NOWHERE,
    Layout,
    facts_of,
    segment_names,
    told_segments,
    told_signals,
)
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

_KEYS = {
    "impression": ("part", "group_id", "item_id", "impression_id"),
    "query_item": ("part", "query_id", "item_id"),
}
_FACT_KEYS = {"impression": ("impression_id",), "query_item": ("query_id", "item_id")}
_OF_ROWS = ("part", "origin")
"""What rows are counted by before the columns of the impression."""
_COMPARED = ("label", "weight", "origin", "expected_examinations", "auxiliary_label")


def rows_layout(
    problem: Problem,
    policies: tuple[Policy, Policy],
    columns: tuple[tuple[str, ...], tuple[str, ...]],
) -> Layout:
    """The layout of the comparison of two policies' training rows.

    Args:
        problem: both are for it.
        policies: old and new, of one grain.
        columns: of the training rows of each.
    """
    grain = policies[0].grain
    common = tuple(name for name in _COMPARED if all(name in side for side in columns))
    segments = (*_OF_ROWS, *told_segments(problem, policies))
    return Layout(grain, told_signals(problem, policies), segments, common, _KEYS[grain])


def paired_rows_sql(layout: Layout, signals: Mapping[str, str], old: str, new: str) -> str:
    """SQL of the rows to compare: keys, what is told of each, both sides' columns.

    Args:
        layout: by ``rows_layout``.
        signals: ``impression_signals`` of both sides' days, by the part that is made from them.
        old: one policy's training rows.
        new: the other's.
    """
    keys = ", ".join(f"coalesce(o.{key}, n.{key}) as {key}" for key in layout.keys)
    same = " and ".join(f"o.{key} is not distinct from n.{key}" for key in layout.keys)
    sides = ", ".join(
        f"{alias}.{name} as {side}_{name}"
        for side, alias in (("old", "o"), ("new", "n"))
        for name in layout.columns
    )
    # a row of one side only has the origin that it has there
    origin = (
        "coalesce(nullif(old_origin, new_origin) || ' -> ' || new_origin, old_origin, new_origin)"
    )
    told = segment_names(layout)[len(_OF_ROWS) :]
    segments = "".join(f", coalesce(facts.{name}, '{NOWHERE}') as {name}" for name in told)
    first, second = segment_names(layout)[: len(_OF_ROWS)]
    by = " and ".join(f"paired.{key} = facts.{key}" for key in _FACT_KEYS[layout.grain])
    return f"""with paired as (
    select {keys}, {sides}
    from {old} as o
    full join {new} as n on {same}
),

facts as (
    {_facts_sql(layout, signals)}
)

select
    paired.*,
    coalesce(facts.signals, 0) as signals,
    paired.part as {first},
    {origin} as {second}{segments}
from paired
left join facts on paired.part = facts.part and {by}"""


def _facts_sql(layout: Layout, signals: Mapping[str, str]) -> str:
    """What is told of the shown rows of each part; negatives that no list showed have nothing."""
    names = layout.segments[len(_OF_ROWS) :]
    shown = Layout(layout.grain, layout.signals, names, ())
    keys = ", ".join(_FACT_KEYS[layout.grain])
    grouped = f" group by {keys}" if layout.grain == "query_item" else ""
    # numbered behind what is told of the rows themselves
    bits, *columns = (text.rpartition(" as ")[0] for text in facts_of(shown))
    told = zip(columns, segment_names(layout)[len(_OF_ROWS) :], strict=True)
    facts = ", ".join([f"{bits} as signals", *(f"{text} as {name}" for text, name in told)])
    return " union all ".join(
        f"select '{part}' as part, {keys}, {facts} from {relation} "
        f"where excluded_reason is null{grouped}"
        for part, relation in signals.items()
    )
