"""Impressions and interactions -> impression_signals, orphaned_interactions, statistics."""

from collections.abc import Iterable
from datetime import date, timedelta
from fnmatch import fnmatchcase
from math import ceil
from typing import Any

from label_platform.lake import Manifest, Partition, create_models, load_models, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.policy import click_signal
from label_platform.problem import Problem

_NO_BOT_RULE = 2**31 - 1


def impression_signals_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``impression_signals`` is made from."""
    return {
        "impressions": context.content("impressions", partition.day),
        "interactions": context.contents("interactions", _days_after(context, partition.day)),
        **_attribution_recipe(context, partition.day),
    }


def build_impression_signals(context: Context, partition: Partition) -> Manifest:
    """Give every impression of a day the feedback that it led to, within each signal's window."""
    _create(
        context,
        "impression_signals",
        partition.day,
        [partition.day],
        _days_after(context, partition.day),
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from impression_signals order by shown_at, request_id, position",
        recipe=recipe_hash(impression_signals_recipe(context, partition)),
    )


def orphaned_interactions_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of ``orphaned_interactions`` is made from."""
    return {
        "impressions": context.contents("impressions", _days_before(context, partition.day)),
        "interactions": context.content("interactions", partition.day),
        **_attribution_recipe(context, partition.day),
    }


def build_orphaned_interactions(context: Context, partition: Partition) -> Manifest:
    """Keep a day's events that count for no impression, each with its reason."""
    _create(
        context,
        "orphaned_interactions",
        partition.day,
        _days_before(context, partition.day),
        [partition.day],
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
        "context": context.problem.context,
        "model": load_models()["position_statistics"].version,
    }


def build_position_statistics(context: Context, partition: Partition) -> Manifest:
    """Count impressions and clicks by query, item, position and context."""
    create_models(
        context.engine,
        ["position_statistics"],
        variables=variables_of(context, partition.day),
        sources={},
        given={"impression_signals": context.lake.scan("impression_signals", [partition.day])},
    )
    return context.lake.publish(
        context.engine,
        partition,
        "from position_statistics order by query_id, item_id, position",
        recipe=recipe_hash(position_statistics_recipe(context, partition)),
    )


def variables_of(context: Context, day: date) -> dict[str, Any]:
    """What ``var`` gives in the SQL models: the problem file's values."""
    problem = context.problem
    columns = context.require(Partition("impressions", day)).columns
    return {
        "signals": [
            {
                "name": name,
                "window_s": int(signal.window.total_seconds()),
                "of": signal.of,
                "reversed_by": signal.reversed_by,
            }
            for name, signal in problem.signals.items()
        ],
        "click_signal": click_signal(problem),
        "context": list(problem.context),
        "features": [
            name
            for name in columns
            if any(fnmatchcase(name, pattern) for pattern in problem.features)
        ],
        "bot_clicks_per_minute": problem.bots.clicks_per_minute if problem.bots else _NO_BOT_RULE,
        "as_of": context.as_of,
    }


def _attribution_recipe(context: Context, day: date) -> dict[str, Any]:
    models = load_models()
    chain = ("stg_impressions", "stg_interactions", "int_matched_interactions", "int_bot_sessions")
    marts = ("impression_signals", "orphaned_interactions")
    return {
        "variables": variables_of(context, day),
        "models": {name: models[name].version for name in (*chain, *marts)},
    }


def _create(
    context: Context,
    target: str,
    day: date,
    impressions: Iterable[date],
    interactions: Iterable[date],
) -> None:
    create_models(
        context.engine,
        [target],
        variables=variables_of(context, day),
        sources={
            "impressions": context.lake.scan("impressions", list(impressions)),
            "interactions": context.lake.scan("interactions", list(interactions)),
        },
    )


def window_days(problem: Problem) -> int:
    """Days that the longest attribution window reaches into."""
    return ceil(problem.longest_window / timedelta(days=1))


def _days_after(context: Context, day: date) -> tuple[date, ...]:
    return tuple(day + timedelta(days=n) for n in range(window_days(context.problem) + 1))


def _days_before(context: Context, day: date) -> tuple[date, ...]:
    return tuple(day - timedelta(days=n) for n in range(window_days(context.problem), -1, -1))
