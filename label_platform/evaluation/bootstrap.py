"""A bootstrap over queries of ratios of sums, for many arms at once.

    V*_b = sum_q w_bq N_q / sum_q w_bq D_q,    w_bq ~ Poisson(1), the same for all arms

as two products of matrices per block of resamples, so that 1,000 resamples cost little more than
drawing the weights. Source: Chamandy, Muralidharan, Najmi and Naidu, "Estimating uncertainty for
massive data streams", Google 2012 (Poisson weights in place of a multinomial).
"""

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats

RESAMPLES = 1000
"""Their own noise in a standard error is 1 / sqrt(2 * 1000) = 2%."""
_BLOCK = 100

Weights = NDArray[np.uint8]


def bootstrap_weights(queries: int, resamples: int = RESAMPLES, seed: int = 0) -> Weights:
    """How often each query counts in each resample, of shape (resamples, queries)."""
    rng = np.random.default_rng(seed)
    weights = np.empty((resamples, queries), dtype=np.uint8)
    for start in range(0, resamples, _BLOCK):
        rows = weights[start : start + _BLOCK]
        rows[:] = rng.poisson(1.0, rows.shape)
    return weights


def bootstrap_ratios(numerator: Floats, denominator: Floats, weights: Weights) -> Floats:
    """The ratio of each arm in each resample.

    Args:
        numerator: of each query and arm, of shape (queries, arms).
        denominator: likewise.
        weights: of ``bootstrap_weights``.

    Returns:
        Shape (resamples, arms); NaN in a resample that has nothing to divide by.
    """
    ratios = np.empty((len(weights), numerator.shape[1]))
    for start in range(0, len(weights), _BLOCK):
        rows = slice(start, start + _BLOCK)
        drawn = weights[rows].astype(np.float64)
        below = drawn @ denominator
        above = drawn @ numerator
        ratios[rows] = np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)
    return ratios


def standard_errors(ratios: Floats) -> Floats:
    """The spread over resamples of each arm; NaN where fewer than two resamples have a ratio."""
    known = np.isfinite(ratios)
    counts = known.sum(axis=0)
    filled = np.where(known, ratios, 0.0)
    means = filled.sum(axis=0) / np.maximum(counts, 1)
    squares = (np.where(known, ratios - means, 0.0) ** 2).sum(axis=0)
    found: Floats = np.sqrt(
        np.divide(squares, counts - 1, out=np.full(len(counts), np.nan), where=counts > 1)
    )
    return found
