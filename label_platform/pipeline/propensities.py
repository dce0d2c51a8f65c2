"""position_statistics -> propensities: P(examined | position, context), with a verdict."""

from datetime import date, timedelta
from typing import Any

from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.log_statistics import (
    read_statistics,
    reads_lists,
    wanted_estimators,
)
from label_platform.propensity import Answer, PropensityCurve, estimate_all, with_slots
from label_platform.propensity_settings import PropensityGates

SEMANTICS = 6
"""Raised when the estimators' results or the columns change, so that they are estimated anew."""


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
    days = propensity_days(context, partition.day)
    return {
        "position_statistics": context.contents("position_statistics", days),
        "impression_signals": (
            context.contents("impression_signals", days) if reads_lists(context) else None
        ),
        "context": context.problem.context,
        "settings": context.problem.propensity.model_dump(mode="json"),
        "estimators": wanted_estimators(context),
        "semantics": SEMANTICS,
    }


def build_propensities(context: Context, partition: Partition) -> Manifest:
    """Estimate the examination curve of the window that ends on a day, by every estimator."""
    recipe = recipe_hash(propensities_recipe(context, partition))
    twin = _of_same_recipe(context, recipe)
    if twin is not None:
        rows = f"from {context.lake.scan('propensities', [twin.day])}"
        attributes = context.require(twin).attributes
    else:
        days, settings = propensity_days(context, partition.day), context.problem.propensity
        answer = estimate_all(read_statistics(context, days), wanted_estimators(context), settings)
        attributes = attributes_of(answer, settings)
        table = answer.table().assign(first_day=days[0], last_day=days[-1])
        context.engine.register("propensity_curves", with_slots(table, settings.grid))
        rows = "from propensity_curves"
    return context.lake.publish(
        context.engine, partition, rows, recipe=recipe, attributes=attributes
    )


def attributes_of(answer: Answer, gates: PropensityGates) -> dict[str, Any]:
    """What the manifest says of an answer; the verdict is that of the chosen estimator.

    Whether an interval is wide is said beside the verdict, in which worse flags hide it.
    """
    curves, choice = answer.curves, answer.choice
    chosen = curves[choice.estimator]
    return {
        "verdict": str(chosen.verdict),
        "reason": f"{choice.estimator}, since {choice.why}: {chosen.reason}",
        "is_wide": _is_wide(chosen, gates),
        "estimator": choice.estimator,
        "estimators": {
            name: {
                "verdict": str(curve.verdict),
                "reason": curve.reason,
                "is_wide": _is_wide(curve, gates),
            }
            for name, curve in curves.items()
        },
        "findings": [each.as_json() for each in answer.findings],
    }


def _is_wide(curve: PropensityCurve, gates: PropensityGates) -> bool:
    ratio = curve.table["ci_high"] / curve.table["ci_low"]
    return bool((ratio > gates.max_interval_ratio).any())


def _of_same_recipe(context: Context, recipe: str) -> Partition | None:
    """Another day of the same window, whose curves are these: the first days of a log share one."""
    for day in context.lake.days("propensities"):
        partition = Partition("propensities", day)
        manifest = context.lake.manifest(partition)
        if manifest is not None and manifest.recipe_hash == recipe:
            return partition
    return None
