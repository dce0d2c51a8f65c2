"""How good are estimated propensities on logs whose truth is known?

Each seed simulates a product search with its bots, duplicates and malformed rows, ingests it,
attributes its clicks and estimates the curve of each device from the randomised lists:
``python benchmarks/propensity_coverage.py --seeds 20``. The last line is one JSON object.

``coverage`` is the share of 95% intervals that hold the true propensity (position 1 left out, as
it is 1 by definition), ``mean_error`` the mean relative error, ``expected_error`` what METHODS'
formula says it should be.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import pandas as pd

from label_platform.lake import Engine, Lake, create_models
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.problem import Problem, load_problem
from label_platform.propensity import (
    estimate_randomized,
    expected_error,
    randomized_statistics_sql,
)

PROBLEM = Path(__file__).parents[1] / "data" / "problems" / "product_search.yaml"


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description="coverage and error of estimated propensities")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--lists-per-day", type=int, default=4000)
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
        print(
            f"seed {seed}: covered {rows['covered'].mean():.2f}, error {rows['error'].mean():.3f}"
        )
    print(json.dumps(figures(pd.concat(measured), options, time.perf_counter() - started)))


def measure(settings: ProductSearchSettings) -> pd.DataFrame:
    """One row per device and position: is the truth covered, and how far is the estimate off?"""
    with tempfile.TemporaryDirectory() as folder, Engine() as engine:
        simulate_product_search(settings, Path(folder))
        problem = load_problem(PROBLEM, logs=Path(folder) / "logs")
        lake = Lake(Path(folder) / "lake", problem.name)
        ingest(problem, lake, engine)
        statistics = randomized_statistics(problem, lake, engine, settings)
    rows = estimate_randomized(statistics, problem.context, problem.propensity).table
    truth = pd.DataFrame(
        settings.examination_table().T,
        columns=list(settings.devices),
        index=range(1, settings.list_length + 1),
    )
    rows = rows[rows["device"].notna() & (rows["position"] > 1)].reset_index(drop=True)
    found = zip(rows["position"], rows["device"], strict=True)
    true = pd.Series([truth.loc[position, device] for position, device in found])
    formula = {
        device: expected_error(part) for device, part in statistics.groupby("device", sort=True)
    }
    return pd.DataFrame(
        {
            "device": rows["device"],
            "verdict": rows["verdict"],
            "covered": (rows["ci_low"] <= true) & (true <= rows["ci_high"]),
            "error": (rows["propensity"] - true).abs() / true,
            "bias": rows["propensity"] / true - 1,
            "expected": rows["device"].map(formula),
        }
    )


def randomized_statistics(
    problem: Problem, lake: Lake, engine: Engine, settings: ProductSearchSettings
) -> pd.DataFrame:
    """What the estimator reads, from the tables that ingestion published."""
    create_models(
        engine,
        ["position_statistics"],
        variables={
            "signals": [
                {
                    "name": name,
                    "window_s": int(signal.window.total_seconds()),
                    "of": signal.of,
                    "reversed_by": signal.reversed_by,
                }
                for name, signal in problem.signals.items()
            ],
            "click_signal": "click",
            "context": list(problem.context),
            "features": [],
            "bot_clicks_per_minute": problem.bots.clicks_per_minute if problem.bots else 2**31 - 1,
            "as_of": "9999-12-31 00:00:00+00",
        },
        sources={
            table: lake.scan(table, settings.log_days) for table in ("impressions", "interactions")
        },
    )
    return engine.frame(randomized_statistics_sql("position_statistics", problem.context))


def figures(
    measured: pd.DataFrame, options: argparse.Namespace, seconds: float
) -> dict[str, object]:
    """The benchmark's result."""
    return {
        "benchmark": "propensity_coverage",
        "cores": os.cpu_count(),
        **{name.replace("-", "_"): value for name, value in vars(options).items()},
        "intervals": len(measured),
        "coverage": round(float(measured["covered"].mean()), 4),
        "mean_error": round(float(measured["error"].mean()), 4),
        "expected_error": round(float(measured["expected"].mean()), 4),
        "error_ratio": round(float(measured["error"].mean() / measured["expected"].mean()), 3),
        "mean_bias": round(float(measured["bias"].mean()), 4),
        "verdicts": {str(k): int(v) for k, v in measured["verdict"].value_counts().items()},
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
