"""Two policies' labels of the same impressions side by side, as SQL.

Where the two sides read the same rows, as most pairs of policies do, one query has both label
expressions and the table is scanned once. Otherwise both are joined to the impressions by their
keys. At query-item grain days hold additive parts, and a cell's label divides once over all days.
Policies of different grains are compared at query-item grain: an impression policy's label of a
cell is the mean over its impressions.
"""

from dataclasses import dataclass

from label_platform.lake import quote_identifier
from label_platform.policy.diff_select import LabelSelect, split_select
from label_platform.policy.signals import used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

SEVERAL = "(several)"
"""The segment of a query and item that was shown in more than one."""

NOWHERE = "(none)"
_KEYS = {"impression": ("impression_id",), "query_item": ("query_id", "item_id")}
_CELL_MEAN = {
    "gain_sum": "cast(sum(cast({label} as decimal(18, 6))) as decimal(18, 6))",
    "expected_examinations": "cast(count(*) as decimal(18, 6))",
}
"""An impression policy at query-item grain: a cell's label is the mean of its impressions'."""


@dataclass(frozen=True)
class Side:
    """One of the two policies, for a day.

    Attributes:
        policy: checked.
        labels: SQL of its labels.
        columns: of its labels.
    """

    policy: Policy
    labels: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What the rows of a comparison look like.

    Attributes:
        grain: of the comparison.
        signals: whose presence is told, by the bits of ``signals``.
        segments: columns of the impression.
        columns: what is compared: columns of labels that both sides have.
        told_by: the columns that tell rows apart, where the grain's ids alone do not.
    """

    grain: str
    signals: tuple[str, ...]
    segments: tuple[str, ...]
    columns: tuple[str, ...]
    told_by: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return self.told_by or _KEYS[self.grain]


def layout_of(problem: Problem, old: Side, new: Side) -> Layout:
    """The layout of the comparison of two sides."""
    grain = "impression"
    if "query_item" in {old.policy.grain, new.policy.grain}:
        grain = "query_item"
    common = tuple(name for name in _columns(new, grain) if name in _columns(old, grain))
    policies = (old.policy, new.policy)
    return Layout(grain, told_signals(problem, policies), told_segments(problem, policies), common)


def told_signals(problem: Problem, policies: tuple[Policy, Policy]) -> tuple[str, ...]:
    """The signals whose presence is told; a dwell says nothing beside its click."""
    names = sorted({name for policy in policies for name in used_signals(policy)})
    return tuple(name for name in names if problem.signals[name].of not in names)


def told_segments(problem: Problem, policies: tuple[Policy, Policy]) -> tuple[str, ...]:
    """The columns of the impression by whose values rows are counted."""
    conditions = (each.when for policy in policies for each in policy.segments)
    named = (name for when in conditions for name in when)
    return tuple(dict.fromkeys([*problem.context, *named]))


def day_sql(layout: Layout, impression_signals: str, old: Side, new: Side) -> str:
    """SQL of one day's rows: keys, what is told of each, and both sides' columns.

    A side that has no label for a row has null in all of its columns.

    Args:
        layout: of the comparison.
        impression_signals: the day, as both sides' labels read it.
        old: one policy.
        new: the other.
    """
    merged = _merged(layout, impression_signals, old, new)
    if merged:
        return merged
    keys = ", ".join(layout.keys)
    facts = ", ".join(facts_of(layout))
    grouped = f"\n    group by {keys}" if layout.grain == "query_item" else ""
    sides = ", ".join(
        f"{alias}_side.{name} as {alias}_{name}"
        for alias in ("old", "new")
        for name in layout.columns
    )
    old_labels, new_labels = (_labels(layout, impression_signals, each) for each in (old, new))
    key = layout.keys[0]
    return f"""select facts.*, {sides}
from (
    select {keys}, {facts}
    from {impression_signals}
    where excluded_reason is null{grouped}
) as facts
left join ({old_labels}) as old_side using ({keys})
left join ({new_labels}) as new_side using ({keys})
where old_side.{key} is not null or new_side.{key} is not null"""


def total_sql(layout: Layout, days: str, *, several_days: bool) -> str:
    """SQL of the rows to compare, from those of each day: keys, facts, both sides, both labels."""
    if layout.grain == "impression":
        return f"select * from {days}"
    source = days
    if several_days:
        keys = ", ".join(layout.keys)
        segments = "".join(
            f", case when min({name}) = max({name}) then min({name}) else '{SEVERAL}' end as {name}"
            for name in segment_names(layout)
        )
        sums = ", ".join(
            f"sum({side}_{name}) as {side}_{name}"
            for side in ("old", "new")
            for name in layout.columns
        )
        source = f"""(
    select {keys}, bit_or(signals) as signals{segments}, {sums}
    from {days}
    group by {keys}
)"""
    labels = ", ".join(
        f"round(cast({side}_gain_sum as double) / cast({side}_expected_examinations as double), 6)"
        f" as {side}_label"
        for side in ("old", "new")
    )
    return f"select *, {labels} from {source}"


def segment_names(layout: Layout) -> list[str]:
    """The columns of the comparison that hold the segments."""
    return [f"segment_{number}" for number in range(len(layout.segments))]


def _columns(side: Side, grain: str) -> tuple[str, ...]:
    """What a side has to compare at a grain."""
    if side.policy.grain != grain:
        return tuple(_CELL_MEAN)
    return tuple(name for name in side.columns if name not in _KEYS[grain])


def _merged(layout: Layout, impression_signals: str, old: Side, new: Side) -> str:
    """Both sides in one scan; empty where they do not read the same rows."""
    if old.policy.watch_time or new.policy.watch_time:
        return ""
    first, second = (_expressions(layout, split_select(each.labels)) for each in (old, new))
    source = _common_source(impression_signals, first.source, second.source)
    if not source:
        return ""
    columns = [
        f"{each.columns[name]} as {side}_{name}"
        for side, each in (("old", first), ("new", second))
        for name in layout.columns
    ]
    grouped = f"\ngroup by {', '.join(layout.keys)}" if layout.grain == "query_item" else ""
    selected = ",\n    ".join([*layout.keys, *facts_of(layout), *columns])
    return f"select\n    {selected}\nfrom {source}{grouped}"


def _expressions(layout: Layout, select: LabelSelect) -> LabelSelect:
    """A side's select list at the comparison's grain."""
    if layout.grain == "impression" or "gain_sum" in select.columns:
        return select
    label = select.columns["label"]
    means = {name: text.format(label=label) for name, text in _CELL_MEAN.items()}
    return LabelSelect(means, select.source)


def _common_source(impression_signals: str, old: str, new: str) -> str:
    """What both can read: examinations and arrivals only add columns to the impressions."""
    if old == new:
        return old
    plain = f"(select * from {impression_signals} where excluded_reason is null)"
    if old == plain and plain in new:
        return new
    return old if new == plain and plain in old else ""


def _labels(layout: Layout, impression_signals: str, side: Side) -> str:
    """A side's labels at the comparison's grain."""
    if side.policy.grain == layout.grain:
        return side.labels
    sums = ", ".join(f"{text.format(label='label')} as {name}" for name, text in _CELL_MEAN.items())
    return f"""select query_id, item_id, {sums}
from ({side.labels}) as labels
inner join (
    select impression_id, query_id, item_id from {impression_signals}
) as shown using (impression_id)
group by query_id, item_id"""


def facts_of(layout: Layout) -> list[str]:
    """What is told of a row: which signals came, and its segment in each respect."""
    bits = " + ".join(
        f"{1 << number} * ({quote_identifier(name)} > 0)::integer"
        for number, name in enumerate(layout.signals)
    )
    segments = [
        f"coalesce(cast({quote_identifier(name)} as varchar), '{NOWHERE}')"
        for name in layout.segments
    ]
    if layout.grain == "query_item":
        bits = f"bit_or({bits})"
        segments = [
            f"case when min({each}) = max({each}) then min({each}) else '{SEVERAL}' end"
            for each in segments
        ]
    named = zip(segments, segment_names(layout), strict=True)
    return [f"{bits} as signals", *(f"{each} as {name}" for each, name in named)]
