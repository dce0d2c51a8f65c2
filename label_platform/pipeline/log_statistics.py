"""What propensity estimators read of a window of days, selected from the lake's tables."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from label_platform.lake import quote_identifier, quote_literal
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import feature_columns
from label_platform.policy import click_signal
from label_platform.propensity import (
    ESTIMATORS,
    LogStatistics,
    cell_statistics_sql,
    count_cells_sql,
    features_sql,
    list_statistics_sql,
    position_counts_sql,
    randomized_statistics_sql,
    swap_statistics_sql,
)
from label_platform.propensity_settings import PropensitySettings
from label_platform.ranking.relevance_model import lightgbm_relevance


def wanted_estimators(context: Context) -> tuple[str, ...]:
    """The estimators that the problem or one of its policies names, each once."""
    settings = context.problem.propensity
    policies = context.project.named or context.project.policies
    of_policies = [policy.debias.estimator for policy in policies]
    wanted = [*settings.estimators, settings.estimator, *of_policies]
    return tuple(dict.fromkeys(each for each in wanted if each != "auto"))


def reads_lists(context: Context) -> bool:
    """Whether some wanted estimator reads whole lists or features."""
    return bool(_reads(context) & {"lists", "lists and features", "cells and features"})


def read_statistics(context: Context, days: tuple[date, ...]) -> LogStatistics:
    """The statistics of a window.

    Args:
        context: the piece of work.
        days: the window's days; those without statistics are left out.
    """
    engine, columns = context.engine, context.problem.context
    settings, reads = context.problem.propensity, _reads(context)
    counted = set(context.lake.days("position_statistics"))
    known = [day for day in days if day in counted]
    relation = context.lake.scan("position_statistics", known)
    (n_cells,) = engine.row(count_cells_sql(relation, columns))
    pooled = n_cells > settings.max_cells
    with_features = "cells and features" in reads and not pooled
    cells_sql = cell_statistics_sql(relation, columns, pooled=pooled, with_ids=with_features)
    notes = []
    if pooled:
        n_pooled, clicks = engine.row(f"select count(*), sum(clicks) from ({cells_sql})")
        cells_sql = cell_statistics_sql(
            relation, columns, pooled=True, max_cells=settings.max_cells
        )
        notes.append(_pooling(n_cells, n_pooled, settings))
    cells = engine.frame(cells_sql)
    if pooled and len(cells) < n_pooled:
        notes.append(_left_out(cells, n_pooled, clicks))
    lists = list_features = None
    if reads & {"lists", "lists and features"}:
        lists, total = _lists(context, days)
        read = lists["list"].nunique()
        if read < total:
            notes.append(
                f"{read:,} of {total:,} lists were read, chosen by md5 "
                f"(propensity.max_lists: {settings.max_lists:,})"
            )
        if "lists and features" in reads:
            list_features = _features(context, lists, days)
    return LogStatistics(
        context=columns,
        randomized=engine.frame(randomized_statistics_sql(relation, columns)),
        counts=engine.frame(position_counts_sql(relation, columns)),
        cells=cells,
        cells_by_day=_by_day(context, known) if not pooled else cells.assign(day="").iloc[:0],
        swapped=engine.frame(swap_statistics_sql(relation, columns)),
        lists=lists,
        list_features=list_features,
        cell_features=_features(context, cells, days) if with_features else None,
        notes=tuple(notes),
        pooled=pooled,
        relevance=lightgbm_relevance,
    )


def _reads(context: Context) -> set[str]:
    return {ESTIMATORS[name].reads for name in {*wanted_estimators(context)} & set(ESTIMATORS)}


def _pooling(n_cells: int, n_pooled: int, settings: PropensitySettings) -> str:
    return (
        f"{n_cells:,} cells are more than propensity.max_cells ({settings.max_cells:,}): items of "
        f"equal exposure were summed into {n_pooled:,}, which changes no estimate, and those seen "
        "at one position left out"
    )


def _left_out(cells: pd.DataFrame, n_pooled: int, clicks: int) -> str:
    left_out = int(clicks) - int(cells["clicks"].sum())
    return (
        f"of these {len(cells):,} were read, chosen by md5, and {n_pooled - len(cells):,} with "
        f"{left_out:,} of {int(clicks):,} clicks left out"
    )


def _by_day(context: Context, days: Sequence[date]) -> pd.DataFrame:
    scans = " union all ".join(
        f"select {quote_literal(str(day))} as day, * "
        f"from {context.lake.scan('position_statistics', [day])}"
        for day in days
    )
    return context.engine.frame(
        cell_statistics_sql(f"({scans})", context.problem.context, by_day=True)
    )


def _lists(context: Context, days: Sequence[date]) -> tuple[pd.DataFrame, int]:
    """Places of lists, and how many lists there are in all."""
    columns, settings = context.problem.context, context.problem.propensity
    clicked = quote_identifier(click_signal(context.problem))
    relation = (
        f"(select *, {clicked} > 0 as clicked from "
        f"{context.lake.scan('impression_signals', list(days))} where excluded_reason is null)"
    )
    (total,) = context.engine.row(f"select count(distinct request_id) from {relation}")
    sql = list_statistics_sql(relation, columns, settings.max_lists)
    return context.engine.frame(sql), int(total)


def _features(context: Context, coded: pd.DataFrame, days: tuple[date, ...]) -> pd.DataFrame | None:
    """Numeric features by item code; None where the problem has none."""
    names = feature_columns(context, days).impression
    if not names:
        return None
    keys = [*context.problem.context, "query_id", "item_id", "item"]
    context.engine.register("coded_items", coded[keys].drop_duplicates())
    signals = context.lake.scan("impression_signals", list(days))
    sql = features_sql("coded_items", signals, context.problem.context, names)
    return context.engine.frame(sql).set_index("item").dropna(axis="columns", how="all")
