"""How much of true relevance do the label policies recover from biased logs?

Each seed simulates a product search, ingests it and builds propensities, labels and examples by
the pipeline's own steps. Every ranker of every policy is trained as the pipeline trains it, and
beside it two more on the same rows, with the same objective and without position as a feature:
one on raw clicks, one on true relevance. All are judged by nDCG@10 of true relevance over all
candidates of queries that are in no log.

    python benchmarks/recovery.py --seeds 5 --loggers weak,strong,random

What is demanded of the recommended default stands in ``recovery_study.verdicts.judge``; the other
arms are shown as they are. The exit code is 1 if the default misses it. The last line is one JSON
object.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from recovery_study.arms import measure
from recovery_study.tables import project_of
from recovery_study.verdicts import DEFAULT, as_table, judge, summarize
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from label_platform.examples import split_days
from label_platform.logs.simulators import ProductSearchSettings
from label_platform.logs.simulators.log_settings import Logger
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import longest_window

DAYS = 10


def main() -> None:
    """Run the benchmark, print tables and verdicts."""
    options = parse_options()
    started = time.perf_counter()
    console = Console(width=126)
    all_settings = settings_of(options)
    console.print(
        f"{options.impressions:,} impressions on training days: logs of {DAYS} days with "
        f"{all_settings[0].lists_per_day:,} lists each; bots are set aside before training"
    )
    measured = pd.concat(list(measure_all(all_settings, options)), ignore_index=True)
    verdicts: dict[str, Any] = {}
    summaries = {}
    for logger, rows in measured.groupby("logger", sort=False):
        summaries[logger] = summarize(rows)
        verdicts |= judge(str(logger), summaries[logger], options.impressions)
        console.print(as_table(str(logger), rows, summaries[logger]))
    for text, verdict in verdicts.items():
        console.print(f"{'met   ' if verdict['met'] else 'MISSED'}  {text}: {verdict['found']}")
    figures = {
        "benchmark": "recovery",
        "cores": os.cpu_count(),
        "seeds": options.seeds,
        "impressions": options.impressions,
        "lists_per_day": all_settings[0].lists_per_day,
        "trained_impressions": int(measured["trained_impressions"].mean()),
        "first_seed": options.first_seed,
        "default": " ".join(DEFAULT),
        "verdicts": verdicts,
        "arms": {name: rows.to_dict("records") for name, rows in summaries.items()},
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(without_nan(figures), allow_nan=False))
    sys.exit(not all(verdict["met"] for verdict in verdicts.values()))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="what policies recover of true relevance")
    parser.add_argument("--seeds", type=int, default=5, help="logs per logger")
    parser.add_argument(
        "--impressions", type=int, default=600_000, help="shown on the days that are trained on"
    )
    parser.add_argument("--loggers", default=",".join(get_args(Logger)))
    parser.add_argument("--first-seed", type=int, default=0, help="of the logs")
    parser.add_argument("--policies", help="separated by commas, in place of the problem's")
    parser.add_argument("--save", type=Path, help="CSV file of all arms, written after each log")
    return parser.parse_args()


def settings_of(options: argparse.Namespace) -> list[ProductSearchSettings]:
    """Every log to simulate: as many lists a day as give the impressions to train on."""
    project = project_of(options.policies, Workspace.from_environment())
    problem = project.problem
    windows = [longest_window(policy, problem) for policy in project.policies]
    last_day = problem.start_date + timedelta(days=DAYS - 1)
    days = len(split_days(problem, windows, problem.start_date, last_day).train)
    return [
        ProductSearchSettings(
            days=DAYS,
            start_date=problem.start_date,
            lists_per_day=ceil(options.impressions / days / ProductSearchSettings.list_length),
            logger=logger,
            seed=seed,
        )
        for logger in options.loggers.split(",")
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]


def measure_all(
    all_settings: list[ProductSearchSettings], options: argparse.Namespace
) -> Iterator[pd.DataFrame]:
    """The arms of every log, with a progress bar where errors go."""
    found: list[pd.DataFrame] = []
    columns = (
        TextColumn("{task.description:<56}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        logs = progress.add_task("logs", total=len(all_settings))
        for settings in all_settings:
            name = f"{settings.logger} logger, seed {settings.seed}"

            def show(step: str, name: str = name) -> None:
                progress.update(logs, description=f"{name}: {step}")

            with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
                found.append(measure(settings, options.policies, Path(folder), show))
            if options.save:
                pd.concat(found, ignore_index=True).to_csv(options.save, index=False)
            yield found[-1]
            progress.advance(logs)


def without_nan(found: Any) -> Any:  # noqa: ANN401 - as JSON is
    """The same with null where a figure does not exist, as JSON wants it."""
    if isinstance(found, dict):
        return {key: without_nan(value) for key, value in found.items()}
    if isinstance(found, list):
        return [without_nan(value) for value in found]
    return None if isinstance(found, float) and np.isnan(found) else found


if __name__ == "__main__":
    main()
