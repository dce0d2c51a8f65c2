"""Ingestion that is killed at random moments, and two processes that ingest at once."""

import json
import os
import random
import time
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import ingest, unreconciled
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.problem import Problem, load_problem
from tests.e2e.test_kill import killed_after

pytestmark = pytest.mark.e2e

KILLS = 30
PROBLEM = Path(__file__).parents[2] / "data" / "problems" / "product_search.yaml"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
RAW = ("impressions", "interactions", "items", "rejected_records")


def read_all(problem: Problem, lake: Lake) -> None:
    with Engine() as engine:
        ingest(problem, lake, engine, as_if=NOW)


def contents(lake: Lake) -> dict[str, tuple[str, int]]:
    """Content hash of every partition; of the quarantine only how much it holds."""
    found = {}
    for path in sorted(lake.folder.rglob("_current.json")):
        manifest = json.loads(path.read_text())
        refused = path.parent.parent.name == "rejected_records"
        name = str(path.parent.relative_to(lake.folder))
        found[name] = "" if refused else manifest["content_hash"], manifest["rows"]
    return found


def reconciled(lake: Lake) -> bool:
    with Engine() as engine:
        return unreconciled(engine, lake) == []


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    settings = ProductSearchSettings(days=4, lists_per_day=2500, n_queries=400)
    simulate_product_search(settings, tmp_path)
    return load_problem(PROBLEM, tmp_path / "logs")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_thirty_kills_during_ingestion_leave_no_trace(tmp_path: Path, problem: Problem) -> None:
    undisturbed = Lake(tmp_path / "undisturbed", problem.name)
    started = time.perf_counter()
    read_all(problem, undisturbed)
    duration = time.perf_counter() - started
    wanted = contents(undisturbed)
    assert any(rows for name, (_, rows) in wanted.items() if name.startswith("rejected_records"))

    draw = random.Random(3)  # noqa: S311 - which moments, not a secret
    kills = attempts = 0
    while kills < KILLS:
        lake = Lake(tmp_path / f"killed-{attempts}", problem.name)
        work = partial(read_all, problem, lake)
        for _ in range(3):  # one batch may be killed more than once
            kills += killed_after(draw.uniform(0.05, 1.1) * duration, work)
        read_all(problem, lake)
        assert contents(lake) == wanted, f"after {kills} kills"
        assert reconciled(lake)
        attempts += 1
        assert attempts < 3 * KILLS
    assert kills >= KILLS


def test_processes_that_ingest_at_once_read_everything_once(
    tmp_path: Path, problem: Problem
) -> None:
    undisturbed = Lake(tmp_path / "undisturbed", problem.name)
    read_all(problem, undisturbed)
    shared = Lake(tmp_path / "shared", problem.name)
    spawn = get_context("spawn")
    workers = [spawn.Process(target=read_all, args=(problem, shared)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=300)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert contents(shared) == contents(undisturbed)
    assert reconciled(shared)
    assert os.listdir(shared.folder / "impressions")  # noqa: PTH208 - something was read
