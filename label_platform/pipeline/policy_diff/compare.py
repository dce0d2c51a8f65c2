"""`policies diff`: what another policy would change, before anything is written."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from label_platform.lake import MissingPartitionError, Partition
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.label_statistics import needs_statistics
from label_platform.pipeline.labels import label_inputs, labels_sql
from label_platform.pipeline.policy_diff.cost import Cost, cost_of
from label_platform.pipeline.policy_diff.movers import Mover, movers_of
from label_platform.pipeline.policy_diff.plan import (
    Plan,
    is_built_by,
    plan_of,
    without_training,
)
from label_platform.pipeline.policy_diff.scratch import scratch, with_policy
from label_platform.pipeline.policy_diff.training import TrainingDiff, training_diff
from label_platform.pipeline.policy_diff.trial import Trial, try_both
from label_platform.pipeline.steps import build_partition
from label_platform.policy import (
    LabelDiff,
    Layout,
    Policy,
    PolicyChange,
    Side,
    day_sql,
    label_diff,
    layout_of,
    policy_change,
    total_sql,
)
from label_platform.strict_yaml import ConfigurationError

_DAYS, _ROWS = "compared_days", "compared_rows"


@dataclass(frozen=True)
class PolicyDiff:
    """All that is known of a change before it is made.

    Attributes:
        names: old and new, as they were asked for.
        change: of the file.
        days: that were compared.
        labels: how they differ; None if nothing changes them.
        movers: the rows that move most, with their reasons.
        plan: what would be built.
        cost: of that.
        trial: of both policies trained; None unless asked for.
        seconds: the comparison of labels took.
        training: how the rows that train differ, where labels do not; else None.
        taken_up: the name that the new policy has in its file.
    """

    names: tuple[str, str]
    change: PolicyChange
    days: tuple[date, ...] = ()
    labels: LabelDiff | None = None
    movers: tuple[Mover, ...] = ()
    plan: Plan | None = None
    cost: tuple[Cost, ...] = ()
    trial: Trial | None = None
    seconds: float = field(default=0.0, compare=False)
    training: TrainingDiff | None = None
    taken_up: str = ""

    def as_json(self) -> dict[str, Any]:
        """The difference for programs."""
        return {
            "old": self.names[0],
            "new": self.names[1],
            "difference": self.change.reaches != "nothing",
            "change": self.change.as_json(),
            "days": self.days,
            "labels": self.labels.as_json() if self.labels else None,
            "movers": [each.as_json() for each in self.movers],
            "plan": self.plan.as_json() if self.plan else None,
            "cost": [each.as_json() for each in self.cost],
            "trial": self.trial.as_json() if self.trial else None,
            "training": self.training.as_json() if self.training else None,
            "seconds": round(self.seconds, 2),
        }


def diff_policies(
    project: Project,
    policies: tuple[Policy, Policy],
    names: tuple[str, str],
    days: tuple[date, date],
    *,
    train: bool = False,
) -> PolicyDiff:
    """Compare two policies on a project's lake, which is only read.

    Args:
        project: with ``impression_signals`` built.
        policies: old and new, checked.
        names: as people know them.
        days: the first and the last log day to look at.
        train: train both on the problem's split, too.

    Raises:
        ConfigurationError: there are no such days, or propensities are not built.
        PropensityRefusedError: a policy asks for a curve that was refused.
    """
    old, new = policies
    change = policy_change(old, new, project.problem)
    if change.reaches == "nothing":
        return PolicyDiff(names, change)
    with project.open() as context:
        try:
            return _diff(context, policies, names, change, days, train=train)
        except MissingPartitionError as error:
            raise ConfigurationError(
                f"problem {project.problem.name}: {error}; `label-platform propensities` builds "
                "what labels are made from"
            ) from error


def compare_days(
    context: Context, policies: tuple[Policy, Policy], days: tuple[date, ...]
) -> tuple[Layout, str]:
    """Both policies' labels side by side in the engine; returns their layout and the relation."""
    layout = None
    with ExitStack() as stack:
        sides = [_Labels(context, policy, stack, days) for policy in policies]
        for day in days:
            old, new = (side.on(day) for side in sides)
            layout = layout or layout_of(context.problem, old, new)
            scan = context.lake.scan("impression_signals", [day])
            query = day_sql(layout, scan, old, new)
            first = day == days[0]
            into = f"create or replace temp table {_DAYS} as" if first else f"insert into {_DAYS}"
            context.engine.execute(f"{into} {query}")
    if layout is None:
        raise ValueError("expected at least one day")
    total = total_sql(layout, _DAYS, several_days=len(days) > 1)
    if layout.grain == "query_item" and len(days) > 1:
        context.engine.execute(f"create or replace temp table {_ROWS} as {total}")
        context.engine.execute(f"drop table {_DAYS}")
    else:
        context.engine.create_view(_ROWS, f"({total})")
    return layout, _ROWS


def _diff(
    context: Context,
    policies: tuple[Policy, Policy],
    names: tuple[str, str],
    change: PolicyChange,
    days: tuple[date, date],
    *,
    train: bool,
) -> PolicyDiff:
    chosen = _chosen_days(context, days)
    started = time.perf_counter()
    labels: LabelDiff | None = None
    movers: tuple[Mover, ...] = ()
    if change.reaches == "labels":
        layout, relation = compare_days(context, policies, chosen)
        labels = label_diff(context.engine, layout, relation)
        inputs = [
            {day: label_inputs(context, policy, day) for day in chosen} for policy in policies
        ]
        movers = movers_of(context, policies, (inputs[0], inputs[1]), labels)
    seconds = time.perf_counter() - started
    before, after = (
        Context(with_policy(context.project, policy), context.engine, context.lake)
        for policy in policies
    )
    training = None
    if change.reaches == "examples":
        training = training_diff((before, after), policies, days)
    trial = try_both(context, policies, names) if train else None
    plan = plan_of(context, after, policies[1])
    if trial is not None and trial.refused:
        plan = without_training(plan, policies[1].name, is_sure=True)
    elif training is not None and training.refused:
        plan = without_training(plan, policies[1].name, is_sure=not training.left_out)
    return PolicyDiff(
        names,
        change,
        chosen,
        labels,
        movers,
        plan,
        cost_of(
            after,
            plan,
            _impressions(context, chosen) / seconds if labels else None,
            training.seconds if training else None,
        ),
        trial,
        seconds,
        training,
        policies[1].name,
    )


def _impressions(context: Context, days: tuple[date, ...]) -> int:
    return sum(context.require(Partition("impression_signals", day)).rows for day in days)


def _chosen_days(context: Context, days: tuple[date, date]) -> tuple[date, ...]:
    built = context.lake.days("impression_signals")
    if not built:
        raise ConfigurationError(
            f"problem {context.problem.name}: impression_signals: no day is built yet; "
            "`label-platform labels` builds them"
        )
    first, last = days
    chosen = tuple(day for day in built if first <= day <= last)
    if not chosen:
        raise ConfigurationError(
            f"--days: no impressions from {first} to {last}; there are days from {built[0]} to "
            f"{built[-1]}"
        )
    return chosen


class _Labels:
    """One policy's labels, day by day; what they need of other days is fitted beside the lake."""

    def __init__(
        self, context: Context, policy: Policy, stack: ExitStack, days: tuple[date, ...]
    ) -> None:
        self.policy = policy
        self.live = context.lake
        self.columns: tuple[str, ...] = ()
        project = with_policy(context.project, policy)
        self.context = Context(project, context.engine, context.lake)
        if needs_statistics(policy) and not all(is_built_by(context, policy, day) for day in days):
            self.context = stack.enter_context(scratch(context, project))

    def on(self, day: date) -> Side:
        """The labels of a day."""
        partition = Partition("labels", day, self.policy.name)
        if self.context.lake is not self.live:
            build_partition(self.context, Partition("label_statistics", day, self.policy.name))
        query, _ = labels_sql(self.context, self.policy, partition)
        # both sides name the same files, so that one scan can serve both
        tried, live = (
            lake.scan("impression_signals", [day]) for lake in (self.context.lake, self.live)
        )
        query = query.replace(tried, live)
        self.columns = self.columns or tuple(self.context.engine.schema(f"({query})"))
        return Side(self.policy, query, self.columns)
