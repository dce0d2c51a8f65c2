"""Cascade model: readers go down the list to the first click and no further.

Craswell, Zoeter, Taylor and Ramsey, An experimental comparison of click position-bias models
(WSDM 2008):

    P(clicked_k | nothing above clicked) = a_i,  0 below a click

Everything down to and including the first click was examined, in a list without a click
everything was, so nothing is hidden and the maximum is a_i = clicks / examined. The propensity of
a position is the share of the lists that have it in which it was examined.

Trap: a second click contradicts the model. Such lists are used down to their first click and
counted; where they are more than a few, the curve is too steep, and DBN or UBM are for them.
"""

import numpy as np

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Floats, Integers
from label_platform.propensity.estimate import Estimate, refused
from label_platform.propensity.estimators.list_totals import clicks_shown, impressions_shown
from label_platform.propensity.list_clicks import ListClicks


def estimate_cascade(lists: ListClicks, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """The share of shown lists whose reader examined each position, with bootstrap intervals.

    Details: ``attractiveness`` with ``attractiveness_error``, shape (n,), nan where an item was
    never examined; ``lists_with_several_clicks`` and ``share_of_lists_with_several_clicks``.

    Args:
        lists: of one context.
        replicates: of the bootstrap over queries.
        seed: of the bootstrap.
    """
    impressions, clicks = impressions_shown(lists), clicks_shown(lists)
    if clicks.sum() == 0:
        reason = f"no click in {lists.count.sum():,.0f} lists: nobody can be seen to stop"
        return refused(reason, impressions, clicks)
    attractiveness, trials = cascade_attractiveness(lists)
    examined = _to_first_click(lists)
    seen, shown = _in_query(lists, examined), _in_query(lists, lists.shown)
    error = bootstrap_log_error(
        lambda weights: _share(weights @ seen, weights @ shown), lists.n_queries, replicates, seed
    )
    several = float(lists.count[(lists.clicked & lists.shown).sum(axis=1) > 1].sum())
    curve = _share(seen.sum(axis=0), shown.sum(axis=0))
    return Estimate(
        np.where(curve > 0, curve, np.nan),  # examined in no list: too rare to say how rare
        error,
        impressions,
        clicks,
        details={
            "attractiveness": attractiveness,
            "attractiveness_error": _error(attractiveness, trials),
            "lists_with_several_clicks": several,
            "share_of_lists_with_several_clicks": several / float(lists.count.sum()),
        },
    )


def cascade_attractiveness(lists: ListClicks) -> tuple[Floats, Floats]:
    """Attractiveness of each query_item and how often it was examined, shapes (n,).

    There is nothing to iterate, so there is no start to begin from.
    """
    examined = _to_first_click(lists)
    count = np.broadcast_to(lists.count[:, None], examined.shape)
    trials = np.bincount(lists.query_item[examined], count[examined], lists.n_query_items)
    first = examined & lists.clicked
    clicks = np.bincount(lists.query_item[first], count[first], lists.n_query_items)
    return _share(clicks.astype(np.float64), trials.astype(np.float64)), trials.astype(np.float64)


def _to_first_click(lists: ListClicks) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """Which places lie at or above the first click; all, if there is none."""
    clicked = lists.clicked & lists.shown
    above: Integers = np.cumsum(clicked, axis=1) - clicked
    return np.asarray((above == 0) & lists.shown, dtype=np.bool_)


def _in_query(
    lists: ListClicks, places: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]"
) -> Floats:
    """How many of the places each query has at each position, shape (queries, K)."""
    rows = [np.bincount(lists.query, lists.count * row, lists.n_queries) for row in places.T]
    return np.stack(rows, axis=1).astype(np.float64)


def _share(part: Floats, whole: Floats) -> Floats:
    """The quotient, nan where there is nothing."""
    nothing = np.full(len(part), np.nan)
    return np.asarray(np.divide(part, whole, out=nothing, where=whole > 0), dtype=np.float64)


def _error(attractiveness: Floats, trials: Floats) -> Floats:
    """Binomial, with one click and one miss more, or items seen once would look certain."""
    clicks = attractiveness * trials
    smoothed = (clicks + 1) / (trials + 2)
    return np.sqrt(smoothed * (1 - smoothed) / (trials + 2))
