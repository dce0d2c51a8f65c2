"""One user leaves the raw tables and the quarantine, and does not come back."""

import itertools
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from label_platform.lake import Engine, Lake, Partition
from label_platform.logs import (
    Erasure,
    FileCounts,
    erase_user,
    erasure,
    find_user,
    ledger,
    publication,
    refused_records,
    tombstones,
    unreconciled,
)
from label_platform.logs.ledger import LEDGER_NAME
from label_platform.logs.privacy import SECRET_VARIABLE, UserKeys
from label_platform.logs.tombstones import TOMBSTONES_NAME
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

ANN, BOB = "ann-4711@example.org", "bob-0815@example.org"
DAY_1, DAY_2 = date(2026, 10, 1), date(2026, 10, 2)
LATER = "2026-10-02T10:00:00Z"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")


def records(shop: "Shop", *, without: str = "") -> dict[str, list[Any]]:
    """Two users' lists and events; without one of them, what a log would be that never saw them."""
    impressions = [
        (ANN, shop.impression(request_id="r1", user_id=ANN, session_id="s1")),
        (ANN, shop.impression(request_id="r1", user_id=ANN, session_id="s1", item_id="i2")),
        (BOB, shop.impression(request_id="r2", user_id=BOB, session_id="s2")),
        (BOB, shop.impression(request_id="r3", user_id=BOB, session_id="s3", shown_at=LATER)),
        (ANN, shop.impression(request_id="r4", user_id=ANN, session_id="s1", shown_at=LATER)),
        # a refused record of Ann's, and one of Bob's that speaks of her
        (ANN, shop.impression(request_id="r5", user_id=ANN, position=0)),
        (BOB, shop.impression(request_id="r6", user_id=BOB, position=0, query_text=f"<{ANN}>")),
    ]
    events = [
        (ANN, shop.event(request_id="r1")),
        (ANN, shop.event(request_id=..., user_id=ANN, item_id="i7")),
        (ANN, shop.event(request_id=..., session_id="s1", item_id="i8")),
        (BOB, shop.event(request_id="r2")),
        (BOB, shop.event(request_id=..., user_id=BOB, item_id="i9", occurred_at=LATER)),
        (BOB, shop.event(request_id=..., session_id="s2", item_id="i8")),
    ]
    return {
        "impressions.jsonl": [record for user, record in impressions if user != without],
        "interactions.jsonl": [record for user, record in events if user != without],
    }


def write(shop: "Shop", **options: str) -> None:
    for name, lines in records(shop, **options).items():
        shop.write(name, *lines)


def erase(shop: "Shop", user: str = ANN, **changes: object) -> Erasure:
    return erase_user(shop.problem(user_ids="keyed", **changes), shop.lake, shop.engine, user)


def key_of(shop: "Shop", user: str) -> str:
    return UserKeys(shop.problem(user_ids="keyed")).key(user)


def traces(shop: "Shop", *wanted: str) -> list[tuple[str, str]]:
    """Where texts stand: in columns of any Parquet file, or bytes of any file in the lake."""
    found = []
    for path in shop.lake.folder.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes().decode(errors="replace")
        if path.suffix == ".parquet":
            relation = f"read_parquet('{path}')"
            columns = shop.engine.schema(relation)
            rows = shop.engine.rows(f"select {', '.join(columns)} from {relation}")
            content += "\n".join(str(value) for row in rows for value in row)
        found += [(path.name, text) for text in wanted if text in content]
    return found


def without_ann(make: "Callable[[], Shop]") -> dict[str, str]:
    """Content hashes of a lake that never saw her."""
    other = make()
    write(other, without=ANN)
    other.ingest(user_ids="keyed")
    return other.hashes()


@pytest.fixture
def filled(shop: "Shop") -> "Shop":
    write(shop)
    shop.ingest(user_ids="keyed")
    return shop


def test_the_lake_is_as_if_it_had_never_seen_the_user(
    filled: "Shop", shop_factory: "Callable[[], Shop]"
) -> None:
    found = erase(filled)
    assert found.tables == {"impressions": 3, "interactions": 3, "rejected_records": 1}
    assert (found.lists, found.mentions, found.erased_before) == (2, 1, False)
    assert found.days == {DAY_1, DAY_2}
    raw = {name: text for name, text in filled.hashes().items() if "rejected" not in name}
    never = {name: text for name, text in without_ann(shop_factory).items() if name in raw}
    assert raw == never
    assert unreconciled(filled.engine, filled.lake) == []


def test_neither_id_nor_key_is_anywhere_in_the_lake(filled: "Shop") -> None:
    wanted = (ANN, key_of(filled, ANN))
    found = {text for _, text in traces(filled, *wanted)}
    assert found == {*wanted}, "the search must be able to find them"
    erase(filled)
    assert traces(filled, *wanted) == []
    assert traces(filled, key_of(filled, BOB)) != []


def _texts(shop: "Shop") -> str:
    return "\n".join(str(record) for record in refused_records(shop.engine, shop.lake))


def test_the_quarantine_keeps_others_records_without_the_users_name(filled: "Shop") -> None:
    erase(filled)
    (kept,) = refused_records(filled.engine, filled.lake)
    assert (kept.line, kept.reason) == (7, "position_below_one")
    assert "<(erased)>" in (kept.raw or "")


def test_a_longer_word_is_somebody_else(shop: "Shop") -> None:
    texts = [f"{ANN}a", f"x{ANN}", f"{ANN}_1", f"{ANN}1"]
    shop.write("impressions.jsonl", *(shop.impression(position=0, query_text=t) for t in texts))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert erase(shop).mentions == 0
    assert [text for text in texts if text not in _texts(shop)] == []


def test_the_details_of_a_refusal_lose_the_id_too(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(position=ANN))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert ANN in refused_records(shop.engine, shop.lake)[0].detail
    erase(shop)
    assert refused_records(shop.engine, shop.lake)[0].detail == (
        "position: found '(erased)', expected a whole number from 1"
    )


def test_a_short_id_is_not_looked_for_in_texts(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(position=0, query_text="a cat"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert erase(shop, "cat").mentions == 0
    assert "a cat" in _texts(shop)


@pytest.mark.parametrize("user", ["zo\u00eb-77", 'o"neil', "==base64=="])
def test_an_id_is_found_in_texts_however_it_is_written(shop: "Shop", user: str) -> None:
    record = shop.impression(position=0, query_text=f"who is {user} {user}?")
    shop.write("impressions.jsonl", record, json.dumps(record, ensure_ascii=False))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert erase(shop, user).mentions == 2
    for refused in refused_records(shop.engine, shop.lake):
        assert (refused.raw or "").count("(erased)") == 2


@pytest.mark.parametrize("public", [False, True])
def test_sources_that_are_read_again_bring_nothing_back(shop: "Shop", *, public: bool) -> None:
    ids = "public" if public else "keyed"
    write(shop)
    shop.ingest(user_ids=ids)
    erase_user(shop.problem(user_ids=ids), shop.lake, shop.engine, ANN)
    before = shop.hashes()
    for path in (shop.folder / "logs").iterdir():
        with path.open("a") as handle:
            handle.write("{broken\n")
    late = [shop.event(request_id="r1", value=2), shop.event(request_id="r2", value=2)]
    shop.write("interactions-late.jsonl", *late)
    report = shop.ingest(user_ids=ids)
    assert report.files == (
        FileCounts("impressions.jsonl", 8, 0, 4, 2, 2, ()),
        FileCounts("interactions-late.jsonl", 2, 1, 1, 0, 0, (DAY_1,)),
        FileCounts("interactions.jsonl", 7, 0, 3, 1, 3, ()),
    )
    after = shop.hashes()
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name.split("/")[0] for name in changed} == {"interactions", "rejected_records"}
    assert [raw for (raw,) in shop.table("rejected_records", "raw") if f"<{ANN}>" in raw] == []
    # Bob's, and the two that are broken
    assert len(shop.table("rejected_records")) == 3
    assert unreconciled(shop.engine, shop.lake) == []


def test_records_of_several_rows_are_ignored_too(filled: "Shop") -> None:
    events = [
        {
            "application": "web",
            "action_name": action,
            "query_id": query,
            "client_id": user,
            "session_id": "s9",
            "timestamp": "2026-10-02T11:00:00Z",
            "user_query": "shoes",
            "event_attributes": {
                "object": {"object_id": "i1"},
                "position": {"ordinal": ordinal},
            },
        }
        for user in (ANN, BOB)
        for action, query, ordinal in [
            ("impression", f"q-{user[:3]}", 1),
            ("impression", f"q-{user[:3]}", "bad"),
            ("item_click", f"q-{user[:3]}", 1),
        ]
    ]
    filled.write("ubi.jsonl", *events)
    options = {
        "impressions": "events",
        "first_ordinal": {"default": 1},
        "actions": {"item_click": "click"},
    }
    erase(filled)
    before = len(filled.table("rejected_records"))
    ubi = {"format": "ubi", "path": "ubi*", "options": options}
    (counts,) = filled.ingest(user_ids="keyed", logs=[ubi]).files
    assert (counts.records, counts.accepted, counts.ignored, counts.rejected) == (6, 2, 3, 1)
    assert len(filled.table("rejected_records")) == before + 1


def test_a_second_erasure_finds_nothing(filled: "Shop") -> None:
    erase(filled)
    hashes, stones = filled.hashes(), (filled.lake.folder / TOMBSTONES_NAME).read_bytes()
    again = erase(filled)
    assert (again.is_empty, again.erased_before) == (True, True)
    assert filled.hashes() == hashes
    assert (filled.lake.folder / TOMBSTONES_NAME).read_bytes() == stones


def test_an_unknown_user_gets_a_tombstone(filled: "Shop") -> None:
    found = erase(filled, "carla@example.org")
    assert (found.is_empty, found.erased_before) == (True, False)
    filled.write("impressions-2.jsonl", filled.impression(user_id="carla@example.org"))
    report = filled.ingest(user_ids="keyed")
    assert [(file.accepted, file.ignored) for file in report.files] == [(0, 1)]


def test_looking_changes_nothing(filled: "Shop") -> None:
    before = {path: path.read_bytes() for path in filled.lake.folder.rglob("*.json")}
    looked = find_user(filled.problem(user_ids="keyed"), filled.lake, filled.engine, ANN)
    assert {path: path.read_bytes() for path in filled.lake.folder.rglob("*.json")} == before
    assert looked == erase(filled)


def test_another_secret_is_an_error(filled: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "another")
    with pytest.raises(ConfigurationError, match="cannot be found"):
        erase(filled)


def test_partitions_without_the_user_are_not_touched(shop: "Shop") -> None:
    write(shop)
    shop.write(
        "impressions-3.jsonl", shop.impression(request_id="r9", shown_at="2026-10-03T10:00Z")
    )
    shop.ingest(user_ids="keyed")
    path = shop.lake.folder / "impressions" / "day=2026-10-03" / "_current.json"
    before = (path.stat().st_ino, path.read_bytes())
    erase(shop)
    assert (path.stat().st_ino, path.read_bytes()) == before


def test_a_shared_session_is_nobodys(shop: "Shop") -> None:
    users = [(ANN, "r1"), (BOB, "r2")]
    lists = [shop.impression(request_id=r, user_id=u, session_id="s") for u, r in users]
    shop.write("impressions.jsonl", *lists)
    shop.write("interactions.jsonl", shop.event(request_id=..., session_id="s"))
    shop.ingest(user_ids="keyed")
    assert erase(shop).tables == {"impressions": 1}


def test_events_of_another_user_on_the_list_stay(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(user_id=ANN))
    shop.write("interactions.jsonl", shop.event(), shop.event(user_id=BOB, value=2))
    shop.ingest(user_ids="keyed")
    erase(shop)
    assert shop.table("interactions", "user_key") == [(key_of(shop, BOB),)]


def test_replaced_files_go_at_once(filled: "Shop") -> None:
    partition = Partition("impressions", DAY_1)
    folder = filled.lake.folder / partition.folder
    (old,) = folder.glob("*.parquet")
    half = folder / "part-half.parquet"
    half.write_bytes(old.read_bytes()[:200])
    copy = folder / "part-copy.parquet"
    copy.write_bytes(old.read_bytes())
    erase(filled)
    manifest = filled.lake.manifest(partition)
    assert manifest is not None
    assert [path.name for path in folder.glob("*.parquet")] == [
        file.name for file in manifest.files
    ]


class PowerCutError(Exception):
    """Stands for a kill -9."""


STEPS: list[tuple[object, str]] = [
    (publication, "write_data_file"),
    (Lake, "replace_files"),
    (erasure, "show"),
    (erasure, "_delete"),
    (tombstones, "replace_file"),
    (ledger, "replace_file"),
]


@pytest.mark.parametrize(("owner", "name"), STEPS, ids=lambda each: getattr(each, "__name__", each))
def test_an_erasure_that_died_is_finished_by_the_next(
    filled: "Shop", monkeypatch: pytest.MonkeyPatch, owner: object, name: str, tmp_path: Path
) -> None:
    saved = Path(shutil.copytree(filled.lake.folder, tmp_path / "saved"))
    key = key_of(filled, ANN)
    for calls in itertools.count():
        shutil.rmtree(filled.lake.folder)
        shutil.copytree(saved, filled.lake.folder)
        with monkeypatch.context() as patch:
            if not dies_after(patch, calls, owner, name, lambda: erase(filled)):
                break
        found = erase(filled)
        assert found.tables == {"impressions": 3, "interactions": 3, "rejected_records": 1}
        assert (found.lists, found.mentions, found.days) == (2, 1, {DAY_1, DAY_2})
        assert traces(filled, key, ANN) == []
        assert len(filled.table("impressions")) == 2
        assert unreconciled(filled.engine, filled.lake) == []
        assert json.loads((filled.lake.folder / LEDGER_NAME).read_text())["pending"] == []
        assert erase(filled).is_empty
    assert calls > 0, f"{name} was never called"


def dies_after(
    patch: pytest.MonkeyPatch, calls: int, owner: object, name: str, work: Callable[[], object]
) -> bool:
    """Let a function work a number of times and then fail like a power cut."""
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


def test_ingestion_finishes_what_an_erasure_had_begun_to_show(
    filled: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*_arguments: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "show", dying)
        with pytest.raises(PowerCutError):
            erase(filled)
    filled.ingest(user_ids="keyed")
    assert len(filled.table("impressions")) == 2
    assert unreconciled(filled.engine, filled.lake) == []


def test_an_empty_lake(shop: "Shop", engine: Engine) -> None:
    found = erase_user(shop.problem(user_ids="keyed"), shop.lake, engine, ANN)
    assert found.is_empty
    assert Path(shop.lake.folder / TOMBSTONES_NAME).is_file()
