"""The same yardsticks on parts of the data.

A slice is a column's value: ``device=mobile``. Where all items of a list share the value, the
slice is the lists that have it. Where they do not, as with the item's category or ``new_items``,
the slice is the clicks on those items: a list that shows any of them stays whole, since where an
item is ranked depends on what it stands beside, and only the clicks on those items count.

``query_frequency`` parts queries by the impressions that training days have of them. In the order
of these, the queries that the first third of all impressions went to are the ``head``, those of
the second third the ``torso``, and the rest, with the queries that training has never seen, the
``tail``: of equal weight in the traffic, not in the number of queries. ``new_items`` are those
that no training day showed.

Each value is one more hypothesis for Holm's correction, so only the ``MAX_VALUES`` most frequent
values of a column are judged, and a yardstick that is refused on all of the data has no slices.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation.yardsticks import (
    MIN_CLICKS,
    MIN_QUERIES,
    RefusedYardstick,
    Yardstick,
)

QUERY_FREQUENCY = "query_frequency"
NEW_ITEMS = "new_items"
COMPUTED = (QUERY_FREQUENCY, NEW_ITEMS)
"""Slices that are made of training days, not columns of the impression."""
HEAD, TORSO, TAIL = "head", "torso", "tail"
MAX_VALUES = 8
_TRUE = "true"


def query_frequencies(impressions: Floats) -> NDArray[np.str_]:
    """Head, torso or tail, by thirds of the training impressions.

    Args:
        impressions: of each query on training days; 0 of one that they have never seen.

    Returns:
        One word per query. A query is of the third in which its first impression lies, when
        queries stand in the order of their impressions; queries with as many are of the same.
    """
    counts, inverse, queries = np.unique(
        -np.asarray(impressions, dtype=np.float64), return_inverse=True, return_counts=True
    )
    reached = np.cumsum(-counts * queries)
    before = np.concatenate([[0.0], reached[:-1]])
    share = before / reached[-1] if len(reached) and reached[-1] > 0 else np.ones(len(counts))
    words = np.array([HEAD, TORSO, TAIL])
    third = np.where(counts == 0, 2, np.minimum(share * 3, 2).astype(np.int64))
    found: NDArray[np.str_] = words[third][inverse]
    return found


def sliced_yardsticks(
    shown: ShownLists, make: Callable[[ShownLists], Sequence[Yardstick]]
) -> tuple[Yardstick, ...]:
    """The yardsticks of all lists, and then those of each slice.

    Args:
        shown: all lists, with the segments that slices are made of.
        make: the yardsticks of some lists.

    Returns:
        For each slice those yardsticks that are not refused on all lists. A slice of fewer than
        30 lists or 10 clicks has them refused with its numbers.
    """
    plain = replace(shown, segments={})
    of_all = tuple(make(plain))
    usable = [each.name for each in of_all if not isinstance(each, RefusedYardstick)]
    found = list(of_all)
    for name, part in _slices(shown):
        reason = _too_small(part)
        if reason:
            found += [
                RefusedYardstick(each, f"{name}: {reason}", name, part.evidence) for each in usable
            ]
        else:
            found += [_renamed(each, name) for each in make(part) if each.name in usable]
    return tuple(found)


def _slices(shown: ShownLists) -> Iterator[tuple[str, ShownLists]]:
    plain = replace(shown, segments={})
    for column, values in shown.segments.items():
        of_lists = bool((values == values[shown.lists.starts][shown.lists.codes]).all())
        for value in _values(column, values):
            name = column if column == NEW_ITEMS else f"{column}={value}"
            items = values == value
            if of_lists:
                yield name, plain.chosen(items[shown.lists.starts])
            else:
                yield name, plain.counting(items)


def _values(column: str, values: NDArray[np.str_]) -> list[str]:
    if column == NEW_ITEMS:
        return [_TRUE]
    if column == QUERY_FREQUENCY:
        return [HEAD, TORSO, TAIL]
    names, counts = np.unique(values, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:MAX_VALUES]
    return sorted(names[most].tolist())


def _too_small(part: ShownLists) -> str:
    lists, clicks = len(part.lists), int(part.clicks.sum())
    if lists < MIN_QUERIES:
        return f"{lists} lists, needed {MIN_QUERIES}"
    if clicks < MIN_CLICKS:
        return f"{clicks} clicks on {lists} lists, needed {MIN_CLICKS}"
    return ""


def _renamed(yardstick: Yardstick, name: str) -> Yardstick:
    # every yardstick is a dataclass, which a protocol cannot say
    return cast("Yardstick", replace(cast("Any", yardstick), slice=name))
