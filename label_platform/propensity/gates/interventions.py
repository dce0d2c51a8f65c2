"""Were items seen at more than one position? Without that, no log says what a position does.

A (query, item) that always stands at the same place has its clicks explained by its relevance
alone, whatever the curve. Only those seen at two positions or more compare positions with each
other (Agarwal et al. 2019, "Estimating position bias without intrusive interventions").
"""

from dataclasses import dataclass

import numpy as np

from label_platform.propensity.cells import Cells


@dataclass(frozen=True)
class Interventions:
    """How many (query, item) were seen at several positions.

    Attributes:
        query_items: how many were shown at all.
        at_several_positions: how many of them were shown at two positions or more.
    """

    query_items: int
    at_several_positions: int

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
    """Count the (query, item) that were seen at several positions.

    Args:
        cells: impressions and clicks of lists that rankers made; cells without an impression
            count as not shown.
    """
    shown = cells.query_item[cells.impressions > 0]
    positions_of = np.bincount(shown, minlength=cells.n_query_items)
    return Interventions(
        query_items=int((positions_of > 0).sum()),
        at_several_positions=int((positions_of > 1).sum()),
    )
