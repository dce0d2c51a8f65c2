"""The build steps in the order of the data, and what makes a partition stale.

A step knows what a partition is made from (its recipe) and how to make it. A partition is stale
if it was never built, or if the recipe it was built from is not today's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from label_platform.lake import Manifest, MissingPartitionError, Partition, recipe_hash
from label_platform.pipeline import (
    attribution,
    comparisons,
    evaluations,
    examples,
    label_statistics,
    labels,
    matching,
    orphans,
    propensities,
    rankers,
)
from label_platform.pipeline.context import Context
from label_platform.policy import Policy


@dataclass(frozen=True)
class Step:
    """How one table is built.

    Attributes:
        table: the table it builds.
        per_policy: whether there is one set of partitions per label policy.
        of_events: whether its days are those of feedback, which trail behind the impressions.
        every_day: whether each log day has a partition of its own; otherwise only the day that
            is built for has (a training set and all that follows from it).
        recipe: what a partition is made from.
        build: makes and publishes a partition.
        needed_by: of a table per policy, which policies have it.
    """

    table: str
    per_policy: bool
    every_day: bool
    recipe: Callable[[Context, Partition], dict[str, Any]]
    build: Callable[[Context, Partition], Manifest]
    of_events: bool = False
    needed_by: Callable[[Policy], bool] = lambda _policy: True


STEPS = (
    Step(
        "matched_interactions",
        per_policy=False,
        every_day=True,
        recipe=matching.matched_interactions_recipe,
        build=matching.build_matched_interactions,
        of_events=True,
    ),
    Step(
        "impression_signals",
        per_policy=False,
        every_day=True,
        recipe=attribution.impression_signals_recipe,
        build=attribution.build_impression_signals,
    ),
    Step(
        "orphaned_interactions",
        per_policy=False,
        every_day=True,
        recipe=orphans.orphaned_interactions_recipe,
        build=orphans.build_orphaned_interactions,
        of_events=True,
    ),
    Step(
        "position_statistics",
        per_policy=False,
        every_day=True,
        recipe=attribution.position_statistics_recipe,
        build=attribution.build_position_statistics,
    ),
    Step(
        "propensities",
        per_policy=False,
        every_day=True,
        recipe=propensities.propensities_recipe,
        build=propensities.build_propensities,
    ),
    Step(
        "label_statistics",
        per_policy=True,
        every_day=True,
        recipe=label_statistics.label_statistics_recipe,
        build=label_statistics.build_label_statistics,
        needed_by=label_statistics.needs_statistics,
    ),
    Step(
        "labels",
        per_policy=True,
        every_day=True,
        recipe=labels.labels_recipe,
        build=labels.build_labels,
    ),
    Step(
        "examples",
        per_policy=True,
        every_day=False,
        recipe=examples.examples_recipe,
        build=examples.build_examples,
    ),
    Step(
        "rankers",
        per_policy=True,
        every_day=False,
        recipe=rankers.rankers_recipe,
        build=rankers.build_rankers,
    ),
    Step(
        "evaluations",
        per_policy=True,
        every_day=False,
        recipe=evaluations.evaluations_recipe,
        build=evaluations.build_evaluations,
    ),
    Step(
        "comparisons",
        per_policy=False,
        every_day=False,
        recipe=comparisons.comparisons_recipe,
        build=comparisons.build_comparisons,
    ),
)


FAILED_CHECKS = "failed_checks"
"""The attribute of a partition that names its failed blocking checks: what follows waits."""


def step_of(table: str) -> Step:
    """The step that builds a table."""
    return next(step for step in STEPS if step.table == table)


def is_stale(context: Context, partition: Partition) -> bool:
    """Whether a partition is missing, failed its checks, or was made from other things than now."""
    manifest = context.lake.manifest(partition)
    if manifest is None or manifest.attributes.get(FAILED_CHECKS):
        return True
    try:
        recipe = step_of(partition.table).recipe(context, partition)
    except MissingPartitionError:
        return True
    return manifest.recipe_hash != recipe_hash(recipe)


def build_partition(context: Context, partition: Partition) -> tuple[Manifest, bool]:
    """Bring a partition up to date; returns its manifest and whether it had to be built.

    Raises:
        MissingPartitionError: something that it is made from was not built.
    """
    if not is_stale(context, partition):
        return context.require(partition), False
    return step_of(partition.table).build(context, partition), True


def partitions_of(context: Context, step: Step, policy: str, last_day: date) -> list[Partition]:
    """The partitions that a step should have when the log ends on a day."""
    if step.per_policy and not step.needed_by(context.project.policy(policy)):
        return []
    if step.of_events:
        days = _days_of_events(context, last_day)
    elif step.every_day:
        days = [day for day in context.log_days if day <= last_day]
    else:
        days = [last_day]
    return [Partition(step.table, day, policy) for day in days]


def _days_of_events(context: Context, last_day: date) -> list[date]:
    """The ended days with feedback up to the reach of a log day's impressions.

    The last impressions are followed by all days with events: where impressions stop coming and
    feedback does not, somebody should hear of it.
    """
    until = last_day + timedelta(days=matching.window_days(context.problem))
    days = [day for day in context.event_days if day <= until]
    if until >= context.log_days[-1]:
        days += [day for day in context.later_event_days if day > until]
    ended = max(context.last_ended_day, last_day)
    return [day for day in days if day <= ended]
