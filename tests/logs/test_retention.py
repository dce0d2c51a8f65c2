"""Records are kept for so long and then go, with what the ledger says of them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Lake, Partition
from label_platform.logs import FileCounts, IngestReport, ingest, refused_records, unreconciled
from label_platform.logs.retention import first_kept_day
from tests.power_cuts import dies

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

START = date(2026, 10, 1)


def on(day: int, time: str = "10:00:00") -> str:
    return f"2026-10-{day:02}T{time}Z"


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def read(shop: "Shop", moment: datetime, retention: str | None = "3d") -> IngestReport:
    return ingest(shop.problem(retention=retention), shop.lake, shop.engine, as_if=moment)


def write(shop: "Shop") -> None:
    """Lists of five days, each with a click, and a refused record on the first."""
    lists = [shop.impression(request_id=f"r{day}", shown_at=on(day)) for day in range(1, 6)]
    clicks = [
        shop.event(request_id=f"r{day}", occurred_at=on(day, "10:01:00")) for day in range(1, 6)
    ]
    shop.write("impressions.jsonl", *lists, shop.impression(position=0))
    shop.write("interactions.jsonl", *clicks)


@pytest.mark.parametrize(
    ("moment", "first"),
    [
        # the first ended on the 2nd at 0:00, three days before the 5th at 0:00
        (at(5, 0), 1),
        (at(5, 0) + timedelta(microseconds=1), 2),
        (at(5), 2),
        (at(6, 0), 2),
        (at(9), 6),
        (at(2), 1),
    ],
)
def test_a_day_goes_when_it_ended_longer_ago_than_that(
    shop: "Shop", moment: datetime, first: int
) -> None:
    assert first_kept_day(shop.problem(retention="3d"), moment) == date(2026, 10, first)


def test_without_retention_everything_stays(shop: "Shop") -> None:
    assert first_kept_day(shop.problem(), at(30)) == START


def test_old_days_vanish_with_the_next_ingestion_even_if_nothing_is_new(shop: "Shop") -> None:
    write(shop)
    read(shop, at(5, 0))
    assert shop.lake.days("impressions") == [date(2026, 10, day) for day in range(1, 6)]
    report = read(shop, at(7))
    assert (report.files, report.unchanged) == ((), 2)
    # the third day ended on the 4th at 0:00, and that is more than three days before the 7th, 12:00
    for table in ("impressions", "interactions"):
        assert shop.lake.days(table) == [date(2026, 10, 4), date(2026, 10, 5)]
        folders = sorted(path.name for path in (shop.lake.folder / table).glob("day=*"))
        assert folders == ["day=2026-10-04", "day=2026-10-05"]
    assert unreconciled(shop.engine, shop.lake) == []


def test_old_records_are_ignored_when_they_are_read(shop: "Shop") -> None:
    write(shop)
    report = read(shop, at(7))
    days = (date(2026, 10, 4), date(2026, 10, 5))
    assert report.files == (
        # the first day's refused record is as old as its list
        FileCounts("impressions.jsonl", 6, 2, 4, 0, 0, days),
        FileCounts("interactions.jsonl", 5, 2, 3, 0, 0, days),
    )
    assert shop.lake.days("impressions") == list(days)
    assert read(shop, at(7)).days == ()
    assert unreconciled(shop.engine, shop.lake) == []


def test_a_grown_file_brings_old_days_not_back(shop: "Shop") -> None:
    write(shop)
    read(shop, at(5, 0))
    with (shop.folder / "logs" / "impressions.jsonl").open("a") as handle:
        handle.write(json.dumps(shop.impression(request_id="r9", shown_at=on(5))) + "\n")
    (counts,) = read(shop, at(7)).files
    assert (counts.accepted, counts.ignored, counts.duplicates) == (1, 4, 2)
    assert min(shop.lake.days("impressions")) == date(2026, 10, 4)
    assert unreconciled(shop.engine, shop.lake) == []


def test_a_longer_retention_reads_again_what_was_ignored(shop: "Shop") -> None:
    write(shop)
    read(shop, at(5, 0))
    read(shop, at(7))
    with (shop.folder / "logs" / "impressions.jsonl").open("a") as handle:
        handle.write("\n")
    read(shop, at(7), "30d")
    assert shop.lake.days("impressions") == [date(2026, 10, day) for day in range(1, 6)]
    assert len(shop.table("impressions")) == 5
    assert unreconciled(shop.engine, shop.lake) == []


def test_refused_records_go_some_time_after_they_were_read(shop: "Shop") -> None:
    write(shop)
    late = shop.impression(shown_at="2026-10-05")
    shop.write("impressions-2.jsonl", late, "no json")
    read(shop, at(5, 0))
    assert len(refused_records(shop.engine, shop.lake)) == 3
    shop.write("impressions-3.jsonl", "no json either")
    read(shop, at(7))
    assert len(refused_records(shop.engine, shop.lake)) == 4
    read(shop, at(8, 1))
    # only what was read on the 7th is left
    (kept,) = refused_records(shop.engine, shop.lake)
    assert kept.source == "impressions-3.jsonl"
    assert unreconciled(shop.engine, shop.lake) == []
    read(shop, at(11))
    assert shop.lake.days("rejected_records") == []


def test_a_refused_record_whose_time_is_wrong_says_so(shop: "Shop") -> None:
    """Seconds taken for milliseconds lie in 1970: to ignore them would hide the mistake."""
    shop.write("impressions.jsonl", shop.impression(shown_at=1_790_000_000))
    shop.write("interactions.jsonl", shop.event(occurred_at=on(7)))
    report = read(shop, at(7))
    assert [(file.rejected, file.ignored) for file in report.files] == [(1, 0), (0, 0)]
    assert [each.reason for each in refused_records(shop.engine, shop.lake)] == [
        "timestamp_out_of_range"
    ]


def test_the_catalogue_stays(shop: "Shop") -> None:
    write(shop)
    shop.write("items.jsonl", {"item_id": "i1", "valid_from": "2020-01-01T00:00:00Z", "title": "x"})
    source = {
        "format": "native",
        "impressions": "impressions*",
        "interactions": "interactions*",
        "items": "items*",
    }
    problem = shop.problem(retention="3d", logs=[source])
    ingest(problem, shop.lake, shop.engine, as_if=at(7))
    ingest(problem, shop.lake, shop.engine, as_if=at(8))
    assert shop.table("items", "item_id") == [("i1",)]


def derived(shop: "Shop", table: str, day: int, query: str, **attributes: str) -> Partition:
    partition = Partition(table, date(2026, 10, day), "p" if table != "statistics" else "")
    shop.lake.publish(shop.engine, partition, query, recipe="r", attributes=attributes)
    return partition


def test_tables_of_single_rows_go_and_counts_stay(shop: "Shop") -> None:
    write(shop)
    read(shop, at(5, 0))
    row = "select uuid() as impression_id, 1.0 as label"
    old, new = (derived(shop, "labels", day, row) for day in (3, 4))
    cells = derived(shop, "cells", 3, "select 1 as item_id, 1.0 as gain_sum")
    counted = derived(shop, "statistics", 3, "select 1 as item_id, 7 as clicks")
    # made on the fifth of rows from the third on
    window = derived(shop, "examples", 5, row, train="2026-10-03 to 2026-10-04")
    later = derived(shop, "examples", 6, row, train="2026-10-04 to 2026-10-05")
    view = Lake(shop.lake.folder, "as_of=20261005T000000Z")
    view.publish(shop.engine, old, row, recipe="r")
    read(shop, at(7))
    gone = [shop.lake.manifest(each) is None for each in (old, new, cells, counted, window, later)]
    assert gone == [True, False, False, False, True, False]
    assert view.manifest(old) is None


@pytest.mark.parametrize(
    ("name", "calls"), [("remove", 0), ("remove", 1), ("remove", 4), ("replace_files", 0)]
)
def test_an_expiry_that_died_is_finished_by_the_next_ingestion(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, name: str, calls: int
) -> None:
    write(shop)
    shop.write("impressions-2.jsonl", "no json")
    read(shop, at(5, 0))
    shop.write("impressions-3.jsonl", "no json either")
    shop.write("impressions-4.jsonl", shop.impression(shown_at=on(7)))
    read(shop, at(7, 0))
    assert dies(monkeypatch, calls, Lake, name, lambda: read(shop, at(8, 1)))
    read(shop, at(8, 1))
    assert shop.lake.days("impressions") == [date(2026, 10, day) for day in (5, 6, 7)]
    assert len(refused_records(shop.engine, shop.lake)) == 1
    assert unreconciled(shop.engine, shop.lake) == []
