"""What another policy would change in the labels: counts, cross table, distributions, movers.

A row's label changes if both policies give it one and the two differ; a row that only one policy
gives a label is new or vanishes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from label_platform.lake import Engine
from label_platform.policy.diff_sql import NOWHERE, Layout, segment_names

EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 20.0)
"""The upper edges of the bins of labels above 0."""

BINS = (
    "below 0",
    "0",
    *(f"({low:g}, {high:g}]" for low, high in zip((0.0, *EDGES), EDGES, strict=False)),
    f"above {EDGES[-1]:g}",
)
ABSENT = "no label"
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
MOVERS = 10


@dataclass(frozen=True)
class Part:
    """Some of the rows: how many there are, and what happens to them.

    Attributes:
        of: which rows.
        rows: how many have a label by either policy.
        changed: whose label differs.
        new: that only the new policy labels.
        vanished: that only the old policy labels.
        old_mean: of the old labels; None without any.
        new_mean: of the new labels.
        weighed: rows of both whose weight differs.
    """

    of: str
    rows: int
    changed: int
    new: int
    vanished: int
    old_mean: float | None
    new_mean: float | None
    weighed: int = 0


@dataclass(frozen=True)
class Distribution:
    """The labels of one side.

    Attributes:
        rows: with a label.
        mean: of all.
        share_positive: of labels above 0.
        quantiles: of the labels above 0, by share.
        histogram: rows by bin, bins without any left out.
    """

    rows: int
    mean: float | None
    share_positive: float | None
    quantiles: dict[str, float]
    histogram: dict[str, int]


@dataclass(frozen=True)
class LabelDiff:
    """How the labels of two policies differ.

    Attributes:
        grain: of the rows.
        total: all rows.
        columns: rows that both label, by the columns beside the label that differ in them.
        means: old and new mean of those columns that are numbers, over rows that both label.
        by_signal: by which signals came.
        by_segment: by each segment column's values.
        cross_table: rows by old bin and then new bin; those without are left out.
        old: the distribution of the old labels.
        new: that of the new ones.
        movers: keys and both labels of the rows that move most.
    """

    grain: str
    total: Part
    columns: dict[str, int]
    means: dict[str, tuple[float, float]]
    by_signal: tuple[Part, ...]
    by_segment: dict[str, tuple[Part, ...]]
    cross_table: dict[str, dict[str, int]]
    old: Distribution
    new: Distribution
    movers: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """The difference for programs."""
        return asdict(self)


def label_diff(
    engine: Engine, layout: Layout, relation: str, moved_by: tuple[str, ...] = ("label",)
) -> LabelDiff:
    """Count and describe how labels differ.

    Args:
        engine: reads the relation.
        layout: of the relation.
        relation: rows as ``total_sql`` or ``paired_rows_sql`` gives them.
        moved_by: what movers are told by: the first of these columns that differs anywhere.
    """
    counts = engine.frame(_counts_sql(layout, relation))
    sums = [name for name in counts.columns if name.endswith("_sum")]
    counts[sums] = counts[sums].astype("float64")
    names = _signal_names(layout, counts["signals"])
    segments = dict(zip(layout.segments, segment_names(layout), strict=True))
    columns = {
        name: int(counts[f"differs_{name}"].sum()) for name in layout.columns if name != "label"
    }
    return LabelDiff(
        grain=layout.grain,
        total=_part("all rows", counts),
        columns=columns,
        means=_means(engine, relation, [name for name, rows in columns.items() if rows]),
        by_signal=_parts(counts, names),
        by_segment={name: _parts(counts, counts[column]) for name, column in segments.items()},
        cross_table=_cross_table(counts),
        old=_distribution(engine, relation, counts, "old"),
        new=_distribution(engine, relation, counts, "new"),
        movers=next(filter(None, (_movers(engine, layout, relation, by) for by in moved_by)), ()),
    )


def _counts_sql(layout: Layout, relation: str) -> str:
    """One pass: rows by bins, signals and segments."""
    both = "old_label is not null and new_label is not null"
    groups = [
        f"{_bin('old_label')} as old_bin",
        f"{_bin('new_label')} as new_bin",
        f"({both} and old_label <> new_label) as changed",
        "signals",
        *segment_names(layout),
    ]
    differing = [
        f"count(*) filter ({both} and old_{name} is distinct from new_{name}) as differs_{name}"
        for name in layout.columns
        if name != "label"
    ]
    # sums of decimals do not depend on the order in which threads add them
    sums = [f"sum(cast({side}_label as decimal(38, 6))) as {side}_sum" for side in ("old", "new")]
    columns = ", ".join([*groups, "count(*) as rows", *sums, *differing])
    return f"select {columns} from {relation} group by all"


def _bin(label: str) -> str:
    """The number of a label's bin; -1 without a label."""
    cases = " ".join(f"when {label} <= {edge!r} then {at}" for at, edge in enumerate(EDGES, 2))
    return (
        f"(case when {label} is null then -1 when {label} < 0 then 0 when {label} = 0 then 1 "
        f"{cases} else {len(BINS) - 1} end)"
    )


def _means(engine: Engine, relation: str, columns: list[str]) -> dict[str, tuple[float, float]]:
    """Old and new means of columns of numbers, over the rows that both sides label."""
    kinds = engine.schema(relation) if columns else {}
    numbers = [
        name for name in columns if kinds[f"old_{name}"].startswith(("DOUBLE", "DECIMAL", "FLOAT"))
    ]
    if not numbers:
        return {}
    means = ", ".join(
        f"avg(cast({side}_{name} as decimal(38, 6)))" for name in numbers for side in ("old", "new")
    )
    row = engine.row(
        f"select {means} from {relation} where old_label is not null and new_label is not null"
    )
    pairs = zip(numbers, zip(row[::2], row[1::2], strict=True), strict=True)
    # a column may be empty on one side: examinations where a policy asks for none
    return {
        name: (round(float(old), 9), round(float(new), 9))
        for name, (old, new) in pairs
        if old is not None and new is not None
    }


def _signal_names(layout: Layout, masks: "pd.Series[int]") -> "pd.Series[str]":
    def name(mask: int) -> str:
        came = [each for at, each in enumerate(layout.signals) if mask >> at & 1]
        return " + ".join(came) or NOWHERE

    return masks.map({int(mask): name(int(mask)) for mask in masks.unique()})


def _parts(counts: pd.DataFrame, of: "pd.Series[str]") -> tuple[Part, ...]:
    """A part per value, the one with the most changes first."""
    parts = [_part(str(value), rows) for value, rows in counts.groupby(of, sort=True)]
    return tuple(sorted(parts, key=lambda part: (-part.changed, -part.rows, part.of)))


def _part(of: str, counts: pd.DataFrame) -> Part:
    old, new = counts["old_bin"] >= 0, counts["new_bin"] >= 0
    rows = counts["rows"]
    return Part(
        of,
        rows=int(rows.sum()),
        changed=int(rows[counts["changed"]].sum()),
        new=int(rows[~old].sum()),
        vanished=int(rows[~new].sum()),
        old_mean=_ratio(counts["old_sum"][old].sum(), rows[old].sum()),
        new_mean=_ratio(counts["new_sum"][new].sum(), rows[new].sum()),
        weighed=int(counts["differs_weight"].sum()) if "differs_weight" in counts else 0,
    )


def _cross_table(counts: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Rows by old and new bin, in the order of the bins, no label last."""
    table = counts.groupby(["old_bin", "new_bin"])["rows"].sum()
    found: dict[str, dict[str, int]] = {}
    for old in _in_order(table.index.get_level_values(0)):
        row = table[old]
        found[_bin_name(old)] = {_bin_name(new): int(row[new]) for new in _in_order(row.index)}
    return found


def _in_order(bins: Iterable[int]) -> list[int]:
    return sorted({int(each) for each in bins}, key=lambda at: at if at >= 0 else len(BINS))


def _bin_name(at: int) -> str:
    return BINS[at] if at >= 0 else ABSENT


def _distribution(engine: Engine, relation: str, counts: pd.DataFrame, side: str) -> Distribution:
    known = counts[counts[f"{side}_bin"] >= 0]
    by_bin = known.groupby(f"{side}_bin")["rows"].sum()
    rows = int(known["rows"].sum())
    positive = int(by_bin[by_bin.index > 1].sum())
    (found,) = engine.row(
        f"select quantile_disc({side}_label, {list(SHARES)!r}) from {relation} "
        f"where {side}_label > 0"
    )
    quantiles = zip(SHARES, found or (), strict=bool(found))
    return Distribution(
        rows,
        mean=_ratio(known[f"{side}_sum"].sum(), rows),
        share_positive=_ratio(positive, rows),
        quantiles={f"{share:g}": float(value) for share, value in quantiles},
        histogram={_bin_name(int(at)): int(by_bin[at]) for at in by_bin.index},
    )


def _ratio(total: float, rows: float) -> float | None:
    return round(float(total) / int(rows), 9) if rows else None


def _movers(engine: Engine, layout: Layout, relation: str, by: str) -> tuple[dict[str, Any], ...]:
    wanted: Sequence[str] = [
        *layout.keys,
        "old_label",
        "new_label",
        *(
            f"{side}_{name}"
            for side in ("old", "new")
            for name in layout.columns
            if name != "label"
        ),
    ]
    rows = engine.rows(
        f"select {', '.join(wanted)} from {relation} where old_{by} <> new_{by} "
        f"order by abs(new_{by} - old_{by}) desc, {', '.join(layout.keys)} limit {MOVERS}"
    )
    return tuple(dict(zip(wanted, row, strict=True)) for row in rows)
