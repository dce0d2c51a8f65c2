"""Concordance of scores and clicks within strata, as one part per row.

    A = sum_s sum_{i clicked in s} sum_{j not clicked in s} [s_i > s_j] + [s_i = s_j]/2
        --------------------------------------------------------------------------------
                          sum_s clicked_s * unclicked_s

The mean of the returned parts is A; their standard error over rows is that of the infinitesimal
jackknife (DeLong, DeLong and Clarke-Pearson 1988, with strata), which a bootstrap over rows
approaches. With a few clicks it is as rough as that bootstrap is.
"""

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats


def stratified_auc(
    scores: Floats, clicked: NDArray[np.bool_], strata: NDArray[np.generic]
) -> Floats:
    """Each row's part, of shape (rows,); their mean is the concordance.

    Args:
        scores: higher for what should be clicked.
        clicked: of each row.
        strata: rows are compared only where these are equal, such as the logged position.

    Raises:
        ValueError: no stratum has both a clicked and an unclicked row.
    """
    concordance = np.zeros(len(scores))
    opponents = np.zeros(len(scores))
    for stratum in np.unique(strata):
        won, lost = (np.flatnonzero((strata == stratum) & side) for side in (clicked, ~clicked))
        concordance[won] = _wins(scores[won], scores[lost])
        concordance[lost] = len(won) - _wins(scores[lost], scores[won])
        opponents[won], opponents[lost] = len(lost), len(won)
    pairs = opponents[clicked].sum()
    if pairs == 0:
        raise ValueError("no stratum has both a clicked and an unclicked row")
    value = concordance[clicked].sum() / pairs
    # each pair is the doing of both of its rows, hence the value once and the excess in full
    parts: Floats = value + len(scores) / pairs * (concordance - value * opponents)
    return parts


def _wins(of: Floats, over: Floats) -> Floats:
    """How many of the others each score beats, ties counting half."""
    others = np.sort(over)
    below = np.searchsorted(others, of, side="left")
    not_above = np.searchsorted(others, of, side="right")
    return (below + not_above) / 2
