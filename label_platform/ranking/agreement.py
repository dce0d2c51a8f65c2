"""How well scores agree with labels on validation rows: what a score's weight is tuned by.

    nDCG@10 = DCG@10 / DCG@10 of the best order, gains linear in the label

Where no list has two different labels, as in logs of one item a list, nothing can be reordered;
the rank correlation of scores and labels over all rows stands in.
"""

import numpy as np
from scipy.stats import rankdata

from label_platform.ranking.comparable_lists import Floats, Integers, rows_of_comparable_groups

_CUTOFF = 10


def mean_ndcg_at_10(label: Floats, score: Floats, group_sizes: Integers) -> float | None:
    """Mean nDCG@10 over the lists that have two different labels, each counting the same.

    Args:
        label: of each row.
        score: of each row, higher ranks first.
        group_sizes: rows of each list; lists are contiguous and not empty.

    Returns:
        From 0 to 1; None if no list has two different labels.
    """
    by_list = ndcg_at_10_by_list(label, score, group_sizes)
    return float(by_list.mean()) if len(by_list) else None


def ndcg_at_10_by_list(label: Floats, score: Floats, group_sizes: Integers) -> Floats:
    """nDCG@10 of each list that has two different labels, in the order of the lists.

    Labels are shifted so that the lowest gains nothing. Items that tie share the mean discount of
    the ranks they tie for (McSherry and Najork 2008).

    Args:
        label: of each row.
        score: of each row, higher ranks first.
        group_sizes: rows of each list; lists are contiguous and not empty.

    Returns:
        From 0 to 1; which lists they are depends on the labels alone.
    """
    if len(label) == 0:
        return np.empty(0)
    _, level = np.unique(label, return_inverse=True)
    comparable = rows_of_comparable_groups(level.astype(np.int64), group_sizes)
    if not comparable.any():
        return np.empty(0)
    group = np.repeat(np.arange(len(group_sizes)), group_sizes)[comparable]
    gain = (label - label.min())[comparable]
    found = np.bincount(group, gain * _discounts(score[comparable], group))
    best = np.bincount(group, gain * _discounts(gain, group))
    with_gain = best > 0
    by_list: Floats = found[with_gain] / best[with_gain]
    return by_list


def _discounts(score: Floats, group: Integers) -> Floats:
    """1/log2(1 + rank) of each row within its list down to the cutoff, ties sharing theirs."""
    order = np.lexsort((-score, group))
    first = np.searchsorted(group, group)  # lists are contiguous, so sorting moves none
    rank = np.arange(len(score)) - first + 1
    by_rank = np.where(rank <= _CUTOFF, 1 / np.log2(1 + rank), 0.0)
    ranked = score[order]
    new = np.append(True, (ranked[1:] != ranked[:-1]) | (group[1:] != group[:-1]))
    tie = np.cumsum(new) - 1
    discounts = np.empty(len(score))
    discounts[order] = (np.bincount(tie, by_rank) / np.bincount(tie))[tie]
    return discounts


def rank_correlation(label: Floats, score: Floats) -> float | None:
    """Spearman's correlation of label and score over all rows, each counting the same.

    With two different labels it orders scores as the area under the ROC curve does, but for their
    ties.

    Returns:
        From -1 to 1, 0 if all scores are the same; None if all labels are.
    """
    if len(label) == 0 or np.ptp(label) == 0:
        return None
    if np.ptp(score) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(label), rankdata(score))[0, 1])
