"""Rebuilds that are killed at random moments, with readers running: nobody sees half a table."""

import os
import random
import select
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from label_platform.lake import Engine, Lake, Partition, scan_parquet
from label_platform.lake.tables import row_hash_sql
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Project
from label_platform.pipeline.steps import STEPS, build_partition, partitions_of
from label_platform.pipeline.workspace import Workspace

pytestmark = pytest.mark.e2e

KILLS = 100
PROBLEM = Path(__file__).parents[2] / "data" / "problems" / "product_search.yaml"
TABLES = ("impressions", "impression_signals", "position_statistics", "propensities")
POLICIES = ("raw_click", "coec_multi_signal")


def project_of(logs: Path, data: Path, *, narrow: bool) -> Project:
    """The problem in one of two states, so that every rebuild has something to rebuild."""
    project = Project.load(PROBLEM, Workspace(data), logs)
    signals = project.problem.signals
    if narrow:
        click = signals["click"].model_copy(update={"window": timedelta(seconds=20)})
        signals = signals | {"click": click}
    policies = tuple(policy for policy in project.policies if policy.name in POLICIES)
    # most of a rebuild would be estimation, and most kills would hit nothing that is written
    quick = {"replicates": 20, "estimators": ("randomized",)}
    propensity = project.problem.propensity.model_copy(update=quick)
    changes = {"signals": signals, "propensity": propensity}
    return replace(
        project,
        problem=project.problem.model_copy(update=changes),
        policies=policies,
    )


def rebuild(project: Project) -> None:
    """Ingestion up to labels, whatever is stale."""
    with project.open() as context:
        ingest(context.problem, context.lake, context.engine)
    with project.open() as context:
        for step in STEPS:
            if not step.every_day:
                break
            names = [each.name for each in project.policies] if step.per_policy else [""]
            for name in names:
                for partition in partitions_of(context, step, name, context.log_days[-1]):
                    build_partition(context, partition)


def content_hashes(project: Project) -> dict[str, str]:
    lake = project.workspace.lake(project.problem.name)
    found = {}
    for path in sorted(lake.folder.rglob("_current.json")):
        folder = path.parent.relative_to(lake.folder)
        found[str(folder)] = path.read_text().split('"content_hash": "')[1].split('"')[0]
    return found


def read_until(stop: Event, folder: str, problem: str, seen: "os.PathLike[str]") -> None:
    """Read whole partitions over and over; write down whatever is not as its manifest says."""
    lake = Lake(Path(folder), problem)
    reads = 0
    troubles = []
    with Engine(threads=1) as engine:
        while not stop.is_set():
            for table, policy in [(t, "") for t in TABLES] + [("labels", p) for p in POLICIES]:
                for day in lake.days(table, policy):
                    partition = Partition(table, day, policy)
                    manifest = lake.manifest(partition)
                    if manifest is None:
                        troubles.append(f"{partition} disappeared")
                        continue
                    files = [lake.folder / partition.folder / f.name for f in manifest.files]
                    try:
                        rows, total = engine.row(
                            f"select count(*), coalesce(sum({row_hash_sql(manifest.columns)}), 0) "
                            f"from {scan_parquet(files)}"
                        )
                    except Exception as error:  # noqa: BLE001 - any error is what is looked for
                        troubles.append(f"{partition}: {error}")
                        continue
                    if (rows, total) != (manifest.rows, sum(f.row_hash for f in manifest.files)):
                        troubles.append(f"{partition}: its rows are not those of its manifest")
                    reads += 1
    Path(seen).write_text("\n".join([str(reads), *troubles]))


def killed_after(delay_s: float, work: Callable[[], None]) -> bool:
    """Run the work in a forked process and kill it; whether it was still at work."""
    at_work, held_by_child = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.close(held_by_child)
    ended, _, _ = select.select([at_work], [], [], delay_s)  # readable once the child has ended
    os.close(at_work)
    if not ended:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return not ended


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_hundred_kills_leave_no_trace(tmp_path: Path) -> None:
    settings = ProductSearchSettings(days=4, lists_per_day=1000, n_queries=400)
    simulate_product_search(settings, tmp_path)
    logs = tmp_path / "logs"
    undisturbed = {}
    for narrow in (False, True):
        project = project_of(logs, tmp_path / f"undisturbed-{narrow}", narrow=narrow)
        rebuild(project)
        undisturbed[narrow] = content_hashes(project)
    assert undisturbed[False] != undisturbed[True]

    started = time.perf_counter()
    rebuild(project_of(logs, tmp_path / "timed", narrow=False))
    duration = time.perf_counter() - started

    spawn = get_context("spawn")
    stop = spawn.Event()
    data = tmp_path / "killed"
    notes = [tmp_path / f"reader-{n}" for n in range(2)]
    readers = [
        spawn.Process(target=read_until, args=(stop, str(data / "lake"), "product_search", note))
        for note in notes
    ]
    for reader in readers:
        reader.start()
    moments = random.Random(7)  # noqa: S311 - moments of killing are no secret
    killed_at_work = 0
    narrow = False
    while killed_at_work < KILLS:
        project = project_of(logs, data, narrow=narrow)
        delay_s = moments.uniform(0, 1.3 * duration)
        if killed_after(delay_s, lambda project=project: rebuild(project)):  # type: ignore[misc]
            killed_at_work += 1
        else:
            narrow = not narrow  # this state was reached: go for the other one
    for state in (False, True):
        project = project_of(logs, data, narrow=state)
        rebuild(project)
        assert content_hashes(project) == undisturbed[state]
    stop.set()
    for reader in readers:
        reader.join(timeout=60)
    for note in notes:
        reads, *troubles = note.read_text().split("\n")
        assert troubles == []
        assert int(reads) > KILLS
