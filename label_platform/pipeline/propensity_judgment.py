"""What a day's propensities say of themselves: the verdict that policies act on."""

from datetime import date

from label_platform.lake import Partition
from label_platform.pipeline.context import Context


def judgment_of(context: Context, day: date, estimator: str) -> tuple[str, str]:
    """Verdict and reason of a day's curve.

    Args:
        context: the piece of work.
        day: the propensities' partition.
        estimator: as a policy names it; auto: the chosen one.
    """
    attributes = context.require(Partition("propensities", day)).attributes
    judged = attributes if estimator == "auto" else attributes["estimators"][estimator]
    return str(judged["verdict"]), str(judged["reason"])
