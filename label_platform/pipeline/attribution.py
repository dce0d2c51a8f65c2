"""Impressions + matched_interactions -> impression_signals, orphaned_interactions, statistics."""

from datetime import date
from typing import Any

from label_platform.lake import Manifest, Partition, create_models, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.matching import MATCHED_BY_DAY
from label_platform.pipeline.model_variables import (
    model_versions,
    signal_variables,
    statistics_variables,
)
from label_platform.pipeline.windows import (
    closed_signals,
    days_led_to,
    days_looked_back_on,
    has_events,
)

ATTRIBUTED = "attributed_by_event_day"
"""The attribute that counts the events which became signals, by the day on which they happened."""

MATCHED = "matched_by_event_day"
"""The attribute that holds the hash of what was read of each day of ``matched_interactions``."""

EXCLUDED = "excluded"
"""The attribute that counts the impressions which count for nothing, by reason."""

_SIGNAL_MODELS = (
    "stg_impressions",
    "int_attributed_interactions",
    "int_list_sessions",
    "int_excluded_sessions",
    "impression_signals",
)


def impression_signals_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``impression_signals`` is made from.

    A window that closes changes nothing in the rows but what they mean: from now on they are all
    that there will be.
    """
    return {
        "impressions": context.content("impressions", partition.day),
        "matched": _matched(context, partition.day),
        "closed_signals": closed_signals(context, partition.day),
        "variables": signal_variables(context, partition.day),
        "models": model_versions(_SIGNAL_MODELS),
    }


def build_impression_signals(context: Context, partition: Partition) -> Manifest:
    """Give every impression of a day the feedback that it led to, within each signal's window."""
    recipe = impression_signals_recipe(context, partition)
    days = days_led_to(context.problem, partition.day)
    create_models(
        context.engine,
        ["impression_signals"],
        variables=recipe["variables"],
        sources={"impressions": context.lake.scan("impressions", [partition.day])},
        given={
            "matched_interactions": (
                f"(select * from {context.lake.scan('matched_interactions', days)}"
                f" where impression_day = date '{partition.day}')"
            )
        },
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from impression_signals order by shown_at, request_id, position",
        recipe=recipe_hash(recipe),
        attributes={
            ATTRIBUTED: _counts(
                context, "int_attributed_interactions", "cast(occurred_at as date)"
            ),
            MATCHED: recipe["matched"],
            EXCLUDED: _counts(context, "impression_signals", "excluded_reason"),
            "open_windows": sorted(set(context.problem.signals) - set(recipe["closed_signals"])),
        },
    )


def orphaned_interactions_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``orphaned_interactions`` is made from, and what it is counted against."""
    event_day = str(partition.day)
    days = days_looked_back_on(context.problem, partition.day)
    signals = {day: context.lake.manifest(Partition("impression_signals", day)) for day in days}
    return {
        "matched": context.content("matched_interactions", partition.day),
        "attributed": {
            str(day): [
                manifest.attributes.get(name, {}).get(event_day) for name in (MATCHED, ATTRIBUTED)
            ]
            for day, manifest in signals.items()
            if manifest
        },
        "models": model_versions(["orphaned_interactions"]),
    }


def build_orphaned_interactions(context: Context, partition: Partition) -> Manifest:
    """Keep a day's events that count for no impression, each with its reason."""
    matched = context.lake.scan("matched_interactions", [partition.day])
    create_models(
        context.engine,
        ["orphaned_interactions"],
        variables={},
        sources={},
        given={"matched_interactions": matched},
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from orphaned_interactions order by occurred_at, interaction_id",
        recipe=recipe_hash(orphaned_interactions_recipe(context, partition)),
    )


def position_statistics_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``position_statistics`` is made from."""
    return {
        "impression_signals": context.content("impression_signals", partition.day),
        "variables": statistics_variables(context),
        "models": model_versions(["position_statistics"]),
    }


def build_position_statistics(context: Context, partition: Partition) -> Manifest:
    """Count impressions and clicks by query, item, position and context."""
    create_models(
        context.engine,
        ["position_statistics"],
        variables=statistics_variables(context),
        sources={},
        given={"impression_signals": context.lake.scan("impression_signals", [partition.day])},
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from position_statistics order by query_id, item_id, position",
        recipe=recipe_hash(position_statistics_recipe(context, partition)),
    )


def _matched(context: Context, impression_day: date) -> dict[str, str]:
    """By event day, the hash of what was matched to a day's impressions; only where there is any.

    Raises:
        MissingPartitionError: events were read that were not matched yet.
    """
    found = {}
    for day in days_led_to(context.problem, impression_day):
        partition = Partition("matched_interactions", day)
        manifest = context.lake.manifest(partition)
        # a day before, which only clocks that disagree reach, may be outside of what is built
        if manifest is None and day >= impression_day and has_events(context, day):
            manifest = context.require(partition)
        part = manifest.attributes[MATCHED_BY_DAY].get(str(impression_day)) if manifest else None
        if part:
            found[str(day)] = part["hash"]
    return found


def _counts(context: Context, relation: str, column: str) -> dict[str, int]:
    """Rows by the values of a column, nulls left out."""
    found = context.engine.rows(
        f"select {column}, count(*) from {relation} where {column} is not null"
        " group by 1 order by 1"
    )
    return {str(value): int(rows) for value, rows in found}
