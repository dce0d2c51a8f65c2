"""How fast is the compatible fit of the position-based model, against one row by row?

Both fit the same simulated log with PyClick's prior and 50 iterations. The vectorised side reads
impressions and clicks by (query, item, position), as SQL makes them; what that grouping takes
in pandas is shown beside it, and a ratio that includes it. Its time is the median of several
fits; the row-by-row side, which takes seconds, runs once.

    python benchmarks/pbm_em_speed.py

The exit code is 1 if the vectorised fit is not 500 times faster per impression, or if a
parameter differs by .0005 or more. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np
from row_by_row_pbm import ClickedList, Parameters, fit_row_by_row

from label_platform.logs.simulators.click_lists import (
    ClickLists,
    ClickListSettings,
    simulate_click_lists,
)
from label_platform.propensity.cells import Cells
from label_platform.propensity.estimators.pbm_em import PbmEmFit, pbm_em_fit

MIN_RATIO = 500
MAX_DIFFERENCE = 0.0005


def main() -> None:
    """Fit both sides, print their figures and whether they are good enough."""
    parser = argparse.ArgumentParser(description="speed of the position-based model's fit by EM")
    parser.add_argument("--lists", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=11, help="fits of the vectorised side")
    options = parser.parse_args()
    lists = simulate_click_lists(ClickListSettings(options.lists, options.queries), seed=1)
    impressions = lists.item.size

    started = time.perf_counter()
    cells = Cells.from_table(lists.table())
    grouping = time.perf_counter() - started
    fits = []
    for _ in range(options.repeats):
        started = time.perf_counter()
        fit = pbm_em_fit(cells, compatible=True)
        fits.append(time.perf_counter() - started)
    vectorised = statistics.median(fits)

    rows = as_rows(lists)
    started = time.perf_counter()
    by_rows = fit_row_by_row(rows)
    row_by_row = time.perf_counter() - started

    found = {
        "impressions": impressions,
        "cells": len(cells),
        "vectorised_us_per_impression": round(vectorised / impressions * 1e6, 4),
        "row_by_row_us_per_impression": round(row_by_row / impressions * 1e6, 1),
        "ratio": round(row_by_row / vectorised),
        "grouping_us_per_impression": round(grouping / impressions * 1e6, 4),
        "ratio_with_grouping": round(row_by_row / (vectorised + grouping)),
        "largest_difference": difference(lists, cells, fit, by_rows),
        "cores": os.cpu_count(),
    }
    met = found["ratio"] >= MIN_RATIO and found["largest_difference"] < MAX_DIFFERENCE
    for name, value in found.items():
        print(f"{name:32} {value}")
    print("met" if met else f"not met: ratio {MIN_RATIO}, difference below {MAX_DIFFERENCE}")
    print(json.dumps(found | {"met": met}))
    sys.exit(0 if met else 1)


def as_rows(lists: ClickLists) -> list[ClickedList]:
    """The log as Python objects."""
    columns = zip(lists.query.tolist(), lists.item.tolist(), lists.clicked.tolist(), strict=True)
    return [ClickedList(query, tuple(items), tuple(clicked)) for query, items, clicked in columns]


def difference(lists: ClickLists, cells: Cells, fit: PbmEmFit, by_rows: Parameters) -> float:
    """The largest difference of a parameter between the two."""
    candidates = lists.relevance.shape[1]
    # cells number the (query, item) that were shown in their order
    pairs = np.unique(lists.query[:, None] * candidates + lists.item)
    relevance = [by_rows.relevant[divmod(pair, candidates)].value() for pair in pairs.tolist()]
    examined = [by_rows.examined[position].value() for position in range(1, cells.positions + 1)]
    apart = np.concatenate([fit.gamma - relevance, fit.theta - examined])
    return float(np.abs(apart).max())


if __name__ == "__main__":
    main()
