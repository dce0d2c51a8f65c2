"""The pictures that stand beside a partition: curves, label histograms, the comparison's table."""

from typing import Any

import pandas as pd

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.propensity import is_pooled

GRID_PICTURE = "propensity_grid"
LABEL_BINS = 20


def pictures_of(context: Context, partition: Partition) -> dict[str, bytes]:
    """PNG pictures of a partition by name; none for tables that are better read than seen."""
    if partition.table == "propensities":
        return propensity_pictures(context, partition)
    if partition.table == "labels":
        from label_platform.pipeline.label_health_picture import label_health_picture

        health = {"label_health": label_health_picture(context, partition)}
        return _label_pictures(context, partition) | health
    return {}


def propensity_pictures(context: Context, partition: Partition) -> dict[str, bytes]:
    """The chosen examination curves of a day, and all estimators' beside the naive click rates.

    Where the problem has a grid, also the chosen curve over all contexts as it lies on the screen.
    """
    from label_platform.report import plot_estimators, plot_grid, plot_propensities

    columns = list(context.problem.context)
    relation = context.lake.scan(partition.table, [partition.day])
    table = context.engine.frame(f"from {relation}")
    first, last = (pd.Timestamp(table[name].iloc[0]).date() for name in ("first_day", "last_day"))
    days = [day for day in context.lake.days("position_statistics") if first <= day <= last]
    naive = context.engine.frame(
        "select position, sum(impressions) as impressions, sum(clicks) as clicks "
        f"from {context.lake.scan('position_statistics', days)} "
        "where not randomized group by position order by position"
    )
    title = f"{context.problem.name}, window ending {last}"
    chosen = table[table["chosen"].astype(bool)]
    pictures = {
        "propensity_curve": plot_propensities(chosen, columns, title),
        "propensity_estimators": plot_estimators(table, naive, columns, title),
    }
    grid = context.problem.propensity.grid
    if grid is not None:
        pooled = chosen[is_pooled(chosen, columns)]
        deepest = int(naive["position"].max()) if len(naive) else 1
        pictures[GRID_PICTURE] = plot_grid(pooled, grid, title, deepest)
    return pictures


def _label_pictures(context: Context, partition: Partition) -> dict[str, bytes]:
    """A histogram of a day's labels; none for a day on which nothing was shown."""
    counts = label_counts(context, partition)
    if counts.empty:
        return {}
    return {"label_histogram": _histogram(counts, f"{partition.policy}, {partition.day}")}


def label_counts(context: Context, partition: Partition) -> pd.DataFrame:
    """A day's labels counted in bins of equal width: low, high, bin, labels."""
    relation = context.lake.scan(partition.table, [partition.day], partition.policy)
    impression_grain = context.project.policy(partition.policy).grain == "impression"
    label = "label" if impression_grain else "gain_sum / nullif(expected_examinations, 0)"
    return context.engine.frame(f"""
        with labels as (select cast({label} as double) as label from {relation}),
        bounds as (
            select least(min(label), 0) as low, greatest(max(label), 1e-9) as high from labels
        )
        select
            any_value(low) as low,
            any_value(high) as high,
            least(
                cast(floor((label - low) / (high - low) * {LABEL_BINS}) as integer),
                {LABEL_BINS - 1}
            ) as bin,
            count(*) as labels
        from labels, bounds
        where label is not null
        group by bin
    """)


def _histogram(counts: pd.DataFrame, title: str) -> bytes:
    from label_platform.report import plot_label_histogram

    low, high = (float(counts[name].iloc[0]) for name in ("low", "high"))
    filled: Any = counts.set_index("bin")["labels"].reindex(range(LABEL_BINS), fill_value=0)
    edges = [low + (high - low) * n / LABEL_BINS for n in range(LABEL_BINS + 1)]
    return plot_label_histogram(edges, filled.tolist(), title)
