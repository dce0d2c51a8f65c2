"""Off-policy DCG of re-ranking the lists that were shown, under the position-based model.

For list r, item i logged at position k_i and ranked j_i by the target, lambda_i = discount(j_i):

    numerator_r   = sum over shown i of lambda_i c_i / rho_i
    denominator_r = sum over shown i of lambda_i theta_{k_i} / rho_i
    SNIPS = mean_r(sum_i lambda_i) * sum_r numerator_r / sum_r denominator_r

with rho_i = theta at the logged position. The target only re-orders what the list shows, so the
list and its positions are conditioned on: given them, E(c_i) = theta_{k_i} gamma_i, and each list
estimates its own sum of lambda_i gamma_i whatever chose its items. Summing over the positions the
item might have had (rho_i = sum_k P_logging(i at k) theta_k, from ``logging_probability`` of every
position) would lower the variance, and would let a target be judged that shows other items.

The propensities are taken as known; both sides of a paired difference use the same ones.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Lists
from label_platform.propensity import PropensityCurve, is_pooled

MIN_LIST_ESS_SHARE = 0.25
MIN_CLICK_ESS = 100.0
MAX_UNSUPPORTED_SHARE = 0.01
MAX_CLIPPED_SHARE = 0.01


@dataclass(frozen=True)
class Overlap:
    """How well the logged lists can judge a target; all on unclipped weights.

    Attributes:
        list_ess_share: (sum lambda)^2 / (sum theta * sum lambda^2/theta): what share of the log's
            examinations as many would be worth that looked where the target wants them. Weights
            summed by list would hardly differ between lists here, so they could not warn.
        click_ess: the effective number of clicks, by their weights lambda/theta.
        unsupported_share: of the target's discounts, at positions without a propensity.
        clipped_share: of the target's gain, lost to clipping.
        verdict: whether an estimate may be shown.
        reason: the gates that refuse it, in words and numbers.
    """

    list_ess_share: float
    click_ess: float
    unsupported_share: float
    clipped_share: float
    verdict: Literal["ok", "no_overlap"]
    reason: str


@dataclass(frozen=True)
class OffPolicyEstimate:
    """Parts of SNIPS by list; its value is the ratio of their sums.

    Attributes:
        numerator: of each list, scaled by the lists' mean sum of discounts.
        denominator: of each list.
        overlap: whether they may be used.
    """

    numerator: Floats
    denominator: Floats
    overlap: Overlap

    @property
    def value(self) -> float:
        """SNIPS; NaN where the overlap is refused."""
        if self.overlap.verdict != "ok":
            return float("nan")
        return float(self.numerator.sum() / self.denominator.sum())


def estimate_dcg(
    discounts: Floats,
    clicks: Floats,
    examination: Floats,
    lists: Lists,
    clip: float = 0.01,
) -> OffPolicyEstimate:
    """SNIPS of a target's DCG on the shown lists, with its gates.

    Args:
        discounts: the target's discount of each item (lambda).
        clicks: 0 or 1.
        examination: P(examined) at the item's logged position; NaN or 0 where none is known.
        lists: of the items.
        clip: propensities are raised to at least this.
    """
    supported = np.nan_to_num(examination) > 0
    theta = np.where(supported, examination, np.nan)
    usable = np.where(supported, discounts, 0.0)
    rho = np.where(supported, np.maximum(examination, clip), 1.0)
    wanted = discounts.sum() / max(len(lists), 1)
    return OffPolicyEstimate(
        numerator=wanted * lists.totals(usable * clicks / rho),
        denominator=lists.totals(np.where(supported, usable * examination / rho, 0.0)),
        overlap=_overlap(discounts, usable, clicks, theta, rho),
    )


def _overlap(
    discounts: Floats, usable: Floats, clicks: Floats, theta: Floats, rho: Floats
) -> Overlap:
    """The gates; theta is NaN where it is unknown, and usable is 0 there."""
    known = np.isfinite(theta)
    weight = np.divide(usable, theta, out=np.zeros_like(usable), where=known)
    wanted = discounts.sum()
    list_ess = _ratio(usable.sum() ** 2, theta[known].sum() * (usable * weight).sum())
    click_weight = weight * clicks
    click_ess = _ratio(click_weight.sum() ** 2, (click_weight**2).sum())
    unsupported = 1 - _ratio(usable.sum(), wanted)
    clipped = _ratio((usable * np.where(known, 1 - theta / rho, 0)).sum(), wanted)
    reasons = []
    if list_ess < MIN_LIST_ESS_SHARE:
        reasons.append(
            f"for this ranking the lists are worth {list_ess:.1%} of their number, "
            f"needed {MIN_LIST_ESS_SHARE:.0%}"
        )
    if click_ess < MIN_CLICK_ESS:
        reasons.append(
            f"{int((clicks > 0).sum())} clicks are worth {click_ess:.0f}, "
            f"needed {MIN_CLICK_ESS:.0f}"
        )
    if unsupported > MAX_UNSUPPORTED_SHARE:
        reasons.append(
            f"{unsupported:.1%} of the ranking's gain lies at logged positions without a "
            f"propensity, allowed {MAX_UNSUPPORTED_SHARE:.0%}"
        )
    if clipped > MAX_CLIPPED_SHARE:
        reasons.append(
            f"clipping cuts off {clipped:.1%} of the ranking's gain, "
            f"allowed {MAX_CLIPPED_SHARE:.0%}"
        )
    verdict: Literal["ok", "no_overlap"] = "no_overlap" if reasons else "ok"
    return Overlap(list_ess, click_ess, unsupported, clipped, verdict, "; ".join(reasons))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0


def logged_examination(impressions: pd.DataFrame, curve: PropensityCurve) -> NDArray[np.float64]:
    """P(examined) of each impression at its logged position; NaN where the curve holds none.

    The curve of the impression's own context decides, then the pooled one.

    Args:
        impressions: with position and the curve's context columns.
        curve: relative to the reference position.
    """
    pooled = is_pooled(curve.table, curve.context)
    found = _look_up(impressions, curve.table[pooled], [])
    if not curve.context:
        return found
    own = _look_up(impressions, curve.table[~pooled], list(curve.context))
    return np.where(np.isnan(own), found, own)


def _look_up(
    impressions: pd.DataFrame, table: pd.DataFrame, context: list[str]
) -> NDArray[np.float64]:
    keys = impressions[[*context, "position"]].astype(dict.fromkeys(context, "str"))
    values = table[[*context, "position", "propensity"]].astype(dict.fromkeys(context, "str"))
    joined = keys.merge(values, on=[*context, "position"], how="left", validate="many_to_one")
    return joined["propensity"].to_numpy(dtype=np.float64)
