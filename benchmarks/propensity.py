"""How good is each propensity estimator on logs whose truth is known, and does it say if it is not?

Each seed simulates lists under a known curve, counts them as the product counts a log, and runs
the product's own path over them: estimators behind their gates, tests of the position model,
and the automatic choice among the estimators that were run (``auto``):

    python benchmarks/propensity.py --seeds 20 --jobs 2

Errors are relative to the true propensity, coverage is the share of 95% intervals that hold it,
both over runs that were not refused and without position 1, which is 1 by definition. A context
without a curve takes the pooled one, as policies do. ``silent`` is the share of runs that are
wrong by more than 20% and say nothing of it: no refusal, no flag.

``judge`` holds what is demanded, at 100,000 lists of 10 positions. The exit code is 1 if it is
missed. The last line is one JSON object.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import numpy as np
import pandas as pd
from propensity_acceptance import judge, summarize
from propensity_logs import log_statistics
from propensity_settings_table import POSITIONS, QUERIES, Setting, settings_table

from label_platform.logs.simulators.click_lists import simulate_click_lists
from label_platform.propensity import (
    ESTIMATORS,
    Answer,
    LogStatistics,
    PropensityCurve,
    Verdict,
    estimate_all,
    expected_error,
)
from label_platform.propensity_settings import PropensitySettings

QUICK = ("randomized", "swap", "harvest_all_pairs", "harvest_adjacent", "pbm", "affine", "auto")
SLOW = (
    "pbm_em",
    "pbm_em_pyclick",
    "regression_em",
    "cascade",
    "dbn",
    "sdbn",
    "ubm",
    "dual_learning",
)
AUTO = "auto"
WRONG = 0.2
READS_LISTS = {"lists", "lists and features", "cells and features"}


def main() -> None:
    """Run the benchmark, print its table and whether it is good enough."""
    options = parse_options()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the processes that are started below
    started = time.perf_counter()
    estimators = tuple(options.estimators.split(","))
    settings = [
        setting
        for setting in settings_table(options.lists, options.queries)
        if any(setting.name.startswith(name) for name in options.settings.split(";"))
    ]
    runs = measure_all(settings, estimators, options)
    summary = summarize(runs)
    print(summary.to_string(index=False, na_rep="-", float_format="{:.3f}".format))
    met = judge(runs, summary, settings)
    for text, verdict in met.items():
        print(f"{'met   ' if verdict['met'] else 'MISSED'}  {text}: {verdict['found']}")
    figures = {
        "benchmark": "propensity",
        "cores": os.cpu_count(),
        **vars(options),
        "seconds": round(time.perf_counter() - started, 1),
        "seconds_per_run": round(
            float(runs.groupby(["setting", "seed"])["run_seconds"].max().mean()), 1
        ),
        "verdicts": met,
        "table": json.loads(summary.to_json(orient="records", double_precision=4)),
    }
    print(json.dumps(figures, allow_nan=False))
    sys.exit(not all(verdict["met"] for verdict in met.values()))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="error, coverage and verdicts of propensities")
    parser.add_argument("--seeds", type=int, default=20, help="logs per setting")
    parser.add_argument("--first-seed", type=int, default=0, help="of the logs")
    parser.add_argument("--lists", type=int, default=100_000, help=f"of {POSITIONS} positions")
    parser.add_argument("--queries", type=int, default=QUERIES, help="that the lists answer")
    parser.add_argument("--estimators", default=",".join(QUICK), help="separated by commas")
    parser.add_argument("--all", action="store_true", help="the slow estimators too")
    parser.add_argument(
        "--settings", default="", help="beginnings of names, separated by semicolons"
    )
    parser.add_argument("--replicates", type=int, default=200, help="of bootstraps")
    parser.add_argument("--save", help="CSV file of all runs, written after each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    if options.all:
        options.estimators = ",".join((*QUICK, *SLOW))
    return options


def measure_all(
    settings: list[Setting], estimators: tuple[str, ...], options: argparse.Namespace
) -> pd.DataFrame:
    """One row per setting, seed and estimator."""
    # started afresh, not forked: threads of numerical libraries do not survive a fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        tasks = [
            pool.submit(measure, setting, seed, estimators, options.replicates)
            for seed in range(options.first_seed, options.first_seed + options.seeds)
            for setting in settings
        ]
        found: list[pd.DataFrame] = []
        for number, task in enumerate(as_completed(tasks), start=1):
            rows = task.result()
            first = rows.iloc[0]
            print(
                f"{number} of {len(tasks)}: {first['setting']}, seed {first['seed']}, "
                f"{first['run_seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )
            found.append(rows)
            if options.save:
                pd.concat(found, ignore_index=True).to_csv(options.save, index=False)
    order = {setting.name: number for number, setting in enumerate(settings)}
    runs = pd.concat(found, ignore_index=True)
    runs["order"] = runs["setting"].map(order)
    return runs.sort_values(["order", "seed"], kind="stable").reset_index(drop=True)


def measure(
    setting: Setting, seed: int, estimators: tuple[str, ...], replicates: int
) -> pd.DataFrame:
    """One simulated log through the product's path: a row per estimator."""
    started = time.perf_counter()
    shown = simulate_click_lists(setting.lists, seed)
    problem = PropensitySettings(
        estimators=tuple(name for name in estimators if name != AUTO), replicates=replicates
    )
    reads = {ESTIMATORS[name].reads for name in problem.estimators if name in ESTIMATORS}
    statistics = log_statistics(shown, setting, seed, with_lists=bool(reads & READS_LISTS))
    answer, seconds = answer_with_seconds(statistics, problem)
    chosen = {name: name for name in problem.estimators} | {AUTO: answer.choice.estimator}
    fired = {each.test.name for each in answer.findings if each.as_json()["fires"]}
    common = {
        "setting": setting.name,
        "seed": seed,
        "top_click_rate": float(shown.clicked[:, 0].mean()),
        "fired": ",".join(sorted(fired)),
    }
    rows = [
        {
            **common,
            "estimator": name,
            "chosen": chosen[name],
            **compare(answer.tables[chosen[name]], setting, chosen[name]),
            "expected": _expected(statistics) if name == "randomized" else np.nan,
            "seconds": seconds.get(name, 0.0),
        }
        for name in estimators
    ]
    return pd.DataFrame(rows).assign(run_seconds=time.perf_counter() - started)


def answer_with_seconds(
    statistics: LogStatistics, problem: PropensitySettings
) -> tuple[Answer, dict[str, float]]:
    """The product's answer, and how long each estimator took."""
    begun: list[tuple[str, float]] = []
    answer = estimate_all(
        statistics,
        problem.estimators,
        problem,
        lambda name: begun.append((name, time.perf_counter())),
    )
    names = [name for name, _ in begun]
    times = [*(at for _, at in begun), time.perf_counter()]
    return answer, dict(zip(names, np.diff(times).tolist(), strict=True))


def compare(table: pd.DataFrame, setting: Setting, estimator: str) -> dict[str, Any]:
    """A curve against the truth, as a policy looks it up: its context's row, else the pooled one.

    ``off_rows`` is the share of positions that are wrong by more than 20% with the verdict ok.
    """
    curve = PropensityCurve.from_table(table, setting.context)
    truth = setting.truth(estimator)
    rows = pd.concat(
        _looked_up(table, setting, device).assign(true=truth[device][1:])
        for device in range(len(truth))
    ).dropna(subset="propensity")
    true = rows["true"]
    error = (rows["propensity"] - true).abs() / true
    covered = (rows["ci_low"] <= true) & (true <= rows["ci_high"])
    speaks = table.loc[table["position"] == 1, "reason"].iloc[-1]
    return {
        "verdict": curve.verdict.value,
        "refused": curve.verdict.is_refusal,
        "error": error.mean(),
        "bias": (rows["propensity"] / true - 1).mean(),
        "coverage": covered.mean() if len(rows) else np.nan,
        "missing": truth[:, 1:].size - len(rows),
        "silent": bool(error.mean() > WRONG and curve.verdict is Verdict.OK),
        "off_rows": ((error > WRONG) & (rows["verdict"] == "ok")).mean() if len(rows) else 0.0,
        "reason": str(speaks),
    }


def _looked_up(table: pd.DataFrame, setting: Setting, device: int) -> pd.DataFrame:
    """A device's rows by position, from 2; the pooled rows if it has none."""
    own = table
    if setting.context:
        own = table[table["device"] == str(device)]
        if own.empty:
            own = table[table["device"].isna()]
    columns = ["propensity", "ci_low", "ci_high", "verdict"]
    return own.set_index("position")[columns].reindex(range(2, POSITIONS + 1))


def _expected(statistics: LogStatistics) -> float:
    """What METHODS' formula expects of randomised lists, the mean over devices."""
    counts = statistics.randomized
    groups = [counts] if not statistics.context else [x for _, x in counts.groupby("device")]
    return float(np.mean([expected_error(each) for each in groups]))


if __name__ == "__main__":
    main()
