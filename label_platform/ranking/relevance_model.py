"""Relevance as a function of features, for estimators that learn it beside propensities.

Gradient boosted trees fitted to probabilities by cross entropy. Few and small trees: the fit is
repeated in every round of such an estimator, and a model that can tell single items apart would
give back what it was given.
"""

from hashlib import md5

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from label_platform.propensity import Floats
from label_platform.ranking.errors import TrainingError

_ROUNDS = 40
_THREADS = 1
"""A fit takes a tenth of a second on one thread; where cores are shared with other work, threads
that wait for each other took up to fifty times as long."""
_SETTINGS = {
    "objective": "cross_entropy",
    "learning_rate": 0.2,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 1.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": _THREADS,
    "seed": 0,
    "verbosity": -1,
}


def lightgbm_relevance(features: Floats, posterior: Floats, weights: Floats) -> Floats:
    """Fit P(relevant | features) and return it for the same rows.

    Args:
        features: shape (n, F); nan is a value that is missing.
        posterior: the probability that each row is relevant, shape (n,), 0 to 1.
        weights: how much each row counts, such as its impressions, shape (n,), 0 or more; rows of
            weight 0 do not count, and are predicted.

    Returns:
        gamma, shape (n,), above 0 and below 1; the same arguments give the same values. The
        weighted mean where features do not tell rows apart.

    Raises:
        TrainingError: shapes differ, values are out of range, or all weights are 0.
    """
    _check(features, posterior, weights)
    used = weights > 0
    # scaled to a mean of 1: how long a log is must not decide how small leaves may become
    scaled = weights[used] / weights[used].mean()
    rows = lgb.Dataset(features[used], posterior[used], weight=scaled, params=_SETTINGS)
    trees = lgb.train(_SETTINGS, rows, num_boost_round=_ROUNDS)
    return np.asarray(trees.predict(features, num_threads=_THREADS), dtype=np.float64)


_FOLDS = 4
_FEWEST_UNITS = 20
_OF_LABELS = {**_SETTINGS, "objective": "regression", "learning_rate": 0.1, "num_leaves": 31}
_LABEL_ROUNDS = 60


def cross_fitted_labels(
    features: Floats, label: Floats, weight: Floats, units: NDArray[np.str_]
) -> Floats:
    """Predict each row's label from its features, by a model that has not seen its unit.

    Args:
        features: shape (n, F); nan is a value that is missing.
        label: shape (n,).
        weight: how much evidence each label rests on, shape (n,), 0 or more; rows of weight 0,
            such as those that validate, are predicted and not learned from.
        units: what stays together: each row's query, or its list, as text, shape (n,).

    Returns:
        Predictions, shape (n,); the weighted mean of the labels where fewer than 20 units, or no
        feature, could tell rows apart.

    Raises:
        TrainingError: no row has a weight above 0.
    """
    if not (weight > 0).any():
        raise TrainingError(f"weights: all {len(weight)} are 0, nothing to learn from")
    names, code = np.unique(units, return_inverse=True)
    mean = float(np.average(label, weights=weight))
    found = np.full(len(label), mean)
    if len(names) < _FEWEST_UNITS or features.shape[1] == 0:
        return found
    digests = [md5(name.encode(), usedforsecurity=False).digest() for name in names.tolist()]
    fold = np.array([digest[0] % _FOLDS for digest in digests])[code]
    scaled = weight / weight[weight > 0].mean()
    for number in range(_FOLDS):
        learned = (fold != number) & (weight > 0)
        asked = fold == number
        if not asked.any() or not learned.any():
            continue
        rows = lgb.Dataset(
            features[learned], label[learned], weight=scaled[learned], params=_OF_LABELS
        )
        trees = lgb.train(_OF_LABELS, rows, num_boost_round=_LABEL_ROUNDS)
        found[asked] = trees.predict(features[asked], num_threads=_THREADS)
    return found


def _check(features: Floats, posterior: Floats, weights: Floats) -> None:
    shapes = features.shape, posterior.shape, weights.shape
    if features.ndim != 2 or not len(features) == len(posterior) == len(weights):
        raise TrainingError(f"expected shapes (n, F), (n,) and (n,), found {shapes}")
    if not ((posterior >= 0) & (posterior <= 1)).all():
        raise TrainingError("posterior: expected probabilities from 0 to 1")
    if not ((weights >= 0) & np.isfinite(weights)).all():
        raise TrainingError("weights: expected finite numbers of 0 or more")
    if not (weights > 0).any():
        raise TrainingError(f"weights: all {len(weights)} are 0, nothing to learn from")
