"""What log files become in the lake, and which are refused."""

from datetime import UTC, date, datetime
from hashlib import md5
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.logs import FileCounts, ingest
from label_platform.strict_yaml import ConfigurationError
from tests.logs.two_days import DAY_1, DAY_2, DAY_3, on, two_days

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def test_every_record_is_accounted_for(shop: "Shop") -> None:
    two_days(shop)
    report = shop.ingest()
    assert report.files == (
        FileCounts("impressions-1.jsonl", 4, 2, 0, 1, 1, (DAY_1,)),
        FileCounts("impressions-2.jsonl.gz", 1, 1, 0, 0, 0, (DAY_2,)),
        FileCounts("interactions.jsonl", 5, 3, 1, 1, 0, (DAY_1, DAY_2)),
    )
    assert (report.days, report.unchanged, report.refused) == ((DAY_1, DAY_2), 0, ())


def test_what_an_impression_becomes(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(user_id="ann", device="phone"))
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    columns = "impression_id::varchar, request_id, user_key, device, surface, randomized"
    digest = md5(b"r1\x1fi1\x1f1", usedforsecurity=False).hexdigest()
    [(identity, *values)] = shop.table("impressions", columns)
    assert identity.replace("-", "") == digest
    assert values == ["r1", "ann", "phone", None, False]
    assert shop.table("impressions", "ingested_at") == [(datetime(2026, 11, 1, 12, tzinfo=UTC),)]


def test_a_separator_in_an_id_makes_no_two_records_one(shop: "Shop") -> None:
    shop.write(
        "impressions.jsonl",
        shop.impression(request_id="a|b", item_id="c"),
        shop.impression(request_id="a", item_id="b|c"),
    )
    shop.write(
        "interactions.jsonl",
        shop.event(request_id="a|b", item_id="c"),
        shop.event(request_id="a", item_id="b|c"),
    )
    assert [(each.accepted, each.duplicates) for each in shop.ingest().files] == [(2, 0), (2, 0)]


def test_a_surface_is_no_session(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write(
        "interactions.jsonl",
        shop.event(request_id=..., user_id="x", surface="y"),
        shop.event(request_id=..., user_id="x", session_id="y"),
        shop.event(request_id=..., user_id="x", session_id="y", surface=""),
    )
    _, events = shop.ingest().files
    assert (events.accepted, events.duplicates) == (2, 1)


def test_ingested_at_of_the_record_counts(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(ingested_at=on(1, "11:00:00")))
    shop.write("interactions.jsonl", shop.event(ingested_at=on(1, "12:00:00")))
    shop.ingest()
    assert shop.table("impressions", "ingested_at") == [(datetime(2026, 10, 1, 11, tzinfo=UTC),)]
    assert shop.table("interactions", "ingested_at") == [(datetime(2026, 10, 1, 12, tzinfo=UTC),)]


@pytest.mark.parametrize("ids", ["integer", "string"])
def test_a_query_without_id_is_known_by_its_text(shop: "Shop", ids: str) -> None:
    record = shop.impression(request_id=1, item_id=2, query_id=..., query_text="red shoes")
    shop.write("impressions.jsonl", record)
    shop.write("interactions.jsonl", shop.event(request_id=1, item_id=2))
    shop.ingest(ids=ids)
    digest = md5(b"red shoes", usedforsecurity=False).hexdigest()
    expected = int(digest[:15], 16) if ids == "integer" else digest
    assert shop.table("impressions", "query_id") == [(expected,)]


def test_an_event_sent_again_in_another_file_is_one_event(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions-1.jsonl", shop.event(), shop.event(interaction_id="e1", value=1))
    same_id = shop.event(interaction_id="e1", value=5)
    shop.write("interactions-2.jsonl", shop.event(value=1.0), same_id, shop.event(value=2))
    report = shop.ingest()
    counts = [(file.accepted, file.duplicates) for file in report.files]
    assert counts == [(1, 0), (2, 0), (1, 2)]
    assert sorted(shop.table("interactions", "value")) == [(1.0,), (1.0,), (2.0,)]


def test_the_first_of_two_records_wins(shop: "Shop") -> None:
    shop.write("impressions-b.jsonl", shop.impression(device="second file"))
    shop.write(
        "impressions-a.jsonl",
        shop.impression(device="first line"),
        shop.impression(device="second line"),
    )
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    assert shop.table("impressions", "device") == [("first line",)]


def test_days_without_records_are_published_empty(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(shown_at=on(3)))
    shop.write("interactions.jsonl", shop.event(occurred_at=on(5)))
    report = shop.ingest()
    # events that trail behind do not make a day whose impressions may still come
    assert shop.lake.days("impressions") == [DAY_1, DAY_2, DAY_3]
    assert shop.lake.days("interactions") == [DAY_1, DAY_2, DAY_3, date(2026, 10, 5)]
    assert report.days == (DAY_1, DAY_2, DAY_3, date(2026, 10, 5))
    assert shop.engine.row(f"select count(*) from {shop.lake.scan('impressions', [DAY_2])}") == (0,)


def test_files_are_reported_as_they_are_read(shop: "Shop") -> None:
    two_days(shop)
    seen: list[str] = []
    lake = shop.lake

    def on_file(counts: FileCounts) -> None:
        assert lake.days("impressions") == []
        seen.append(counts.source)

    ingest(shop.problem(), lake, shop.engine, on_file=on_file)
    assert seen == ["impressions-1.jsonl", "impressions-2.jsonl.gz", "interactions.jsonl"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(shop: "Shop") -> None:
    two_days(shop)
    folder = shop.folder / "logs"
    (folder / "impressions-0.parquet").write_bytes(b"PAR1 but nothing more")
    (folder / "impressions-3.jsonl.gz").write_bytes(b"no gzip")
    (folder / "impressions.txt").write_text("?")
    report = shop.ingest()
    assert [file.source for file in report.refused] == [
        "impressions-0.parquet",
        "impressions-3.jsonl.gz",
        "impressions.txt",
    ]
    assert [file.refusal.split(",")[0] for file in report.refused][2] == (
        "found a file named impressions.txt"
    )
    assert len(shop.table("impressions")) == 3
    assert len(shop.ingest().refused) == 3  # tried again


def test_parquet_with_broken_pages_is_refused_whole(shop: "Shop") -> None:
    table = pa.table({key: [value] * 9999 for key, value in shop.impression().items()})
    shop.write("interactions.jsonl", shop.event())
    path = shop.folder / "logs" / "impressions.parquet"
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[20:60] = b"\x00" * 40
    path.write_bytes(content)
    [refused] = shop.ingest().refused
    assert refused.source == "impressions.parquet"
    assert shop.lake.days("impressions") == []


def test_a_glob_without_files_is_an_error(shop: "Shop") -> None:
    shop.write("impression-1.jsonl", shop.impression())
    with pytest.raises(ConfigurationError) as error:
        shop.ingest()
    folder = shop.folder / "logs"
    assert str(error.value) == (
        f"problem shop: logs.0.impressions: found no file that matches {folder}/impressions*; "
        f"in {folder}: did you mean 'impression-1.jsonl'? valid: impression-1.jsonl"
    )


def test_as_if_needs_a_zone(shop: "Shop") -> None:
    two_days(shop)
    naive = datetime(2026, 11, 1)  # noqa: DTZ001 - what is refused
    with pytest.raises(ConfigurationError, match="expected one"):
        ingest(shop.problem(), shop.lake, shop.engine, as_if=naive)


def test_items(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression(shown_at=on(2)))
    shop.write("interactions.jsonl", shop.event())
    shop.write(
        "items.csv",
        "item_id,valid_from,title,item_price,other",
        "i1,1999-01-01T00:00:00Z,Shoe,9.5,x",
        "i1,2026-10-02T00:00:00Z,Shoe,8.5,x",
        "i2,,Boot,,x",
        "i2,,Boot,,x",
    )
    logs = [
        {
            "format": "native",
            "impressions": "impressions*",
            "interactions": "interactions*",
            "items": "items.csv",
        }
    ]
    report = shop.ingest(logs=logs, item_features=["item_*"])
    assert report.files[0] == FileCounts("items.csv", 4, 3, 0, 0, 1, (DAY_1, DAY_2))
    assert shop.table("items", "item_id, valid_from::date, title, item_price") == [
        ("i1", date(1999, 1, 1), "Shoe", 9.5),
        ("i1", DAY_2, "Shoe", 8.5),
        ("i2", DAY_1, "Boot", None),
    ]
