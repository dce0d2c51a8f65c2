"""The dynamic Bayesian network's E step: what the clicks of each list say of its reader.

Formulas: see ``dbn``.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from label_platform.propensity.cells import Floats, Integers
from label_platform.propensity.estimators.list_totals import last_clicks
from label_platform.propensity.list_clicks import ListClicks

PRIOR_TRIALS = 0.1
ERROR_TRIALS = 1.0
_MOST = 1 - 1e-12
"""Attractiveness of 1 would make lists impossible that an earlier step has not ruled out."""


@dataclass(frozen=True, eq=False)
class DbnParameters:
    """attractiveness and satisfaction of each query_item, shape (n,), and gamma."""

    attractiveness: Floats
    satisfaction: Floats
    continuation: float


@dataclass(frozen=True, eq=False)
class DbnLists:
    """Lists turned so that a position is one stretch of memory, and what EM asks again and again.

    Attributes:
        item: the query_item, shape (K, lists); n_query_items beyond the list's end.
        shown: whether there is an item, shape (K, lists).
        clicked: shape (K, lists).
        last: position of the last click, 0 if there is none, shape (lists,).
        last_item: its query_item, n_query_items if there is none.
        tells: whether the last click has an item below; if not, nothing shows satisfaction.
        count: of each list.
        query: of each list.
    """

    item: Integers
    shown: NDArray[np.bool_]
    clicked: NDArray[np.bool_]
    last: Integers
    last_item: Integers
    tells: NDArray[np.bool_]
    count: Floats
    query: Integers
    n_query_items: int
    n_queries: int

    @classmethod
    def of(cls, lists: ListClicks) -> Self:
        """The lists, turned."""
        last = last_clicks(lists)
        shown = lists.shown
        item = np.where(shown, lists.query_item, lists.n_query_items)
        place = np.maximum(last - 1, 0)[:, None]
        last_item = np.take_along_axis(item, place, axis=1)[:, 0]
        return cls(
            item=np.ascontiguousarray(item.T),
            shown=np.ascontiguousarray(shown.T),
            clicked=np.ascontiguousarray((lists.clicked & shown).T),
            last=last,
            last_item=np.where(last > 0, last_item, lists.n_query_items),
            tells=(last > 0) & (last < shown.sum(axis=1)),
            count=lists.count,
            query=lists.query,
            n_query_items=lists.n_query_items,
            n_queries=lists.n_queries,
        )

    def __len__(self) -> int:
        return len(self.count)

    @property
    def positions(self) -> int:
        """K."""
        return len(self.item)

    @property
    def shown_in_query(self) -> Floats:
        """Impressions of each query at each position, shape (queries, K)."""
        return self.in_query(self.shown)

    def in_query(self, values: Floats | NDArray[np.bool_]) -> Floats:
        """Sums of values of shape (K, lists), times the counts: shape (queries, K)."""
        rows = [np.bincount(self.query, self.count * row, self.n_queries) for row in values]
        return np.stack(rows, axis=1).astype(np.float64)

    def by_item(self, values: Floats | NDArray[np.bool_]) -> Floats:
        """Sums of values of shape (K, lists), times the lists' counts, over each query_item."""
        weights = (values * self.count).ravel()
        return np.bincount(self.item.ravel(), weights, self.n_query_items + 1)[:-1].astype(float)

    def by_last_item(self, values: Floats | NDArray[np.bool_]) -> Floats:
        """Sums of values of shape (lists,), times the counts, over the last clicks' query_items."""
        weights = values * self.count
        return np.bincount(self.last_item, weights, self.n_query_items + 1)[:-1].astype(float)


@dataclass(frozen=True, eq=False)
class DbnPosterior:
    """What the clicks say, shapes (K, lists).

    Attributes:
        examined: P(examined | clicks), 1 down to the last click; it runs on beyond a list's end.
        reading: P(examined and not satisfied | clicks), 1 above the last click.
    """

    examined: Floats
    reading: Floats


def dbn_posterior(lists: DbnLists, parameters: DbnParameters) -> DbnPosterior:
    """The E step; a loop over positions only."""
    gamma = parameters.continuation
    # beyond a list's end nothing attracts, so silence there is certain
    missed = 1 - np.append(np.minimum(parameters.attractiveness, _MOST), 0.0)[lists.item]
    silence = np.ones(lists.item.shape)
    for k in range(lists.positions - 2, -1, -1):
        silence[k] = (1 - gamma) + gamma * missed[k + 1] * silence[k + 1]
    after = silence[np.maximum(lists.last - 1, 0), np.arange(len(lists))]
    satisfaction = np.append(parameters.satisfaction, 0.0)[lists.last_item]
    unsatisfied = (1 - satisfaction) * after / (satisfaction + (1 - satisfaction) * after)
    examined, reading = np.ones(lists.item.shape), np.ones(lists.item.shape)
    for k in range(lists.positions):
        if k > 0:
            step = gamma * missed[k] * silence[k] / silence[k - 1]
            examined[k] = np.where(lists.last > k, 1.0, reading[k - 1] * step)
        reading[k] = np.where(lists.last == k + 1, unsatisfied, examined[k])
    return DbnPosterior(examined, reading)


@dataclass(frozen=True, eq=False)
class DbnTrials:
    """Expected trials and successes given the clicks.

    Attributes:
        clicks: of each query_item, shape (n,).
        examined: how often it was examined.
        telling_clicks: clicks with an item below, the only ones that can show satisfaction.
        satisfied: how many of these satisfied.
        could_continue: readers not satisfied with an item below, shape (queries,).
        continued: how many of these read on.
        examined_in_query: shape (queries, K).
    """

    clicks: Floats
    examined: Floats
    telling_clicks: Floats
    satisfied: Floats
    could_continue: Floats
    continued: Floats
    examined_in_query: Floats

    def score(self, continuation: float) -> Floats:
        """Derivative of each query's log likelihood in gamma, shape (queries,)."""
        stopped = self.could_continue - self.continued
        return self.continued / continuation - stopped / (1 - continuation)


def dbn_trials(lists: DbnLists, parameters: DbnParameters) -> DbnTrials:
    """What the M step divides."""
    posterior = dbn_posterior(lists, parameters)
    seen = posterior.examined * lists.shown
    above = posterior.reading[:-1] * lists.shown[1:]
    unsatisfied = posterior.reading[np.maximum(lists.last - 1, 0), np.arange(len(lists))]
    clicks = lists.by_item(lists.clicked)
    silent = lists.by_last_item(~lists.tells & (lists.last > 0))
    in_query = lists.in_query(seen)
    could_continue = np.bincount(lists.query, lists.count * above.sum(axis=0), lists.n_queries)
    return DbnTrials(
        clicks=clicks,
        examined=lists.by_item(seen),
        telling_clicks=clicks - silent,
        satisfied=lists.by_last_item(lists.tells * (1 - unsatisfied)),
        could_continue=could_continue.astype(np.float64),
        continued=in_query[:, 1:].sum(axis=1),
        examined_in_query=in_query,
    )
