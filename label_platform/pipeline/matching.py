"""Interactions of a day -> the impressions that they belong to, or why they belong to none.

Each event is matched once, on its own day. What takes another event back, a return, goes where that
one went: raw events of the days before are matched again for it, so that the result does not
depend on the order in which days are built. The manifest tells per impression day which events went
there, so that a late event concerns the day of its impression and no other.
"""

from datetime import date, timedelta
from math import ceil
from typing import Any

from label_platform.lake import (
    Manifest,
    Partition,
    create_models,
    load_models,
    recipe_hash,
    row_hash_sql,
)
from label_platform.logs import Table, no_rows
from label_platform.pipeline.context import Context
from label_platform.pipeline.model_variables import matching_variables, reversal_window
from label_platform.problem import Problem

BY_DAY = "matched_by_day"
"""The attribute of a day of ``matched_interactions`` that tells what went to which day."""


def matched_interactions_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``matched_interactions`` is made from."""
    models = load_models()
    names = ("stg_impressions", "stg_interactions", "matched_interactions")
    return {
        "impressions": context.contents("impressions", days_before(context, partition.day)),
        "interactions": context.contents("interactions", _event_days(context, partition.day)),
        "variables": matching_variables(context, partition.day),
        "models": {name: models[name].version for name in names},
    }


def build_matched_interactions(context: Context, partition: Partition) -> Manifest:
    """Find the impression that each event of a day belongs to, or say why there is none."""
    create_models(
        context.engine,
        ["matched_interactions"],
        variables=matching_variables(context, partition.day),
        sources={
            "impressions": raw(context, "impressions", days_before(context, partition.day)),
            "interactions": raw(context, "interactions", _event_days(context, partition.day)),
        },
    )
    events, attributed = context.engine.row(
        "select count(*), count(*) filter (where orphan_reason is null) from matched_interactions"
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from matched_interactions order by occurred_at, interaction_id",
        recipe=recipe_hash(matched_interactions_recipe(context, partition)),
        attributes={
            "events": events,
            "attributed": attributed,
            "orphaned": events - attributed,
            BY_DAY: _by_day(context),
        },
    )


def matched_of(context: Context, impression_day: date) -> dict[str, str]:
    """Per event day, the identity of the events that belong to a day's impressions.

    Raises:
        MissingPartitionError: the day's own events were not matched yet.
    """
    found = {}
    for day in days_after(context, impression_day):
        partition = Partition("matched_interactions", day)
        # other days may be outside of what is built; once they are there, this day is stale
        own = day == impression_day
        manifest = context.require(partition) if own else context.lake.manifest(partition)
        went = (manifest.attributes[BY_DAY] if manifest else {}).get(str(impression_day))
        if went is not None:
            found[str(day)] = went["hash"]
    return found


def window_days(problem: Problem) -> int:
    """Days after an impression that its feedback reaches into.

    What takes a signal back comes within its own window after that signal.
    """
    reach = max(
        signal.window + reversal_window(problem, signal) for signal in problem.signals.values()
    )
    return ceil((reach + problem.attribution.clock_skew) / timedelta(days=1))


def reversal_days(problem: Problem) -> int:
    """Days after a signal's event on which another one may take it back; 0 if none does."""
    longest = max(reversal_window(problem, signal) for signal in problem.signals.values())
    return ceil(longest / timedelta(days=1))


def days_after(context: Context, day: date) -> tuple[date, ...]:
    """The days on which feedback for a day's impressions may occur; clocks may differ."""
    first = -1 if context.problem.attribution.clock_skew else 0
    return tuple(day + timedelta(days=n) for n in range(first, window_days(context.problem) + 1))


def days_before(context: Context, day: date) -> tuple[date, ...]:
    """The days whose impressions a day's feedback may belong to; clocks may differ."""
    last = 1 if context.problem.attribution.clock_skew else 0
    return tuple(day + timedelta(days=n) for n in range(-window_days(context.problem), last + 1))


def raw(context: Context, table: Table, days: tuple[date, ...]) -> str:
    """The relation over days of a raw table; without rows where there are none of them."""
    there = [day for day in days if context.lake.manifest(Partition(table, day)) is not None]
    return context.lake.scan(table, there) if there else no_rows(table, context.problem)


def _event_days(context: Context, day: date) -> tuple[date, ...]:
    """The days of events that matching a day reads: its own, and those that it may take back."""
    reach = reversal_days(context.problem)
    return tuple(day - timedelta(days=n) for n in range(reach, -1, -1))


def _by_day(context: Context) -> dict[str, dict[str, Any]]:
    columns = context.engine.schema("matched_interactions")
    found = context.engine.rows(
        f"""select impression_day, count(*), sum({row_hash_sql(columns)})
        from matched_interactions where orphan_reason is null group by impression_day"""
    )
    return {
        str(day): {"rows": rows, "hash": f"{rows}:{int(total):x}"} for day, rows, total in found
    }
