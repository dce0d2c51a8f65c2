"""All that estimators read of a window of days, context by context."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.list_clicks import ListClicks
from label_platform.propensity.randomized import as_one_length
from label_platform.propensity.strata import Key

FEWEST_QUERIES = 20


Relevance = Callable[[Floats, Floats, Floats], Floats]
"""gamma of each query_item, from features, posterior relevance and weights."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """One context's statistics, or those of all contexts together.

    Attributes:
        key: the context's values, all None where one is not known; None for all together.
        cells: of lists that rankers made, shape as ``Cells`` says.
        below_click: impressions and clicks of each cell in lists with a click above it, shape
            (cells, 2).
        swapped: cells of lists made by chance, each probability known, as weighted sums.
        swap_counts: the impressions and clicks behind them, counted once each.
        days: the cells of each day, of items seen at several positions that day.
        views: impressions and views by position and length of the list, of days that log views,
            shape (K, 2, lengths); None where nobody logs views.
        lists: whole lists with their clicks; None where no estimator asks for them.
        list_features: of each query_item of ``lists``, shape (query_items, features).
        cell_features: of each query_item of ``cells``.
        relevance: what ``regression_em`` learns relevance with.
    """

    key: Key | None
    cells: Cells
    below_click: Floats
    swapped: Cells
    swap_counts: tuple[int, int] = (0, 0)
    days: tuple[Cells, ...] = ()
    views: Floats | None = None
    lists: ListClicks | None = None
    list_features: Floats | None = None
    cell_features: Floats | None = None
    relevance: Relevance | None = None

    @property
    def positions(self) -> int:
        """K, the deepest position that lists of the context show."""
        return self.cells.positions


@dataclass(frozen=True, eq=False)
class LogStatistics:
    """The tables that ``propensity.statistics`` selects, of one window of days.

    Attributes:
        context: the context columns.
        randomized: see ``randomized_statistics_sql``.
        counts: see ``position_counts_sql``.
        cells: see ``cell_statistics_sql``.
        cells_by_day: likewise by day.
        swapped: see ``swap_statistics_sql``.
        lists: see ``list_statistics_sql``; None where no estimator asks for them.
        list_features: features of query_items, index: the item codes of ``lists``.
        cell_features: likewise of ``cells``.
        notes: what was pooled or left out, in words.
        pooled: whether items of equal exposure were summed.
        relevance: what ``regression_em`` learns relevance with.
    """

    context: tuple[str, ...]
    randomized: pd.DataFrame
    counts: pd.DataFrame
    cells: pd.DataFrame
    cells_by_day: pd.DataFrame
    swapped: pd.DataFrame
    lists: pd.DataFrame | None = None
    list_features: pd.DataFrame | None = None
    cell_features: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    pooled: bool = False
    relevance: Relevance | None = field(default=None, repr=False)

    def strata(self) -> Iterator[Stratum]:
        """The contexts, in their order, then all of them together."""
        if self.context:
            known = self.counts.dropna(subset=list(self.context))
            for values in sorted(set(known[list(self.context)].itertuples(index=False))):
                yield self._stratum(tuple(str(value) for value in values))
        yield self._stratum(None)

    def of_unknown_context(self) -> Stratum | None:
        """The rows of no context: those of which a context column is not known; None if none."""
        if not self.counts[list(self.context)].isna().any(axis=None):
            return None
        return self._stratum((None,) * len(self.context))

    @property
    def few_queries(self) -> bool:
        """Whether a bootstrap over queries would draw nearly the same log each time.

        A feed or a shop window has one query or none; its items are drawn instead.
        """
        return _are_few(self.cells) and not self.pooled

    def _stratum(self, key: Key | None) -> Stratum:
        counts = self._of(self.counts, key)
        positions = int(counts["position"].max()) if len(counts) else 1
        cells = self._of(self.cells, key)
        if not self.pooled:  # pooled cells name what is drawn already
            cells = _drawn(cells, self.cells)
        by_day, swapped = (
            _drawn(self._of(each, key), each) for each in (self.cells_by_day, self.swapped)
        )
        table = cells.sort_values(["query", "item", "position"], kind="stable")
        days = [rows for _, rows in by_day.groupby("day", sort=True)]
        places = self._of(self.lists, key) if self.lists is not None else None
        return Stratum(
            key,
            Cells.from_table(table, positions),
            table[["impressions_below_click", "clicks_below_click"]].to_numpy(np.float64),
            Cells.from_table(swapped, positions),
            (int(swapped["counted_impressions"].sum()), int(swapped["counted_clicks"].sum())),
            tuple(Cells.from_table(rows, positions) for rows in days),
            _views(counts, positions),
            self._lists(places) if places is not None and len(places) else None,
            _of_items(self.list_features, None if places is None else np.unique(places["item"])),
            _of_items(self.cell_features, table["item"].drop_duplicates()),
            self.relevance,
        )

    def _lists(self, places: pd.DataFrame) -> ListClicks:
        lists = _list_clicks(places)
        few = self.lists is not None and _are_few(self.lists)
        return replace(lists, query=np.arange(len(lists))) if few else lists

    def _of(self, table: pd.DataFrame, key: Key | None) -> pd.DataFrame:
        if key is None:
            return table
        if None in key:
            return table[table[list(self.context)].isna().any(axis=1)]
        same = np.ones(len(table), bool)
        for column, value in zip(self.context, key, strict=True):
            same &= (table[column] == value).to_numpy(bool, na_value=False)
        return table[same]


def _are_few(rows: pd.DataFrame) -> bool:
    return bool(rows["query"].nunique() < FEWEST_QUERIES)


def _drawn(cells: pd.DataFrame, of_all: pd.DataFrame) -> pd.DataFrame:
    """Cells with what a bootstrap draws in place of the query where all contexts have few."""
    return cells.assign(query=cells["item"]) if _are_few(of_all) else cells


def _of_items(
    features: pd.DataFrame | None, items: pd.Series | NDArray[np.int64] | None
) -> Floats | None:
    """Rows of features in the order of item codes."""
    if features is None or items is None:
        return None
    return features.loc[np.asarray(items)].to_numpy(np.float64)


def _views(counts: pd.DataFrame, positions: int) -> Floats | None:
    if counts["viewed"].isna().all():
        return None
    counts, _ = as_one_length(counts)
    summed = counts.pivot_table(
        ["viewable", "viewed"], "position", "length", aggfunc="sum", fill_value=0
    ).reindex(range(1, positions + 1), fill_value=0)
    return np.stack([summed[name].to_numpy(np.float64) for name in ("viewable", "viewed")], axis=1)


def _list_clicks(places: pd.DataFrame) -> ListClicks:
    """Lists as matrices; codes are counted anew so that each occurs."""
    lists, number = np.unique(places["list"], return_inverse=True)
    items, item = np.unique(places["item"], return_inverse=True)
    column = places["position"].to_numpy(np.int64) - 1
    shape = (len(lists), int(column.max()) + 1 if len(column) else 1)
    query_item = np.full(shape, -1, dtype=np.int64)
    clicked = np.zeros(shape, dtype=bool)
    query_item[number, column] = item
    clicked[number, column] = places["clicked"].to_numpy(bool)
    query = np.zeros(len(lists), dtype=np.int64)
    query[number] = np.unique(places["query"], return_inverse=True)[1]
    return ListClicks(query, query_item, clicked, np.ones(len(lists)), len(items))
