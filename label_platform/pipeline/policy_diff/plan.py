"""What taking up a policy would rebuild, by the recipes that every build goes by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from label_platform.examples import SplitError
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.policy_warnings import unseen_in
from label_platform.pipeline.refusals import is_mixed, is_refused
from label_platform.pipeline.steps import STEPS, is_stale, partitions_of, step_of
from label_platform.policy import Policy, labels_need_propensities


@dataclass(frozen=True)
class Affected:
    """The partitions of one table that would be built.

    Attributes:
        table: its name.
        policy: whose; empty for a table of all policies.
        days: of the partitions.
    """

    table: str
    policy: str
    days: tuple[date, ...]


@dataclass(frozen=True)
class Plan:
    """What would be built, in the order of the steps.

    Attributes:
        affected: partitions.
        rankers: that would be trained, as policy and title.
        words: why nothing can be said of training, where that is so.
        unseen: warnings of segments whose values no impression has.
    """

    affected: tuple[Affected, ...]
    rankers: tuple[tuple[str, str], ...]
    words: str = ""
    unseen: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        return asdict(self)

    def days_of(self, table: str) -> int:
        """How many partitions of a table would be built."""
        return sum(len(each.days) for each in self.affected if each.table == table)


def plan_of(before: Context, after: Context, policy: Policy) -> Plan:
    """What would be built if a project had this policy.

    Of other policies it is what is up to date now and would not be any more: a longer window, say,
    moves the training days of all.

    Args:
        before: the project as it is.
        after: the same lake with the policy in it.
        policy: the one that is taken up.
    """
    last_day = after.log_days[-1]
    if is_refused(after, policy, last_day):
        return Plan((), (), f"{policy.name} would be refused: nothing is built")
    affected = _shared(after, before, last_day)
    curves = {day for each in affected if each.table == "propensities" for day in each.days}
    words = ""
    for each in after.project.policies:
        known = None if each.name == policy.name else before
        try:
            affected += _chain(after, known, each, curves)
        except SplitError as error:
            words = str(error)
    if any(each.table == "evaluations" for each in affected):
        affected.append(Affected("comparisons", "", (last_day,)))
    order = [step.table for step in STEPS]
    affected.sort(key=lambda each: order.index(each.table))
    trained = {each.policy for each in affected if each.table == "rankers"}
    rankers = tuple(
        (each.name, spec.title)
        for each in after.project.policies
        if each.name in trained
        for spec in each.rankers
    )
    plan = Plan(tuple(affected), rankers, words, tuple(unseen_in(after, policy)))
    if is_mixed(after, policy, last_day):
        return without_training(plan, policy.name, is_sure=True)
    return plan


def without_training(plan: Plan, policy: str, *, is_sure: bool) -> Plan:
    """The plan of a policy whose training rows are refused: nothing is made of its labels.

    Args:
        plan: as if they were not.
        policy: whose rows.
        is_sure: whether they are refused on all days that train; else the plan stays as it is.
    """
    if not plan.affected:
        return plan
    if not is_sure:
        words = f"{policy}: its examples and rankers may be refused: on the days looked at they are"
        return replace(plan, words=words)
    trains = {step.table for step in STEPS if step.per_policy and not step.every_day}
    kept = [each for each in plan.affected if each.policy != policy or each.table not in trains]
    if all(each.table != "evaluations" for each in kept):
        kept = [each for each in kept if each.table != "comparisons"]
    rankers = tuple(each for each in plan.rankers if each[0] != policy)
    words = f"{policy}: its examples and rankers would be refused: nothing is made of its labels"
    return replace(plan, affected=tuple(kept), rankers=rankers, words=words)


def _shared(after: Context, before: Context, last_day: date) -> list[Affected]:
    """Tables of all policies: a longer window moves the days that curves are estimated from."""
    affected = []
    for step in STEPS:
        if not step.per_policy and step.every_day:
            partitions = partitions_of(after, step, "", last_day)
            days = tuple(each.day for each in partitions if _goes(after, before, each))
            if days:
                affected.append(Affected(step.table, "", days))
    return affected


def _chain(
    after: Context, before: Context | None, policy: Policy, curves: set[date]
) -> Sequence[Affected]:
    """What of one policy is stale, and all that is made from that or from other curves."""
    last_day = after.log_days[-1]
    debiased = labels_need_propensities(policy)
    affected: list[Affected] = []
    for step in (each for each in STEPS if each.per_policy):
        if not step.every_day:
            after.split(last_day)
        partitions = partitions_of(after, step, policy.name, last_day)
        follows = bool(affected) and not step.every_day
        days = tuple(
            partition.day
            for partition in partitions
            if follows
            or (step.table == "labels" and debiased and partition.day in curves)
            or _goes(after, before, partition)
        )
        if days:
            affected.append(Affected(step.table, policy.name, days))
    return affected


def _goes(after: Context, before: Context | None, partition: Partition) -> bool:
    """Whether a partition would be built for the change, and not for another reason already."""
    if not is_stale(after, partition):
        return False
    return before is None or not is_stale(before, partition)


def is_built_by(context: Context, policy: Policy, day: date) -> bool:
    """Whether the lake's statistics of a policy and day are those that it would have now."""
    project = context.project
    if policy not in project.policies or not step_of("label_statistics").needed_by(policy):
        return False
    return not is_stale(context, Partition("label_statistics", day, policy.name))
