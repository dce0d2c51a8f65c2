"""A user leaves a lake on which rankers were trained: no file knows them, and nothing else changed.

Two lakes are built from the same simulated log: one with everybody, one from files in which the
user never was.
"""

import gzip
import itertools
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from label_platform.cli import application
from label_platform.lake import Engine, Lake
from label_platform.lake.manifest import MANIFEST_NAME
from label_platform.logs import Erasure, UserKeys, erase_user, erasure, unreconciled
from label_platform.logs.privacy import SECRET_VARIABLE
from label_platform.pipeline.as_of import end_of
from label_platform.pipeline.erasure import erase as erase_with_uses
from label_platform.pipeline.run import run_chain
from label_platform.tracking import TrackingStore
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, made_once, quiet_instance

SECRET = "kept out of the lake"  # noqa: S105 - a test's
NUMBER = 1
"""The user of the simulation with the most lists."""

USER, OTHER = "shopper-00001@example.org", "shopper-00003@example.org"
POLICIES = ["raw_click", "multi_signal", "coec_click"]
BUILT = ("impressions", "interactions", "items", "impression_signals", "position_statistics")
BUILT += ("matched_interactions", "orphaned_interactions", "propensities", "labels", "examples")


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
    installation.change_problem({"user_ids": "keyed"})
    if not without:
        # a refused record of somebody else, who asks about the user
        broken = {"request_id": 10**9, "item_id": 1, "signal": "click", "occurred_at": "?"}
        installation.add_events("broken", broken | {"note": f"mail to {USER}!", "user_id": OTHER})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET)
        _run(installation)


def _run(installation: Installation) -> None:
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
                columns = engine.schema(f"read_parquet('{path}')")
                for column in columns:
                    rows = engine.rows(f"select \"{column}\" from read_parquet('{path}')")
                    content += "\n".join(str(value) for (value,) in rows)
            found += [(str(path), text) for text in wanted if text in content]
    return found


def rows_per_user(shop: Installation) -> dict[tuple[str, str], int]:
    """Rows by table and user key."""
    lake = lake_of(shop)
    found = {}
    with Engine() as engine:
        for table in ("impressions", "interactions", "impression_signals"):
            relation = lake.scan(table, lake.days(table))
            rows = engine.rows(f"select user_key, count(*) from {relation} group by user_key")
            found |= {(table, str(key)): count for key, count in rows if key is not None}
    return found


def content(shop: Installation) -> dict[str, str]:
    """Content hashes of what was built, quarantine and models aside."""
    hashes = shop.content_hashes()
    return {name: each for name, each in hashes.items() if name.split("/")[0] in BUILT}


def days_of(shop: Installation) -> set[date]:
    """The days on which the user was shown something, as the log says."""
    days = set()
    for path in shop.logs.glob("impressions/*.parquet"):
        table = pq.read_table(path, columns=["user_id", "shown_at"])
        shown = table.filter(pc.equal(table["user_id"], USER))["shown_at"].to_pylist()
        days |= {moment.date() for moment in shown}
    return days & {*DAYS}


def test_nothing_in_the_workspace_knows_the_user(
    shop: Installation, never_seen: Installation
) -> None:
    wanted = (USER, key_of(shop, USER))
    assert {text for _, text in traces(shop, *wanted)} == {*wanted}, "the search finds them"
    others = rows_per_user(shop)
    found = erase(shop)
    assert found.tables["impressions"] == others[("impressions", key_of(shop, USER))]
    assert traces(shop, *wanted) == []
    left = {pair: rows for pair, rows in others.items() if pair[1] != key_of(shop, USER)}
    assert rows_per_user(shop) == left
    _read_the_sources_again(shop)
    _run(shop)
    assert traces(shop, *wanted) == []
    assert rows_per_user(shop) == left
    assert content(shop) == content(never_seen)
    with Engine() as engine:
        assert unreconciled(engine, lake_of(shop)) == []


def _read_the_sources_again(shop: Installation) -> None:
    """Every file has changed, and says nothing new."""
    for path in shop.logs.glob("interactions/*.gz"):
        path.write_bytes(path.read_bytes() + gzip.compress(b"\n"))
    for path in shop.logs.glob("impressions/*.parquet"):
        pq.write_table(pq.read_table(path), path, compression="gzip")


def test_mlflow_holds_neither_ids_nor_keys(shop: Installation) -> None:
    users = (USER, OTHER)
    wanted = {*users, *(key_of(shop, user) for user in users)}
    store = TrackingStore(shop.workspace.mlflow_folder, PROBLEM)
    assert len(store.rankers()) == len(POLICIES)
    assert [
        path
        for path in store.folder.rglob("*")
        if path.is_file() and any(text.encode() in path.read_bytes() for text in wanted)
    ] == []


def test_what_had_used_the_users_rows_is_listed(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = TrackingStore(shop.workspace.mlflow_folder, PROBLEM)
    champion = store.rankers()[1]
    store.register(champion.run_id, "champion")
    code, shown = cli(shop, monkeypatch, capsys, "--yes", "--json")
    facts = json.loads(shown)
    assert (code, facts["erased"], facts["nothing_left"]) == (0, True, False)
    days = sorted(days_of(shop))
    assert days == list(DAYS), "the user was there every day"
    labels = [f"labels/policy={policy}/day={day}" for policy in sorted(POLICIES) for day in days]
    assert facts["labels"] == labels
    examples = [f"examples/policy={policy}/day={DAYS[-1]}" for policy in sorted(POLICIES)]
    assert facts["examples"] == examples
    assert {each["run_id"] for each in facts["rankers"]} == {
        each.run_id for each in store.rankers()
    }
    (registered,) = [each for each in facts["rankers"] if each["model_versions"]]
    assert registered["run_id"] == champion.run_id
    assert registered["model_versions"] == {"1": ["champion"]}
    rebuilt = facts["to_rebuild"]
    assert rebuilt["labels"] == labels
    assert rebuilt["position_statistics"] == [f"position_statistics/day={day}" for day in days]
    assert rebuilt["rankers"] == [each.replace("examples", "rankers") for each in examples]


def test_only_days_with_the_user_are_listed_and_built_anew(shop: Installation) -> None:
    """A user of the evaluation day alone: no label that a ranker has learnt from is theirs."""
    record = pq.read_table(max(shop.logs.glob("impressions/*.parquet"))).slice(0, 1)
    late = record.set_column(0, "request_id", pa.array([10**9 + 1]))
    late = late.set_column(
        late.schema.get_field_index("user_id"), "user_id", pa.array(["visitor-of-one-day"])
    )
    pq.write_table(late, shop.logs / "impressions" / "late.parquet")
    _run(shop)
    before = {path: path.stat().st_ino for path in _manifests(shop)}
    done = erase_with_uses(
        shop.project().problem, shop.workspace, "visitor-of-one-day", lambda *_: True
    )
    assert done is not None
    _, uses = done
    last = DAYS[-1]
    assert {*uses.labels} == {f"labels/policy={policy}/day={last}" for policy in POLICIES}
    assert (uses.examples, uses.rankers) == ((), ())
    changed = {path for path in _manifests(shop) if before[path] != path.stat().st_ino}
    assert {path.parent.name for path in changed} == {f"day={last}"}


def _manifests(shop: Installation) -> list[Path]:
    return sorted(lake_of(shop).folder.rglob(MANIFEST_NAME))


def test_views_as_of_some_time_lose_the_user_too(shop: Installation) -> None:
    project = replace(shop.project(), as_of=end_of(DAYS[-1]).replace(year=2100))
    with quiet_instance() as instance:
        run_chain(project, instance, until="labels")
    views = [path for path in lake_of(shop).folder.glob("as_of=*") if path.is_dir()]
    assert len(views) == 1
    found = erase(shop)
    assert f"{views[0].name}/impression_signals" in found.tables
    assert f"{views[0].name}/labels" in found.tables
    assert traces(shop, USER, key_of(shop, USER)) == []


class PowerCutError(Exception):
    """Stands for a kill -9."""


@pytest.mark.parametrize(
    ("owner", "name", "step"),
    [
        (erasure, "write_data_file", 5),
        (erasure, "_delete", 7),
        (Lake, "replace_files", 11),
    ],
    ids=["written", "deleted", "shown"],
)
def test_an_erasure_that_died_anywhere_is_finished_by_the_next(
    shop: Installation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    owner: object,
    name: str,
    step: int,
) -> None:
    folder = lake_of(shop).folder
    saved = Path(shutil.copytree(folder, tmp_path / "saved"))
    undisturbed = erase(shop)
    hashes = _rows(shop)
    for calls in itertools.count(0, step):
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)
        with monkeypatch.context() as patch:
            if not _dies_after(patch, calls, owner, name, lambda: erase(shop)):
                break
        assert erase(shop) == undisturbed
        assert _rows(shop) == hashes
        assert traces(shop, key_of(shop, USER)) == []
    assert calls > step, f"{name} was called too seldom to show anything"


def _rows(shop: Installation) -> dict[str, str]:
    return shop.content_hashes()


def _dies_after(
    patch: pytest.MonkeyPatch, calls: int, owner: object, name: str, work: Callable[[], object]
) -> bool:
    real, done = getattr(owner, name), []

    def dying(*arguments: object, **options: object) -> object:
        if len(done) == calls:
            raise PowerCutError
        done.append(arguments)
        return real(*arguments, **options)

    patch.setattr(owner, name, dying)
    try:
        work()
    except PowerCutError:
        return True
    return False


def cli(
    shop: Installation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *options: str,
    user: str = USER,
) -> tuple[int, str]:
    """The exit code and the output of the command."""
    arguments: list[Any] = ["erase", "--user", user, "--problem", shop.problem_file, *options]
    monkeypatch.setattr(sys, "argv", ["label-platform", *map(str, arguments)])
    try:
        application.main()
    except SystemExit as end:
        return int(end.code or 0), capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_nobody_is_erased_unasked(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shop.content_hashes()
    code, shown = cli(shop, monkeypatch, capsys)
    assert code == 2
    assert "rows to erase" in shown
    assert shop.content_hashes() == before
    assert not (lake_of(shop).folder / "_tombstones.json").exists()


def test_a_second_time_nothing_is_left(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.change_problem({"bots": {"users": [USER]}})
    code, shown = cli(shop, monkeypatch, capsys, "--yes")
    assert code == 0
    assert "rows erased" in shown
    assert "still names the user: bots.users" in " ".join(shown.split())
    code, shown = cli(shop, monkeypatch, capsys, "--yes")
    assert code == 0
    assert "nothing left" in shown


def test_an_unknown_user(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = cli(shop, monkeypatch, capsys, "--yes", user="nobody-at-all")
    assert code == 0
    assert "no rows of the user were found" in shown
    assert (lake_of(shop).folder / "_tombstones.json").exists()
