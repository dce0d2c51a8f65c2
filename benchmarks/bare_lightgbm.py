"""LightGBM alone on arrays that are in memory: the other side of ``benchmarks/training.py``.

    python benchmarks/bare_lightgbm.py FOLDER

The folder holds matrix.npy, label.npy, groups.npy and parameters.json; the last line of the output
is JSON.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

_OF_BINS = ("max_bin", "feature_pre_filter", "verbosity")


def figures(cpu_s: float, load: float, model: str) -> dict[str, Any]:
    """What a side's process took, and the identity of its trees."""
    trees = model[model.index("Tree=0") : model.index("end of trees")]
    return {
        "cpu_s": cpu_s,
        "peak_mb": peak_mb(),
        "load": load,
        "trees": hashlib.md5(trees.encode(), usedforsecurity=False).hexdigest()[:8],
    }


def peak_mb() -> float:
    """The most memory of this process; getrusage would count that of the process it came from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found) / 2**10


def main() -> None:
    """Fit once."""
    folder = Path(sys.argv[1])
    load = os.getloadavg()[0]
    matrix, label, groups = (
        np.load(folder / f"{name}.npy") for name in ("matrix", "label", "groups")
    )
    parameters = json.loads((folder / "parameters.json").read_text())
    rounds = parameters.pop("rounds")
    started = time.process_time()
    rows = lgb.Dataset(
        matrix,
        label,
        group=groups if parameters["objective"] in {"lambdarank", "rank_xendcg"} else None,
        params={name: parameters[name] for name in _OF_BINS},
    )
    # bins of a seed of their own, as the platform has them
    rows.construct()
    booster = lgb.train(parameters, rows, num_boost_round=rounds)
    print(json.dumps(figures(time.process_time() - started, load, booster.model_to_string())))


if __name__ == "__main__":
    main()
