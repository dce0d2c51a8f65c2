"""A small simulated log with three policies, built once; tests change copies of it."""

import gzip
import json
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from mlflow import MlflowClient

from label_platform.lake import Manifest, Partition
from label_platform.lake.manifest import MANIFEST_NAME
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Project
from label_platform.pipeline.run import run_chain
from label_platform.pipeline.steps import build_partition
from label_platform.pipeline.workspace import Workspace
from label_platform.tracking import TrackingStore
from tests.made_once import made_once
from tests.pictures import leave_blank

PROJECT = Path(__file__).parents[2]
PROBLEM = "product_search"
RUN_IDS = "run_ids.json"
POLICIES = ("raw_click", "multi_signal", "coec_click")
SMALL = ProductSearchSettings(
    days=6,
    lists_per_day=200,
    n_queries=50,
    n_unseen_queries=20,
    n_items=300,
    randomized_share=0.4,
)
DAYS = tuple(SMALL.log_days)
"""Train on the first three, validate on the fourth, evaluate on the sixth; the fifth is immature"""

_CHANGES = {
    "end_date": DAYS[-1],
    "signals.purchase.window": "2d",
    "training": {"window": "14d", "validate": "1d", "evaluate": "1d", "fits": 2, "rounds": 10},
    "policies.use": list(POLICIES),
    "propensity": {"replicates": 20},
}


@dataclass(frozen=True)
class Installation:
    """The files that a user edits, logs, and a workspace."""

    folder: Path

    @property
    def problem_file(self) -> Path:
        return self.folder / "data" / "problems" / f"{PROBLEM}.yaml"

    @property
    def logs(self) -> Path:
        return self.folder / "data" / "simulated" / PROBLEM / "logs"

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder / "data")

    def project(self) -> Project:
        """The problem as its files are now."""
        return Project.load(self.problem_file, self.workspace)

    def policy_file(self, name: str) -> Path:
        return self.folder / "policies" / f"{name}.yaml"

    def change_problem(self, changes: dict[str, Any]) -> None:
        """Set keys of the problem file, written as signals.purchase.window; None takes one out."""
        _change(self.problem_file, changes)

    def change_policy(self, name: str, changes: dict[str, Any]) -> None:
        """Set keys of a policy file."""
        _change(self.policy_file(name), changes)

    def content_hashes(self) -> dict[str, str]:
        """The content hash of every partition by its folder."""
        lake = self.workspace.lake(PROBLEM).folder
        return {
            str(path.parent.relative_to(lake)): json.loads(path.read_text())["content_hash"]
            for path in sorted(lake.rglob(MANIFEST_NAME))
        }

    def manifest(self, table: str, day: date, policy: str = "") -> Manifest:
        found = self.workspace.lake(PROBLEM).manifest(Partition(table, day, policy))
        assert found is not None
        return found

    def mlflow(self) -> MlflowClient:
        return MlflowClient(TrackingStore(self.workspace.mlflow_folder, PROBLEM).uri)

    def forget(self, table: str, *days: date, policy: str = "") -> None:
        """As if these partitions had never been published."""
        for day in days:
            folder = self.workspace.lake(PROBLEM).folder / Partition(table, day, policy).folder
            (folder / MANIFEST_NAME).unlink()

    def ingest(self) -> None:
        with self.project().open() as context:
            ingest(context.problem, context.lake, context.engine)

    def build(self, table: str, *days: date, policy: str = "") -> None:
        with self.project().open() as context:
            for day in days:
                build_partition(context, Partition(table, day, policy))

    def add_events(self, name: str, *events: dict[str, Any]) -> Path:
        """Drop one more file of interactions into the logs."""
        path = self.logs / "interactions" / f"{name}.jsonl.gz"
        path.write_bytes(
            gzip.compress("".join(json.dumps(each) + "\n" for each in events).encode())
        )
        return path

    def drop_late_purchase(self, shown_on: date, arrives_after: timedelta | None = None) -> Path:
        """Drop a file with a purchase that happened two calendar days after its list was shown.

        The impression was shown in the afternoon without being bought: 1 day and 18 hours later
        is within the purchase window of 2 days, and on the second day after.
        """
        with self.project().open() as context:
            request_id, item_id, shown_at = context.engine.row(
                "select request_id, item_id, epoch_ms(shown_at) from "
                f"{context.lake.scan('impression_signals', [shown_on])} where purchase = 0 and "
                "excluded_reason is null and hour(shown_at) between 12 and 22 "
                "order by impression_id limit 1"
            )
        bought_at = datetime.fromtimestamp(shown_at / 1000, UTC) + timedelta(days=1, hours=18)
        assert bought_at.date() == shown_on + timedelta(days=2)
        event = {
            "request_id": request_id,
            "item_id": item_id,
            "signal": "purchase",
            "value": 1,
            "occurred_at": bought_at.isoformat(),
        }
        if arrives_after is not None:
            event["ingested_at"] = (bought_at + arrives_after).isoformat()
        return self.add_events("late", event)


def _change(path: Path, changes: dict[str, Any]) -> None:
    content = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split(".")
        block = content
        for parent in parents:
            block = block[parent]
        assert block.get(last) != value, f"{path.name}: {key} is {value!r} already"
        if value is None:
            del block[last]
        else:
            block[last] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def quiet_instance() -> dg.DagsterInstance:
    """A Dagster that remembers nothing and prints nothing."""
    settings = {"python_logs": {"python_log_level": "CRITICAL"}}
    return dg.DagsterInstance.ephemeral(settings=settings)


def day(number: int) -> date:
    """A log day by its number, from 1."""
    return DAYS[0] + timedelta(days=number - 1)


def _install(folder: Path) -> None:
    installation = Installation(folder)
    (folder / "policies").mkdir()
    for name in POLICIES:
        path = installation.policy_file(name)
        policy = yaml.safe_load((PROJECT / "policies" / path.name).read_text())
        one_ranker = {**policy, "rankers": policy["rankers"][:1]}
        path.write_text(yaml.safe_dump(one_ranker, sort_keys=False))
    installation.problem_file.parent.mkdir(parents=True)
    shutil.copy(PROJECT / "data" / "problems" / f"{PROBLEM}.yaml", installation.problem_file)
    installation.change_problem(_CHANGES)
    simulate_product_search(SMALL, installation.logs.parent)
    installation.ingest()


def _migrate(folder: Path) -> None:
    TrackingStore(folder, "").prepare()


def _build(folder: Path, ingested: Path, migrated: Path) -> None:
    shutil.copytree(ingested, folder, dirs_exist_ok=True)
    installation = Installation(folder)
    mlflow_folder = installation.workspace.mlflow_folder
    shutil.copytree(migrated, mlflow_folder)
    with quiet_instance() as instance:
        summary = run_chain(installation.project(), instance)
        run_ids = [run.run_id for run in instance.get_runs()]
    (folder / RUN_IDS).write_text(json.dumps(run_ids))
    assert (summary.refused, summary.broken) == ({}, {})


@pytest.fixture(scope="session")
def ingested_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "ingested", _install)


@pytest.fixture(scope="session")
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: bringing a new one up to date takes seconds."""
    return made_once(tmp_path_factory, "migrated", _migrate)


@pytest.fixture(scope="session")
def built_once(
    tmp_path_factory: pytest.TempPathFactory, ingested_once: Path, migrated_once: Path
) -> Path:
    return made_once(
        tmp_path_factory, "built", lambda folder: _build(folder, ingested_once, migrated_once)
    )


@pytest.fixture
def drawn() -> None:
    """Pictures are drawn in this test, as they are in what `finished` and `built` hold."""


@pytest.fixture(autouse=True)
def blank_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test builds itself gets blank pictures, unless it asks for `drawn`."""
    if "drawn" not in request.fixturenames:
        leave_blank(monkeypatch)


@pytest.fixture
def ingested(tmp_path: Path, ingested_once: Path) -> Installation:
    """A copy whose logs were read and nothing else built."""
    return Installation(Path(shutil.copytree(ingested_once, tmp_path / "ingested")))


@pytest.fixture
def finished(built_once: Path) -> Installation:
    """The whole chain, built; only to be looked at."""
    return Installation(built_once)


@pytest.fixture
def built(tmp_path: Path, built_once: Path) -> Installation:
    """A copy of the whole chain, to be changed."""
    folder = Path(shutil.copytree(built_once, tmp_path / "built"))
    database = folder / "data" / "mlflow" / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "update experiments set artifact_location = replace(artifact_location, ?, ?)",
            (str(built_once), str(folder)),
        )
    connection.close()
    return Installation(folder)
