"""What a day's propensities say of themselves: the verdict that policies act on."""

from datetime import date
from typing import Any

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.policy import Policy, require_propensities
from label_platform.propensity import Verdict


def judgment_of(context: Context, day: date, estimator: str) -> tuple[str, str]:
    """Verdict and reason of a day's curve.

    Args:
        context: the piece of work.
        day: the propensities' partition.
        estimator: as a policy names it; auto: the chosen one.
    """
    judged = _judged(context, day, estimator)
    return str(judged["verdict"]), str(judged["reason"])


def may_use(context: Context, policy: Policy, day: date) -> bool:
    """Whether a policy that asks for a day's curve uses it; False: it falls back to none.

    Raises:
        PropensityRefusedError: the curve was refused, and the policy does not fall back.
    """
    judged = _judged(context, day, policy.debias.estimator)
    return require_propensities(
        policy,
        str(judged["verdict"]),
        str(judged["reason"]),
        context.problem.propensity,
        # a manifest of earlier versions tells only by its verdict
        is_wide=bool(judged.get("is_wide", judged["verdict"] == Verdict.WIDE)),
    )


def _judged(context: Context, day: date, estimator: str) -> dict[str, Any]:
    attributes = context.require(Partition("propensities", day)).attributes
    judged: dict[str, Any] = (
        attributes if estimator == "auto" else attributes["estimators"][estimator]
    )
    return judged
