"""What one more policy costs: its labels against a copy-through of the columns that it reads.

Both sides read the same published wide table and publish their result in the same way, as labels
are published: Parquet file, content hash, manifest. The copy writes back as many columns as the
policy reads. Sides alternate, each in the same process; the median ratio of the pairs counts. On a
machine that others use, look at the ratio of CPU seconds beside it.

    python benchmarks/relabel.py --rows 5000000
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from label_platform.crafting import compile_watch_time, fit_watch_time, needs_watch_statistics
from label_platform.lake import Engine, Lake, Partition
from label_platform.policy import LabelInputs, Policy, compile_labels, load_policy
from label_platform.problem import Problem, load_problem

PROJECT = Path(__file__).parents[1]
DAY = date(2026, 10, 1)
READS = {
    "raw_click": ("click",),
    "ips_click": ("click", "position", "device"),
    "inverse_propensity_weight": ("click", "position", "device"),
    "multi_signal": ("click", "add_to_cart", "purchase"),
    "dual_positives": ("click", "dwell_s", "add_to_cart", "purchase"),
    "wt": ("watch_s", "duration_ms"),
    "pcr": ("watch_s", "duration_ms"),
    "d2q": ("watch_s", "duration_ms"),
    "dvr": ("watch_s", "duration_ms"),
    "d2co": ("watch_s", "duration_ms"),
}
"""Beside impression_id and excluded_reason."""


def wide_table(rows: int, ids: str) -> str:
    """Impressions with signals as a shop's day has them: few clicks, two devices, ten positions."""
    item = "(hash(range) % 60000)::bigint"
    request = "(range // 10)::bigint"
    if ids == "string":
        item, request = f"'item-' || {item}", f"'request-' || md5(({request})::varchar)"
    clicked = "(hash(range, 1) % 20 = 0)"
    return f"""
        select
            md5(range::varchar)::uuid as impression_id,
            {request} as request_id,
            (hash(range // 10) % 3000)::bigint as query_id,
            {item} as item_id,
            (range % 10 + 1)::integer as position,
            timestamptz '2026-10-01 00:00:00+00' + to_milliseconds(range * 17) as shown_at,
            case when hash(range // 10, 2) % 2 = 0 then 'desktop' else 'mobile' end as device,
            {clicked}::integer::double as click,
            case when {clicked} then (hash(range, 3) % 300)::double else 0 end as dwell_s,
            ({clicked} and hash(range, 4) % 5 = 0)::integer::double as add_to_cart,
            ({clicked} and hash(range, 5) % 20 = 0)::integer::double as purchase,
            (hash(range, 6) % 1200 / 10)::double as watch_s,
            (5000 + hash(range % 60000, 7) % 115000)::double as duration_ms,
            null::varchar as excluded_reason
        from range({rows})"""


def curve() -> str:
    """Propensities of two devices and of both together, 1/k."""
    return """(
        select 'randomized' as estimator, device, position::integer as position,
               round(1 / position, 6) as propensity, null::double as trust_offset,
               'ok' as verdict, true as chosen
        from
            (values ('desktop'), ('mobile'), (null)) as devices(device),
            range(1, 11) as positions(position)
    )"""


def labels_sql(engine: Engine, policy: Policy, problem: Problem, wide: str) -> tuple[str, float]:
    """The policy's labels, and the seconds that fitting on other days takes, once a day."""
    if policy.watch_time is None:
        return compile_labels(policy, problem, LabelInputs(wide, curve())), 0.0
    if not needs_watch_statistics(policy):
        return compile_watch_time(policy, LabelInputs(wide)), 0.0
    started = time.perf_counter()
    statistics = fit_watch_time(policy, engine, wide)
    seconds = time.perf_counter() - started
    engine.register("statistics", statistics)
    return compile_watch_time(policy, LabelInputs(wide, statistics="statistics")), seconds


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that the work takes, and the CPU seconds of all threads."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - used


def median_ratio(policy: list[float], copy: list[float]) -> float:
    """Over the pairs."""
    ratios = [mine / other for mine, other in zip(policy, copy, strict=True)]
    return round(statistics.median(ratios), 3)


def measure(problem: Problem, options: argparse.Namespace, ids: str) -> dict[str, dict[str, float]]:
    """Per policy the seconds of both sides and their ratio."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, Engine() as engine:
        lake = Lake(Path(folder), "shop")
        lake.publish(
            engine, Partition("impression_signals", DAY), wide_table(options.rows, ids), recipe=""
        )
        wide = lake.scan("impression_signals", [DAY])
        for name in options.policies.split(","):
            columns = READS[name]
            policy = load_policy(PROJECT / "policies" / f"{name}.yaml")
            read = ("impression_id", "excluded_reason", *columns)
            keys = read if ids == "integer" else ("request_id", "item_id", *read)
            copy = f"select {', '.join(keys)} from {wide}"
            labels, fit_s = labels_sql(engine, policy, problem, wide)
            sides: dict[str, list[float]] = {"copy_s": [], "policy_s": []}
            cpu: dict[str, list[float]] = {"copy_s": [], "policy_s": []}
            for pair in range(options.pairs + 1):
                for side, query in (("copy_s", copy), ("policy_s", labels)):
                    target = Partition(side.removesuffix("_s"), DAY, name)
                    seconds, cpu_s = timed(
                        lambda query=query, target=target: lake.publish(  # type: ignore[misc]
                            engine, target, query, recipe="", has_text=False
                        )
                    )
                    if pair:  # the first pair warms up
                        sides[side].append(seconds)
                        cpu[side].append(cpu_s)
                lake.collect(delay_s=0)
            found[name] = {
                **{side: round(statistics.median(values), 3) for side, values in sides.items()},
                "ratio": median_ratio(sides["policy_s"], sides["copy_s"]),
                "cpu_ratio": median_ratio(cpu["policy_s"], cpu["copy_s"]),
                "fit_s": round(fit_s, 3),
            }
            print(f"{ids:<8} {name:<14} {found[name]}", flush=True)
    return found


def main() -> None:
    """Measure with integer ids, and with string ids beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--ids", default="integer,string", help="separated by commas")
    parser.add_argument("--policies", default=",".join(READS), help="separated by commas")
    options = parser.parse_args()
    problem = load_problem(PROJECT / "data" / "problems" / "product_search.yaml")
    figures = {ids: measure(problem, options, ids) for ids in options.ids.split(",")}
    # in kB on Linux
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures |= {"peak_memory_gb": round(peak_gb, 2)}
    print(json.dumps({"rows": options.rows, "cores": os.cpu_count(), **figures}))


if __name__ == "__main__":
    main()
