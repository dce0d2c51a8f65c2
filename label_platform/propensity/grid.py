"""Positions as slots: where in a grid of pages, rows and columns an item stood.

Lists are logged with positions 1 to N that run along the rows, then down the page, then over the
pages. An estimator reads a slot as a position like any other, so that a curve over a grid may
rise again at the start of a row or of a page.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.propensity_settings import Grid

SLOT_COLUMNS = {"page": "page", "row": "grid_row", "column": "grid_column"}
"""Slots in the ``propensities`` table; row and column by themselves are words of SQL."""


def slots(positions: Sequence[int] | NDArray[np.integer] | pd.Series, grid: Grid) -> pd.DataFrame:
    """Page, row and column of positions.

    Args:
        positions: 1-based.
        grid: rows and columns of a page; without rows, all is on page 1.

    Returns:
        The columns page, row and column, 1-based, in the order of the positions.

    Raises:
        ValueError: a position is below 1.
    """
    place = np.asarray(positions, dtype=np.int64) - 1
    if (place < 0).any():
        raise ValueError(f"positions start at 1, found {place.min() + 1}")
    down, across = np.divmod(place, grid.columns)
    page = np.zeros_like(place)
    if grid.rows is not None:
        page, down = np.divmod(down, grid.rows)
    return pd.DataFrame({"page": page + 1, "row": down + 1, "column": across + 1})


def slot_name(position: int, grid: Grid) -> str:
    """A slot in words: page 2, row 1, column 3; without pages row 1, column 3.

    Args:
        position: 1-based.
        grid: rows and columns of a page.

    Raises:
        ValueError: the position is below 1.
    """
    slot = slots([position], grid).iloc[0]
    names = slot.index if grid.rows is not None else slot.index.drop("page")
    return ", ".join(f"{name} {slot[name]}" for name in names)


def with_slots(table: pd.DataFrame, grid: Grid | None) -> pd.DataFrame:
    """The table with page, grid_row and grid_column of each row's position; null without a grid.

    Types are fixed, as a column of nothing but nulls has none of its own.

    Args:
        table: rows with a position.
        grid: of the problem.
    """
    if grid is None:
        nothing = dict.fromkeys(SLOT_COLUMNS.values(), None)
        return table.assign(**nothing).astype(dict.fromkeys(nothing, "Int32"))
    found = slots(table["position"], grid).set_axis(table.index).rename(columns=SLOT_COLUMNS)
    return table.assign(**found.astype("Int32"))
