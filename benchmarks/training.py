"""What training from the lake costs, against LightGBM alone on the matrix that is in memory already.

Both sides fit the same trees. `lake` is the whole way from the examples' Parquet file to a ranker:
columns, groups, labels, weights, resampling units, checks, trees. `bare` is `lightgbm.Dataset`
and `lightgbm.train`; its float32 matrix, labels and groups are loaded before its time starts.
Each side runs in a process of its own, in turns; the median ratios of the pairs count.

    python benchmarks/training.py --rows 2000000 --features 40 --rounds 100 --pairs 5
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from label_platform.lake import Engine, Lake, Partition
from label_platform.policy import RankerSpec
from label_platform.ranking import ParquetColumns, TrainingData, fit_ranker
from label_platform.ranking.objectives import objective_parameters

MOST_CPU, MOST_MEMORY = 1.1, 1.4
EXAMPLES = Partition("examples", date(2026, 10, 1), "benchmark")
LIST_LENGTH = 20
SEED = 0


def examples(rows: int, features: int, labels: str) -> pa.Table:
    """Examples at impression grain: lists of 20 items, half of the features with gaps."""
    rng = np.random.default_rng(SEED)
    lists = np.repeat(np.arange(rows // LIST_LENGTH + 1), LIST_LENGTH)[:rows]
    position = np.arange(rows) % LIST_LENGTH + 1
    columns: dict[str, Any] = {}
    score = np.zeros(rows)
    for number in range(features):
        values = rng.gamma(2.0, 1.0, rows) if number % 2 else rng.integers(0, 500, rows) / 10
        score += values / values.std() * (number % 5)
        columns[f"f_{number:02}"] = pa.array(values, mask=rng.random(rows) < 0.1 * (number % 2))
    score = (score - score.mean()) / score.std()
    click = (rng.random(rows) < 1 / (1 + np.exp(1.5 - score)) / position**0.5).astype(float)
    label = click * position**0.5 if labels == "real" else click
    return pa.table(
        {
            "part": pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), ["train"]),
            "group_id": lists,
            "query_id": lists % 5_000,
            "item_id": rng.integers(0, 60_000, rows),
            "impression_id": [f"{number:032x}" for number in range(rows)],
            "position": position.astype(np.int32),
            "label": label,
            "weight": np.ones(rows),
            "raw_label": click,
            "raw_weight": np.ones(rows),
            "impressions": np.ones(rows, dtype=np.int64),
            "expected_examinations": 1 / position**0.5,
            **columns,
        }
    )


def prepare(folder: Path, options: argparse.Namespace) -> None:
    """The examples as a partition of a lake, and what the bare side has in memory as files."""
    table = examples(options.rows, options.features, options.labels)
    lake = Lake(folder, "shop")
    with Engine() as engine:
        engine.register("made", table)
        order = "order by part, group_id, position"
        lake.publish(engine, EXAMPLES, f"select * from made {order}", recipe="")
    data = read(folder, options)
    np.save(folder / "matrix.npy", data.features.matrix)
    np.save(folder / "label.npy", data.label.astype(np.float32))
    np.save(folder / "groups.npy", data.group_sizes.astype(np.int32))


def read(folder: Path, options: argparse.Namespace) -> TrainingData:
    """The training rows, from the lake."""
    columns = ParquetColumns(Lake(folder, "shop").files([EXAMPLES]))
    names = [name for name in columns.column_names if name.startswith("f_")]
    return TrainingData.from_examples(columns, spec_of(options), names)


def spec_of(options: argparse.Namespace) -> RankerSpec:
    """The ranker that is fitted."""
    return RankerSpec(
        objective=options.objective, parameters={"min_data_in_leaf": options.min_data_in_leaf}
    )


def run_lake(folder: Path, options: argparse.Namespace) -> tuple[float, str]:
    """Seconds of CPU from the Parquet file to a ranker, and its trees."""
    started = time.process_time()
    data = read(folder, options)
    ranker = fit_ranker(
        data, None, spec_of(options), rounds=options.rounds, seed=SEED, threads=options.threads
    )
    return time.process_time() - started, ranker.booster


def run_bare(folder: Path, options: argparse.Namespace) -> tuple[float, str]:
    """Seconds of CPU of LightGBM alone, and its trees."""
    import lightgbm as lgb  # noqa: PLC0415 - so that this side's memory is LightGBM's alone

    matrix, label, groups = (
        np.load(folder / f"{name}.npy") for name in ("matrix", "label", "groups")
    )
    spec = spec_of(options)
    parameters = {
        **spec.parameters.of_trees(),
        **objective_parameters(spec),
        "deterministic": True,
        "force_col_wise": True,
        "feature_pre_filter": False,
        "num_threads": options.threads,
        "seed": SEED,
        "verbosity": -1,
    }
    if options.labels == "real" and spec.objective == "lambdarank":
        label = np.rint(label / label.max() * 255)
    started = time.process_time()
    within_lists = spec.compares_within_lists
    # sampled for bins as the platform does it: by LightGBM's own seed
    binning = {name: parameters[name] for name in ("max_bin", "feature_pre_filter", "verbosity")}
    rows = lgb.Dataset(matrix, label, group=groups if within_lists else None, params=binning)
    rows.construct()
    booster = lgb.train(parameters, rows, num_boost_round=options.rounds)
    return time.process_time() - started, booster.model_to_string()


def report(side: str, folder: Path, options: argparse.Namespace) -> None:
    """One side's figures as JSON, from a process of its own."""
    load = os.getloadavg()[0]
    cpu_s, text = (run_lake if side == "lake" else run_bare)(folder, options)
    trees = text[text.index("Tree=0") : text.index("end of trees")]
    # in kB on Linux
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    facts = {"cpu_s": cpu_s, "peak_mb": peak_mb, "load": load, "trees": hash_of(trees)}
    print(json.dumps(facts))


def hash_of(text: str) -> str:
    """Identity of a text."""
    import hashlib  # noqa: PLC0415 - needed in one place

    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]


def measure(side: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [sys.executable, __file__, *arguments, "--side", side, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{side:<5} {facts['cpu_s']:7.1f} s CPU {facts['peak_mb']:7.0f} MB  "
        f"load {facts['load']:.1f}  trees {facts['trees']}",
        flush=True,
    )
    return facts


def options_of(arguments: list[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-data-in-leaf", type=int, default=50)
    parser.add_argument("--objective", default="lambdarank")
    parser.add_argument("--labels", choices=("click", "real"), default="click")
    parser.add_argument("--side", choices=("lake", "bare"))
    parser.add_argument("--folder", type=Path)
    return parser.parse_args(arguments)


def main() -> None:
    """Measure pairs in turns, or one side where a process was started for it."""
    options = options_of(sys.argv[1:])
    if options.side:
        report(options.side, options.folder, options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options)
        pairs = []
        for number in range(options.pairs):
            sides = ("lake", "bare") if number % 2 else ("bare", "lake")
            pairs.append({side: measure(side, folder, sys.argv[1:]) for side in sides})
    cpu, memory = (
        [pair["lake"][figure] / pair["bare"][figure] for pair in pairs]
        for figure in ("cpu_s", "peak_mb")
    )
    figures = {
        "rows": options.rows,
        "features": options.features,
        "rounds": options.rounds,
        "objective": options.objective,
        "pairs": options.pairs,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load": round(max(each["load"] for pair in pairs for each in pair.values()), 1),
        "cpu_ratio": round(statistics.median(cpu), 3),
        "worst_cpu_ratio": round(max(cpu), 3),
        "memory_ratio": round(statistics.median(memory), 3),
        "worst_memory_ratio": round(max(memory), 3),
        "same_trees": len({each["trees"] for pair in pairs for each in pair.values()}) == 1,
        "passed": statistics.median(cpu) <= MOST_CPU and statistics.median(memory) <= MOST_MEMORY,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
