"""Logs of single items: what a target that chooses items by chance would have been clicked.

Row r shows one item i at a position, chosen with the logged probability p_r; the target chooses it
with pi_r. With w = pi / p,

    ips            mean_r w c                  clipped        mean_r min(w, 1 / clip) c
    snips          sum_r w c / sum_r w
    doubly_robust  mean_r [sum_j pi_j g_rj + min(w, 1 / clip) (c - g_ri)]

(Dudik, Langford and Li 2011). The value is the click rate at the positions of the log: nothing is
said of other positions, and no examination curve is needed.
"""

import numpy as np

from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.off_policy.estimators import DEFAULT_CLIP, OffPolicyEstimate
from label_platform.evaluation.off_policy.overlap import (
    Overlap,
    effective_number,
    judge_overlap,
)
from label_platform.evaluation_settings import OffPolicyEstimator


def estimate_click_rate(
    clicks: Floats,
    probability: Floats,
    wanted: Floats,
    *,
    unsupported_share: float = 0.0,
    estimator: OffPolicyEstimator = "snips",
    clip: float = DEFAULT_CLIP,
    predicted: Floats | None = None,
    predicted_of_target: Floats | None = None,
) -> OffPolicyEstimate:
    """Estimate the click rate of a target that draws single items.

    Args:
        clicks: 0 or 1, shape (n,).
        probability: with which logging chose the item at its position, above 0, shape (n,).
        wanted: the target's probability of the same item, shape (n,).
        unsupported_share: of the target's choices, on items that logging never chooses.
        estimator: see the module.
        clip: weights are cut at 1 / clip by clipped and doubly robust estimates.
        predicted: the click rate that a model expects of the row's item, shape (n,).
        predicted_of_target: that of the target's choice, sum_j pi_j g_rj, shape (n,).

    Raises:
        ValueError: a probability is not above 0, or predictions that are needed are missing.
    """
    if not (probability > 0).all():
        bad = int((~(probability > 0)).sum())
        raise ValueError(
            f"logging_probability: {bad} of {len(probability)} are not above 0, though the item "
            "was shown"
        )
    weight = wanted / probability
    cut = weight if estimator in {"ips", "snips"} else np.minimum(weight, 1 / max(clip, 1e-300))
    lost = float((weight - cut).sum() / weight.sum()) if weight.sum() > 0 else 0.0
    overlap = _overlap(clicks, weight, unsupported_share, lost)
    one = np.ones(len(clicks))
    if estimator == "doubly_robust":
        if predicted is None or predicted_of_target is None:
            raise ValueError("doubly_robust: needs a model's predictions of clicks")
        numerator = predicted_of_target + cut * (clicks - predicted)
    else:
        numerator = cut * clicks
    denominator = weight if estimator == "snips" else one
    clicked = weight * clicks, weight**2 * clicks
    return OffPolicyEstimate(numerator, denominator, overlap, np.zeros(len(clicks)), *clicked)


def _overlap(clicks: Floats, weight: Floats, unsupported_share: float, lost: float) -> Overlap:
    rows = max(len(weight), 1)
    mean = float(weight.mean()) if len(weight) else 0.0
    return judge_overlap(
        list_ess_share=effective_number(weight, np.ones(len(weight))) / rows,
        click_ess=effective_number(weight, clicks),
        unsupported_share=unsupported_share,
        clipped_share=lost,
        clicks=int(clicks.sum()),
        max_weight=float(weight.max(initial=0.0)) / mean if mean > 0 else 0.0,
    )
