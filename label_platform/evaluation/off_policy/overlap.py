"""Gates: whether a log can judge a target at all. Always on unclipped weights.

Clipping raises the effective sample size while the estimate moves away from the truth, so what
clipping would hide is measured before it. The limits are METHODS', section 2; see
docs/off-policy.md for how often intervals hold the truth on either side of them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.off_policy.logged_clicks import LoggedClicks

MIN_LIST_ESS_SHARE = 0.25
MIN_CLICK_ESS = 100.0
MAX_UNSUPPORTED_SHARE = 0.01
MAX_CLIPPED_SHARE = 0.01


@dataclass(frozen=True)
class Overlap:
    """How well the logged lists can judge a target; all on unclipped weights.

    Attributes:
        list_ess_share: (sum lambda)^2 / (sum rho * sum lambda^2/rho): what share of the log's
            examinations as many would be worth that looked where the target wants them. Weights
            summed by list would hardly differ between lists here, so they could not warn.
        click_ess: the effective number of clicks, by their weights lambda/rho.
        unsupported_share: of the target's discounts, on items that logging never shows or at
            positions without a propensity.
        clipped_share: of the target's gain, lost to clipping.
        verdict: whether an estimate may be shown.
        reason: the gates that refuse it, in words and numbers.
        max_weight: the largest weight, by the mean one of the log's examinations.
    """

    list_ess_share: float
    click_ess: float
    unsupported_share: float
    clipped_share: float
    verdict: Literal["ok", "no_overlap"]
    reason: str
    max_weight: float = 1.0


def measure_overlap(logged: LoggedClicks, discounts: Floats, clip: float) -> Overlap:
    """The gates for a target.

    Args:
        logged: what the log says of the items.
        discounts: the target's discount of each item (lambda).
        clip: what rho is raised to by the estimator; 0 for none.
    """
    supported, times = logged.supported, logged.row_times
    rho = np.where(supported, logged.expected, 0.0)
    usable = np.where(supported, discounts, 0.0)
    weight = np.divide(usable, rho, out=np.zeros_like(rho), where=supported)
    wanted, usable_total = float(times @ discounts), float(times @ usable)
    cut_off = np.divide(rho, np.maximum(rho, clip), out=np.ones_like(rho), where=supported)
    mean_weight = _ratio(usable_total, float(times @ rho))
    return judge_overlap(
        list_ess_share=_ratio(usable_total**2, (times @ rho) * (times @ (usable * weight))),
        click_ess=effective_number(weight, logged.clicks),
        unsupported_share=1 - _ratio(usable_total, wanted),
        clipped_share=_ratio(float(times @ (usable * (1 - cut_off))), wanted),
        clicks=int(logged.clicks.sum()),
        max_weight=_ratio(float(weight.max(initial=0.0)), mean_weight),
    )


def effective_number(weight: Floats, count: Floats) -> float:
    """Kish's effective sample size of ``count`` events, each with the weight of its row."""
    return _ratio(float(weight @ count) ** 2, float((weight**2) @ count))


def judge_overlap(
    *,
    list_ess_share: float,
    click_ess: float,
    unsupported_share: float,
    clipped_share: float,
    clicks: int,
    max_weight: float,
) -> Overlap:
    """The verdict over the figures of ``Overlap``.

    Args:
        list_ess_share: see ``Overlap``, as are the others but these.
        click_ess: see ``Overlap``.
        unsupported_share: see ``Overlap``.
        clipped_share: see ``Overlap``.
        clicks: how many there are.
        max_weight: see ``Overlap``.
    """
    reasons = []
    if list_ess_share < MIN_LIST_ESS_SHARE:
        reasons.append(
            f"for this ranking the lists are worth {list_ess_share:.1%} of their number, "
            f"needed {MIN_LIST_ESS_SHARE:.0%}"
        )
    if click_ess < MIN_CLICK_ESS:
        reasons.append(f"{clicks} clicks are worth {click_ess:.0f}, needed {MIN_CLICK_ESS:.0f}")
    if unsupported_share > MAX_UNSUPPORTED_SHARE:
        reasons.append(
            f"{unsupported_share:.1%} of the ranking's gain lies on items that the log never shows "
            f"or at positions without a propensity, allowed {MAX_UNSUPPORTED_SHARE:.0%}"
        )
    if clipped_share > MAX_CLIPPED_SHARE:
        reasons.append(
            f"clipping cuts off {clipped_share:.1%} of the ranking's gain, "
            f"allowed {MAX_CLIPPED_SHARE:.0%}"
        )
    return Overlap(
        list_ess_share=list_ess_share,
        click_ess=click_ess,
        unsupported_share=unsupported_share,
        clipped_share=clipped_share,
        verdict="no_overlap" if reasons else "ok",
        reason="; ".join(reasons),
        max_weight=max_weight,
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
