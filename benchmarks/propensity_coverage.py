"""How good are estimated propensities on logs whose truth is known?

Each seed simulates a product search with its bots, duplicates and malformed rows, ingests it and
estimates the curve of each device from the randomised lists, by the pipeline's own steps:

    python benchmarks/propensity_coverage.py --seeds 20

``coverage`` is the share of 95% intervals that hold the true propensity (position 1 left out, as
it is 1 by definition), ``mean_error`` the mean relative error, ``expected_error`` what METHODS'
formula says it should be. The exit code is 1 if they are not what ``judge`` demands. The last
line is one JSON object.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from label_platform.lake import Partition
from label_platform.logs import IngestReport, ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.steps import build_partition
from label_platform.pipeline.workspace import Workspace
from label_platform.propensity import expected_error, randomized_statistics_sql

PROBLEM = Path(__file__).parents[1] / "data" / "problems" / "product_search.yaml"
COVERAGE = (0.90, 0.99)
MAX_ERROR_RATIO = 1.2


def main() -> None:
    """Run the benchmark, print its figures and whether they are good enough."""
    parser = argparse.ArgumentParser(description="coverage and error of estimated propensities")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=5, help="of log; fewer leave none to train on")
    parser.add_argument("--lists-per-day", type=int, default=1600)
    parser.add_argument("--randomized-share", type=float, default=0.5)
    options = parser.parse_args()
    started = time.perf_counter()
    measured = []
    for seed in range(options.seeds):
        settings = ProductSearchSettings(
            days=options.days,
            lists_per_day=options.lists_per_day,
            randomized_share=options.randomized_share,
            seed=seed,
        )
        rows = measure(settings)
        measured.append(rows.assign(seed=seed))
        covered, error = rows["covered"].mean(), rows["error"].mean()
        print(f"seed {seed}: covered {covered:.2f}, error {error:.3f}", flush=True)
    found = figures(pd.concat(measured), options, time.perf_counter() - started)
    met = judge(found)
    for text, verdict in met.items():
        print(f"{'met   ' if verdict else 'MISSED'}  {text}")
    print(json.dumps({**found, "met": met}))
    sys.exit(not all(met.values()))


def measure(settings: ProductSearchSettings) -> pd.DataFrame:
    """One row per device and position: is the truth covered, and how far is the estimate off?"""
    with tempfile.TemporaryDirectory(prefix="coverage-") as name:
        folder = Path(name)
        simulate_product_search(settings, folder)
        project = Project.load(PROBLEM, Workspace(folder / "data"), folder / "logs")
        with project.open() as context:
            report = ingest(project.problem, context.lake, context.engine)
        with project.open() as context:
            curve, formula = estimate(context)
    truth = true_curve(settings)
    rows = curve.merge(truth, on=["device", "position"], validate="one_to_one")
    if len(rows) != len(truth):
        raise RuntimeError(f"found propensities of {len(rows)} of {len(truth)} positions")
    true = rows["true"]
    return pd.DataFrame(
        {
            "device": rows["device"],
            "verdict": rows["verdict"],
            "covered": (rows["ci_low"] <= true) & (true <= rows["ci_high"]),
            "error": (rows["propensity"] - true).abs() / true,
            "bias": rows["propensity"] / true - 1,
            "expected": rows["device"].map(formula),
            "set_aside": set_aside(report),
        }
    )


def estimate(context: Context) -> tuple[pd.DataFrame, dict[str, float]]:
    """The last day's curve, whose window is the whole log, and each device's expected error."""
    for table in ("impression_signals", "position_statistics"):
        for day in context.log_days:
            build_partition(context, Partition(table, day))
    last_day = context.log_days[-1]
    build_partition(context, Partition("propensities", last_day))
    curve = context.engine.frame(f"from {context.lake.scan('propensities', [last_day])}")
    relation = context.lake.scan("position_statistics", context.log_days)
    statistics = context.engine.frame(randomized_statistics_sql(relation, context.problem.context))
    by_device = statistics.groupby("device", sort=True)
    return curve, {str(device): expected_error(part) for device, part in by_device}


def true_curve(settings: ProductSearchSettings) -> pd.DataFrame:
    """What the simulator drew from, beyond the reference position."""
    truth = pd.DataFrame(
        settings.examination_table().T,
        columns=list(settings.devices),
        index=pd.RangeIndex(1, settings.list_length + 1, name="position"),
    )
    rows = truth.reset_index().melt("position", var_name="device", value_name="true")
    return rows[rows["position"] > 1]


def set_aside(report: IngestReport) -> int:
    """Records that ingestion refused, or had read before."""
    return sum(file.rejected + file.duplicates for file in report.files)


def figures(measured: pd.DataFrame, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """The benchmark's result."""
    return {
        "benchmark": "propensity_coverage",
        "cores": os.cpu_count(),
        **vars(options),
        "intervals": len(measured),
        "coverage": round(float(measured["covered"].mean()), 4),
        "mean_error": round(float(measured["error"].mean()), 4),
        "expected_error": round(float(measured["expected"].mean()), 4),
        "error_ratio": round(float(measured["error"].mean() / measured["expected"].mean()), 3),
        "mean_bias": round(float(measured["bias"].mean()), 4),
        "verdicts": {str(k): int(v) for k, v in measured["verdict"].value_counts().items()},
        "records_set_aside": int(measured.groupby("seed")["set_aside"].first().sum()),
        "seconds": round(seconds, 1),
    }


def judge(found: dict[str, Any]) -> dict[str, bool]:
    """What is demanded, and whether it was met."""
    low, high = COVERAGE
    return {
        f"coverage of 95% intervals is within {low} and {high}": low <= found["coverage"] <= high,
        f"mean error is at most {MAX_ERROR_RATIO} x what the formula expects": (
            found["error_ratio"] <= MAX_ERROR_RATIO
        ),
    }


if __name__ == "__main__":
    main()
