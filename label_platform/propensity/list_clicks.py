"""Lists with their clicks in order: what click models that look at whole lists read."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from label_platform.propensity.cells import Floats, Integers


@dataclass(frozen=True, eq=False)
class ListClicks:
    """One entry per distinct (query, items in order, clicks); all lists of one context.

    Attributes:
        query: the query's code, shape (lists,).
        query_item: the code of the (query, item) at each position, shape (lists, K); -1 beyond
            the list's end.
        clicked: whether it was clicked, shape (lists, K).
        count: how often the list was shown and clicked just so, a weighted count in a bootstrap
            replicate, shape (lists,).
        n_query_items: how many codes there are.
    """

    query: Integers
    query_item: Integers
    clicked: NDArray[np.bool_]
    count: Floats
    n_query_items: int

    def __len__(self) -> int:
        return len(self.query)

    @property
    def positions(self) -> int:
        """K, the length of the longest list."""
        return int(self.query_item.shape[1])

    @property
    def n_queries(self) -> int:
        """How many queries there are."""
        return int(self.query.max()) + 1 if len(self.query) else 0

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which places of the lists hold an item."""
        return self.query_item >= 0

    def reweighted(self, weights: Floats) -> Self:
        """The lists with each query counted ``weights[query]`` times; codes stay as they are."""
        of_list = weights[self.query]
        kept = of_list > 0
        return replace(
            self,
            query=self.query[kept],
            query_item=self.query_item[kept],
            clicked=self.clicked[kept],
            count=(self.count * of_list)[kept],
        )
