"""What training from the lake costs, against LightGBM alone on a matrix that is in memory already.

Both sides fit the same trees. `lake` is the whole way from the examples' Parquet file to a ranker:
columns, groups, labels, weights, resampling units, checks, trees. `bare` is bare_lightgbm.py,
`lightgbm.Dataset` and `lightgbm.train` in a process that imports nothing else; its float32 matrix,
labels and groups are loaded before its time starts.
Each side runs in a process of its own, in turns; the median ratios of the pairs count.

    python benchmarks/training.py --rows 2000000 --features 40 --rounds 100 --pairs 5
"""

import argparse
import json
import os
import platform
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
from bare_lightgbm import figures

from label_platform.lake import Engine, Lake, Partition
from label_platform.policy import RankerSpec
from label_platform.ranking import ParquetColumns, TrainingData, fit_ranker
from label_platform.ranking.objectives import objective_parameters

MOST_CPU, MOST_MEMORY = 1.1, 1.4
EXAMPLES = Partition("examples", date(2026, 10, 1), "benchmark")
LIST_LENGTH = 20
SEED = 0


def examples(rows: int, features: int, rarity: float) -> pa.Table:
    """Examples at impression grain: lists of 20 items, half of the features with gaps.

    Where clicks are rare, lists without one are left out of training: trees differ from bare ones.
    """
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
    click = (rng.random(rows) < 1 / (1 + np.exp(rarity - score)) / position**0.5).astype(float)
    return pa.table(
        {
            "part": pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), ["train"]),
            "group_id": lists,
            "query_id": lists % 5_000,
            "item_id": rng.integers(0, 60_000, rows),
            "impression_id": [f"{number:032x}" for number in range(rows)],
            "position": position.astype(np.int32),
            "label": click,
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
    table = examples(options.rows, options.features, options.rarity)
    lake = Lake(folder, "shop")
    with Engine() as engine:
        engine.register("made", table)
        order = "order by part, group_id, position"
        lake.publish(engine, EXAMPLES, f"select * from made {order}", recipe="")
    data = read(folder, options)
    np.save(folder / "matrix.npy", data.features.matrix)
    np.save(folder / "label.npy", data.label.astype(np.float32))
    np.save(folder / "groups.npy", data.group_sizes.astype(np.int32))
    (folder / "parameters.json").write_text(json.dumps(bare_parameters(options)))


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


def bare_parameters(options: argparse.Namespace) -> dict[str, Any]:
    """What the platform tells LightGBM for that ranker."""
    spec = spec_of(options)
    return {
        **spec.parameters.of_trees(),
        **objective_parameters(spec),
        "deterministic": True,
        "force_col_wise": True,
        "feature_pre_filter": False,
        "num_threads": options.threads,
        "seed": SEED,
        "verbosity": -1,
        "rounds": options.rounds,
    }


def run_lake(folder: Path, options: argparse.Namespace) -> None:
    """From the Parquet file to a ranker; its figures as JSON."""
    load = os.getloadavg()[0]
    started = time.process_time()
    data = read(folder, options)
    ranker = fit_ranker(
        data, None, spec_of(options), rounds=options.rounds, seed=SEED, threads=options.threads
    )
    print(json.dumps(figures(time.process_time() - started, load, ranker.booster)))


def measure(side: str, folder: Path, arguments: list[str]) -> dict[str, Any]:
    """One side in a process of its own."""
    script = Path(__file__)
    command = [sys.executable, str(script), *arguments, "--folder", str(folder)]
    if side == "bare":
        command = [sys.executable, str(script.with_name("bare_lightgbm.py")), str(folder)]
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
    parser.add_argument("--rarity", type=float, default=0.0, help="2: most lists have no click")
    parser.add_argument("--folder", type=Path, help="fit once on the lake that is there")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure pairs in turns, or fit once where a process was started for it."""
    options = options_of(sys.argv[1:])
    if options.folder:
        run_lake(options.folder, options)
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
    verdict = {
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
    print(json.dumps(verdict))


if __name__ == "__main__":
    main()
