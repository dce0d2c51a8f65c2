"""Rankings of many lists at once, and DCG: items in one array, their lists contiguous.

    DCG@k  = sum over items of gain * discount(rank),   discount(r) = 1/log2(1 + r) for r <= k, or 0
    nDCG@k = DCG@k / DCG@k of the best order

Gains are linear. Items that tie share the mean of the discounts of the ranks they tie for, which
is the expectation over their orders: neither labels nor the logged order decide between them
(McSherry and Najork 2008; scikit-learn does the same). Sources: Jarvelin and Kekalainen, TOIS 2002.
Other metrics are in ``rank_metrics``, those of watch time in ``watch_metrics``.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MOST_PADDING = 4
"""Lists are sorted side by side as rows of a matrix unless it has this many cells an item."""


@dataclass(frozen=True, eq=False)
class Lists:
    """Which items form a list; prepared once, used for every score vector.

    Attributes:
        codes: the list of each item, ascending from 0.
        starts: the first item of each list.
        sizes: items of each list, 1 or more: a list without items has no place here.
    """

    codes: Integers
    starts: Integers
    sizes: Integers

    @classmethod
    def of_sorted(cls, keys: NDArray[np.generic]) -> Self:
        """Lists of items whose equal keys stand together."""
        return cls._where(keys[1:] != keys[:-1], len(keys))

    @classmethod
    def _where(cls, differs_from_last: NDArray[np.bool_], items: int) -> Self:
        """Lists that begin with the first item, and with each that differs from its last."""
        changes = np.flatnonzero(differs_from_last) + 1
        starts = np.concatenate([[0], changes]).astype(np.int64) if items else changes
        sizes = np.diff(np.append(starts, items))
        return cls(np.repeat(np.arange(len(starts)), sizes), starts, sizes)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def longest(self) -> int:
        """The most items of a list."""
        return int(self.sizes.max(initial=0))

    def totals(self, values: Floats) -> Floats:
        """Sums over each list."""
        return np.bincount(self.codes, values, minlength=len(self)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Lists in the order of one score vector: made once, read by as many metrics as wanted.

    Places are the positions in the arrays once each list is sorted; a list keeps its places.

    Attributes:
        lists: of the items, and of the places.
        order: the item at each place.
        rank: of each place within its list, from 1.
        ties: the places whose items have the same score in the same list, as lists.
    """

    lists: Lists
    order: NDArray[np.intp]
    rank: Integers
    ties: Lists

    @classmethod
    def of(cls, scores: NDArray[np.floating], lists: Lists) -> Self:
        """Lists by score, the highest first.

        Args:
            scores: of each item; infinite ones are fine.
            lists: of the items.

        Raises:
            ValueError: a score is not a number, or there are not as many as items.
        """
        if len(scores) != len(lists.codes):
            raise ValueError(f"found {len(scores)} scores for {len(lists.codes)} items")
        if np.isnan(scores).any():
            wrong = int(np.isnan(scores).sum())
            raise ValueError(f"{wrong} of {len(scores)} scores are not numbers")
        rank = np.arange(1, len(scores) + 1) - lists.starts[lists.codes]
        order = _order(scores, lists, rank)
        ranked = scores[order]
        differs = (ranked[1:] != ranked[:-1]) | (lists.codes[1:] != lists.codes[:-1])
        return cls(lists, order, rank, Lists._where(differs, len(scores)))  # noqa: SLF001 - own file

    @property
    def has_ties(self) -> bool:
        """Whether any two items of a list have the same score."""
        return len(self.ties) < len(self.order)

    def shared(self, by_place: Floats) -> Floats:
        """Of each item, the mean of a value over the places that it ties for."""
        of_item = np.empty(len(self.order))
        if not self.has_ties:
            of_item[self.order] = by_place
            return of_item
        ties = self.ties
        of_item[self.order] = (ties.totals(by_place) / ties.sizes)[ties.codes]
        return of_item

    def discounts(self, k: int) -> Floats:
        """DCG@k's discount of each item."""
        ranks = np.arange(self.lists.longest + 1)
        return self.shared(
            np.where(ranks <= k, 1 / np.log2(1 + np.maximum(ranks, 1)), 0)[self.rank]
        )

    def dcg(self, gains: NDArray[np.floating], k: int) -> Floats:
        """DCG@k of each list."""
        return self.lists.totals(gains * self.discounts(k))


def _order(scores: NDArray[np.floating], lists: Lists, rank: Integers) -> NDArray[np.intp]:
    """The items by list and falling score; in their own order where scores are equal.

    Short rows sort several times faster than one long array of two keys does.
    """
    longest = lists.longest
    if longest * len(lists) > _MOST_PADDING * len(scores):
        # lists are contiguous, so the sorted items of a list stand where its items stood
        return np.lexsort((-scores, lists.codes))
    column = rank - 1
    # padding stands last in its row: a stable sort puts it behind items that score minus infinity
    rows = np.full((len(lists), longest), np.inf)
    rows[lists.codes, column] = -scores
    sorted_columns = np.argsort(rows, axis=1, kind="stable")
    return lists.starts[lists.codes] + sorted_columns[lists.codes, column]


def rank_discounts(scores: NDArray[np.floating], lists: Lists, k: int) -> Floats:
    """The discount that each item's rank earns it, ties sharing theirs.

    Args:
        scores: of each item, higher ranks first.
        lists: of the items.
        k: ranks below this earn nothing.

    Raises:
        ValueError: a score is not a number.
    """
    return Ranking.of(scores, lists).discounts(k)


def dcg_at_k(
    gains: NDArray[np.floating], scores: NDArray[np.floating], lists: Lists, k: int
) -> Floats:
    """DCG@k of each list."""
    return Ranking.of(scores, lists).dcg(gains, k)


def ndcg_at_k(
    gains: NDArray[np.floating], scores: NDArray[np.floating], lists: Lists, k: int
) -> Floats:
    """nDCG@k of each list, in [0, 1]; NaN for a list without a positive gain.

    Such a list has no best order. Count them with ``lists_without_positives`` and leave them out
    of means: a 0 or a 1 would say something of the ranker that the list does not.

    Raises:
        ValueError: a gain is negative, for which the ratio has no bounds.
    """
    return share_of_best(dcg_at_k(gains, scores, lists, k), best_dcg_at_k(gains, lists, k))


def best_dcg_at_k(gains: NDArray[np.floating], lists: Lists, k: int) -> Floats:
    """DCG@k of each list's best order, which does not depend on any ranker.

    Raises:
        ValueError: a gain is negative or not a number.
    """
    if not (gains >= 0).all():
        raise ValueError(f"nDCG needs gains of 0 or more, found {gains.min():g}")
    return dcg_at_k(gains, gains, lists, k)


def share_of_best(reached: Floats, best: Floats) -> Floats:
    """The ratio, in [0, 1]; NaN where the best is 0."""
    ratio = np.divide(reached, best, out=np.full(len(best), np.nan), where=best > 0)
    # the same products added in another order may exceed the best by a rounding error
    capped: Floats = np.minimum(ratio, 1.0)
    return capped


def lists_without_positives(gains: NDArray[np.floating], lists: Lists) -> int:
    """How many lists have no item of positive gain."""
    if not len(lists):
        return 0
    return int((np.maximum.reduceat(gains, lists.starts) <= 0).sum())
