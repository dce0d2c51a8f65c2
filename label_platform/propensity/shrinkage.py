"""Curves of several strata (devices, surfaces, list lengths), shrunk toward their mean.

Random effects, DerSimonian and Laird (1986), "Meta-analysis in clinical trials". With y_s the log
propensity of stratum s at one position, e_s its standard error and w_s = 1 / e_s^2, the excess of
Q = sum w (y - mean)^2 over its expectation gives the true variance between strata. It is pooled
over all positions but the first, since one position of a few strata tells too little about it:

    tau^2 = max(0, sum_k (Q_k - (S_k - 1)) / sum_k (sum w - sum w^2 / sum w))

    m   = sum y_s v_s / sum v_s                    with v_s = 1 / (e_s^2 + tau^2)
    y_s -> b_s y_s + (1 - b_s) m                   with b_s = tau^2 / (tau^2 + e_s^2)
    e_s^2 -> b_s e_s^2 + (1 - b_s)^2 / sum v_s     the last term: m itself is estimated

Trap: with few strata tau^2 is hardly known; taking it as known then makes intervals too narrow
and curves worse. Hence nothing is done with fewer than five.
"""

import numpy as np
from numpy.typing import NDArray

from label_platform.propensity.cells import Floats

MIN_STRATA = 5


def shrink(log_theta: Floats, log_error: Floats) -> tuple[Floats, Floats]:
    """Each stratum's curve, shrunk toward the mean as far as its own evidence is weak.

    Args:
        log_theta: log propensities, shape (S, K), 0 at the first position; nan where unknown.
        log_error: their standard errors, shape (S, K).

    Returns:
        Log propensities and standard errors of the same shape. Entries that are unknown stay so.
        With fewer than five strata that know any position but the first, all is returned as it
        came.
    """
    with np.errstate(invalid="ignore"):
        known = np.isfinite(log_theta) & np.isfinite(log_error) & (log_error > 0)
    known[:, :1] = False
    if known.any(axis=1).sum() < MIN_STRATA:
        return log_theta.copy(), log_error.copy()
    error_squared = np.where(known, log_error, 1.0) ** 2
    values = np.where(known, log_theta, 0.0)
    tau_squared = _variance_between(values, error_squared, known)
    weight = known / (error_squared + tau_squared)
    mean = _weighted_mean(values, weight)
    own = tau_squared / (tau_squared + error_squared)
    shrunk = own * values + (1 - own) * mean
    variance = own * error_squared + (1 - own) ** 2 / _or_one(weight.sum(axis=0))
    return np.where(known, shrunk, log_theta), np.where(known, np.sqrt(variance), log_error)


def _variance_between(values: Floats, error_squared: Floats, known: NDArray[np.bool_]) -> float:
    """tau^2, how much the strata truly differ."""
    weight = known / error_squared
    excess = (weight * (values - _weighted_mean(values, weight)) ** 2).sum()
    excess -= np.maximum(known.sum(axis=0) - 1, 0).sum()
    total = weight.sum(axis=0)
    scale = (total - (weight**2).sum(axis=0) / _or_one(total)).sum()
    return float(max(0.0, excess / scale)) if scale > 0 else 0.0


def _weighted_mean(values: Floats, weight: Floats) -> Floats:
    return np.asarray((values * weight).sum(axis=0) / _or_one(weight.sum(axis=0)))


def _or_one(total: Floats) -> Floats:
    """The total, 1 where it is 0, to divide by."""
    return np.where(total > 0, total, 1.0)
