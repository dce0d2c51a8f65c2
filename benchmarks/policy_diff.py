"""What comparing two policies takes: seconds and memory of the whole comparison of labels.

Each pair runs in a process of its own on one published wide table, as ``benchmarks/relabel.py``
makes it; counts are then checked against pandas over both policies' own label tables.

    python benchmarks/policy_diff.py --rows 5000000
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from relabel import wide_table

from label_platform.lake import Engine, Lake, Partition
from label_platform.policy import (
    LabelDiff,
    LabelInputs,
    Policy,
    Side,
    compile_labels,
    day_sql,
    label_diff,
    layout_of,
    load_policy,
    total_sql,
)
from label_platform.problem import Problem, load_problem

PROJECT = Path(__file__).parents[1]
DAY = date(2026, 10, 1)
PAIRS = (
    "raw_click ips_click",
    "multi_signal variant",
    "coec_click coec_multi_signal",
    "raw_click coec_click",
)
PROBLEM = PROJECT / "data" / "problems" / "product_search.yaml"


def curve() -> str:
    """Propensities of two devices and of both together, 1/k."""
    return """(
        select 'randomized' as estimator, true as chosen, device, position::integer as position,
               round(1 / position, 6) as propensity
        from
            (values ('desktop'), ('mobile'), (null)) as devices(device),
            range(1, 11) as positions(position)
    )"""


def policies_of(pair: str) -> tuple[Policy, Policy]:
    """The two policies of a pair; the variant pays more for a purchase and debiases."""
    old, new = pair.split()
    policy = load_policy(PROJECT / "policies" / f"{old}.yaml")
    if new != "variant":
        return policy, load_policy(PROJECT / "policies" / f"{new}.yaml")
    dearer = policy.signals["purchase"].model_copy(update={"gain": 2.0})
    debias = policy.debias.model_copy(update={"method": "ips"})
    signals = {**policy.signals, "purchase": dearer}
    return policy, policy.model_copy(update={"signals": signals, "debias": debias})


def sides_of(problem: Problem, pair: str, wide: str, engine: Engine) -> tuple[Side, Side]:
    """Both sides' labels."""
    sides = []
    for policy in policies_of(pair):
        debiased = None if policy.debias.method == "none" else curve()
        labels = compile_labels(policy, problem, LabelInputs(wide, debiased))
        sides.append(Side(policy, labels, tuple(engine.schema(f"({labels})"))))
    return sides[0], sides[1]


def compare(pair: str, folder: Path) -> dict[str, Any]:
    """One comparison in this process."""
    problem = load_problem(PROBLEM)
    started = time.perf_counter()
    with Engine() as engine:
        wide = Lake(folder, "shop").scan("impression_signals", [DAY])
        old, new = sides_of(problem, pair, wide, engine)
        layout = layout_of(problem, old, new)
        engine.execute(f"create temp table days as {day_sql(layout, wide, old, new)}")
        joined = time.perf_counter() - started
        relation = f"({total_sql(layout, 'days', several_days=False)})"
        found = label_diff(engine, layout, relation)
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    # ru_maxrss would be that of the process that started this one, if it was larger
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    return {
        "seconds": round(seconds, 2),
        "processor_seconds_of_the_process": round(used.ru_utime + used.ru_stime, 2),
        "of_them_labels": round(joined, 2),
        "peak_memory_gb": round(peak / 1024**2, 2),
        "counts": counts_of(found),
        "grain": layout.grain,
    }


def counts_of(diff: LabelDiff) -> dict[str, int]:
    """What brute force is asked for, too."""
    total = diff.total
    return {
        "rows": total.rows,
        "changed": total.changed,
        "new": total.new,
        "vanished": total.vanished,
        **{f"came_{part.of}": part.changed for part in diff.by_signal},
        **{f"device_{part.of}": part.changed for part in diff.by_segment["device"]},
    }


def brute_force(pair: str, folder: Path, grain: str) -> dict[str, int]:
    """The same counts by pandas over both label tables."""
    problem = load_problem(PROBLEM)
    with Engine() as engine:
        wide = Lake(folder, "shop").scan("impression_signals", [DAY])
        sides = sides_of(problem, pair, wide, engine)
        names = layout_of(problem, *sides).signals
        shown = engine.frame(
            f"select impression_id::varchar as impression_id, query_id, item_id, device, "
            f"{', '.join(names)} from {wide}"
        )
        tables = [engine.frame(_readable(side)) for side in sides]
    keys = ["impression_id"] if grain == "impression" else ["query_id", "item_id"]
    for name in names:
        shown[name] = shown[name] > 0
    if grain == "query_item":
        tables = [_cells(table, shown, keys) for table in tables]
        device = shown.groupby(keys)["device"].agg(["min", "max"]).reset_index()
        device["device"] = device["min"].where(device["min"] == device["max"], "(several)")
        facts = shown.groupby(keys)[list(names)].any().reset_index()
        shown = facts.merge(device[[*keys, "device"]], on=keys)
    both = tables[0].merge(tables[1], on=keys, how="outer", suffixes=("_old", "_new"))
    both = both.merge(shown, on=keys)
    old, new = both["label_old"], both["label_new"]
    changed = old.notna() & new.notna() & (old != new)
    came = pd.Series("", index=both.index)
    for name in names:
        came = came.where(~both[name], came + " + " + name)
    came = came.str.removeprefix(" + ").replace("", "(none)")
    return {
        "rows": len(both),
        "changed": int(changed.sum()),
        "new": int(old.isna().sum()),
        "vanished": int(new.isna().sum()),
        **{f"came_{name}": int(rows.sum()) for name, rows in changed.groupby(came)},
        **{f"device_{name}": int(rows.sum()) for name, rows in changed.groupby(both["device"])},
    }


def _readable(side: Side) -> str:
    if side.policy.grain == "impression":
        return f"select impression_id::varchar as impression_id, label from ({side.labels})"
    label = "round(gain_sum::double / expected_examinations::double, 6)"
    return f"select query_id, item_id, {label} as label from ({side.labels})"


def _cells(table: pd.DataFrame, shown: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """An impression policy's labels by query and item: means; others as they are."""
    if "label" in table and "query_id" in table:
        return table
    of_impressions = table.merge(shown[["impression_id", *keys]], on="impression_id")
    return of_impressions.groupby(keys)["label"].mean().round(6).reset_index()


def main() -> None:
    """Compare every pair in a process of its own, then check its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--pair", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pair:
        print(json.dumps(compare(options.pair, options.folder)))
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        with Engine() as engine:
            partition = Partition("impression_signals", DAY)
            table = wide_table(options.rows, "integer")
            Lake(Path(folder), "shop").publish(engine, partition, table, recipe="")
        for pair in PAIRS:
            command = [sys.executable, __file__, "--pair", pair, "--folder", folder]
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            whole = round(time.perf_counter() - started, 2)
            found = json.loads(done.stdout.splitlines()[-1])
            expected = brute_force(pair, Path(folder), found["grain"])
            counts = found.pop("counts")
            figures[pair] = {
                **found,
                "whole_process_seconds": whole,
                "changed": counts["changed"],
                "counts_equal": {name: value for name, value in counts.items() if value}
                == {name: value for name, value in expected.items() if value},
            }
            print(f"{pair:<30} {figures[pair]}", flush=True)
    print(json.dumps({"rows": options.rows, "cores": os.cpu_count(), "pairs": figures}))


if __name__ == "__main__":
    main()
