"""A user is in a lake on which rankers were trained.

Two lakes are built from the same simulated log: one with everybody, one from files in which the
user never was.
"""

import gzip
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import Erasure, UserKeys, erase_user
from label_platform.logs.privacy import SECRET_VARIABLE
from label_platform.pipeline.run import run_chain
from tests.made_once import made_once
from tests.pictures import leave_blank
from tests.pipeline.conftest import PROBLEM, Installation, quiet_instance

SECRET = "kept out of the lake"  # noqa: S105 - a test's
# those of the simulation with the most lists
USER, OTHER = "shopper-00001@example.org", "shopper-00003@example.org"


def name_of(number: int) -> str:
    return f"shopper-{number:05}@example.org"


def _rename(logs: Path, *, without: str = "") -> None:
    """Give the simulated people ids that cannot stand anywhere by chance."""
    requests: set[int] = set()
    for path in sorted(logs.glob("impressions/*.parquet")):
        table = pq.read_table(path)
        names = pa.array([name_of(each) for each in table["user_id"].to_pylist()])
        table = table.set_column(table.schema.get_field_index("user_id"), "user_id", names)
        is_user = pc.equal(names, without)
        requests.update(table.filter(is_user)["request_id"].to_pylist())
        pq.write_table(table.filter(pc.invert(is_user)), path)
    for path in sorted(logs.glob("interactions/*.jsonl.gz")):
        kept = list(_renamed_events(path, without, requests))
        path.write_bytes(gzip.compress("".join(kept).encode()))


def _renamed_events(path: Path, without: str, requests: set[int]) -> Iterator[str]:
    for number, line in enumerate(gzip.decompress(path.read_bytes()).decode().splitlines()):
        try:
            event = json.loads(line)
        except ValueError:
            yield f"{line}\n"
            continue
        if not isinstance(event, dict) or "user_id" not in event:
            yield f"{line}\n"
            continue
        user = name_of(int(event.pop("user_id")))
        # every other event says only which list it belongs to
        if number % 2:
            event["user_id"] = user
        if not without or (user != without and event.get("request_id") not in requests):
            yield json.dumps(event) + "\n"


def _build(folder: Path, ingested: Path, migrated: Path, *, without: str = "") -> None:
    shutil.copytree(ingested, folder, dirs_exist_ok=True)
    installation = Installation(folder)
    shutil.rmtree(installation.workspace.lake(PROBLEM).folder)
    shutil.copytree(migrated, installation.workspace.mlflow_folder)
    _rename(installation.logs, without=without)
    installation.change_problem({"user_ids": "keyed", "propensity.estimators": ["randomized"]})
    if not without:
        # a refused record of somebody else, who asks about the user
        broken = {"request_id": 10**9, "item_id": 1, "signal": "click", "occurred_at": "?"}
        installation.add_events("broken", broken | {"note": f"mail to {USER}!", "user_id": OTHER})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET)
        leave_blank(patch)
        run(installation)


def run(installation: Installation) -> None:
    with quiet_instance() as instance:
        summary = run_chain(installation.project(), instance, until="rankers")
    assert (summary.refused, summary.broken) == ({}, {})


@pytest.fixture(scope="session")
def with_user_once(
    tmp_path_factory: pytest.TempPathFactory, ingested_once: Path, migrated_once: Path
) -> Path:
    def make(folder: Path) -> None:
        _build(folder, ingested_once, migrated_once)

    return made_once(tmp_path_factory, "with_user", make)


@pytest.fixture(scope="session")
def never_seen(
    tmp_path_factory: pytest.TempPathFactory, ingested_once: Path, migrated_once: Path
) -> Installation:
    def make(folder: Path) -> None:
        _build(folder, ingested_once, migrated_once, without=USER)

    return Installation(made_once(tmp_path_factory, "never_seen", make))


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)


@pytest.fixture
def shop(tmp_path: Path, with_user_once: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A copy of what was built with everybody, to be changed."""
    folder = Path(shutil.copytree(with_user_once, tmp_path / "shop"))
    with sqlite3.connect(folder / "data" / "mlflow" / "mlflow.db") as connection:
        connection.execute(
            "update experiments set artifact_location = replace(artifact_location, ?, ?)",
            (str(with_user_once), str(folder)),
        )
    connection.close()
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(folder / "data"))
    return Installation(folder)


def lake_of(shop: Installation) -> Lake:
    return shop.workspace.lake(PROBLEM)


def erase(shop: Installation) -> Erasure:
    with Engine() as engine:
        return erase_user(shop.project().problem, lake_of(shop), engine, USER)


def key_of(shop: Installation, user: str) -> str:
    return UserKeys(shop.project().problem).key(user)


def traces(shop: Installation, *wanted: str) -> list[tuple[str, str]]:
    """Where texts stand: in columns of Parquet files, or in the bytes of any file but the logs."""
    found = []
    with Engine() as engine:
        for path in shop.workspace.folder.rglob("*"):
            if not path.is_file() or shop.logs in path.parents:
                continue
            content = path.read_bytes().decode(errors="replace")
            if path.suffix == ".parquet":
                # values may be compressed: every row is looked at as the text of all its columns
                rows = f"select whole_row::varchar as text from read_parquet('{path}') as whole_row"
                contained = ", ".join(f"bool_or(contains(text, '{each}'))" for each in wanted)
                held = engine.row(f"select {contained} from ({rows})")
                content += "\n".join(
                    text for text, there in zip(wanted, held, strict=True) if there
                )
            found += [(str(path), text) for text in wanted if text in content]
    return found
