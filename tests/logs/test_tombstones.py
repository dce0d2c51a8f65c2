"""What was erased comes again, in a file that is read again, has grown, or is new."""

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from label_platform.logs import FileCounts, erase_user, unreconciled
from label_platform.logs.privacy import SECRET_VARIABLE
from tests.logs.erased_user import ANN, BOB, erase, write

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

DAY_1 = date(2026, 10, 1)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "s3cret")


@pytest.fixture
def filled(shop: "Shop") -> "Shop":
    write(shop)
    shop.ingest(user_ids="keyed")
    return shop


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


def test_an_unknown_user_gets_a_tombstone(filled: "Shop") -> None:
    found = erase(filled, "carla@example.org")
    assert (found.is_empty, found.erased_before) == (True, False)
    filled.write("impressions-2.jsonl", filled.impression(user_id="carla@example.org"))
    report = filled.ingest(user_ids="keyed")
    assert [(file.accepted, file.ignored) for file in report.files] == [(0, 1)]


def test_a_short_id_does_not_come_back_with_refused_records(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(user_id="120"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(user_ids="keyed")
    erase(shop, "120")
    record = shop.impression(request_id="r2", position=0, title="120", note="120 cats")
    shop.write("impressions-2.jsonl", record)
    shop.ingest(user_ids="keyed")
    [(raw,)] = shop.table("rejected_records", "raw")
    assert json.loads(raw) == record | {"title": "(erased)"}
