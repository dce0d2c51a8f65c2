"""Were items seen at more than one position? Without that, no log says what a position does.

A (query, item) that always stands at the same place has its clicks explained by its relevance
alone, whatever the curve. Only those seen at two positions or more compare positions with each
other (Agarwal et al. 2019, "Estimating position bias without intrusive interventions").
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from label_platform.propensity.cells import Cells, Floats, Integers


@dataclass(frozen=True, eq=False)
class Interventions:
    """How many (query, item) were seen where.

    Attributes:
        query_items: how many were shown at all.
        at_several_positions: how many of them were shown at two positions or more.
        seen_at_both: shape (K, K): how many were shown at both positions; on the diagonal, how
            many were shown at that position.
        clicks_at_both: shape (K, K): the clicks that these got at the two positions together; on
            the diagonal, all clicks of that position.
    """

    query_items: int
    at_several_positions: int
    seen_at_both: Integers
    clicks_at_both: Floats

    @property
    def share(self) -> float:
        """The share of query_items that were shown at two positions or more."""
        return self.at_several_positions / self.query_items if self.query_items else 0.0

    def gap(self, minimum: int) -> str | None:
        """Why these are too few to estimate a curve from, or None.

        Args:
            minimum: how many query_items must have been seen at two positions.
        """
        if self.at_several_positions >= minimum:
            return None
        if self.query_items == 0:
            return "no item was shown"
        several = f"{self.at_several_positions:,}" if self.at_several_positions else "none"
        return (
            f"of {self.query_items:,} pairs of a query and an item {several} "
            f"({self.share:.2%}) had the item at two positions or more, where at least "
            f"{minimum:,} are needed to compare positions"
        )


def count_interventions(cells: Cells) -> Interventions:
    """Count the (query, item) that were seen at several positions, in all and per pair.

    Args:
        cells: impressions and clicks of lists that rankers made; cells without an impression
            count as not shown.
    """
    shown = cells.impressions > 0
    place = (cells.query_item[shown], cells.position[shown] - 1)
    shape = (cells.n_query_items, cells.positions)
    seen = sparse.csr_array((np.ones(shown.sum()), place), shape=shape)
    clicked = sparse.csr_array((cells.clicks[shown], place), shape=shape)
    positions_of = np.bincount(cells.query_item[shown], minlength=cells.n_query_items)
    clicks_here = (clicked.T @ seen).toarray()
    clicks = clicks_here + clicks_here.T
    np.fill_diagonal(clicks, np.diag(clicks_here))
    return Interventions(
        query_items=int((positions_of > 0).sum()),
        at_several_positions=int((positions_of > 1).sum()),
        seen_at_both=(seen.T @ seen).toarray().astype(np.int64),
        clicks_at_both=clicks.astype(np.float64),
    )
