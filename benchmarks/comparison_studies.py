"""Does the comparison cry wolf? A/A studies that draw the log anew, and how much they find.

Each replication draws queries, a training log and evaluation days, trains policies that equal the
baseline in expectation (``comparison_study.policies``), and judges them by the product's own
``evaluate_arm`` and ``compare``:

    python benchmarks/comparison_studies.py --replications 200

A study fails if an exact binomial test says that a policy which equals the baseline is called
better in more than 5% of logs after correction, or that an interval covers less than 95%. Where
truly better policies stand among the others, the table says how often they are found. The last
line is one JSON object; the exit code is 1 if anything is missed.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from comparison_study.replication import Study, replicate
from comparison_study.verdicts import (
    alarm_table,
    cell_table,
    cells,
    judge,
    power,
    power_table,
    with_policy_truth,
)
from comparison_study.world import Sizes
from rich.console import Console
from rich.progress import track

BESIDE_BETTER = ("other_noise", "clicked_again", "without_noise", "true_chance")
FEW = Sizes(queries=50, training_lists=150, judged_lists=600)

STUDIES = {
    study.name: (study, times)
    for study, times in (
        (Study("pointwise"), 2),
        (Study("lambdarank, stops early", objective="lambdarank", stops_early=True), 1),
        (Study("50 queries", sizes=FEW), 1),
        (Study("beside better ones", policies=BESIDE_BETTER), 1),
        (Study("beside better ones, 15 fits", policies=BESIDE_BETTER, fits=15), 1),
    )
}
"""With how many times as many replications as asked for."""


def main() -> None:
    """Run the studies, print tables and verdicts."""
    options = parse_options()
    started = time.perf_counter()
    console = Console(width=140)
    measured: dict[str, pd.DataFrame] = {}
    verdicts: dict[str, dict[str, Any]] = {}
    figures: dict[str, Any] = {}
    powers: dict[str, Any] = {}
    for name in options.studies:
        study, times = STUDIES[name]
        rows = with_policy_truth(run(study, times * options.replications, options.processes))
        if options.rows:
            rows.to_parquet(options.rows / f"{name.replace(' ', '_')}.parquet")
        measured[name] = rows
        found = cells(rows)
        verdicts |= judge(name, rows)
        figures[name] = found.round(5).to_dict("records")
        powers[name] = power(rows).round(5).to_dict("records")
        console.print(cell_table(name, found))
    console.print(alarm_table(measured))
    console.print(power_table(measured))
    for text, verdict in verdicts.items():
        word = "met   " if verdict["met"] else "MISSED"
        print(f"{word}  {text}: {verdict['found']}")
    summary = {
        "benchmark": "comparison_studies",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "seconds": round(time.perf_counter() - started, 1),
        "verdicts": verdicts,
        "cells": figures,
        "power": powers,
    }
    print(json.dumps(summary))
    sys.exit(not all(verdict["met"] for verdict in verdicts.values()))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="false alarms and power of the comparison")
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--rows", type=Path, help="folder to keep every replication's rows in")
    return parser.parse_args()


def run(study: Study, replications: int, processes: int) -> pd.DataFrame:
    """All replications of a study, one seed each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        done = pool.map(replicate, [study] * replications, range(replications))
        shown = track(done, study.name, replications, console=Console(stderr=True))
        return pd.concat(list(shown), ignore_index=True)


if __name__ == "__main__":
    main()
