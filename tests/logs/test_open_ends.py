"""A delimited file that is still being written: its last record may be half a one."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from label_platform.logs import unreconciled

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

NAME = "impressions.csv"
HEADER = b"request_id,query_id,item_id,shown_at,query_text,price,position\n"
FIRST = b"r1,q1,i1,2026-10-01T10:00:00Z,shoes,10.5,1\n"
LAST = b"r1,q1,i2,2026-10-01T10:00:00Z,shoes,12.75,12\r\n"
AFTER = b'r1,q1,i3,2026-10-01T10:00:00Z,"red\n""big"" shoes",7,13\n'
WHOLE = HEADER + FIRST + LAST + AFTER
HALF_POSITION = WHOLE.index(b",12\r\n") + 2
CUTS = [*range(len(HEADER) + len(FIRST) - 1, len(WHOLE), 13), HALF_POSITION, len(WHOLE) - 1]


def put(shop: "Shop", content: bytes, name: str = NAME) -> Path:
    shop.write("interactions.jsonl", shop.event())
    path = shop.write(name)
    path.write_bytes(content)
    return path


def read(shop: "Shop") -> None:
    shop.ingest(features=["price"])
    assert unreconciled(shop.engine, shop.lake) == []


def shown(shop: "Shop") -> list[tuple[object, ...]]:
    return shop.table("impressions", "item_id, position, price")


def test_a_file_that_was_read_at_any_point_of_its_writing_ends_as_if_read_once(
    shop_factory: Callable[[], "Shop"],
) -> None:
    once = shop_factory()
    put(once, WHOLE)
    read(once)
    assert shown(once) == [("i1", 1, 10.5), ("i2", 12, 12.75), ("i3", 13, 7.0)]
    for cut in CUTS:
        shop = shop_factory()
        put(shop, WHOLE[:cut])
        read(shop)
        put(shop, WHOLE)
        read(shop)
        assert shown(shop) == shown(once), cut
        expected = {key: value for key, value in once.hashes().items() if "rejected" not in key}
        found = {key: value for key, value in shop.hashes().items() if "rejected" not in key}
        assert found == expected, cut
        assert shop.table("rejected_records", "line, reason") == [], cut


def test_a_file_that_is_read_again_and_again_ends_as_if_read_once(shop: "Shop") -> None:
    for cut in range(HALF_POSITION - 3, HALF_POSITION + 4):
        put(shop, WHOLE[:cut])
        read(shop)
    put(shop, WHOLE)
    read(shop)
    assert shown(shop) == [("i1", 1, 10.5), ("i2", 12, 12.75), ("i3", 13, 7.0)]


@pytest.mark.parametrize("name", [NAME, NAME + ".gz"])
def test_a_complete_file_without_a_last_line_end_keeps_its_last_row(
    shop: "Shop", name: str
) -> None:
    content = (HEADER + FIRST + LAST).rstrip(b"\r\n")
    put(shop, gzip.compress(content) if name.endswith(".gz") else content, name)
    for _ in range(2):
        read(shop)
        assert shown(shop) == [("i1", 1, 10.5), ("i2", 12, 12.75)]


def test_a_last_row_that_was_complete_stays_when_rows_are_added(shop: "Shop") -> None:
    put(shop, (HEADER + FIRST + LAST).rstrip(b"\r\n"))
    read(shop)
    put(shop, WHOLE)
    counts = shop.ingest(features=["price"]).files[0]
    assert (counts.accepted, counts.duplicates) == (1, 2)
    assert shown(shop) == [("i1", 1, 10.5), ("i2", 12, 12.75), ("i3", 13, 7.0)]


def test_another_reading_of_the_same_half_row_does_not_forget_that_it_is_one(shop: "Shop") -> None:
    put(shop, HEADER + FIRST + LAST[:-3])
    read(shop)
    rated = {"click": {"window": "30m"}, "rating": {"window": "30m"}}
    put(shop, HEADER + FIRST + LAST[:-3]).touch()
    shop.ingest(features=["price"], signals=rated)
    put(shop, WHOLE)
    read(shop)
    assert shown(shop) == [("i1", 1, 10.5), ("i2", 12, 12.75), ("i3", 13, 7.0)]


def test_a_file_that_was_replaced_withdraws_nothing(shop: "Shop") -> None:
    put(shop, HEADER + FIRST + LAST.rstrip(b"\r\n"))
    read(shop)
    put(shop, HEADER + AFTER * 3)
    read(shop)
    assert shown(shop) == [("i1", 1, 10.5), ("i2", 12, 12.75), ("i3", 13, 7.0)]


def test_a_half_row_alone_on_its_day_leaves_no_day_behind(shop: "Shop") -> None:
    header = b"request_id,query_id,item_id,position,shown_at\n"
    first = b"r1,q1,i1,1,2026-10-01T10:00:00Z\n"
    put(shop, header + first + b"r2,q1,i2,1,2026-10-02T01:15:00+01")
    shop.ingest()
    days = "item_id, (shown_at at time zone 'UTC')::date::varchar"
    assert shop.table("impressions", days) == [("i1", "2026-10-01"), ("i2", "2026-10-02")]
    put(shop, header + first + b"r2,q1,i2,1,2026-10-02T01:15:00+01:30\n")
    shop.ingest()
    assert shop.table("impressions", days) == [("i1", "2026-10-01"), ("i2", "2026-10-01")]
    assert [day.day for day in shop.lake.days("impressions")] == [1]
    assert unreconciled(shop.engine, shop.lake) == []
