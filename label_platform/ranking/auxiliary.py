"""How the scores of a ranker on the auxiliary label enter those of a ranker on the label.

combine: both are trained apart, and their standardised scores are added,

    score = z(s1) + lambda z(s2),

with the lambda under which the validation rows are ranked best. transfer: the second booster is
trained first and the first one goes on from its scores. Of least squares that start is brought
to the label's scale by a regression of the label on it, since a dense signal's scale is not the
label's and would have to be unlearnt first; log odds and scores within lists have no scale but
their own.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from label_platform.ranking.agreement import mean_ndcg_at_10, rank_correlation
from label_platform.ranking.comparable_lists import Floats, sizes_of_chosen
from label_platform.ranking.fit_options import Start
from label_platform.ranking.ranker import AuxiliaryScores, Ranker, Standardisation
from label_platform.ranking.training_data import TrainingData

WEIGHTS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Of the auxiliary scores, from which validation rows choose; ties go to the smaller."""


def combine(
    own: Ranker,
    second: Ranker,
    train: TrainingData,
    validate: TrainingData | None,
    multiplicity: NDArray[np.integer] | None,
    tune: Literal["label", "both"],
) -> AuxiliaryScores:
    """How to add the scores of a second ranker to those of a first one.

    Args:
        own: the ranker on the label.
        second: the ranker on the auxiliary label.
        train: the rows both were trained on, whose scores are standardised to mean 0 and
            deviation 1, each row counting as in training.
        validate: the rows that choose the weight; None gives the auxiliary scores none.
        multiplicity: how often each training row counted.
        tune: by the label, or by the mean of what label and auxiliary label say.
    """
    counts = _counts(train, multiplicity)
    z_own = _standardisation(own.score_rows(train.features.matrix), counts)
    z_second = _standardisation(second.score_rows(train.features.matrix), counts)
    weight, tuned_by = 0.0, "no validation rows"
    if validate is not None:
        matrix = validate.features.matrix
        weight, tuned_by = choose_weight(
            z_own.of(own.score_rows(matrix)), z_second.of(second.score_rows(matrix)), validate, tune
        )
    return AuxiliaryScores(second.booster, second.rounds, z_own, z_second, weight, tuned_by)


def continue_from(
    second: Ranker,
    train: TrainingData,
    validate: TrainingData | None,
    multiplicity: NDArray[np.integer] | None,
) -> tuple[AuxiliaryScores, Start]:
    """The scores that a ranker on the label starts from, and how to add them when scoring.

    Args:
        second: the ranker on the auxiliary label.
        train: the rows it was trained on, with the label.
        validate: the rows that decide when to stop.
        multiplicity: how often each training row counts.
    """
    counts = _counts(train, multiplicity)
    found = second.score_rows(train.features.matrix, position_fixed=False)
    z = _standardisation(found, counts)
    standard = z.of(found)
    if second.objective == "pointwise" and second.loss == "squared":
        # z has mean 0 and deviation 1, so that its covariance with the label is the slope
        weight = float(np.average(standard * train.label, weights=counts))
        intercept = float(np.average(train.label, weights=counts))
        tuned_by = "least squares on the training rows"
    else:
        # log odds are 0 at even odds; scores within lists have no zero
        intercept = z.mean if second.objective == "pointwise" else 0.0
        weight, tuned_by = z.deviation, "the auxiliary ranker's own scale"

    def begun(scores: Floats) -> Floats:
        return intercept + weight * z.of(scores)

    validated = None
    if validate is not None:
        matrix = validate.features.matrix
        validated = begun(second.score_rows(matrix, position_fixed=False))
    own = Standardisation(mean=-intercept, deviation=1.0)
    scores = AuxiliaryScores(second.booster, second.rounds, own, z, weight, tuned_by)
    return scores, Start(begun(found), validated)


def choose_weight(
    own: Floats, second: Floats, validate: TrainingData, tune: Literal["label", "both"]
) -> tuple[float, str]:
    """The weight of ``WEIGHTS`` that ranks validation rows best, and by what it was chosen.

    Rows without weight do not count, all others count the same. A label that is the same in all
    rows says nothing; if no label says anything, the weight is 0.

    Args:
        own: standardised scores of each validation row.
        second: those of the auxiliary label.
        validate: the rows, with both labels.
        tune: by the label, or by the mean of what both say.
    """
    known = np.flatnonzero(validate.weight > 0)
    sizes = sizes_of_chosen(known, validate.group_sizes)
    labels = {"label": validate.label}
    if tune == "both":
        labels["auxiliary_label"] = validate.auxiliary_side().label
    total = np.zeros(len(WEIGHTS))
    said: list[str] = []
    for name, label in labels.items():
        scores = [(own + weight * second)[known] for weight in WEIGHTS]
        quality: list[float | None] = [mean_ndcg_at_10(label[known], s, sizes) for s in scores]
        measure = "nDCG@10"
        if quality[0] is None:
            quality = [rank_correlation(label[known], s) for s in scores]
            measure = "rank correlation"
        if quality[0] is not None:
            total += np.array(quality, dtype=np.float64)
            said.append(f"{measure} of {name}")
    if not said:
        return 0.0, f"nothing: {' and '.join(labels)} the same in all validation rows"
    # sums in another order differ in their last digits: those are ties
    best = int(np.argmax(np.round(total, 12)))
    return WEIGHTS[best], " and ".join(said)


def _counts(train: TrainingData, multiplicity: NDArray[np.integer] | None) -> Floats:
    return train.weight if multiplicity is None else train.weight * np.asarray(multiplicity)


def _standardisation(scores: Floats, counts: Floats) -> Standardisation:
    mean = float(np.average(scores, weights=counts))
    deviation = float(np.sqrt(np.average((scores - mean) ** 2, weights=counts)))
    # a booster that learnt nothing gives every row the same, whatever it is divided by
    constant = np.ptp(scores[counts > 0]) == 0
    return Standardisation(mean, 1.0 if constant else deviation)
