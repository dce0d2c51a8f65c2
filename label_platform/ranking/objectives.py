"""What LightGBM is told to learn, and the labels in the form that it takes them.

Within lists an item's gain is linear in its label, or 2^label - 1 for grades. lambdarank takes
256 integer levels and what each of them gains, so both are exact or nearly so. rank_xendcg (Bruch
2021, "An alternative cross entropy loss for learning-to-rank") always gains 2^level - gamma, gamma
drawn from 0 to 1: labels are brought to the levels 0 to 8 whose 2^level - 1 is nearest, on a log
scale, to a gain that is linear in the label.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from label_platform.policy import RankerSpec
from label_platform.ranking.comparable_lists import LEVELS, Floats, quantize_labels
from label_platform.ranking.errors import TrainingError

MOST_GRADE = 30
"""2^grade - 1 must fit into 31 bits."""

_EXPONENTIAL_GAINS = [2**grade - 1 for grade in range(MOST_GRADE + 1)]
_LIST_METRIC: dict[str, Any] = {"metric": "ndcg", "eval_at": [10]}
_POINTWISE = {
    "squared": {"objective": "regression", "metric": "l2"},
    "binary": {"objective": "binary", "metric": "binary_logloss"},
    "cross_entropy": {"objective": "cross_entropy", "metric": "cross_entropy"},
}


def objective_parameters(spec: RankerSpec) -> dict[str, Any]:
    """LightGBM's objective, its gains and the metric that validation rows are judged by."""
    if spec.objective == "pointwise":
        return dict(_POINTWISE[spec.loss])
    if spec.objective == "rank_xendcg":
        return {"objective": "rank_xendcg", "label_gain": _EXPONENTIAL_GAINS, **_LIST_METRIC}
    linear = spec.gain == "linear"
    return {
        "objective": "lambdarank",
        "label_gain": list(range(LEVELS)) if linear else _EXPONENTIAL_GAINS,
        **spec.parameters.of_lambdarank(),
        **_LIST_METRIC,
    }


@dataclass(frozen=True)
class LabelScale:
    """How labels become what an objective takes; fitted to training labels, used for others too.

    Attributes:
        low: the lowest training label.
        high: the highest.
        are_grades: whether labels go to LightGBM as they are: whole numbers that it has gains for.
    """

    spec: RankerSpec
    low: float
    high: float
    are_grades: bool

    @classmethod
    def of(cls, label: Floats, spec: RankerSpec) -> "LabelScale":
        """The scale of training labels.

        Raises:
            TrainingError: the labels are none that this objective can learn.
        """
        check_labels(label, spec)
        low, high = float(label.min()), float(label.max())
        if spec.gain == "exponential":
            return cls(spec, low, high, are_grades=True)
        whole = spec.objective == "lambdarank" and low >= 0 and high < LEVELS
        return cls(spec, low, high, are_grades=bool(whole and (label == np.rint(label)).all()))

    def targets(self, label: Floats) -> Floats:
        """What LightGBM is to predict; labels beyond the scale take the nearest that is on it."""
        if not self.spec.compares_within_lists:
            return label
        if self.are_grades:
            most = MOST_GRADE if self.spec.gain == "exponential" else LEVELS - 1
            return np.rint(np.clip(label, 0, most))
        if self.spec.objective == "lambdarank":
            return quantize_labels(label, self.low, self.high).astype(np.float64)
        share = np.clip((label - self.low) / (self.high - self.low), 0, 1)
        return np.rint(np.log2(1 + (LEVELS - 1) * share))


def check_labels(label: Floats, spec: RankerSpec) -> None:
    """Refuse labels that mean nothing to the ranker's loss or gain.

    Raises:
        TrainingError: says how many and which.
    """
    if spec.loss == "binary":
        wrong, expected = (label != 0) & (label != 1), "loss: binary takes 0 and 1"
        instead = "use loss: cross_entropy for labels from 0 to 1, or squared for any"
    elif spec.loss == "cross_entropy":
        wrong, expected = (label < 0) | (label > 1), "loss: cross_entropy takes 0 to 1"
        instead = "use loss: squared"
    elif spec.gain == "exponential":
        wrong = (label < 0) | (label > MOST_GRADE) | (label != np.rint(label))
        expected = f"gain: exponential takes whole grades from 0 to {MOST_GRADE}"
        instead = "use gain: linear, or grading in the policy"
    else:
        return
    if wrong.any():
        raise TrainingError(
            f"label: {expected}, found {label[wrong][0]:g} and others in {int(wrong.sum())} of "
            f"{len(label)} rows; {instead}"
        )
