from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from label_platform.logs import FileCounts, csv_records

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

HEADER = "request_id,query_id,item_id,position,shown_at,query_text,user_id"
MOMENT = "2026-10-01T10:00:00Z"


def row(item: str, text: str = "shoes", user: str = "u1") -> str:
    return f"r1,q1,{item},1,{MOMENT},{text},{user}"


def ingest_csv(shop: "Shop", *lines: str | bytes, name: str = "impressions.csv") -> FileCounts:
    shop.write(name, *lines)
    shop.write("interactions.jsonl", shop.event())
    return shop.ingest().files[0]


def test_columns_may_stand_in_any_order_and_more_than_are_asked_for(shop: "Shop") -> None:
    header = f"note,{HEADER}"
    counts = ingest_csv(shop, header, f"x,{row('i1')}", f",{row('i2')}", name="impressions.csv.gz")
    assert (counts.records, counts.accepted) == (2, 2)
    assert shop.table("impressions", "item_id, query_text, user_key") == [
        ("i1", "shoes", "u1"),
        ("i2", "shoes", "u1"),
    ]


def test_tabs_separate_a_tsv(shop: "Shop") -> None:
    lines = [line.replace(",", "\t") for line in (HEADER, row("i1", "a b"))]
    assert ingest_csv(shop, *lines, name="impressions.tsv").accepted == 1
    assert shop.table("impressions", "query_text") == [("a b",)]


def test_quotes_hold_separators_quotes_and_line_ends(shop: "Shop") -> None:
    lines = [HEADER, row("i1", '"red, ""big""\nshoes"'), row("i2"), row("i3", '"x"')]
    assert ingest_csv(shop, *lines).accepted == 3
    assert shop.table("impressions", "item_id, query_text") == [
        ("i1", 'red, "big"\nshoes'),
        ("i2", "shoes"),
        ("i3", "x"),
    ]


def test_an_unclosed_quote_costs_one_record(shop: "Shop") -> None:
    lines = [HEADER, row("i1", '"red'), *(row(f"i{n}") for n in range(2, 400))]
    counts = ingest_csv(shop, *lines)
    assert (counts.records, counts.accepted, counts.rejected) == (399, 398, 1)
    assert shop.table("rejected_records", "line, reason, detail, raw") == [
        (
            2,
            "unclosed_quote",
            'found a quote " that is not closed, expected a closing one',
            "(redacted)",
        )
    ]


def test_a_quote_inside_a_field_is_a_character(shop: "Shop") -> None:
    lines = [HEADER, row("i1", '12" tv'), row("i2"), row("i3", '14" tv'), row("i4")]
    assert ingest_csv(shop, *lines).accepted == 4
    assert shop.table("impressions", "query_text")[0] == ('12" tv',)


def test_two_unclosed_quotes_do_not_swallow_what_is_between(shop: "Shop") -> None:
    lines = [HEADER, row("i1", '"12'), row("i2"), row("i3", '"14'), row("i4")]
    counts = ingest_csv(shop, *lines)
    assert (counts.accepted, counts.rejected) == (2, 2)
    assert shop.table("impressions", "item_id") == [("i2",), ("i4",)]


def test_a_field_too_large_to_be_cut_costs_one_record(shop: "Shop") -> None:
    counts = ingest_csv(shop, HEADER, row("i1", f'"{"x" * 200_000}"'), row("i2"))
    assert (counts.accepted, counts.rejected) == (1, 1)


def test_an_unclosed_quote_in_the_last_line(shop: "Shop") -> None:
    counts = ingest_csv(shop, HEADER, row("i1"), row("i2", '"red'))
    assert (counts.accepted, counts.rejected) == (1, 1)


def test_the_wrong_number_of_fields(shop: "Shop") -> None:
    counts = ingest_csv(shop, HEADER, row("i1") + ",more", row("i2"), "r1,q1")
    assert (counts.accepted, counts.rejected) == (1, 2)
    assert shop.table("rejected_records", "line, reason, detail") == [
        (2, "wrong_column_count", "found 8 fields, expected 7 as in the header"),
        (4, "wrong_column_count", "found 2 fields, expected 7 as in the header"),
    ]


def test_an_invalid_byte_costs_one_record(shop: "Shop") -> None:
    counts = ingest_csv(shop, HEADER, row("i1"), b"r1,q1,\xff", row("i3"))
    assert (counts.accepted, counts.rejected) == (2, 1)
    assert shop.table("rejected_records", "line, reason") == [(3, "invalid_utf8")]


def test_a_header_that_cannot_be_read_refuses_the_file(shop: "Shop") -> None:
    counts = ingest_csv(shop, b"request_id,\xff", row("i1"))
    assert counts.refusal == (
        "the header cannot be read: invalid_utf8|found byte 0xff at 12, expected UTF-8"
    )


def test_records_over_the_edge_of_a_block(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    whole = csv_records.read_blocks

    def tiny_blocks(path: Path) -> Iterator[pa.Table]:
        return whole(path, 60)

    monkeypatch.setattr(csv_records, "read_blocks", tiny_blocks)
    lines = [HEADER, row("i1", '"red\nshoes\nand more"'), row("i2"), row("i3", '"never closed')]
    counts = ingest_csv(shop, *lines)
    assert (counts.accepted, counts.rejected) == (2, 1)
    assert shop.table("impressions", "query_text") == [("red\nshoes\nand more",), ("shoes",)]
