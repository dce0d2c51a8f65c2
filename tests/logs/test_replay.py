"""Refused records that are read again after something was mended."""

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Engine
from label_platform.logs import ReplayReport, refused_records, replay, unreconciled
from label_platform.logs.ledger import LEDGER_NAME
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

LATER = datetime(2026, 11, 2, 12, tzinfo=UTC)
EARLY = "2026-09-30T10:00:00Z"
NAIVE = "2026-10-01T11:00:00"


def again(shop: "Shop", *, source: str = "", reason: str = "", **changes: object) -> ReplayReport:
    problem = shop.problem(**changes)
    return replay(problem, shop.lake, shop.engine, source=source, reason=reason, as_if=LATER)


def in_quarantine(shop: "Shop") -> list[tuple[str, int, str]]:
    found = refused_records(shop.engine, shop.lake)
    return [(record.source, record.line, record.reason) for record in found]


@pytest.fixture
def refused(shop: "Shop") -> "Shop":
    shop.write(
        "impressions.jsonl",
        shop.impression(),
        shop.impression(request_id="r2", shown_at=NAIVE),
        shop.impression(request_id="r3", position=0),
        shop.impression(request_id="r4", shown_at=EARLY),
        shop.impression(request_id="r5", shown_at=NAIVE, user_id="Ann"),
    )
    shop.write("interactions.jsonl", shop.event(), shop.event(request_id="r2", occurred_at=NAIVE))
    shop.ingest()
    return shop


def with_zone() -> dict[str, object]:
    logs = {
        "format": "native",
        "impressions": "impressions*",
        "interactions": "interactions*",
        "time_zone": "UTC",
    }
    return {"logs": [logs]}


def test_what_a_mended_option_accepts_leaves_the_quarantine(refused: "Shop") -> None:
    report = again(refused, **with_zone())
    assert [(file.source, file.records, file.accepted) for file in report.files] == [
        ("impressions.jsonl", 4, 2),
        ("interactions.jsonl", 1, 1),
    ]
    assert in_quarantine(refused) == [
        ("impressions.jsonl", 3, "position_below_one"),
        ("impressions.jsonl", 4, "outside_problem_days"),
    ]
    assert refused.table("impressions", "request_id, ingested_at = '2026-11-02 12:00:00Z'") == [
        ("r1", False),
        ("r2", True),
        ("r5", True),
    ]
    assert unreconciled(refused.engine, refused.lake) == []


def test_an_earlier_start_date_accepts_what_was_outside(refused: "Shop") -> None:
    again(refused, start_date="2026-09-30")
    assert date(2026, 9, 30) in refused.lake.days("impressions")
    assert ("impressions.jsonl", 4, "outside_problem_days") not in in_quarantine(refused)


def test_nothing_mended_changes_nothing(refused: "Shop") -> None:
    before = in_quarantine(refused)
    report = again(refused)
    assert [(file.records, file.rejected, file.accepted) for file in report.files] == [
        (4, 4, 0),
        (1, 1, 0),
    ]
    assert in_quarantine(refused) == before
    assert unreconciled(refused.engine, refused.lake) == []


def test_a_second_replay_finds_the_rest_only(refused: "Shop") -> None:
    again(refused, **with_zone())
    report = again(refused, **with_zone())
    assert [(file.source, file.records) for file in report.files] == [("impressions.jsonl", 2)]
    assert len(refused.table("impressions")) == 3


def test_ingestion_does_not_bring_replayed_records_back(refused: "Shop") -> None:
    again(refused, **with_zone())
    path = refused.folder / "logs" / "impressions.jsonl"
    with path.open("a") as file:
        file.write('{"request_id": "r6"\n')
    refused.ingest(**with_zone())
    assert in_quarantine(refused)[-1] == ("impressions.jsonl", 6, "not_json")
    assert len(refused.table("impressions")) == 3
    assert unreconciled(refused.engine, refused.lake) == []


def test_only_one_file_or_reason(refused: "Shop") -> None:
    report = again(refused, source="interactions.jsonl", **with_zone())
    assert [file.source for file in report.files] == ["interactions.jsonl"]
    report = again(refused, reason="position_below_one", **with_zone())
    assert [(file.records, file.rejected) for file in report.files] == [(1, 1)]


@pytest.mark.parametrize("wrong", [{"source": "interaction.jsonl"}, {"reason": "position"}])
def test_a_misspelt_file_or_reason_is_named(refused: "Shop", wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean .(interactions|position)"):
        again(refused, **wrong)


def test_a_line_that_is_another_one_now_is_left_to_ingestion(refused: "Shop") -> None:
    refused.write("interactions.jsonl", refused.event(), refused.event(request_id="r9"))
    report = again(refused, source="interactions.jsonl", **with_zone())
    assert report.changed == {"interactions.jsonl": 1}
    assert ("interactions.jsonl", 2, "timestamp_without_zone") in in_quarantine(refused)


def test_a_file_that_is_gone_is_said(refused: "Shop") -> None:
    (refused.folder / "logs" / "interactions.jsonl").unlink()
    refused.write("interactions-2.jsonl", refused.event())
    report = again(refused, **with_zone())
    assert report.unreadable == {"interactions.jsonl": "the problem's globs match it no more"}
    assert ("interactions.jsonl", 2, "timestamp_without_zone") in in_quarantine(refused)


def test_an_empty_quarantine(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    assert again(shop) == ReplayReport((), {}, {})


def test_a_row_that_vanished_is_found(refused: "Shop", engine: Engine) -> None:
    assert unreconciled(engine, refused.lake) == []
    manifest = next(refused.lake.folder.glob("interactions/day=*/_current.json"))
    manifest.write_text(manifest.read_text().replace('"rows": 1', '"rows": 0'))
    (finding,) = unreconciled(engine, refused.lake)
    assert finding == "interactions of 2026-10-01: 0 rows, files brought 1"


def ordinal(list_id: str, number: int) -> dict[str, object]:
    """A UBI impression of item i0, i1, ... at an ordinal."""
    place = {"object": {"object_id": f"i{number}"}, "position": {"ordinal": number}}
    return {
        "action_name": "impression",
        "query_id": list_id,
        "timestamp": "2026-10-01T10:00:00Z",
        "user_query": "shoes",
        "application": "app",
        "event_attributes": place,
    }


def counted_from(first: int) -> dict[str, object]:
    source = {"format": "ubi", "path": "u.jsonl", "options": {"first_ordinal": first}}
    return {"logs": [source]}


def test_an_option_that_moves_accepted_rows_is_refused(shop: "Shop") -> None:
    shown = [ordinal("q1", number) for number in range(3)]
    shop.write("u.jsonl", *shown)
    shop.ingest(**counted_from(1))
    right = [("i1", 1), ("i2", 2)]
    assert shop.table("impressions", "item_id, position") == right
    expected = r"u\.jsonl: 2 of its records .*options\.first_ordinal was 1, is 0"
    with pytest.raises(ConfigurationError, match=expected):
        again(shop, **counted_from(0))
    assert shop.ingest(**counted_from(0)).unchanged == 1
    shop.write("u.jsonl", *shown, ordinal("q2", 1))
    with pytest.raises(ConfigurationError, match=expected):
        shop.ingest(**counted_from(0))
    assert shop.table("impressions", "item_id, position") == right
    shop.ingest(**counted_from(1))
    assert shop.table("impressions", "item_id, position") == [("i1", 1), *right]


def test_an_option_is_free_as_long_as_nothing_was_accepted(shop: "Shop") -> None:
    shop.write("u.jsonl", ordinal("q1", 0))
    shop.ingest(**counted_from(1))
    again(shop, **counted_from(0))
    assert shop.table("impressions", "item_id, position") == [("i0", 1)]
    shop.write("u.jsonl", ordinal("q1", 0), ordinal("q1", 1))
    with pytest.raises(ConfigurationError, match="first_ordinal was 0, is 1"):
        shop.ingest(**counted_from(1))
    shop.ingest(**counted_from(0))
    assert shop.table("impressions", "item_id, position") == [("i0", 1), ("i1", 2)]


def test_a_time_zone_that_is_another_one_now_is_refused(refused: "Shop") -> None:
    again(refused, **with_zone())
    logs = [{**source, "time_zone": "Asia/Tokyo"} for source in with_zone()["logs"]]  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r'time_zone was "UTC", is "Asia/Tokyo"'):
        again(refused, logs=logs)


def test_a_ledger_that_does_not_know_the_settings_reads_on(shop: "Shop") -> None:
    shop.write("u.jsonl", ordinal("q1", 0), ordinal("q1", 1))
    shop.ingest(**counted_from(1))
    path = shop.lake.folder / LEDGER_NAME
    ledger = json.loads(path.read_text())
    del ledger["files"]["stream:u.jsonl"]["settings"]
    path.write_text(json.dumps(ledger))
    assert [counts.accepted for counts in again(shop, **counted_from(0)).files] == [1]


RANKING = {
    "event": "ranking",
    "id": "r",
    "timestamp": 1790848800000,
    "fields": [{"name": "query", "value": "a"}],
    "items": [{"id": "a"}],
}


@pytest.mark.parametrize("was", ["ubi", "native"])
@pytest.mark.parametrize("by_replay", [True, False])
def test_a_file_that_was_read_in_a_wrong_format_is_read_anew(
    shop: "Shop", was: str, *, by_replay: bool
) -> None:
    shop.write("x.jsonl", RANKING)
    shop.write("interactions.jsonl", shop.event())
    native = {"format": "native", "impressions": "x.jsonl", "interactions": "interactions*"}
    shop.ingest(logs=[{"format": "ubi", "path": "x.jsonl"} if was == "ubi" else native])
    assert ("x.jsonl", 1, "missing_key") in in_quarantine(shop)
    mended = [{"format": "metarank", "path": "x.jsonl"}]
    if by_replay:
        report = again(shop, source="x.jsonl", logs=mended)
        assert [(counts.accepted, counts.rejected) for counts in report.files] == [(1, 0)]
        assert (report.changed, report.unreadable) == ({}, {})
    else:
        assert [counts.accepted for counts in shop.ingest(logs=mended).files] == [1]
    assert shop.table("impressions", "request_id, item_id") == [("r", "a")]
    assert in_quarantine(shop) == []
    assert unreconciled(shop.engine, shop.lake) == []
    assert [counts.accepted for counts in shop.ingest(logs=mended).files] == []


def test_another_format_is_refused_once_records_were_accepted(shop: "Shop") -> None:
    shop.write("x.jsonl", shop.impression(), RANKING)
    shop.write("interactions.jsonl", shop.event())
    native = {"format": "native", "impressions": "x.jsonl", "interactions": "interactions*"}
    shop.ingest(logs=[native])
    mended = [{"format": "metarank", "path": "x.jsonl"}]
    with pytest.raises(ConfigurationError, match='format was "native", is "metarank"'):
        again(shop, source="x.jsonl", logs=mended)
    with pytest.raises(ConfigurationError, match=r"x\.jsonl: 1 of its records"):
        shop.ingest(logs=mended)


@pytest.mark.parametrize("changes", [{}, {"position": 0}])
def test_the_stump_of_a_line_goes_when_the_line_is_whole(
    shop: "Shop", changes: dict[str, object]
) -> None:
    whole = json.dumps(shop.impression(request_id="r2", **changes))
    path = shop.write("impressions.jsonl", shop.impression(position=0), shop.impression(), whole)
    path.write_text(path.read_text()[: -len(whole) + 20])
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    first = ("impressions.jsonl", 1, "position_below_one")
    assert in_quarantine(shop) == [first, ("impressions.jsonl", 3, "not_json")]
    shop.write("impressions.jsonl", shop.impression(position=0), shop.impression(), whole)
    shop.ingest()
    refused = [("impressions.jsonl", 3, "position_below_one")] if changes else []
    assert in_quarantine(shop) == [first, *refused]
    assert len(again(shop).files[0].still_refused) == len([first, *refused])
    assert unreconciled(shop.engine, shop.lake) == []


def test_both_tables_that_a_file_feeds_read_their_refused_records(shop: "Shop") -> None:
    # line 1 is both, 2 is an event whose impression part is refused, 3 the other way round
    both = shop.impression() | shop.event()
    shop.write(
        "log.jsonl",
        both,
        both | {"request_id": "r2", "shown_at": NAIVE},
        both | {"request_id": "r3", "occurred_at": NAIVE},
        both | {"request_id": "r4", "position": 0},
    )
    source = {"format": "native", "impressions": "log*", "interactions": "log*"}
    shop.ingest(logs=[source])
    expected = [(2, "r2"), (3, "r3")]
    assert {line for _, line, _ in in_quarantine(shop)} >= {line for line, _ in expected}
    again(shop, logs=[source | {"time_zone": "UTC"}])
    assert shop.table("impressions", "request_id") == [("r1",), ("r2",), ("r3",)]
    assert shop.table("interactions", "request_id") == [("r1",), ("r2",), ("r3",)]
    assert {line for _, line, _ in in_quarantine(shop)} == {4}
    assert unreconciled(shop.engine, shop.lake) == []


def test_an_empty_quarantine_is_empty_whatever_is_asked_of_it(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(item_id=...), shop.impression(item_id="i2"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    with pytest.raises(ConfigurationError, match=r"holds nothing of 'nope'; valid: missing_key$"):
        refused_records(shop.engine, shop.lake, reason="nope")
    shop.write("impressions.jsonl", shop.impression(), shop.impression(item_id="i2"))
    shop.ingest()
    assert shop.lake.days("rejected_records") != []
    assert refused_records(shop.engine, shop.lake, reason="nope") == []
    assert refused_records(shop.engine, shop.lake, source="nope") == []
