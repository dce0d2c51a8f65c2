"""The policies of a study: some are the baseline under another name, some are truly better.

The baseline learns clicks through noise: ``MISSED`` of the clicks are lost, and ``SPURIOUS`` of
the other impressions count as one. A policy of ``EQUAL`` and the baseline can change places
without changing the distribution of the log, so that no yardstick has a difference to find in
expectation, though the rankers they train are never the same:

* ``other_noise``, ``other_noise_too``: the same clicks through noise of their own.
* ``clicked_again``: the same lists as other users would have clicked them, through noise.
* ``other_half``: learns one random half of the queries, and its baseline the other half.

``without_noise`` and ``true_chance`` (the chance of a click on the item once it is examined) are
better by what the study measures.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from comparison_study.world import Floats, Log
from numpy.typing import NDArray

from label_platform.ranking import TrainingData

MISSED, SPURIOUS = 0.2, 0.05
EQUAL = ("other_noise", "other_noise_too", "clicked_again", "other_half")
BETTER = ("without_noise", "true_chance")

Labels = Mapping[str, Floats]


def labels_of(log: Log, rng: np.random.Generator) -> dict[str, Floats]:
    """Labels of a log's rows by policy, and those of the baseline under ``raw``."""
    clicks, again = log.clicks(rng), log.clicks(rng)
    raw = _through_noise(clicks, rng)
    return {
        "raw": raw,
        "other_noise": _through_noise(clicks, rng),
        "other_noise_too": _through_noise(clicks, rng),
        "clicked_again": _through_noise(again, rng),
        "other_half": raw,
        "without_noise": clicks.ravel(),
        "true_chance": log.relevance.ravel(),
    }


def rows_of(
    policy: str, rows: TrainingData, labels: Labels, first: NDArray[np.bool_]
) -> TrainingData:
    """Rows as a policy labels them, beside the baseline's own labels.

    Args:
        policy: its name.
        rows: with weights of 1.
        labels: of ``labels_of``.
        first: which rows are of the first half of the queries.
    """
    ours = replace(rows, label=labels[policy], raw_label=labels["raw"])
    if policy != "other_half":
        return ours
    return replace(ours, weight=first.astype(np.float64), raw_weight=(~first).astype(np.float64))


def _through_noise(clicks: Floats, rng: np.random.Generator) -> Floats:
    chance = np.where(clicks > 0, 1 - MISSED, SPURIOUS)
    return (rng.random(clicks.shape) < chance).astype(np.float64).ravel()
