"""Which policies the evidence does not support."""

from datetime import date

from label_platform.examples import SplitError
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import examination_curve
from label_platform.pipeline.labels import uses_propensities
from label_platform.policy import Policy, PropensityRefusedError


def is_refused(context: Context, policy: Policy, last_day: date) -> bool:
    """Whether a policy asks for an examination curve that was refused on a day it trains on.

    A policy that falls back is refused where it would on some of the days and not on others. In a
    log too short to train on, it is the days that it labels.
    """
    try:
        split = context.split(last_day)
        days = (*split.train, *split.validate)
    except SplitError:
        days = tuple(day for day in context.log_days if day <= last_day)
    try:
        debiased = {
            uses_propensities(context, policy, Partition("labels", day, policy.name))
            for day in days
        }
        examination_curve(context, policy, context.last_training_day(last_day))
    except PropensityRefusedError:
        return True
    return len(debiased) > 1
