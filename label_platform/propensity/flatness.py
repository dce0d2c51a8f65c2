"""Can the clicks tell the position curve from a flat one?

Generalised Cochran-Mantel-Haenszel test of "click rate does not depend on position", within lists
of one length (Landis, Heyman and Koch 1978): with n_k, c_k the impressions and clicks at position
k of the lists of one length, N and C their sums,

    E(c_k)       = n_k C / N
    Cov(c_k,c_l) = C (N - C) / (N - 1) * (1[k = l] n_k / N - n_k n_l / N^2)

and d' V^-1 d, with d = sum (c - E(c)) and V = sum Cov over the list lengths, is chi-square with
(positions - 1) degrees of freedom. Lengths are kept apart because lists of different lengths
answer different queries; with one length this is Pearson's test times (N - 1) / N.
"""

import numpy as np
import pandas as pd
from scipy.special import chdtrc


def flatness_p_value(statistics: pd.DataFrame) -> float:
    """The probability of clicks at least this uneven over positions if the curve were flat.

    Args:
        statistics: columns length, position, impressions and clicks.

    Returns:
        A p value; 1 where nothing can be compared (one position, no click, nothing but clicks).
    """
    positions = np.sort(statistics["position"].unique())
    excess = np.zeros(len(positions))
    covariance = np.zeros((len(positions), len(positions)))
    for _, lists in statistics.groupby("length"):
        summed = lists.groupby("position")[["impressions", "clicks"]].sum()
        counts = summed.reindex(positions, fill_value=0).to_numpy(dtype=np.float64)
        shown, clicks = counts[:, 0], counts[:, 1].sum()
        total = shown.sum()
        if total <= 1:
            continue
        share = shown / total
        excess += counts[:, 1] - share * clicks
        spread = clicks * (total - clicks) / (total - 1)
        covariance += spread * (np.diag(share) - np.outer(share, share))
    freedom = int(np.linalg.matrix_rank(covariance, hermitian=True))
    if freedom == 0:
        return 1.0
    statistic = excess @ np.linalg.pinv(covariance, hermitian=True) @ excess
    return float(chdtrc(freedom, statistic))
