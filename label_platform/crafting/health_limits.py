"""When a day's labels deserve a look, in words."""

from label_platform.crafting.label_drift import LabelDrift
from label_platform.crafting.label_health import LabelHealth
from label_platform.policy import LabelHealth as Limits

LIMITS = {
    "positive_share": "the share of labels above 0 is within the policy's limits",
    "clip_share": "few propensities are raised to the clip",
    "effective_share": "the labels above 0 do not all rest on a few of them",
    "drift": "labels are like those of the trailing window",
    "immature_share": "feedback has had its time to come",
}
"""What should hold of a day's labels, by the name of the limit."""


def health_warnings(health: LabelHealth, drift: LabelDrift, limits: Limits) -> dict[str, str]:
    """Which limits a day's labels break, each with its numbers in words.

    Args:
        health: the day's numbers.
        drift: the day against its trailing window.
        limits: of the policy file.

    Returns:
        By names of ``LIMITS``; empty if all is well. What is not known breaks no limit.
    """
    found = {
        "positive_share": _positive_share(health, limits),
        "clip_share": _above(health.clip_share, limits.clip_share, "impressions are at the clip"),
        "effective_share": _effective_share(health, limits),
        "drift": _drift(drift, limits),
        "immature_share": _above(
            health.immature_share, limits.immature_share, "impressions can still get feedback"
        ),
    }
    return {name: words for name, words in found.items() if words}


def _positive_share(health: LabelHealth, limits: Limits) -> str:
    share, (least, most) = health.positive_share, limits.positive_share
    if share is None or least <= share <= most:
        return ""
    side = f"below {least:.3g}" if share < least else f"above {most:.3g}"
    return f"{share:.3g} of {health.rows:,} labels are above 0, {side}"


def _effective_share(health: LabelHealth, limits: Limits) -> str:
    share, least = health.effective_share, limits.effective_share
    if share is None or share >= least:
        return ""
    worth = (
        f"{health.positives:,} labels above 0 are worth {share * health.positives:,.1f} equal ones"
    )
    return f"{worth}, a share of {share:.3g}, below {least:.3g}"


def _drift(drift: LabelDrift, limits: Limits) -> str:
    if drift.psi is None or drift.p_value is None:
        return ""
    broken = []
    if drift.psi > limits.psi:
        broken.append(f"PSI {drift.psi:.3g} is above {limits.psi:.3g}")
    if drift.p_value < limits.drift_p_value:
        broken.append(f"p value {drift.p_value:.2g} is below {limits.drift_p_value:.2g}")
    return " and ".join(broken) + f", against {drift.days} days before" if broken else ""


def _above(share: float | None, most: float, words: str) -> str:
    if share is None or share <= most:
        return ""
    return f"{share:.3g} of {words}, above {most:.3g}"
