"""What has to be rebuilt, and nothing else: compares recipes, day by day and policy by policy.

The schedule, the sensor and the command line all ask here. Only what can be told from what is
built now is named: whether examples are stale, say, shows once their labels are up to date.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from label_platform.lake import Partition, days_between, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.refusals import is_mixed, is_refused
from label_platform.pipeline.steps import STEPS, Step, is_stale, partitions_of, step_of
from label_platform.policy import Policy


@dataclass(frozen=True)
class Work:
    """A run of days without gaps in which a table is stale."""

    table: str
    policy: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it covers."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        of_policy = f" of {self.policy}" if self.policy else ""
        return f"{self.table}{of_policy}, {self.first} to {self.last}"


def stale_work(
    context: Context, step: Step, policy: str, last_day: date, first_day: date = date.min
) -> list[Work]:
    """The stale days of one table between two days, as runs without gaps."""
    days = [
        partition.day
        for partition in partitions_of(context, step, policy, last_day)
        if partition.day >= first_day and is_stale(context, partition)
    ]
    return [Work(step.table, policy, first, last) for first, last in _runs(days)]


def next_work(
    context: Context, last_day: date, is_given_up: Callable[[Work], bool] = lambda _work: False
) -> list[Work]:
    """The stale work that can start now: per chain, the first step that has any.

    A policy's chain waits for the shared tables, and the comparison waits for every policy but
    those that the evidence does not support, which have no work until the evidence changes, and
    those whose work is given up.

    Args:
        context: what is built now.
        last_day: the log's last day.
        is_given_up: whether work has failed too often to be tried again; it is left out, and what
            needs it waits.
    """
    shared = [step for step in STEPS if not step.per_policy and step.table != "comparisons"]
    for step in shared:
        work = stale_work(context, step, "", last_day)
        if work:
            return [each for each in work if not is_given_up(each)]
    works = [
        work
        for policy in context.project.policies
        for work in _first_work(context, policy, last_day)
        if not is_given_up(work)
    ]
    if works:
        return works
    work = stale_work(context, step_of("comparisons"), "", last_day)
    return [each for each in work if not is_given_up(each)]


def work_key(context: Context, work: Work) -> str:
    """Identity of a piece of work: the same while nothing that it starts from has changed."""
    step = step_of(work.table)
    days = days_between(work.first, work.last)
    recipes = [step.recipe(context, Partition(work.table, day, work.policy)) for day in days]
    return f"{work.table}:{work.policy}:{work.first}..{work.last}:{recipe_hash({'days': recipes})}"


def _first_work(context: Context, policy: Policy, last_day: date) -> list[Work]:
    if is_refused(context, policy, last_day):
        return []
    trains = not is_mixed(context, policy, last_day)
    for step in STEPS:
        if step.per_policy and (step.every_day or trains):
            work = stale_work(context, step, policy.name, last_day)
            if work:
                return work
    return []


def _runs(days: list[date]) -> Iterator[tuple[date, date]]:
    """Consecutive days joined into (first, last) pairs."""
    first = previous = None
    for day in days:
        if first is None or previous is None:
            first = day
        elif day - previous > timedelta(days=1):
            yield first, previous
            first = day
        previous = day
    if first is not None and previous is not None:
        yield first, previous
