"""Which policies the evidence does not support."""

from datetime import date

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import examination_curve
from label_platform.pipeline.labels import uses_propensities
from label_platform.policy import Policy, PropensityRefusedError


def is_refused(context: Context, policy: Policy, last_day: date) -> bool:
    """Whether a policy asks for an examination curve that was refused on a day it trains on."""
    split = context.split(last_day)
    try:
        for day in (*split.train, *split.validate):
            uses_propensities(context, policy, Partition("labels", day, policy.name))
        examination_curve(context, policy, split.train[-1])
    except PropensityRefusedError:
        return True
    return False
