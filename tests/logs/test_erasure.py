"""One user leaves the raw tables and the quarantine, and does not come back."""

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Engine, Partition
from label_platform.logs import (
    erase_user,
    find_user,
    refused_records,
    unreconciled,
)
from label_platform.logs.privacy import SECRET_VARIABLE
from label_platform.logs.tombstones import TOMBSTONES_NAME
from label_platform.strict_yaml import ConfigurationError
from tests.logs.erased_user import ANN, BOB, erase, key_of, traces, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.logs.conftest import Shop

DAY_1, DAY_2 = date(2026, 10, 1), date(2026, 10, 2)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")


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


def test_a_short_id_is_looked_for_among_whole_values(shop: "Shop") -> None:
    record = shop.impression(position=0, title="120", note="120 cats", others=["120", "1200"])
    shop.write("impressions.jsonl", json.dumps(record | {"120": 120}))
    shop.write("impressions.csv", "request_id,item_id,position,note", "r,120,0,120 cats")
    shop.write("interactions.jsonl", shop.event())
    logs = {"format": "native", "impressions": "imp*", "interactions": "int*"}
    shop.ingest(user_ids="keyed", logs=[logs])
    assert erase(shop, "120").mentions == 2
    in_csv, in_json = refused_records(shop.engine, shop.lake)
    assert in_csv.raw == "r,(erased),0,120 cats"
    changed = {"title": "(erased)", "others": ["(erased)", "1200"], "120": 120}
    assert json.loads(in_json.raw or "") == record | changed


@pytest.mark.parametrize("user", ["zo\u00eb-77", 'o"neil', "==base64=="])
def test_an_id_is_found_in_texts_however_it_is_written(shop: "Shop", user: str) -> None:
    record = shop.impression(position=0, query_text=f"who is {user} {user}?")
    shop.write("impressions.jsonl", record, json.dumps(record, ensure_ascii=False))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert erase(shop, user).mentions == 2
    for refused in refused_records(shop.engine, shop.lake):
        assert (refused.raw or "").count("(erased)") == 2


def test_an_id_is_found_in_any_case_and_escape(shop: "Shop") -> None:
    spellings = [
        "BOB-\u00c9@Example.com",
        "bob-\\u00E9@example.com",
        "bob-%C3%A9%40example.com",
    ]
    record = json.dumps(shop.impression(position=0, query_text="?"))
    shop.write("impressions.jsonl", *(record.replace("?", each) for each in spellings))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert erase(shop, "bob-\u00e9@example.com").mentions == len(spellings)
    left = refused_records(shop.engine, shop.lake)
    texts = [json.loads(each.raw or "")["query_text"] for each in left]
    assert texts == ["(erased)"] * len(spellings)


def test_an_id_that_the_reason_cuts_goes_too(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(position="x" * 69 + f" {ANN}"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert "ann-4711@e'" in refused_records(shop.engine, shop.lake)[0].detail
    erase(shop)
    assert refused_records(shop.engine, shop.lake)[0].detail == (
        "position: found '(erased)', expected a whole number from 1"
    )


def test_a_second_erasure_finds_nothing(filled: "Shop") -> None:
    erase(filled)
    hashes, stones = filled.hashes(), (filled.lake.folder / TOMBSTONES_NAME).read_bytes()
    again = erase(filled)
    assert (again.is_empty, again.erased_before) == (True, True)
    assert filled.hashes() == hashes
    assert (filled.lake.folder / TOMBSTONES_NAME).read_bytes() == stones


def test_looking_changes_nothing(filled: "Shop") -> None:
    before = {path: path.read_bytes() for path in filled.lake.folder.rglob("*.json")}
    looked = find_user(filled.problem(user_ids="keyed"), filled.lake, filled.engine, ANN)
    assert {path: path.read_bytes() for path in filled.lake.folder.rglob("*.json")} == before
    assert looked == erase(filled)


def test_another_secret_is_an_error(filled: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "another")
    with pytest.raises(ConfigurationError, match="no user would be found"):
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


def test_log_files_that_are_named_after_the_user_are_said(shop: "Shop") -> None:
    shop.write(f"impressions-{ANN}.jsonl", shop.impression())
    shop.write(f"interactions-x{ANN}.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    assert erase(shop).named_files == (f"impressions-{ANN}.jsonl",)


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


def test_an_empty_lake(shop: "Shop", engine: Engine) -> None:
    found = erase_user(shop.problem(user_ids="keyed"), shop.lake, engine, ANN)
    assert found.is_empty
    assert Path(shop.lake.folder / TOMBSTONES_NAME).is_file()
