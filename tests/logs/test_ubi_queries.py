"""UBI queries: impressions from their hits, and what they tell of lists."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.logs.ubi_records import event, of, outcome, query, read

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def test_impressions_from_hits(shop: "Shop") -> None:
    shop.write(
        "ubi.ndjson",
        query(query_response_hit_ids=["i9", 8, "i7"], query_attributes={"test": {"random": True}}),
        query(query_id="l2", query_response_hit_ids="i5"),
        query(query_id="l3", query_response_hit_ids=[]),
        query(query_id="l4", query_response_hit_ids=["i1", None]),
        query(query_id="l5", query_response_hit_ids={"i1": 1}),
        query(query_id="l6", timestamp=...),
        event("impression"),
        event("click", event_attributes=of("8", 2)),
    )
    counts = read(shop, {"impressions": "hits", "randomized": "test.random"})
    assert outcome(counts) == (4, 1, 3, 0)
    shown = datetime(2026, 10, 1, 9, 59, 59, tzinfo=UTC)
    columns = "request_id, position, item_id, query_text, user_key, surface, randomized, shown_at"
    assert shop.table("impressions", columns) == [
        ("l1", 1, "i9", "lamp", "c1", "shop", True, shown),
        ("l1", 2, "8", "lamp", "c1", "shop", True, shown),
        ("l1", 3, "i7", "lamp", "c1", "shop", True, shown),
        ("l2", 1, "i5", "lamp", "c1", "shop", False, shown),
    ]
    assert shop.table("requests", "request_id, randomized") == [
        ("l1", True),
        ("l2", None),
        ("l3", None),
    ]
    assert shop.table("rejected_records", "line, reason") == [
        (4, "missing_key"),
        (5, "wrong_type"),
        (6, "missing_key"),
    ]


def test_a_query_without_time_or_id_tells_no_list_anything(shop: "Shop") -> None:
    shop.write("ubi.ndjson", query(timestamp=...), query(query_id=None), query(user_query=""))
    assert outcome(read(shop)) == (1, 2, 0, 0)
    assert shop.table("requests", "request_id, query_text, query_id") == [("l1", None, None)]


def test_an_impression_without_text_waits_for_its_query(shop: "Shop") -> None:
    shop.write("ubi.ndjson", event(user_query=...), event(user_query="", query_id="l2"))
    assert outcome(read(shop)) == (2, 0, 0, 0)
    assert shop.table("impressions", "query_id, query_text") == [
        ("request:l1", None),
        ("request:l2", None),
    ]


def test_a_text_that_becomes_frequent_makes_no_request_twice(shop: "Shop") -> None:
    texts = {"query_text": {"keep": "frequent", "frequent_from": 3}}
    asked = [query(query_id=f"l{n}") for n in range(3)]
    shop.write("ubi.ndjson", event(query_id="l0"), *asked[:2])
    assert outcome(read(shop, **texts)) == (3, 0, 0, 0)
    shop.write("ubi.ndjson", event(query_id="l0"), *asked)
    assert outcome(read(shop, **texts)) == (1, 0, 0, 3)
    assert shop.table("requests", "request_id") == [("l0",), ("l1",), ("l2",)]
