"""The DCG that another ranking would have, from clicks on the rankings that were shown.

For list r, item i, the target's discount lambda_i, clicks c_i at the logged position k_i, with

    E(c_i | k_i) = alpha_{k_i} gamma_i + beta_{k_i}

(alpha = theta and beta = 0 under the position-based model; both under trust bias, Vardasbi et al.
2020), and rho_i = sum_k P_logging(i at k) alpha_k, where "not shown" adds 0 (Oosterhuis and
de Rijke 2020, policy-aware), the value mean_r sum_i lambda_i gamma_i is estimated by

    ips            mean_r sum_shown lambda_i (c_i - beta_{k_i}) / rho_i
    clipped        the same with max(rho_i, clip): biased, by no more than the clipped share
    snips          mean_r(sum_j lambda_j) * sum_r sum_shown lambda_i (c_i - beta_{k_i}) / rho_i
                   / sum_r sum_shown lambda_i alpha_{k_i} / rho_i
    doubly_robust  mean_r [sum_j lambda_j g_j
                   + sum_shown lambda_i (c_i - beta_{k_i} - alpha_{k_i} g_i) / max(rho_i, clip)]

with g a model of relevance that has not seen the list's clicks (Oosterhuis 2023). j runs over all
items that the target ranks, shown or not; each of them adds its lambda_j to what SNIPS divides by,
since E sum_shown lambda_i alpha_{k_i} / rho_i = sum_j lambda_j under full support.

The curve (alpha, beta) is taken as known; both sides of a paired difference use the same one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Lists
from label_platform.evaluation.off_policy.intervals import Interval, PassedGate, interval_by_unit
from label_platform.evaluation.off_policy.logged_clicks import LoggedClicks
from label_platform.evaluation.off_policy.overlap import MIN_CLICK_ESS, Overlap, measure_overlap
from label_platform.evaluation_settings import OffPolicyEstimator

DEFAULT_CLIP = 0.01
"""What clipped and doubly robust estimates raise rho to, where nothing else is said."""


@dataclass(frozen=True, eq=False)
class OffPolicyEstimate:
    """Parts by ranking; the value is the ratio of their sums.

    Attributes:
        numerator: of each ranking; of SNIPS scaled by the mean sum of discounts.
        denominator: of each ranking.
        overlap: whether they may be used.
        scale_part: what each ranking adds to the relative error of that scale; 0 but for SNIPS.
        weighted_clicks: of each ranking, sum w c over its rows with the unclipped weights w.
        squared_clicks: likewise sum w^2 c.
    """

    numerator: Floats
    denominator: Floats
    overlap: Overlap
    scale_part: Floats
    weighted_clicks: Floats
    squared_clicks: Floats

    @property
    def value(self) -> float:
        """The estimate; NaN where the overlap is refused."""
        return self.unsupported_value if self.overlap.verdict == "ok" else float("nan")

    @property
    def unsupported_value(self) -> float:
        """What the weights give even where the overlap is refused: to be shown with the refusal."""
        whole = float(self.denominator.sum())
        return float(self.numerator.sum()) / whole if whole > 0 else float("nan")

    @property
    def influence(self) -> Floats:
        """What each ranking adds to the estimate's deviation from its expectation.

        The linearisation of the ratio, and for SNIPS that of the scale.
        """
        value = self.unsupported_value
        deviation = (self.numerator - value * self.denominator) / self.denominator.sum()
        influence: Floats = deviation + value * self.scale_part
        return influence

    def interval(self, unit: NDArray[np.generic], confidence: float = 0.95) -> Interval:
        """The interval over units, given that the gates have passed, if they have.

        Args:
            unit: the query that each ranking belongs to, shape (rankings,).
            confidence: of the interval, between 0 and 1.

        Raises:
            ValueError: fewer than two units.
        """
        gate = None
        total, squared = self.weighted_clicks.sum(), self.squared_clicks.sum()
        if self.overlap.verdict == "ok":
            number = self.overlap.click_ess
            relative = 2 * self.weighted_clicks / total - self.squared_clicks / squared
            gate = PassedGate(number - MIN_CLICK_ESS, number * relative)
        value = self.unsupported_value
        found = interval_by_unit(value, self.influence, unit, confidence, gate)
        # relevance is never below 0, and an estimate outside of its interval would puzzle people
        return replace(found, low=max(found.low, 0.0), high=max(found.high, value))


def estimate_value(
    logged: LoggedClicks,
    discounts: Floats,
    estimator: OffPolicyEstimator = "snips",
    clip: float = DEFAULT_CLIP,
) -> OffPolicyEstimate:
    """Estimate a target's DCG, with its gates.

    Args:
        logged: what the log says of the items that the target ranks.
        discounts: the target's discount of each item (lambda), shape (n,).
        estimator: see the module; ``ips`` and ``snips`` do not clip.
        clip: rho is raised to at least this by the others, 0 or more.

    Returns:
        Parts per ranking; check the overlap before they are used.

    Raises:
        ValueError: a doubly robust estimate without predictions.
    """
    clip = 0.0 if estimator in {"ips", "snips"} else clip
    supported, times, lists = logged.supported, logged.row_times, logged.lists
    rho = np.where(supported, np.maximum(logged.expected, clip), 1.0)
    weight = np.where(supported, discounts, 0.0) / rho
    examination = np.nan_to_num(logged.examination)
    gained = logged.clicks - np.nan_to_num(logged.offset)
    overlap = measure_overlap(logged, discounts, clip)
    unclipped = np.where(supported, discounts, 0.0) / np.where(supported, logged.expected, 1.0)
    clicked = (
        lists.totals(unclipped * logged.clicks),
        lists.totals(unclipped**2 * logged.clicks),
    )
    unscaled = np.zeros(len(lists))
    if estimator == "doubly_robust":
        if logged.predicted is None:
            raise ValueError("doubly_robust: needs a model's predictions of relevance")
        modelled = times * discounts * logged.predicted
        residual = weight * (gained - examination * logged.predicted)
        total_parts = lists.totals(modelled + residual)
        return OffPolicyEstimate(total_parts, logged.times, overlap, unscaled, *clicked)
    numerator = lists.totals(weight * gained)
    if estimator != "snips":
        return OffPolicyEstimate(numerator, logged.times, overlap, unscaled, *clicked)
    wanted = lists.totals(times * discounts)
    total, shown = float(wanted.sum()), float(logged.times.sum())
    scale_part = wanted / total - logged.times / shown if total > 0 else unscaled
    return OffPolicyEstimate(
        numerator=(total / shown if shown > 0 else 0.0) * numerator,
        denominator=lists.totals(weight * examination),
        overlap=overlap,
        scale_part=scale_part,
        weighted_clicks=clicked[0],
        squared_clicks=clicked[1],
    )


def estimate_dcg(
    discounts: Floats,
    clicks: Floats,
    examination: Floats,
    lists: Lists,
    estimator: OffPolicyEstimator = "snips",
    clip: float = DEFAULT_CLIP,
) -> OffPolicyEstimate:
    """A target's DCG on the shown lists, each re-ordered; positions are taken as given.

    Args:
        discounts: the target's discount of each item (lambda).
        clicks: 0 or 1.
        examination: P(examined) at the item's logged position; NaN or 0 where none is known.
        lists: of the items.
        estimator: as for ``estimate_value``.
        clip: as for ``estimate_value``.
    """
    logged = LoggedClicks.as_shown(lists, clicks, examination)
    return estimate_value(logged, discounts, estimator, clip)
