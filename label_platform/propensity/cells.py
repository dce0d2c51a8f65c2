"""Clicks and impressions of (query, item) by position: what most estimators read."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)  # equal only if the same: arrays have no truth value
class Cells:
    """One entry per distinct (context, query, item, position), in that order.

    Their number grows with what is shown, not with how often: a log of ten times as many lists
    over the same queries has as many cells.

    Attributes:
        query_item: the code of the (context, query, item), 0 to n_query_items - 1, ascending.
        position: where it was shown, from 1.
        impressions: how often, a weighted count in a bootstrap replicate.
        clicks: how many of these were clicked.
        query_of: the query's code of each query_item, shape (n_query_items,); queries are what a
            bootstrap draws.
        positions: K, the deepest position that lists show, whether or not a cell has it.
    """

    query_item: Integers
    position: Integers
    impressions: Floats
    clicks: Floats
    query_of: Integers
    positions: int

    @classmethod
    def from_table(cls, table: pd.DataFrame, positions: int | None = None) -> Self:
        """Cells of a table with the columns query, item, position, impressions and clicks.

        Args:
            table: rows of one (query, item, position) are summed; ``query`` and ``item`` may be
                of any type that sorts. To keep contexts apart, make them part of ``item``.
            positions: K; by default the deepest position of the table.

        Raises:
            ValueError: a position below 1, a negative count, or more clicks than impressions.
        """
        wrong = (table["position"] < 1) | (table["clicks"] < 0)
        wrong |= table["clicks"] > table["impressions"]
        if wrong.any():
            raise ValueError(f"impossible counts: {table[wrong].iloc[0].to_dict()}")
        keys = ["query", "item", "position"]
        summed = table.groupby(keys, as_index=False)[["impressions", "clicks"]].sum()
        new_pair = (summed[["query", "item"]] != summed[["query", "item"]].shift()).any(axis=1)
        query_item = new_pair.to_numpy().cumsum() - 1
        query = (summed["query"] != summed["query"].shift()).to_numpy().cumsum() - 1
        return cls(
            query_item=query_item.astype(np.int64),
            position=summed["position"].to_numpy(np.int64),
            impressions=summed["impressions"].to_numpy(np.float64),
            clicks=summed["clicks"].to_numpy(np.float64),
            query_of=query[new_pair.to_numpy()].astype(np.int64),
            positions=int(positions or summed["position"].max() if len(summed) else positions or 1),
        )

    def __len__(self) -> int:
        return len(self.position)

    @property
    def n_query_items(self) -> int:
        """How many (context, query, item) there are."""
        return len(self.query_of)

    @cached_property
    def n_queries(self) -> int:
        """How many queries there are."""
        return int(self.query_of.max()) + 1 if len(self.query_of) else 0

    def by_query_item(self, values: Floats) -> Floats:
        """Sums of one value per cell over the cells of each query_item."""
        return np.bincount(self.query_item, values, self.n_query_items).astype(np.float64)

    def by_position(self, values: Floats) -> Floats:
        """Sums of one value per cell over the cells of each position, shape (K,)."""
        return np.bincount(self.position - 1, values, self.positions).astype(np.float64)

    def where(self, kept: NDArray[np.bool_]) -> Self:
        """Only the cells that are to be kept, shape (cells,); codes stay as they are."""
        return replace(
            self,
            query_item=self.query_item[kept],
            position=self.position[kept],
            impressions=self.impressions[kept],
            clicks=self.clicks[kept],
        )

    def reweighted(self, weights: Floats) -> Self:
        """The cells with each query counted ``weights[query]`` times; codes stay as they are.

        Cells of queries with weight 0 are left out, so some query_items may have none.
        """
        of_cell = weights[self.query_of][self.query_item]
        weighted = replace(
            self, impressions=self.impressions * of_cell, clicks=self.clicks * of_cell
        )
        return weighted.where(of_cell > 0)

    def of_several_positions(self) -> Self:
        """Only the cells of query_items that were shown at two positions or more.

        The others say nothing about positions: whatever the curve, their relevance explains them.
        """
        seen = np.bincount(self.query_item, self.impressions > 0, minlength=self.n_query_items)
        return self.where((seen >= 2)[self.query_item])
