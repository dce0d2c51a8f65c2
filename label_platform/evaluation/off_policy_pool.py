"""Pools: all items that were shown for a query, for targets that rank what was retrieved.

A list shows a part of what was retrieved. Where logging sometimes shows an item and sometimes not,
its policy-aware propensity rho = sum_k P_logging(item at k) alpha_k, "not shown" counting 0, lets
a target be judged that shows other items than a list did. P comes

    logged     from the log's ``logging_probability`` of each item, query and position
    uniform    from that of randomised lists, the same for all items and positions
    estimated  from how often the item stood there: n_qik / n_q

Under the last one the value of a query is sum_i lambda_i (clicks - offsets) / examinations, which
is unbiased given all positions as long as ranks do not follow clicks. Items that no list of the
query shows are unknown, so the target does not rank them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Integers, Lists
from label_platform.evaluation.off_policy import LoggedClicks
from label_platform.evaluation.shown_lists import ShownLists

PoolSource = Literal["logged", "uniform", "estimated"]

MAX_UNKNOWN_SHARE = 0.01
"""Of logging's examination, on items and positions whose probability the log does not hold."""
_SAME = 1e-6


class PoolError(ValueError):
    """Logging propensities that cannot be had from this log, and why."""


@dataclass(frozen=True, eq=False)
class QueryPools:
    """The pools of all queries of a log.

    Attributes:
        shown: all lists, whoever ranked them; with items and examination.
        query_of_list: number of each list's query.
        queries: their names, by number.
        lists: of the pools' rows, one list per query.
        row: the pool's row of each item shown, shape (items shown,).
    """

    shown: ShownLists
    query_of_list: Integers
    queries: NDArray[np.str_]
    lists: Lists
    row: Integers

    @classmethod
    def of(cls, shown: ShownLists) -> Self:
        """The pools of a log.

        Raises:
            PoolError: its items have no ids, or there are no propensities.
        """
        if shown.item is None:
            raise PoolError("items without ids cannot be told apart over several lists")
        if shown.examination is None:
            raise PoolError("there are no propensities to weigh clicks by")
        queries, query = np.unique(shown.query, return_inverse=True)
        width = int(shown.item.max(initial=0)) + 1
        key = query[shown.lists.codes].astype(np.int64) * width + shown.item
        keys, row = np.unique(key, return_inverse=True)
        return cls(shown, query.astype(np.int64), queries, Lists.of_sorted(keys // width), row)

    @cached_property
    def rows(self) -> Integers:
        """Of the features' matrix, one for each of the pools' rows: as they were last shown."""
        last = np.zeros(len(self.lists.codes), dtype=np.int64)
        last[self.row] = np.arange(len(self.row))
        return self.shown.rows[last]

    def discounts_of_logging(
        self, discount_at_position: Floats, of_lists: NDArray[np.bool_]
    ) -> Floats:
        """What logging's own ranking gave each row, on the mean of its query's lists.

        Args:
            discount_at_position: of each item shown; 0 below the cutoff.
            of_lists: which lists count.
        """
        items = of_lists[self.shown.lists.codes]
        total = np.bincount(
            self.row[items], discount_at_position[items], minlength=len(self.lists.codes)
        )
        times = self._times(of_lists)[self.lists.codes]
        return np.divide(total, times, out=np.zeros_like(total), where=times > 0)

    def logged_clicks(self, of_lists: NDArray[np.bool_], source: PoolSource) -> LoggedClicks:
        """What some of the lists say of the pools.

        Args:
            of_lists: which lists count, such as those of the old ranker.
            source: where logging propensities come from.

        Raises:
            PoolError: they cannot be had from there.
        """
        chosen = of_lists[self.shown.lists.codes]
        row = self.row[chosen]
        examination = _required(self.shown.examination)
        usable = np.isfinite(examination) & (examination > 0)
        offset = np.zeros(len(chosen)) if self.shown.offset is None else self.shown.offset

        def totals(values: Floats) -> Floats:
            counted = np.where(usable, values, 0.0)[chosen]
            return np.bincount(row, counted, minlength=len(self.lists.codes)).astype(np.float64)

        times = self._times(of_lists)
        examined = totals(np.nan_to_num(examination))
        if source == "estimated":
            seen = times[self.lists.codes]
            expected = np.divide(examined, seen, out=np.zeros_like(seen), where=seen > 0)
        else:
            expected = self._by_log(chosen & usable, times, is_uniform=source == "uniform")
        return LoggedClicks(
            self.lists, totals(self.shown.clicks), examined, totals(offset), expected, times
        )

    def _times(self, of_lists: NDArray[np.bool_]) -> Floats:
        counted = np.bincount(self.query_of_list[of_lists], minlength=len(self.queries))
        return counted.astype(np.float64)

    def _by_log(self, chosen: NDArray[np.bool_], times: Floats, *, is_uniform: bool) -> Floats:
        """Rho by the logged probabilities.

        Each query, item and position that was seen has one; items add up to 1 at each position.
        """
        probability = self.shown.logging_probability
        if probability is None or not np.isfinite(probability[chosen]).all():
            missing = (
                int(chosen.sum())
                if probability is None
                else int(np.isnan(probability[chosen]).sum())
            )
            raise PoolError(
                f"logging_probability: {missing:,} of {int(chosen.sum()):,} impressions have none"
            )
        position = self.shown.position[chosen]
        width = int(position.max(initial=0)) + 1
        query = self.query_of_list[self.shown.lists.codes][chosen]
        place, place_of = np.unique(query * width + position, return_inverse=True)
        seen = np.bincount(place_of)
        alpha = np.bincount(place_of, _required(self.shown.examination)[chosen]) / seen
        value = probability[chosen]
        if is_uniform:
            return self._uniform(value, query, place // width, alpha)
        cell, first, inverse = np.unique(
            self.row[chosen] * width + position, return_index=True, return_inverse=True
        )
        of_cell = value[first]
        worst = np.abs(value - of_cell[inverse])
        if worst.max(initial=0) > _SAME:
            one = int(worst.argmax())
            raise PoolError(
                f"logging_probability: one item of one query at one position has "
                f"{of_cell[inverse[one]]:.4g} and {value[one]:.4g}; it must be the query's, as "
                "pools know of nothing else"
            )
        place_of_cell = place_of[first]
        self._check_complete(
            np.bincount(place_of_cell, of_cell).astype(np.float64),
            alpha * times[place // width],
            place % width,
        )
        return np.bincount(
            cell // width, of_cell * alpha[place_of_cell], minlength=len(self.lists.codes)
        ).astype(np.float64)

    @staticmethod
    def _check_complete(mass: Floats, weight: Floats, position: Integers) -> None:
        if mass.max(initial=0) > 1 + 1e-3:
            worst = int(mass.argmax())
            raise PoolError(
                f"logging_probability: the items of a query add up to {mass[worst]:.3g} at "
                f"position {position[worst]}, expected at most 1"
            )
        unknown = float(weight @ (1 - np.minimum(mass, 1)) / max(weight.sum(), 1e-300))
        if unknown > MAX_UNKNOWN_SHARE:
            raise PoolError(
                f"logging_probability: items and positions that were seen make up "
                f"{1 - unknown:.1%} of it, needed {1 - MAX_UNKNOWN_SHARE:.0%}; what else was "
                "likely is not known"
            )

    def _uniform(
        self, value: Floats, query: Integers, query_of_place: Integers, alpha: Floats
    ) -> Floats:
        size = len(self.queries)
        of_query = np.zeros(size)
        of_query[query] = value
        if np.abs(value - of_query[query]).max(initial=0) > _SAME:
            raise PoolError("logging_probability: differs between randomised items of one query")
        whole = np.bincount(query_of_place, alpha, minlength=size)
        expected: Floats = (of_query * whole)[self.lists.codes]
        return expected


def _required(values: Floats | None) -> Floats:
    if values is None:
        raise PoolError("there are no propensities to weigh clicks by")
    return values
