"""Every reason for which a record is refused, and what is accepted beside it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.logs import RejectionReason
from label_platform.logs.contract import KEY_OF, layout

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

MOMENT = "expected ISO 8601 with a zone, or epoch milliseconds"
RANGE = "expected 2000-01-01 to one day after ingestion"
FIRST_DAY = "expected the problem's start_date 2026-10-01 or later"
LAST_DAY = "expected the problem's end_date 2026-10-02 or earlier"
BAD_LINES = [
    ('{"request_id": "r1", "item', "not_json", "found no JSON, expected an object"),
    ("{'request_id': 'r1'}", "not_json", "found no JSON, expected an object"),
    # the engine's message about it ends within a letter
    ("{" + "\u4e2d" * 200 + "}", "not_json", "found no JSON, expected an object"),
    ("{a" + "\u4e2d" * 200 + "}", "not_json", "found no JSON, expected an object"),
    ('{"request_id": "r1"} {}', "not_json", "found no JSON, expected an object"),
    ("", None, None),
    ("[1, 2]", "not_an_object", "found other JSON, expected an object"),
    ("null", "not_an_object", "found other JSON, expected an object"),
    ("\x01", "not_json", "found no JSON, expected an object"),
    (b'{"request_id": "\xff"}', "invalid_utf8", "found byte 0xff at 17, expected UTF-8"),
    (b'{"request_id": "\x00"}', "nul_byte", "found a NUL byte, expected text"),
    (b'{"request_id": "\\u0000"}', "nul_byte", "found a NUL byte, expected text"),
    (
        '{"a":' + "[" * 101 + "]" * 101 + "}",
        "nested_too_deeply",
        "found 102 levels, expected at most 100",
    ),
]
BAD_IMPRESSIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"request_id": ...}, "missing_key", "request_id: found nothing, expected an id"),
    ({"item_id": None}, "missing_key", "item_id: found nothing, expected an id"),
    ({"item_id": ""}, "missing_key", "item_id: found nothing, expected an id"),
    (
        {"query_id": ...},
        "missing_key",
        "query_id: found nothing, expected an id, or the key query_text",
    ),
    (
        {"request_id": {"a": 1}},
        "wrong_type",
        "request_id: found an object (redacted), expected an id",
    ),
    ({"item_id": True}, "wrong_type", "item_id: found 'true', expected an id"),
    ({"query_id": ["q"]}, "wrong_type", "query_id: found an array (redacted), expected an id"),
    (
        {"position": "first"},
        "wrong_type",
        "position: found 'first', expected a whole number from 1",
    ),
    ({"position": 1.5}, "wrong_type", "position: found '1.5', expected a whole number from 1"),
    ({"position": 0}, "position_below_one", "position: found '0', expected a whole number from 1"),
    ({"randomized": "maybe"}, "wrong_type", "randomized: found 'maybe', expected true or false"),
    (
        {"user_id": {"name": "Ann"}},
        "wrong_type",
        "user_id: found a value (redacted), expected text",
    ),
    (
        {"shown_at": "yesterday"},
        "unreadable_timestamp",
        f"shown_at: found 'yesterday', {MOMENT}",
    ),
    (
        {"shown_at": "2026-13-01T10:00:00Z"},
        "unreadable_timestamp",
        f"shown_at: found '2026-13-01T10:00:00Z', {MOMENT}",
    ),
    (
        {"shown_at": "2026-10-01T10:00:00"},
        "timestamp_without_zone",
        f"shown_at: found '2026-10-01T10:00:00', {MOMENT}",
    ),
    (
        {"shown_at": "2026-10-01"},
        "timestamp_without_zone",
        f"shown_at: found '2026-10-01', {MOMENT}",
    ),
    (
        {"shown_at": 1_790_848_800},  # seconds, not milliseconds
        "timestamp_out_of_range",
        f"shown_at: found '1790848800', {RANGE}",
    ),
    (
        {"shown_at": "2026-11-02T12:00:01Z"},
        "timestamp_out_of_range",
        f"shown_at: found '2026-11-02T12:00:01Z', {RANGE}",
    ),
    (
        {"shown_at": "2026-09-30T23:59:59Z"},
        "outside_problem_days",
        f"shown_at: found '2026-09-30T23:59:59Z', {FIRST_DAY}",
    ),
    (
        {"logging_probability": 1.01},
        "probability_out_of_range",
        "logging_probability: found '1.01', expected a number from 0 to 1",
    ),
    (
        {"logging_probability": "rare"},
        "wrong_type",
        "logging_probability: found 'rare', expected a number from 0 to 1",
    ),
]
BAD_EVENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"signal": ...}, "missing_key", "signal: found nothing, expected text"),
    (
        {"signal": {"name": "click"}},
        "wrong_type",
        "signal: found an object (redacted), expected text",
    ),
    ({"value": "abc"}, "wrong_type", "value: found 'abc', expected a finite number"),
    ({"value": "nan"}, "value_not_finite", "value: found 'nan', expected a finite number"),
    ({"value": "1e999"}, "value_not_finite", "value: found '1e999', expected a finite number"),
    (
        {"position": -1},
        "position_below_one",
        "position: found '-1', expected a whole number from 1",
    ),
    (
        {"occurred_at": None},
        "missing_key",
        f"occurred_at: found nothing, {MOMENT}",
    ),
    (
        {"occurred_at": {"seconds": 1}},
        "unreadable_timestamp",
        f"occurred_at: found an object (redacted), {MOMENT}",
    ),
]


@pytest.mark.parametrize(("changes", "reason", "detail"), BAD_IMPRESSIONS)
def test_a_bad_impression_is_kept_with_its_first_reason(
    shop: "Shop", changes: dict[str, Any], reason: str, detail: str
) -> None:
    shop.write(
        "impressions.jsonl", shop.impression(), shop.impression(**{"item_id": "i2"} | changes)
    )
    shop.write("interactions.jsonl", shop.event())
    report = shop.ingest()
    assert (report.files[0].accepted, report.files[0].rejected) == (1, 1)
    found = shop.table("rejected_records", "source, line, reason, detail")
    assert found == [("impressions.jsonl", 2, reason, detail)]


@pytest.mark.parametrize(("changes", "reason", "detail"), BAD_EVENTS)
def test_a_bad_event_is_kept_with_its_first_reason(
    shop: "Shop", changes: dict[str, Any], reason: str, detail: str
) -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions.jsonl", shop.event(**changes), shop.event())
    report = shop.ingest()
    assert (report.files[1].accepted, report.files[1].rejected) == (1, 1)
    found = shop.table("rejected_records", "source, line, reason, detail")
    assert found == [("interactions.jsonl", 1, reason, detail)]


@pytest.mark.parametrize(("line", "reason", "detail"), BAD_LINES)
def test_a_bad_line_costs_one_record(
    shop: "Shop", line: str | bytes, reason: str | None, detail: str | None
) -> None:
    shop.write("impressions.jsonl", shop.impression(), line, shop.impression(item_id="i2"))
    shop.write("interactions.jsonl", shop.event())
    report = shop.ingest()
    assert report.files[0].accepted == 2
    expected = [] if reason is None else [(2, reason, detail)]
    assert shop.table("rejected_records", "line, reason, detail") == expected


def test_a_record_outside_a_closed_log_is_refused(shop: "Shop") -> None:
    late = shop.impression(shown_at="2026-10-03T00:00:00Z")
    shop.write("impressions.jsonl", shop.impression(), late)
    shop.write("interactions.jsonl", shop.event())
    shop.ingest(end_date="2026-10-02")
    assert shop.table("rejected_records", "reason, detail") == [
        (
            "outside_problem_days",
            f"shown_at: found '2026-10-03T00:00:00Z', {LAST_DAY}",
        )
    ]


def test_integer_ids_are_whole_numbers(shop: "Shop") -> None:
    fine = [{"request_id": 7, "item_id": "8", "query_id": 9.0}]
    bad = [{"request_id": "r1", "item_id": 8}, {"request_id": 7, "item_id": 1.5}]
    records = [shop.impression(query_id=1) | change for change in fine + bad]
    shop.write("impressions.jsonl", *records)
    shop.write("interactions.jsonl", shop.event(request_id=7, item_id=8))
    shop.ingest(ids="integer")
    assert shop.table("impressions", "request_id, item_id, query_id") == [(7, 8, 9)]
    expected = "expected a whole number (the problem says ids: integer)"
    assert shop.table("rejected_records", "detail") == [
        (f"item_id: found '1.5', {expected}",),
        (f"request_id: found 'r1', {expected}",),
    ]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-10-01T10:00:00.5Z",
        "2026-10-01T12:00:00.5+02:00",
        "2026-10-01 12:00:00.5+0200",
        "2026-10-01 12:00:00.5+02",
        "2026-10-01 10:00:00.5 UTC",
        1_790_848_800_500,
        "1790848800500",
    ],
)
def test_moments_in_their_spellings(shop: "Shop", moment: object) -> None:
    shop.write("impressions.jsonl", shop.impression(shown_at=moment))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    expected = datetime(2026, 10, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert shop.table("impressions", "shown_at") == [(expected,)]


def test_parquet_types(shop: "Shop") -> None:
    records = {
        "request_id": [1.0, 2.0, 2.5],
        "query_id": [1, 2, 3],
        "item_id": ["a", "b", "c"],
        "position": [1, 2, 3],
        "shown_at": [datetime(2026, 10, 1, 10)] * 3,  # noqa: DTZ001 - Parquet without a zone is UTC
        "randomized": [True, None, False],
        "logging_probability": [0.5, float("nan"), 1.0],
        "visible": [[1], [2], [3]],
    }
    folder = shop.write("interactions.jsonl", shop.event()).parent
    pq.write_table(pa.table(records), folder / "impressions.parquet")
    shop.ingest()
    columns = "request_id, query_id, shown_at, randomized, logging_probability"
    moment = datetime(2026, 10, 1, 10, tzinfo=UTC)
    assert shop.table("impressions", columns) == [
        ("1", "1", moment, True, 0.5),
        ("2", "2", moment, False, None),
    ]
    assert shop.table("rejected_records", "line, detail") == [
        (3, "request_id: found '2.5', expected an id")
    ]


def test_a_nested_parquet_column_is_no_id(shop: "Shop") -> None:
    records = {"request_id": [["r1"]], "query_id": ["q"], "item_id": ["a"], "position": [1]}
    records["shown_at"] = ["2026-10-01T10:00:00Z"]
    folder = shop.write("interactions.jsonl", shop.event()).parent
    pq.write_table(pa.table(records), folder / "impressions.parquet")
    shop.ingest()
    assert shop.table("rejected_records", "reason, detail") == [
        ("wrong_type", "request_id: found an array (redacted), expected an id")
    ]


def test_every_reason_is_tested_and_documented() -> None:
    # in test_lines, test_csv and test_json_documents
    elsewhere = {"record_too_large", "unclosed_quote", "wrong_column_count", "broken_array"}
    cases = [*BAD_IMPRESSIONS, *BAD_EVENTS, *BAD_LINES]
    assert {reason for _, reason, _ in cases if reason} | elsewhere == set(RejectionReason)
    documented = RejectionReason.__doc__ or ""
    assert [reason for reason in RejectionReason if f"{reason.name}:" not in documented] == []
    guide = (Path(__file__).parents[2] / "docs" / "own-logs.md").read_text()
    assert [reason for reason in RejectionReason if f"`{reason}`" not in guide] == []


def test_keys_are_columns_of_their_tables() -> None:
    for table, key in KEY_OF.items():
        assert set(key) <= layout(table, "string", {}).keys()
