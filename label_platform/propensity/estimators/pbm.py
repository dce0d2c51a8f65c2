"""Position-based model, conditional on each item's clicks (conditional Poisson).

With gamma_i the relevance of a (query, item), clicks c_ik of its n_ik impressions at position k
are Poisson with mean n_ik theta_k gamma_i. Given the item's total C_i they are multinomial:

    P(click was at k) = n_ik theta_k / sum_l n_il theta_l

so gamma is gone, and the log likelihood in log theta is concave:

    L = sum_ik c_ik log theta_k - sum_i C_i log sum_l n_il theta_l

Its maximum is also the fixed point of gamma_i = sum_k c_ik / sum_k n_ik theta_k,
theta_k = sum_i c_ik / sum_i n_ik gamma_i. Newton's method gets there in about six steps. Items
seen at one position only drop out by themselves.

Trap: an item's rank must change for reasons that have nothing to do with its relevance.
"""

import numpy as np
from scipy import sparse

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate

NAME = "pbm"
_TOLERANCE = 1e-9
_MAX_STEPS = 100
_MAX_CHANGE = 2.0


def estimate_pbm(cells: Cells, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    several = cells.of_several_positions()
    propensity = pbm_propensities(several)
    error = bootstrap_log_error(
        lambda weights: pbm_propensities(several.reweighted(weights), propensity),
        cells.n_queries,
        replicates,
        seed,
    )
    impressions = several.by_position(several.impressions)
    return Estimate(propensity, error, impressions, several.by_position(several.clicks))


def pbm_propensities(cells: Cells, start: Floats | None = None) -> Floats:
    """theta, shape (K,), 1 at position 1.

    Args:
        cells: with two positions per query_item at least; others are harmless.
        start: where to begin, if a good guess is known.

    Returns:
        nan at positions without a click, and everywhere if position 1 has none.
    """
    clicks = cells.by_position(cells.clicks)
    estimated = clicks > 0
    theta = np.full(cells.positions, np.nan)
    if not estimated[0]:
        return theta
    column = np.cumsum(estimated) - 1
    kept = estimated[cells.position - 1]
    shape = (cells.n_query_items, int(estimated.sum()))
    place = (cells.query_item[kept], column[cells.position[kept] - 1])
    shown = sparse.csr_array((cells.impressions[kept], place), shape=shape)
    known = np.isfinite(start[estimated]).all() if start is not None else False
    first = np.log(start[estimated]) if start is not None and known else np.zeros(shape[1])
    totals = np.bincount(cells.query_item[kept], cells.clicks[kept], cells.n_query_items)
    theta[estimated] = np.exp(_maximum(shown, clicks[estimated], totals, first))
    return theta


def _maximum(shown: "sparse.csr_array", clicks: Floats, totals: Floats, first: Floats) -> Floats:
    """The log theta that maximises L; position 1 stays at 0."""
    log_theta = first - first[0]
    for _ in range(_MAX_STEPS):
        theta = np.exp(log_theta)
        expected = shown @ theta
        rate = np.divide(totals, expected, out=np.zeros_like(expected), where=expected > 0)
        mass = theta * (shown.T @ rate)
        scaled = shown.multiply(np.sqrt(rate / np.where(expected > 0, expected, 1))[:, None])
        crossed = (scaled.T @ scaled).toarray() * np.outer(theta, theta)
        hessian = (np.diag(mass) - crossed)[1:, 1:]
        step = np.linalg.lstsq(hessian, (clicks - mass)[1:], rcond=None)[0]
        log_theta[1:] += np.clip(step, -_MAX_CHANGE, _MAX_CHANGE)
        if np.abs(step).max(initial=0) < _TOLERANCE:
            break
    return log_theta
