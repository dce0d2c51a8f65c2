"""Relevance as a function of features, for estimators that learn it beside propensities.

Gradient boosted trees fitted to probabilities by cross entropy. Few and small trees: the fit is
repeated in every round of such an estimator, and a model that can tell single items apart would
give back what it was given.
"""

import lightgbm as lgb
import numpy as np

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
