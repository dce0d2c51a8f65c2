"""Evaluation days against the days that rankers learned from, and against the days there are."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.strict_yaml import ConfigurationError

MISSING = "missing_evaluation_days"
"""The attribute of an evaluation that names the days it lacks."""


class EvaluationWindowError(ConfigurationError):
    """What was learned on must not be judged on, and something must be there to judge on."""


def judged_window(context: Context, day: date) -> dict[str, Any]:
    """The evaluation's days and those of them without impressions, for its attributes.

    Raises:
        EvaluationWindowError: as ``days_without_log``.
    """
    split = context.split(day)
    manifests = {
        each: context.lake.manifest(Partition("impression_signals", each))
        for each in split.evaluate
    }
    logged = [each for each, found in manifests.items() if found is not None and found.rows]
    missing = days_without_log(
        context.problem.name, (*split.train, *split.validate), split.evaluate, logged
    )
    return {
        "evaluate": f"{split.evaluate[0]} to {split.evaluate[-1]}",
        MISSING: ", ".join(map(str, missing)),
    }


def days_without_log(
    problem: str, learned: Sequence[date], judged: Sequence[date], logged: Collection[date]
) -> list[date]:
    """The evaluation days that have no impressions.

    Args:
        problem: its name, for messages.
        learned: the days that rankers learned from or were stopped by.
        judged: the evaluation days.
        logged: the days with impressions.

    Raises:
        EvaluationWindowError: a day is in both windows, or no evaluation day has impressions.
    """
    both = sorted({*learned} & {*judged})
    if both:
        raise EvaluationWindowError(
            f"{problem}: training: the evaluation days {judged[0]} to {judged[-1]} overlap the "
            f"days that rankers learned from, {learned[0]} to {learned[-1]}, in "
            f"{', '.join(map(str, both))}: a ranker that has seen the answers looks better than it "
            "is; expected every evaluation day after the last day learned from"
        )
    if judged and learned and judged[0] < learned[-1]:
        raise EvaluationWindowError(
            f"{problem}: training: evaluation begins on {judged[0]}, before the last day that "
            f"rankers learned from, {learned[-1]}; expected later days only"
        )
    missing = [day for day in judged if day not in logged]
    if len(missing) == len(judged):
        raise EvaluationWindowError(
            f"{problem}: training: none of the evaluation days {judged[0]} to {judged[-1]} has "
            "impressions; expected at least one"
        )
    return missing
