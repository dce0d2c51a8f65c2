"""Which policies the evidence does not support."""

from datetime import date

from label_platform.examples import SplitError
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import examination_curve
from label_platform.pipeline.labels import uses_propensities
from label_platform.policy import Policy, PropensityRefusedError, falls_back


def is_refused(context: Context, policy: Policy, last_day: date) -> bool:
    """Whether a policy asks for an examination curve that was refused on a day it trains on.

    In a log too short to train on, it is the days that it labels.
    """
    days = _training_days(context, last_day) or tuple(
        day for day in context.log_days if day <= last_day
    )
    try:
        _debiased(context, policy, days)
        examination_curve(context, policy, context.last_training_day(last_day))
    except PropensityRefusedError:
        return True
    return False


def is_mixed(context: Context, policy: Policy, last_day: date) -> bool:
    """Whether a policy falls back on some of its training days and not on others.

    Nothing is trained on its labels then; they are built all the same, as the policy says.
    """
    if not falls_back(policy):
        return False
    return len(_debiased(context, policy, _training_days(context, last_day))) > 1


def _training_days(context: Context, last_day: date) -> tuple[date, ...]:
    """None in a log too short to train on."""
    try:
        split = context.split(last_day)
    except SplitError:
        return ()
    return (*split.train, *split.validate)


def _debiased(context: Context, policy: Policy, days: tuple[date, ...]) -> set[bool]:
    """Whether labels of these days are debiased, each value once.

    Raises:
        PropensityRefusedError: the policy asks for a curve that was refused.
    """
    partitions = [Partition("labels", day, policy.name) for day in days]
    return {uses_propensities(context, policy, each) for each in partitions}
