"""How fast logs are read: events as JSON lines, against DuckDB's own typed read of the same file.

Our side is all of ingestion: lines, validation, content ids, keyed user ids, deduplication,
quarantine, Parquet files by day with their hashes, manifests and ledger. DuckDB's side is its
typed read into a table, which knows none of this and gives up at the first line that is no JSON;
so it reads the same events without the malformed lines. Its read with Parquet written at the end
is shown beside it. Sides alternate, each in a process of its own; medians of the pairs count.

    python benchmarks/ingest.py --rows 2000000
    python benchmarks/ingest.py --rows 2000000 --times-ten   # and memory on a file ten times larger
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from label_platform.lake import Engine, Lake, quote_literal
from label_platform.logs import ingest, unreconciled
from label_platform.problem import Problem

MEMORY_LIMIT = "2GB"
SIGNALS = ("click", "dwell_s", "add_to_cart", "purchase")
MALFORMED_EVERY = 5_000
RESENT_EVERY = 200
TYPES = {
    "request_id": "VARCHAR",
    "item_id": "VARCHAR",
    "signal": "VARCHAR",
    "value": "DOUBLE",
    "occurred_at": "TIMESTAMPTZ",
    "user_id": "VARCHAR",
    "session_id": "VARCHAR",
    "position": "INTEGER",
}


def write_events(folder: Path, rows: int) -> None:
    """Ten days of events, with and without malformed lines; some events stand there twice."""
    signals = ", ".join(map(quote_literal, SIGNALS))
    gap_us = 10 * 86_400_000_000 // rows
    moment = f"make_timestamp(1790812800000000 + n * {gap_us})"
    event = f"""json_object(
        'request_id', concat('request-', n // 3), 'item_id', concat('item-', n * 7919 % 50000),
        'signal', list_extract([{signals}], (n * 31 % 4 + 1)::integer),
        'value', n * 13 % 1000 / 100.0,
        'occurred_at', strftime({moment}, '%Y-%m-%dT%H:%M:%S.%gZ'),
        'user_id', concat('user-', n // 30 * 7919 % 200000), 'session_id', concat('s-', n // 30),
        'position', n % 10 + 1)::varchar"""
    events = f"select n, {event} as line from (select range as n from range({rows}))"
    resent = f"select n, line from all_events where n % {RESENT_EVERY} = 0"
    broken = f"select n, left(line, 90) as line from all_events where n % {MALFORMED_EVERY} = 0"
    sound = f"select n, line from all_events union all {resent}"
    options = "(format csv, header false, quote '', escape '', delimiter '\\x01')"
    with Engine() as engine:
        for name, lines in (("sound", sound), ("events", f"{sound} union all {broken}")):
            path = quote_literal(str(folder / f"{name}.jsonl"))
            engine.execute(
                f"copy (with all_events as materialized ({events})"
                f" select line from ({lines}) order by n) to {path} {options}"
            )


def typed_read(folder: Path, *, publish: bool) -> float:
    """Seconds of DuckDB's own read of the sound lines, and of writing them as Parquet."""
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in TYPES.items())
    path = quote_literal(str(folder / "sound.jsonl"))
    with Engine(MEMORY_LIMIT) as engine:
        started = time.perf_counter()
        engine.execute(
            "create temp table events as select * from"
            f" read_json({path}, format = 'newline_delimited', columns = {{{columns}}})"
        )
        if publish:
            out = quote_literal(str(folder / "events.parquet"))
            engine.execute(f"copy events to {out} (format parquet, compression zstd)")
        return time.perf_counter() - started


def our_read(folder: Path) -> float:
    """Seconds of ingestion into an empty lake."""
    impression = {"request_id": "r", "query_id": "q", "item_id": "i", "position": 1}
    impression |= {"shown_at": "2026-10-01T00:00:00Z"}
    (folder / "impressions.jsonl").write_text(json.dumps(impression))
    source = {"format": "native", "impressions": "impressions.jsonl"}
    problem = Problem.model_validate(
        {
            "name": "benchmark",
            "start_date": "2026-10-01",
            "logs_folder": str(folder),
            "logs": [source | {"interactions": "events.jsonl"}],
            "signals": {name: {"window": "1d"} for name in SIGNALS},
            "policies": {"use": ["raw_click"]},
        }
    )
    with tempfile.TemporaryDirectory() as root, Engine(MEMORY_LIMIT) as engine:
        lake = Lake(Path(root), "benchmark")
        started = time.perf_counter()
        report = ingest(problem, lake, engine)
        seconds = time.perf_counter() - started
        counts = report.files[-1]
        if unreconciled(engine, lake) or not counts.rejected or not counts.duplicates:
            raise RuntimeError(f"not all of it was read: {counts}")
    return seconds


SIDES = {
    "ours": our_read,
    "typed": lambda folder: typed_read(folder, publish=False),
    "typed_published": lambda folder: typed_read(folder, publish=True),
}


def measured(side: str, folder: Path) -> tuple[float, float]:
    """Seconds and peak resident memory (GiB) of one side, in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    environment = os.environ | {"LABEL_PLATFORM_USER_SECRET": "only for this benchmark"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def peak_gib() -> float:
    """Most memory that this process had, without what its parent had before it became this one."""
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def compare(rows: int, pairs: int, *, times_ten: bool) -> dict[str, object]:
    """All sides on the same file, alternating."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        write_events(folder, rows)
        events = rows + rows // RESENT_EVERY + rows // MALFORMED_EVERY
        found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
        for pair in range(pairs):
            for side, results in found.items():
                results.append(measured(side, folder))
                print(f"pair {pair + 1}, {side}: {results[-1][0]:.2f} s", flush=True)
        ratios = {
            f"ratio_to_{side}": round(
                statistics.median(
                    ours[0] / theirs[0]
                    for ours, theirs in zip(found["ours"], found[side], strict=True)
                ),
                2,
            )
            for side in ("typed", "typed_published")
        }
        medians = {side: statistics.median(s for s, _ in runs) for side, runs in found.items()}
        result: dict[str, object] = {
            "events": events,
            "megabytes": round((folder / "events.jsonl").stat().st_size / 1e6),
            "cores": os.cpu_count(),
            "memory_limit": MEMORY_LIMIT,
            "seconds": {side: round(median, 2) for side, median in medians.items()},
            "events_per_second": round(events / medians["ours"]),
            "peak_gib": round(max(peak for _, peak in found["ours"]), 2),
            **ratios,
        }
        if times_ten:
            write_events(folder, 10 * rows)
            seconds, peak = measured("ours", folder)
            result["times_ten"] = {"seconds": round(seconds, 1), "peak_gib": round(peak, 2)}
    return result


def main() -> None:
    """Compare, or be one side of a comparison."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--times-ten", action="store_true")
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(SIDES[options.side](options.folder), peak_gib())
        return
    print(json.dumps(compare(options.rows, options.pairs, times_ten=options.times_ten)))


if __name__ == "__main__":
    main()
