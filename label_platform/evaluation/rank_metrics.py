"""Where a ranking puts what is relevant: precision, recall, AP, reciprocal ranks, ARP.

An item is relevant if its gain is above 0. R of a list's n items are. Ranks r count from 1.

    precision@k = (relevant items among the first k) / k
    recall@k    = (relevant items among the first k) / R
    AP@k        = (1/R) * sum over relevant items with r <= k of precision@r;  MAP@k is its mean
    RR@k        = 1/(rank of the first relevant item), 0 if that is below k;   MRR@k is its mean
    ERR@k       = sum over r <= k of 1/r * s_r * product over q < r of (1 - s_q)
                  with s = (2^grade - 1) / 2^(highest grade), the chance to stop at an item
    ARP         = sum of gain * rank / sum of gain: lower is better, all ranks count

One convention for all of them:

- Ties: the expectation over the orders of the items that tie, in closed form.
- A list without a relevant item has no value (NaN). Leave it out of means, and say how many there
  are (``lists_without_positives``): its 0 would say something of the ranker that it does not.
- A list shorter than k keeps the k of precision, so that its precision cannot reach 1. R counts
  all relevant items of the list, so that AP@k and recall@k cannot reach 1 where R > k.
- There are no lists without items.

All but ARP, which is in [1, n], are in [0, 1].

Sources: the closed forms of precision, recall, AP and RR under ties are those of McSherry and
Najork, ECIR 2008; precision@k, AP and RR otherwise are those of trec_eval. ERR: Chapelle et al.,
CIKM 2009; ARP: Wang et al., LambdaLoss, CIKM 2018. ERR under ties is derived here: of n items that
tie, a person is still looking after m of them with probability S_m, the mean over all m of them of
the product of 1 - s. S_m of the first j items follows from those of the first j - 1,

    S_m(j) = (1 - m/j) S_m(j - 1) + (m/j) (1 - s_j) S_(m-1)(j - 1)

so the chance to stop at the m-th place of the tie, once there, is 1 - S_m/S_(m-1). RR is the ERR
of a person who stops at the first relevant item.
"""

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Integers, Ranking


def precision_at_k(gains: NDArray[np.floating], ranking: Ranking, k: int) -> Floats:
    """Precision@k of each list, in [0, 1]; NaN for a list without a positive gain.

    Args:
        gains: of each item, 0 or more.
        ranking: of the items.
        k: how many ranks count, 1 or more.

    Raises:
        ValueError: a gain is negative or not a number, or k is not above 0.
    """
    relevant = _relevant(gains, ranking, k)
    found = _found_at_k(relevant, ranking, k)
    return np.where(ranking.lists.totals(relevant) > 0, found / k, np.nan)


def recall_at_k(gains: NDArray[np.floating], ranking: Ranking, k: int) -> Floats:
    """Recall@k of each list, in [0, 1]; arguments, NaN and errors are those of precision."""
    relevant = _relevant(gains, ranking, k)
    return _ratio(_found_at_k(relevant, ranking, k), ranking.lists.totals(relevant))


def average_precision_at_k(gains: NDArray[np.floating], ranking: Ranking, k: int) -> Floats:
    """AP@k of each list, in [0, 1]; arguments, NaN and errors are those of precision.

    Of n items that tie, t of them relevant, behind b relevant ones, the j-th place holds a relevant
    item with probability t/n, and then (j - 1)(t - 1)/(n - 1) relevant ones stand before it in
    the tie: it adds t/n * (b + 1 + (j - 1)(t - 1)/(n - 1)) / rank.
    """
    of_item = _relevant(gains, ranking, k)
    ties, lists = ranking.ties, ranking.lists
    relevant = of_item[ranking.order]
    so_far = np.cumsum(relevant)
    before = (so_far - relevant)[ties.starts]
    before -= (so_far - relevant)[lists.starts][lists.codes[ties.starts]]
    in_tie = ties.totals(relevant)
    among_others = np.maximum(in_tie - 1, 0) / np.maximum(ties.sizes - 1, 1)
    place = np.arange(len(relevant)) - ties.starts[ties.codes]
    expected = before[ties.codes] + 1 + place * among_others[ties.codes]
    parts = (in_tie / ties.sizes)[ties.codes] * expected / ranking.rank
    reached = lists.totals(np.where(ranking.rank <= k, parts, 0.0))
    return _ratio(reached, lists.totals(of_item))


def reciprocal_rank_at_k(gains: NDArray[np.floating], ranking: Ranking, k: int) -> Floats:
    """RR@k of each list, in [0, 1]; arguments, NaN and errors are those of precision."""
    relevant = _relevant(gains, ranking, k)
    found = _expected_reciprocal(relevant, ranking, k)
    return np.where(ranking.lists.totals(relevant) > 0, found, np.nan)


def expected_reciprocal_rank_at_k(
    grades: NDArray[np.floating], ranking: Ranking, k: int, highest: float
) -> Floats:
    """ERR@k of each list, in [0, 1); NaN for a list without a positive grade.

    Args:
        grades: of each item, from 0 to ``highest``.
        ranking: of the items.
        k: how many ranks count, 1 or more.
        highest: the best grade there can be, the same for all lists that are compared; 1 for
            clicks, at each of which half of the people stop.

    Raises:
        ValueError: a grade is not from 0 to ``highest``, or k is not above 0.
    """
    relevant = _relevant(grades, ranking, k)
    if len(grades) and grades.max() > highest:
        raise ValueError(f"found a grade of {grades.max():g}, the highest was to be {highest:g}")
    stop = (np.exp2(grades) - 1) / 2.0**highest
    found = _expected_reciprocal(stop, ranking, k)
    return np.where(ranking.lists.totals(relevant) > 0, found, np.nan)


def average_relevant_position(gains: NDArray[np.floating], ranking: Ranking) -> Floats:
    """ARP of each list, between 1 and its length, lower is better; NaN without a positive gain.

    Args:
        gains: of each item, 0 or more: its weight.
        ranking: of the items.

    Raises:
        ValueError: a gain is negative or not a number.
    """
    _relevant(gains, ranking, 1)
    totals, mean_rank = ranking.lists.totals, ranking.shared(ranking.rank.astype(np.float64))
    weights = gains.astype(np.float64)
    whole = totals(weights)
    mean: Floats = np.full(len(whole), np.nan)
    return np.divide(totals(weights * mean_rank), whole, out=mean, where=whole > 0)


def _relevant(gains: NDArray[np.floating], ranking: Ranking, k: int) -> Floats:
    """1 of each relevant item, 0 of the others."""
    if k < 1:
        raise ValueError(f"found k = {k}, expected 1 or more")
    if len(gains) != len(ranking.order):
        raise ValueError(f"found {len(gains)} gains for {len(ranking.order)} items")
    if not (gains >= 0).all():
        raise ValueError(
            f"metrics of relevant items need gains of 0 or more, found {gains.min():g}"
        )
    return (gains > 0).astype(np.float64)


def _found_at_k(relevant: Floats, ranking: Ranking, k: int) -> Floats:
    among_first = ranking.shared((ranking.rank <= k).astype(np.float64))
    return ranking.lists.totals(relevant * among_first)


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    # sums of shared places may exceed the whole by a rounding error
    capped: Floats = np.minimum(ratio, 1.0)
    return capped


def _expected_reciprocal(stop: Floats, ranking: Ranking, k: int) -> Floats:
    """E(1/rank at which a person stops who goes down each list), 0 for who goes beyond k."""
    lists = ranking.lists
    chance = stop[ranking.order]
    if ranking.has_ties:
        chance = _chance_in_ties(chance, ranking, k)
    expected, looking = np.zeros(len(lists)), np.ones(len(lists))
    for place in range(min(k, lists.longest)):
        goes_on = np.flatnonzero(lists.sizes > place)
        here = chance[lists.starts[goes_on] + place]
        expected[goes_on] += looking[goes_on] * here / (place + 1)
        looking[goes_on] *= 1 - here
    return expected


def _chance_in_ties(stop: Floats, ranking: Ranking, k: int) -> Floats:
    """The chance to stop at each place for those who came there, over the orders of ties."""
    ties = ranking.ties
    tied = np.flatnonzero((ties.sizes > 1) & (ranking.rank[ties.starts] <= k))
    tied = tied[np.argsort(-ties.sizes[tied], kind="stable")]
    starts, sizes = ties.starts[tied], ties.sizes[tied]
    depth = min(k, int(sizes.max(initial=0)))
    still_looking = _still_looking(1 - stop, starts, sizes, depth)
    chance = stop.copy()
    for place in range(depth):
        having = _as_long_as(sizes, place + 1)
        before, after = still_looking[:having, place], still_looking[:having, place + 1]
        share = np.divide(after, before, out=np.zeros(having), where=before > 0)
        chance[starts[:having] + place] = 1 - np.minimum(share, 1.0)
    return chance


def _still_looking(passes: Floats, starts: Integers, sizes: Integers, depth: int) -> Floats:
    """S_m of each tie (rows, the longest first) for m from 0 to ``depth`` (columns)."""
    found = np.zeros((len(sizes), depth + 1))
    found[:, 0] = 1
    counts = np.arange(1, depth + 1)
    for seen in range(1, int(sizes.max(initial=0)) + 1):
        having = _as_long_as(sizes, seen)
        is_new = np.minimum(counts / seen, 1.0)
        passed = passes[starts[:having] + seen - 1][:, None] * found[:having, :-1]
        found[:having, 1:] = (1 - is_new) * found[:having, 1:] + is_new * passed
    return found


def _as_long_as(sizes: Integers, length: int) -> int:
    """How many of falling sizes are at least this."""
    return int(np.searchsorted(-sizes, -length, side="right"))
