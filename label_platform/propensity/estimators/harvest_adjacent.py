"""Intervention harvesting along the chain of neighbouring positions.

With C_kl and M_kl the weighted clicks and impressions of (query, item) pairs that were shown at
both positions k and l (see pairs), one pair of positions alone has its maximum of
likelihood at C_kl / M_kl = theta_k r and C_lk / M_kl = theta_l r, so

    theta_{k+1} / theta_k = C_{k+1,k} / C_{k,k+1}
    log theta_k = sum of these log ratios from position 1 down to k

Traps: the links' variances add up in log space (standard errors would overstate), so deep
positions rest on every link above them; neighbouring links share items, which is why the
bootstrap draws queries for the whole chain at once. A link without clicks on both sides is
missing, not a ratio of 1: nothing is known at or below its lower end.

Source: Agarwal et al., Estimating position bias without intrusive interventions, WSDM 2019 (the
AdjacentChain estimator).
"""

import numpy as np

from label_platform.propensity.bootstrap import REPLICATES
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate
from label_platform.propensity.estimators.pairs import PairStatistics, estimate_from_pairs


def estimate_harvest_adjacent(
    cells: Cells, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Refused beyond 50 positions, and without a click at position 1 on an item that was seen
        at position 2 too; nan from the first missing link on. Impressions and clicks are those
        of items seen at the position and at a neighbour of it.

    Source: Agarwal et al., WSDM 2019, AdjacentChain.
    """
    return estimate_from_pairs(
        cells,
        lambda pairs, weights, _start: adjacent_propensities(pairs, weights),
        replicates,
        seed,
        max_distance=1,
    )


def adjacent_propensities(pairs: PairStatistics, weights: Floats) -> Floats:
    """theta, shape (K,), 1 at position 1; nan at and below the first missing link.

    There is nothing to search for, so nothing to start from.

    Args:
        pairs: the statistics of neighbouring positions at least.
        weights: how often each query counts, shape (n_queries,).
    """
    neighbours = np.flatnonzero(pairs.deep == pairs.shallow + 1)
    above, below = pairs.summed(weights)[:2, neighbours]
    complete = (above > 0) & (below > 0)
    ratio = np.divide(below, above, out=np.full_like(below, np.nan), where=complete)
    return np.cumprod(np.concatenate([[1.0], ratio]))
