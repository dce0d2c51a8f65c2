"""What a ranking does for people who watch: seconds, feedback, and videos of different lengths.

Of a person's videos with w seconds watched, e = 1[any explicit feedback] and durations D:

    WTG@k  = sum over r <= k of w / log2(r + 1);   NWTG@k = WTG@k / WTG@k of the best order
    NEG@k  = the same with e
    DS@k   = sqrt( sum over the top k of (D - their mean)^2 / (k - 1) ), the sample deviation

NWTG and NEG are in [0, 1], and NaN for a person without any seconds or feedback, who is left out
of means; the mean over all people, with 0 for those, is the mean times the share of people that
have any. DS is 0 or more, in the unit of D; the top k of a shorter list is all of it, and of a
list of one video it is NaN.

Ties are the expectation over their orders in NWTG and NEG. That of a deviation has no closed form,
so DS is the root of the expected variance: with f items surely in the top k (sum A, sum of squares
B) and m of the n that tie for the rest (sum a, sum of squares b),

    E(sum of D^2)   = B + m b/n
    E((sum of D)^2) = A^2 + 2 A m a/n + m b/n + m (m - 1) (a^2 - b) / (n (n - 1))

Source: Bai et al., LabelCraft, WSDM 2024, section 5.1. Its published code multiplies by the
discount's inverse and gives 1 to people without feedback; this follows the paper.
"""

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Ranking, best_dcg_at_k, share_of_best


def normalised_watch_time_gain(
    watch_s: NDArray[np.floating], ranking: Ranking, k: int, best: Floats | None = None
) -> Floats:
    """NWTG@k of each list, in [0, 1]; NaN where nothing was watched.

    Args:
        watch_s: seconds watched of each item, 0 or more.
        ranking: of the items.
        k: how many ranks count.
        best: WTG@k of the best order, where it is known already.

    Raises:
        ValueError: a watch time is negative or not a number.
    """
    ideal = best_dcg_at_k(watch_s, ranking.lists, k) if best is None else best
    return share_of_best(ranking.dcg(watch_s, k), ideal)


def normalised_engagement_gain(
    feedback: NDArray[np.floating], ranking: Ranking, k: int, best: Floats | None = None
) -> Floats:
    """NEG@k of each list, in [0, 1]; NaN where there is no feedback.

    Args:
        feedback: of each item, above 0 where there was any explicit feedback.
        ranking: of the items.
        k: how many ranks count.
        best: EG@k of the best order, where it is known already.

    Raises:
        ValueError: a value is negative or not a number.
    """
    if not (feedback >= 0).all():
        raise ValueError(f"NEG needs feedback of 0 or more, found {feedback.min():g}")
    return normalised_watch_time_gain((feedback > 0).astype(np.float64), ranking, k, best)


def duration_spread(durations: NDArray[np.floating], ranking: Ranking, k: int) -> Floats:
    """DS@k of each list, in the unit of the durations; NaN for lists of one item.

    Args:
        durations: of each item, finite.
        ranking: of the items.
        k: how many ranks count, 2 or more.

    Raises:
        ValueError: a duration is not finite, or k is below 2.
    """
    if k < 2:
        raise ValueError(f"found k = {k}: a spread needs 2 or more")
    if not np.isfinite(durations).all():
        wrong = int((~np.isfinite(durations)).sum())
        raise ValueError(f"{wrong} of {len(durations)} durations are not known")
    lists, ties = ranking.lists, ranking.ties
    # a spread is that of the deviations; those of long durations keep their digits
    means = lists.totals(durations.astype(np.float64)) / lists.sizes
    deviation = (durations - means[lists.codes])[ranking.order]
    chosen = np.clip(k + 1 - ranking.rank[ties.starts], 0, ties.sizes).astype(np.float64)
    summed, squares = ties.totals(deviation), ties.totals(deviation**2)
    share = chosen / ties.sizes
    pairs = share * (chosen - 1) / np.maximum(ties.sizes - 1, 1)
    of_pairs = pairs * (summed**2 - squares)
    of_tie = lists.codes[ties.starts]

    def per_list(values: Floats) -> Floats:
        return np.bincount(of_tie, values, minlength=len(lists)).astype(np.float64)

    total = per_list(share * summed)
    # ties are drawn independently: only within one do the draws exclude each other
    of_square = total**2 + per_list(share * squares + of_pairs - (share * summed) ** 2)
    count = np.minimum(k, lists.sizes)
    variance = (per_list(share * squares) - of_square / count) / np.maximum(count - 1, 1)
    return np.where(count > 1, np.sqrt(np.maximum(variance, 0.0)), np.nan)
