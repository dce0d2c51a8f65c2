"""The user browsing model's likelihood, from counts by (query_item, rank, distance).

Formulas: see ``ubm``.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from label_platform.propensity.cells import Floats, Integers
from label_platform.propensity.list_clicks import ListClicks

PRIOR_IMPRESSIONS = 0.1
MAX_CHANGE = 2.0
"""Of a logarithm in one step."""
_TOLERANCE = 1e-8
_MAX_STEPS = 200


@dataclass(frozen=True, eq=False)
class UbmParameters:
    """Logs of attractiveness, shape (n,), and of examination by context, shape (K (K + 1) / 2,).

    Contexts in the order (1, 1), (2, 1), (2, 2), (3, 1), ... of (rank, distance); nan where
    nothing leads back to the top.
    """

    log_attractiveness: Floats
    log_examination: Floats


def ubm_contexts(lists: ListClicks) -> Integers:
    """The number of the (rank, distance) of each place, shape (lists, K)."""
    place = np.arange(1, lists.positions + 1)
    last = np.maximum.accumulate(np.where(lists.clicked & lists.shown, place, 0), axis=1)
    above = np.hstack([np.zeros((len(lists), 1), np.int64), last[:, :-1]])
    return np.asarray(place * (place - 1) // 2 + (place - above) - 1, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class UbmCells:
    """Counts by (query_item, context), with the prior, of items that lead back to the top.

    Attributes:
        item: of each cell.
        context: of each cell.
        clicks: of each cell.
        misses: impressions less clicks.
        item_clicks: without the prior, shape (n,).
        context_clicks: without the prior, shape (contexts,).
        query_of: the query of each query_item, -1 if it was not shown.
        shown: impressions of each query in each context, shape (queries, contexts).
        linked: whether items lead from a context back to the top.
    """

    item: Integers
    context: Integers
    clicks: Floats
    misses: Floats
    item_clicks: Floats
    context_clicks: Floats
    query_of: Integers
    shown: Floats
    linked: "np.ndarray[tuple[int], np.dtype[np.bool_]]"

    @classmethod
    def of(cls, lists: ListClicks) -> Self:
        """Count the places of the lists."""
        n, width = lists.n_query_items, lists.positions * (lists.positions + 1) // 2
        shown, contexts = lists.shown, ubm_contexts(lists)
        count = np.broadcast_to(lists.count[:, None], shown.shape)[shown]
        keys, code = np.unique(
            lists.query_item[shown] * width + contexts[shown], return_inverse=True
        )
        impressions = np.bincount(code, count)
        clicks = np.bincount(code, count * lists.clicked[shown])
        item, context = np.divmod(keys, width)
        context_clicks = np.bincount(context, clicks, width)
        rate = (context_clicks + 0.5) / (np.bincount(context, impressions, width) + 1)
        extra = PRIOR_IMPRESSIONS * impressions / np.bincount(item, impressions, n)[item]
        query = np.broadcast_to(lists.query[:, None], shown.shape)[shown]
        query_of = np.full(n, -1)
        query_of[lists.query_item[shown]] = query
        in_query = np.bincount(query * width + contexts[shown], count, lists.n_queries * width)
        linked, kept = _linked(item, context, n, width)
        return cls(
            item=item[kept],
            context=context[kept],
            clicks=(clicks + extra * rate[context])[kept],
            misses=(impressions - clicks + extra * (1 - rate[context]))[kept],
            item_clicks=np.bincount(item, clicks, n).astype(np.float64),
            context_clicks=context_clicks.astype(np.float64),
            query_of=query_of,
            shown=in_query.reshape(-1, width).astype(np.float64),
            linked=linked,
        )

    @property
    def free(self) -> Integers:
        """The linked contexts but the top."""
        return np.flatnonzero(self.linked)[1:]

    def by_item(self, values: Floats) -> Floats:
        """Sums over the cells of each query_item, shape (n,)."""
        return np.bincount(self.item, values, len(self.query_of)).astype(np.float64)

    def by_context(self, values: Floats) -> Floats:
        """Sums over the cells of each context."""
        return np.bincount(self.context, values, len(self.linked)).astype(np.float64)

    def log_likelihood(self, log_a: Floats, log_g: Floats) -> float:
        """L, minus infinity where a product exceeds 1."""
        log_p = log_a[self.item] + log_g[self.context]
        if not np.all(log_p < 0):
            return -np.inf
        return float(self.clicks @ log_p + self.misses @ np.log(-np.expm1(log_p)))

    def climb(self, start: UbmParameters | None) -> UbmParameters:
        """Newton's steps, shortened where they would overshoot."""
        totals = self.by_item(self.clicks), self.by_item(self.clicks + self.misses)
        seen = totals[1] > 0
        log_a = np.full(len(seen), 0.0)
        log_a[seen] = np.log(totals[0][seen] / totals[1][seen])
        log_g = np.zeros(len(self.linked))
        if start is not None:
            warm = np.nan_to_num(start.log_attractiveness), np.nan_to_num(start.log_examination)
            if self.log_likelihood(*warm) > self.log_likelihood(log_a, log_g):
                log_a, log_g = warm
        best = self.log_likelihood(log_a, log_g)
        for _ in range(_MAX_STEPS):
            to_a, to_g = UbmCurvature.of(self, log_a, log_g).step()
            largest = max(np.abs(to_a).max(), np.abs(to_g).max())
            share = min(1.0, MAX_CHANGE / max(largest, _TOLERANCE))
            while largest * share > _TOLERANCE:
                reached = self.log_likelihood(log_a + share * to_a, log_g + share * to_g)
                if reached > best:
                    break
                share /= 2
            else:
                break
            best, log_a, log_g = reached, log_a + share * to_a, log_g + share * to_g
        return UbmParameters(np.where(seen, log_a, np.nan), np.where(self.linked, log_g, np.nan))


def _linked(
    item: Integers, context: Integers, n: int, width: int
) -> (
    "tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.bool_]]]"
):
    """Which contexts items lead back to the top from, and which cells are theirs."""
    edges = sparse.coo_array((np.ones(len(item)), (item, n + context)), shape=(n + width,) * 2)
    group = csgraph.connected_components(edges, directed=False)[1]
    linked = group[n:] == group[n]
    return linked, linked[context]


@dataclass(frozen=True, eq=False)
class UbmCurvature:
    """Scores and information in log a and log g.

    Attributes:
        cells: what they are of.
        score: of each cell.
        information: of each cell.
        information_a: of log a, shape (n,), 1 where there is none.
        crossed: information between query_items and contexts, shape (n, contexts).
    """

    cells: UbmCells
    score: Floats
    information: Floats
    information_a: Floats
    crossed: "sparse.csr_array"

    @classmethod
    def of(cls, cells: UbmCells, log_a: Floats, log_g: Floats) -> Self:
        """At these parameters."""
        log_p = log_a[cells.item] + log_g[cells.context]
        p = np.exp(log_p)
        missed = -np.expm1(log_p)
        information = cells.misses * p / missed**2
        of_item = cells.by_item(information)
        shape = (len(cells.query_of), len(cells.linked))
        return cls(
            cells,
            cells.clicks - cells.misses * p / missed,
            information,
            np.where(of_item > 0, of_item, 1.0),
            sparse.csr_array((information, (cells.item, cells.context)), shape=shape),
        )

    def score_of_contexts(self) -> "sparse.csr_array":
        """Score of log g once log a follows it, of each query_item, shape (n, contexts)."""
        ratio = self.cells.by_item(self.score) / self.information_a
        value = self.score - self.information * ratio[self.cells.item]
        return sparse.csr_array((value, self.crossed_place), shape=self.crossed.shape)

    def information_of_contexts(self) -> Floats:
        """Information of log g once log a follows it, of the free contexts."""
        scaled = self.crossed.multiply(np.sqrt(1 / self.information_a)[:, None]).tocsr()
        own = np.diag(self.cells.by_context(self.information))
        whole = own - (scaled.T @ scaled).toarray()
        return np.asarray(whole[np.ix_(self.cells.free, self.cells.free)], dtype=np.float64)

    @property
    def crossed_place(self) -> tuple[Integers, Integers]:
        """The query_item and the context of each cell."""
        return self.cells.item, self.cells.context

    def step(self) -> tuple[Floats, Floats]:
        """Newton's step in log a and log g; the top stays where it is."""
        score = (self.score_of_contexts().T @ np.ones(len(self.information_a)))[self.cells.free]
        to_g = np.zeros(len(self.cells.linked))
        information = self.information_of_contexts()
        to_g[self.cells.free] = np.linalg.lstsq(information, score, rcond=None)[0]
        to_a = (self.cells.by_item(self.score) - self.crossed @ to_g) / self.information_a
        return to_a, to_g
