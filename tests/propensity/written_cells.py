"""Cells that are written out by hand, and those of simulated lists."""

import pandas as pd

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.cells import Cells

Cell = tuple[int | str, int | str, int, float, float]
"""Query, item, position, impressions and clicks."""


def cells_of(*rows: Cell, positions: int | None = None) -> Cells:
    columns = ["query", "item", "position", "impressions", "clicks"]
    return Cells.from_table(pd.DataFrame(list(rows), columns=columns), positions)


def simulated(seed: int, settings: ClickListSettings) -> Cells:
    return Cells.from_table(simulate_click_lists(settings, seed).table())
