"""Impressions and clicks of lists by position."""

import numpy as np

from label_platform.propensity.cells import Floats
from label_platform.propensity.list_clicks import ListClicks


def impressions_shown(lists: ListClicks) -> Floats:
    """How often each position held an item, shape (K,)."""
    return np.asarray(lists.count @ lists.shown, dtype=np.float64)


def clicks_shown(lists: ListClicks) -> Floats:
    """How often each position was clicked, shape (K,)."""
    return np.asarray(lists.count @ (lists.clicked & lists.shown), dtype=np.float64)


def last_clicks(lists: ListClicks) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The position of each list's last click, 0 if it has none."""
    places = np.arange(1, lists.positions + 1)
    return np.asarray((places * (lists.clicked & lists.shown)).max(axis=1, initial=0), np.int64)


def impressions_of_an_item(lists: ListClicks) -> float:
    """How often the (query, item) of an average impression was shown; 0 without any."""
    shown = lists.shown
    count = np.broadcast_to(lists.count[:, None], shown.shape)[shown]
    of_item = np.bincount(lists.query_item[shown], count)
    return float(of_item @ of_item / max(of_item.sum(), 1e-300))
