"""position_statistics -> propensities: P(examined | position, context), with a verdict."""

from datetime import date, timedelta
from typing import Any

from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.propensity import estimate_randomized, randomized_statistics_sql

SEMANTICS = 1
"""Raised when the estimator's results change, so that they are estimated anew."""


def propensity_days(context: Context, day: date) -> tuple[date, ...]:
    """The days that a day's curve is estimated from: a trailing window that ends there.

    At the beginning of a log, where a full window does not exist yet, the window instead reaches
    forward to the last training day: a first day on its own could support no estimate. So a new
    log's first days are estimated anew until one window has passed, and then never again.
    """
    # counts outlive the records that they are of: see the problem's retention
    days = sorted({*context.log_days, *context.lake.days("position_statistics")})
    length = context.problem.training.window.days
    last_training_day = context.last_training_day(days[-1])
    full_window = days[0] + timedelta(days=length - 1)
    last = max(day, min(full_window, last_training_day))
    first = max(days[0], last - timedelta(days=length - 1))
    return tuple(known for known in days if first <= known <= last)


def propensities_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day's propensities are made from."""
    return {
        "position_statistics": context.contents(
            "position_statistics", propensity_days(context, partition.day)
        ),
        "context": context.problem.context,
        "gates": context.problem.propensity.model_dump(),
        "semantics": SEMANTICS,
    }


def build_propensities(context: Context, partition: Partition) -> Manifest:
    """Estimate the examination curve of the window that ends on a day."""
    days = propensity_days(context, partition.day)
    relation = context.lake.scan("position_statistics", list(days))
    statistics = context.engine.frame(randomized_statistics_sql(relation, context.problem.context))
    curve = estimate_randomized(statistics, context.problem.context, context.problem.propensity)
    table = curve.table.assign(first_day=days[0], last_day=days[-1])
    context.engine.register("propensity_curve", table)
    return context.lake.publish(
        context.engine,
        partition,
        "from propensity_curve",
        recipe=recipe_hash(propensities_recipe(context, partition)),
        attributes={"verdict": str(curve.verdict), "reason": curve.reason},
    )
