"""Whether pointwise rankers predict their labels true in size; decides nothing, is noted."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from label_platform.evaluation import ArmEvaluation, calibration_of
from label_platform.ranking import TrainingData

CALIBRATION = "calibration"
_LOSSES_OF_LOG_ODDS = frozenset({"binary", "cross_entropy"})

Facts = dict[str, float | int | None]


def calibration_attributes(
    examples: pa.Table, feature_names: Sequence[str], arms: Iterable[ArmEvaluation]
) -> dict[str, dict[str, Facts]]:
    """What the main fits of pointwise rankers predict of the validation days, against its labels.

    Those days grew no tree, but chose how many there are. Predictions are made at the logged
    positions where the ranker knows positions. A ranker whose scores a second one adds to predicts
    no label, and one that only orders lists predicts none either: neither is judged.

    Args:
        examples: all parts of the policy's examples.
        feature_names: the rankers' features, without position.
        arms: of the policy.

    Returns:
        Under ``calibration``, the numbers of each such ranker by its title; nothing without one.
    """
    found: dict[str, Facts] = {}
    for arm in arms:
        ranker = arm.contender.ranker
        if ranker is None or ranker.objective != "pointwise" or ranker.auxiliary is not None:
            continue
        rows = TrainingData.from_examples(
            examples, arm.arm.spec, feature_names, "validate", codes=ranker.codes
        )
        if not (rows.weight > 0).any():
            continue
        scores = ranker.score_rows(rows.features.matrix, position_fixed=False)
        predicted = _predicted(scores, ranker.loss)
        found[arm.arm.spec.title] = calibration_of(predicted, rows.label, rows.weight).as_facts()
    return {CALIBRATION: found} if found else {}


def _predicted(scores: NDArray[np.float64], loss: str) -> NDArray[np.float64]:
    """Labels, from scores that are labels or log odds."""
    if loss not in _LOSSES_OF_LOG_ODDS:
        return scores
    probabilities: NDArray[np.float64] = np.exp(-np.logaddexp(0, -scores))
    return probabilities
