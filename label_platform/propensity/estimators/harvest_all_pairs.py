"""Intervention harvesting from all pairs of positions (Agarwal et al., WSDM 2019, section 4.3).

With C_kl and M_kl the weighted clicks and impressions of items that were seen at both positions k
and l (see pairs), and r_kl = r_lk the mean relevance of the pair's items, the estimate maximises

    L = sum_{k != l} C_kl log(theta_k r_kl) + (M_kl - C_kl) log(1 - theta_k r_kl)

over theta and r. For a given theta the best r_kl solves a quadratic equation, so only log theta
is searched for. L is concave in the logs, and its curvature, with r at its best, is the Laplacian
of the graph of pairs; Newton's method takes about five steps.

Traps: r belongs to an unordered pair of positions, of which (2, 6) and (3, 4) are two, though
their products are alike; and an item's rank must change for reasons that have nothing to do with
its relevance.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.special import xlog1py, xlogy

from label_platform.propensity.bootstrap import REPLICATES
from label_platform.propensity.cells import Cells, Floats, Integers
from label_platform.propensity.estimate import Estimate
from label_platform.propensity.estimators.pairs import PairStatistics, estimate_from_pairs

_TOLERANCE = 1e-8
_MAX_STEPS = 100
_MAX_CHANGE = 2.0
_MAX_HALVINGS = 20
_MAX_CLICK_SHARE = 1 - 1e-6
"""A pair that is always clicked would put theta r on the edge of what is possible."""


def estimate_harvest_all_pairs(
    cells: Cells, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Refused beyond 50 positions, and without a click at position 1; nan at positions that no
        clicked pairs connect with position 1.

    Source: Agarwal et al., Estimating position bias without intrusive interventions, WSDM 2019.
    """
    return estimate_from_pairs(cells, all_pairs_propensities, replicates, seed)


def all_pairs_propensities(
    pairs: PairStatistics, weights: Floats, start: Floats | None = None
) -> Floats:
    """theta, shape (K,), 1 at position 1.

    Args:
        pairs: of items that were seen at several positions.
        weights: how often each query counts, shape (n_queries,).
        start: where to begin, nan where unknown.

    Returns:
        nan at positions whose ratio to position 1 the clicks leave at 0, at infinity or open.
    """
    clicks_shallow, clicks_deep, impressions = pairs.summed(weights)
    most = impressions * _MAX_CLICK_SHARE
    clicks = np.stack([np.minimum(clicks_shallow, most), np.minimum(clicks_deep, most)])
    ends = np.stack([pairs.shallow, pairs.deep]) - 1
    known = _bounded(ends, clicks, pairs.positions)
    used = known[ends].all(axis=0) & (clicks.sum(axis=0) > 0)
    log_theta = np.zeros(pairs.positions)
    if start is not None:
        log_theta = np.nan_to_num(np.log(start))
    found = _maximum(ends[:, used], clicks[:, used], impressions[used], log_theta, known)
    return np.where(known, np.exp(found - found[0]), np.nan)


def _bounded(ends: Integers, clicks: Floats, positions: int) -> NDArray[np.bool_]:
    """Positions whose ratio to position 1 has a finite maximum.

    As among players of whom each has beaten and lost to others: a click at k beside l bounds
    theta_k / theta_l from below, so both must be reached from each other along clicked pairs.
    """
    won, lost = np.concatenate([ends.T, ends[::-1].T])[clicks.ravel() > 0].T
    graph = sparse.csr_array((np.ones(len(won)), (won, lost)), shape=(positions, positions))
    component = connected_components(graph, directed=True, connection="strong")[1]
    return np.asarray(component == component[0])


def _maximum(
    ends: Integers, clicks: Floats, impressions: Floats, start: Floats, known: NDArray[np.bool_]
) -> Floats:
    """Logarithm of theta at the maximum of L, by Newton's method; 0 at position 1."""
    log_theta, size = start, len(start)
    free = np.flatnonzero(known)[1:]
    rates = _rates(ends, clicks, impressions, log_theta)
    likelihood = _likelihood(clicks, impressions, rates)
    for _ in range(_MAX_STEPS):
        score = ((clicks - impressions * rates) / (1 - rates)).ravel()
        gradient = np.bincount(ends.ravel(), score, size)
        curvature = (impressions - clicks) * rates / (1 - rates) ** 2
        weight = curvature.prod(axis=0) / curvature.sum(axis=0)
        laplacian = -np.bincount(ends[0] * size + ends[1], weight, size * size).reshape(size, size)
        laplacian += laplacian.T
        np.fill_diagonal(laplacian, -laplacian.sum(axis=0))
        step = np.zeros(size)
        solved = np.linalg.lstsq(laplacian[np.ix_(free, free)], gradient[free], rcond=None)[0]
        step[free] = np.clip(solved, -_MAX_CHANGE, _MAX_CHANGE)
        for _ in range(_MAX_HALVINGS):
            rates = _rates(ends, clicks, impressions, log_theta + step)
            reached = _likelihood(clicks, impressions, rates)
            # rounding may lower it a little at the very maximum
            if reached >= likelihood - 1e-12 * abs(likelihood):
                break
            step /= 2
        log_theta, likelihood = log_theta + step, reached
        if np.abs(step).max(initial=0) < _TOLERANCE:
            break
    return log_theta


def _rates(ends: Integers, clicks: Floats, impressions: Floats, log_theta: Floats) -> Floats:
    """theta_k r and theta_l r of each pair, shape (2, pairs), with the r that maximises L.

    dL/dr = 0 is (C_k - M x_k)(1 - x_l) + (C_l - M x_l)(1 - x_k) = 0 with x_k = theta_k r, which
    is quadratic in r; its smaller root is the one with rates below 1.
    """
    ratio = np.exp(log_theta[ends[1]] - log_theta[ends[0]])
    total = clicks.sum(axis=0)
    linear = clicks[0] * ratio + clicks[1] + impressions * (1 + ratio)
    root = np.sqrt(np.maximum(linear**2 - 8 * impressions * ratio * total, 0))
    shallow = 2 * total / (linear + root)
    rates: Floats = np.stack([shallow, shallow * ratio])
    return np.minimum(rates, 1 - 1e-12)


def _likelihood(clicks: Floats, impressions: Floats, rates: Floats) -> float:
    return float((xlogy(clicks, rates) + xlog1py(impressions - clicks, -rates)).sum())
