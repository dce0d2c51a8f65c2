"""Swaps: lists whose order was partly drawn, with a logged probability.

Lists are swapped with a probability that may depend on anything that is logged. Each impression
of item i at position k counts 1 / P(i stood at k), so that every position is weighted to the
same lists; n_ik and c_ik are sums of these weights over impressions and clicks. Each pair of
positions is compared on the items seen at both (see pairs):

    C_kl = sum_i c_ik n_il / (n_ik + n_il)     log(theta_l / theta_k) = log C_lk - log C_kl

Pairs with clicks on both sides are the edges of a graph. Where it connects positions with
position 1, log theta is the weighted least squares solution of all these equations at once,

    minimise sum_{k<l} w_kl (log theta_l - log theta_k - log C_lk + log C_kl)^2
    w_kl = 1 / (1 / C_kl + 1 / C_lk)

with w_kl the inverse variance of the log ratio of two counts. Swaps of neighbours make a chain,
swaps with position 1 a star; both are graphs, and so is any mixture.

Traps: only impressions whose probability is strictly between 0 and 1 belong here: an item that
always stands where it stands is compared with nothing, and keeping it mixes in the lists that
were never drawn. Weighted clicks look like more evidence than the clicks they are made of; how
sure the curve is says only the bootstrap.

Sources: Joachims, Swaminathan and Schnabel, Unbiased learning-to-rank with biased feedback, WSDM
2017, section 5.1 (swaps with position 1); Agarwal et al., WSDM 2019 (weights of a pair).
"""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from label_platform.propensity.bootstrap import REPLICATES
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate
from label_platform.propensity.estimators.pairs import PairStatistics, estimate_from_pairs


def estimate_swap(cells: Cells, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: inverse-probability-weighted sums of impressions and clicks, of impressions whose
            logged probability is strictly between 0 and 1; of one context. A factor common to
            all cells of one query_item changes what it weighs, not what it estimates.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Refused beyond 50 positions, and without a click at position 1; nan at positions that no
        pairs with clicks on both sides connect with position 1. Its impressions and clicks are
        weighted sums like those of ``cells``.

    Sources: Joachims et al., WSDM 2017, section 5.1; Agarwal et al., WSDM 2019.
    """
    return estimate_from_pairs(
        cells, lambda pairs, weights, _start: swap_propensities(pairs, weights), replicates, seed
    )


def swap_propensities(pairs: PairStatistics, weights: Floats) -> Floats:
    """theta, shape (K,), 1 at position 1; nan at positions not connected with it.

    One linear system: there is nothing to search for, so nothing to start from.

    Args:
        pairs: of weighted impressions and clicks.
        weights: how often each query counts, shape (n_queries,).
    """
    size = pairs.positions
    shallow_clicks, deep_clicks = pairs.summed(weights)[:2]
    both = (shallow_clicks > 0) & (deep_clicks > 0)
    above, below = shallow_clicks[both], deep_clicks[both]
    upper, lower = pairs.shallow[both] - 1, pairs.deep[both] - 1
    weight = 1 / (1 / above + 1 / below)
    pull = weight * np.log(below / above)
    edges = np.bincount(upper * size + lower, weight, size * size).reshape(size, size)
    edges += edges.T
    component = connected_components(sparse.csr_array(edges), directed=False)[1]
    known = component == component[0]
    free = np.flatnonzero(known)[1:]
    laplacian = np.diag(edges.sum(axis=0)) - edges
    pulled = np.bincount(lower, pull, size) - np.bincount(upper, pull, size)
    log_theta = np.where(known, 0.0, np.nan)
    log_theta[free] = np.linalg.lstsq(laplacian[np.ix_(free, free)], pulled[free], rcond=None)[0]
    return np.exp(log_theta)
