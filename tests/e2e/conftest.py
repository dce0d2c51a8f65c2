"""A finished run of the whole product on small simulated logs, made once for all tests here."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.workspace import Workspace
from tests.made_once import made_once

PROJECT = Path(__file__).parents[2]
LABEL_PLATFORM = Path(sys.executable).with_name("label-platform")
NETWORK_WATCH = Path(__file__).with_name("network_watch")
SMALL = ProductSearchSettings(lists_per_day=1200, n_queries=300, n_unseen_queries=100)
LONGEST_FIRST = ("test_kill.py", "test_run.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no process is left with one at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST_FIRST)


@dataclass(frozen=True)
class Installation:
    """A copy of the files that users edit, with a workspace of its own."""

    folder: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder / "data")

    @property
    def network_log(self) -> Path:
        """Where every attempt to reach beyond this machine is written down."""
        return self.folder / "network.log"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, as a user types it."""
        return subprocess.run(
            [LABEL_PLATFORM, *arguments],
            env={
                **os.environ,
                "LABEL_PLATFORM_DATA": str(self.workspace.folder),
                "NETWORK_LOG": str(self.network_log),
                "PYTHONPATH": os.pathsep.join(
                    [str(NETWORK_WATCH), *filter(None, [os.environ.get("PYTHONPATH")])]
                ),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def run_json(self, *arguments: str) -> dict[str, Any]:
        """The command line's result for programs."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def content_hashes(self, problem: str = "product_search") -> dict[str, str]:
        """The content hash of every partition."""
        folder = self.workspace.lake(problem).folder
        return {
            str(path.parent.relative_to(folder)): json.loads(path.read_text())["content_hash"]
            for path in sorted(folder.rglob("_current.json"))
        }


def installed(folder: Path, logs: ProductSearchSettings = SMALL) -> Installation:
    """The problem files and policies as they ship, copied to a folder, with small logs."""
    shutil.copytree(PROJECT / "data" / "problems", folder / "data" / "problems")
    shutil.copytree(PROJECT / "policies", folder / "policies")
    simulate_product_search(logs, folder / "data" / "simulated" / "product_search")
    return Installation(folder)


def _run_whole_chain(folder: Path) -> None:
    done = installed(folder).run("run")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What a run has built: to be looked at, and to be copied, also by another process."""
    return Installation(made_once(tmp_path_factory, "finished", _run_whole_chain))


def copied(finished: Installation, folder: Path) -> Installation:
    """The same in another folder, to be changed."""
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True)
    copy = Installation(folder)
    places = {"experiments": "artifact_location", "runs": "artifact_uri"}
    with sqlite3.connect(copy.workspace.mlflow_folder / "mlflow.db") as connection:
        for table, column in places.items():
            connection.execute(
                f"update {table} set {column} = replace({column}, ?, ?)",
                (str(finished.folder), str(folder)),
            )
    connection.close()
    return copy
