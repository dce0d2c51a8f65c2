"""Ranking metrics on many lists at once: items in one array, their lists contiguous.

    DCG@k  = sum over items of gain * discount(rank),   discount(r) = 1/log2(1 + r) for r <= k, or 0
    nDCG@k = DCG@k / DCG@k of the best order

Gains are linear. Items that tie share the mean of the discounts of the ranks they tie for, which
is the expectation over their orders: neither labels nor the logged order decide between them
(McSherry and Najork 2008; scikit-learn does the same).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Lists:
    """Which items form a list; prepared once, used for every score vector.

    Attributes:
        codes: the list of each item, ascending from 0.
        starts: the first item of each list.
        sizes: items of each list.
    """

    codes: Integers
    starts: Integers
    sizes: Integers

    @classmethod
    def of_sorted(cls, keys: NDArray[np.generic]) -> Self:
        """Lists of items whose equal keys stand together."""
        changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        starts = np.concatenate([[0], changes]).astype(np.int64) if len(keys) else changes
        sizes = np.diff(np.append(starts, len(keys)))
        return cls(np.repeat(np.arange(len(starts)), sizes), starts, sizes)

    def __len__(self) -> int:
        return len(self.starts)

    def totals(self, values: Floats) -> Floats:
        """Sums over each list."""
        return np.bincount(self.codes, values, minlength=len(self)).astype(np.float64)


def rank_discounts(scores: NDArray[np.floating], lists: Lists, k: int) -> Floats:
    """The discount that each item's rank earns it, ties sharing theirs.

    Args:
        scores: of each item, higher ranks first.
        lists: of the items.
        k: ranks below this earn nothing.

    Raises:
        ValueError: a score is not a number.
    """
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not numbers")
    order = np.lexsort((-scores, lists.codes))
    # lists are contiguous, so the sorted items of a list stand where its items stood
    rank = np.arange(len(scores)) - lists.starts[lists.codes]
    by_rank = _discount_table(int(lists.sizes.max(initial=0)), k)[rank]
    ranked = scores[order]
    first_of_tie = np.ones(len(scores), dtype=np.bool_)
    first_of_tie[1:] = (ranked[1:] != ranked[:-1]) | (lists.codes[1:] != lists.codes[:-1])
    discounts = np.empty(len(scores))
    if first_of_tie.all():
        discounts[order] = by_rank
        return discounts
    tie = np.cumsum(first_of_tie) - 1
    discounts[order] = (np.bincount(tie, by_rank) / np.bincount(tie))[tie]
    return discounts


def _discount_table(longest: int, k: int) -> Floats:
    ranks = np.arange(1, longest + 1)
    return np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)


def dcg_at_k(
    gains: NDArray[np.floating], scores: NDArray[np.floating], lists: Lists, k: int
) -> Floats:
    """DCG@k of each list."""
    return lists.totals(gains * rank_discounts(scores, lists, k))


def ndcg_at_k(
    gains: NDArray[np.floating], scores: NDArray[np.floating], lists: Lists, k: int
) -> Floats:
    """nDCG@k of each list, in [0, 1]; NaN for a list without a positive gain.

    Such a list has no best order. Count them with ``lists_without_positives`` and leave them out
    of means: a 0 or a 1 would say something of the ranker that the list does not.

    Raises:
        ValueError: a gain is negative, for which the ratio has no bounds.
    """
    if (gains < 0).any():
        raise ValueError(f"nDCG needs gains of 0 or more, found {gains.min():g}")
    best = dcg_at_k(gains, gains, lists, k)
    reached = dcg_at_k(gains, scores, lists, k)
    positive = best > 0
    ratio = np.divide(reached, best, out=np.full(len(lists), np.nan), where=positive)
    # the same products added in another order may exceed the best by a rounding error
    capped: Floats = np.minimum(ratio, 1.0)
    return capped


def lists_without_positives(gains: NDArray[np.floating], lists: Lists) -> int:
    """How many lists have no item of positive gain."""
    if not len(lists):
        return 0
    return int((np.maximum.reduceat(gains, lists.starts) <= 0).sum())
