"""Impressions and the feedback matched to them -> impression_signals, position_statistics."""

from datetime import date, timedelta
from typing import Any

from label_platform.lake import Manifest, Partition, create_models, load_models, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.matching import days_after, matched_of, raw
from label_platform.pipeline.model_variables import signal_variables

ATTRIBUTED = "attributed_by_event_day"
"""The attribute of a day of ``impression_signals``: its events, by the day they occurred on."""

MATCHED = "matched_by_event_day"
"""The attribute of a day of ``impression_signals``: what it read of each day of events, as its
identity."""

EXCLUDED = "excluded"
"""The attribute of a day of ``impression_signals``: its excluded impressions, by reason."""

OPEN_WINDOWS = "open_windows"
"""The attribute that names the signals for which more feedback may come."""

_MODELS = (
    "stg_impressions",
    "stg_requests",
    "int_idle_sessions",
    "int_impressions",
    "int_attributed_interactions",
    "int_excluded_sessions",
    "impression_signals",
)


def impression_signals_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``impression_signals`` is made from."""
    models = load_models()
    return {
        "impressions": context.content("impressions", partition.day),
        "requests": context.contents("requests", _days_around(partition.day)),
        "matched_interactions": matched_of(context, partition.day),
        "open_windows": open_windows(context, partition.day),
        "variables": signal_variables(context, partition.day),
        "models": {name: models[name].version for name in _MODELS},
    }


def build_impression_signals(context: Context, partition: Partition) -> Manifest:
    """Give every impression of a day the feedback that it led to, within each signal's window."""
    day = partition.day
    event_days = [
        each
        for each in days_after(context, day)
        if context.lake.manifest(Partition("matched_interactions", each)) is not None
    ]
    create_models(
        context.engine,
        ["impression_signals"],
        variables=signal_variables(context, day),
        sources={
            "impressions": context.lake.scan("impressions", [day]),
            "requests": raw(context, "requests", _days_around(day)),
            "matched_interactions": context.lake.scan("matched_interactions", event_days),
        },
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from impression_signals order by shown_at, request_id, position",
        recipe=recipe_hash(impression_signals_recipe(context, partition)),
        attributes={
            ATTRIBUTED: _counts(
                context, "int_attributed_interactions", "cast(occurred_at as date)"
            ),
            MATCHED: matched_of(context, day),
            EXCLUDED: _counts(context, "impression_signals", "excluded_reason"),
            OPEN_WINDOWS: open_windows(context, day),
        },
    )


def open_windows(context: Context, day: date) -> list[str]:
    """The signals whose windows have not closed for a day when the log ends.

    A window that closes makes its day stale: what was provisional is now final.
    """
    followed = context.log_days[-1] - day
    return [name for name, signal in context.problem.signals.items() if signal.window > followed]


def position_statistics_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``position_statistics`` is made from."""
    return {
        "impression_signals": context.content("impression_signals", partition.day),
        "context": context.problem.context,
        "viewed_signal": context.problem.propensity.viewed_signal,
        "model": load_models()["position_statistics"].version,
    }


def build_position_statistics(context: Context, partition: Partition) -> Manifest:
    """Count impressions and clicks by query, item, position and context."""
    create_models(
        context.engine,
        ["position_statistics"],
        variables=signal_variables(context, partition.day),
        sources={},
        given={"impression_signals": context.lake.scan("impression_signals", [partition.day])},
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from position_statistics order by query_id, item_id, position",
        recipe=recipe_hash(position_statistics_recipe(context, partition)),
    )


def _days_around(day: date) -> tuple[date, ...]:
    """The days of requests for a day's lists: one may be asked just before midnight."""
    return tuple(day + timedelta(days=n) for n in (-1, 0, 1))


def _counts(context: Context, relation: str, column: str) -> dict[str, int]:
    """Rows by the values of a column, nulls left out."""
    found = context.engine.rows(
        f"select {column}, count(*) from {relation} where {column} is not null"
        " group by 1 order by 1"
    )
    return {str(value): rows for value, rows in found}
