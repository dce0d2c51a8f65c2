"""What a day's propensities say of themselves: the verdict that policies act on."""

from datetime import date
from typing import Any

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.policy import Policy, require_propensities
from label_platform.propensity import Verdict
from label_platform.strict_yaml import ConfigurationError


def judgment_of(context: Context, day: date, estimator: str) -> tuple[str, str]:
    """Verdict and reason of a day's curve.

    Args:
        context: the piece of work.
        day: the propensities' partition.
        estimator: as a policy names it; auto: the chosen one.

    Raises:
        ConfigurationError: the day's curves are without that estimator.
    """
    judged = _judged(context, day, estimator)
    return str(judged["verdict"]), str(judged["reason"])


def may_use(context: Context, policy: Policy, day: date) -> bool:
    """Whether a policy that asks for a day's curve uses it; False: it falls back to none.

    Raises:
        PropensityRefusedError: the curve was refused, and the policy does not fall back.
        ConfigurationError: the day's curves are without the policy's estimator.
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
    if estimator == "auto":
        return attributes
    known: dict[str, dict[str, Any]] = attributes["estimators"]
    if estimator not in known:
        raise ConfigurationError(
            f"the curves of {day} hold no estimator {estimator}, they hold "
            f"{', '.join(sorted(known))}; `label-platform propensities` estimates it once the "
            "policy that names it is in policies.use of the problem file, or it stands itself in "
            "propensity.estimators there"
        )
    return known[estimator]
