"""Algolia Insights, from events as its documentation describes them."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from label_platform.logs import json_documents, json_records, replay
from tests.logs.conftest import NOW
from tests.logs.examples_of_formats import (
    ALGOLIA,
    ALGOLIA_CART,
    ALGOLIA_CLICK,
    ALGOLIA_FILTERS,
    ALGOLIA_LIST,
    ALGOLIA_PURCHASE,
    ALGOLIA_VIEW,
    AT_TEN,
    AT_TEN_MS,
    Record,
    changed,
    outcome,
    read,
)

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

REFUSED = "line, reason, detail"
EVENTS = "request_id, item_id, signal, value"


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def test_views_are_impressions_and_the_rest_is_feedback(shop: "Shop") -> None:
    shop.write("log.jsonl", *ALGOLIA)
    assert outcome(read(shop, "algolia")) == (4, 1, 0, 0)
    columns = "request_id, query_id, query_text, user_key, item_id, position, shown_at, surface"
    query = f"request:{ALGOLIA_LIST}"
    assert shop.table("impressions", columns) == [
        (ALGOLIA_LIST, query, None, "user-1", "i1", 21, AT_TEN, "products"),
        (ALGOLIA_LIST, query, None, "user-1", "i2", 22, AT_TEN, "products"),
    ]
    columns = "signal, value, request_id, user_key, item_id, position, occurred_at, surface"
    events = [
        ("click", 1.0, ALGOLIA_LIST, "user-1", "i2", 22, AT_TEN + seconds(5)),
        ("add_to_cart", 1.0, ALGOLIA_LIST, "anonymous-1", "i2", None, AT_TEN + seconds(10)),
        ("purchase", 19.5 * 2, ALGOLIA_LIST, "anonymous-1", "i2", None, AT_TEN + seconds(60)),
        ("purchase", 4.0 * 1, None, "anonymous-1", "i9", None, AT_TEN + seconds(60)),
    ]
    found = shop.table("interactions", columns)
    assert sorted(found, key=str) == sorted(((*event, "products") for event in events), key=str)


def test_every_event_of_a_batch_is_a_record(shop: "Shop") -> None:
    batch: Record = {"events": [*ALGOLIA, 5, changed(ALGOLIA_CLICK, positions=["x"])]}
    shop.write("log.jsonl", {"events": []}, batch, ALGOLIA_VIEW, {"events": 7}, "{cut", batch)
    counts = read(shop, "algolia")
    # 7 in the first batch, then a view, no batch, no JSON, and 7 again
    assert counts.records == 0 + 7 + 1 + 1 + 1 + 7
    assert outcome(counts) == (4, 1 + 1, 2 + 1 + 1 + 2, 1 + 4)
    expected = "expected a whole number from 1"
    assert shop.table("rejected_records", REFUSED) == [
        (6, "not_an_object", "found other JSON, expected an object"),
        (7, "wrong_type", f"position: found 'x', {expected}"),
        (9, "wrong_type", "events: found no array, expected one of events"),
        (10, "not_json", "found no JSON, expected an object"),
        (16, "not_an_object", "found other JSON, expected an object"),
        (17, "wrong_type", f"position: found 'x', {expected}"),
    ]


def test_events_are_numbered_through_all_blocks_of_a_file(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    small = partial(json_documents.read_documents, block_bytes=1000)
    monkeypatch.setattr(json_records, "read_documents", small)
    batch: Record = {"events": [changed(ALGOLIA_CLICK, queryID=None), 5, ALGOLIA_FILTERS]}
    shop.write("log.jsonl", *[batch] * 20)
    assert outcome(read(shop, "algolia")) == (1, 20, 20, 19)
    assert shop.table("rejected_records", "line") == [(3 * batch + 2,) for batch in range(20)]


def test_a_refused_event_of_a_batch_is_read_again(shop: "Shop") -> None:
    early = changed(ALGOLIA_VIEW, timestamp=AT_TEN_MS - 86_400_000, queryID="q2")
    shop.write("log.json", {"events": [*ALGOLIA, early, 5]})
    assert outcome(read(shop, "algolia")) == (4, 1, 2, 0)
    logs = [{"format": "algolia", "path": "log*"}]
    problem = shop.problem(logs=logs, start_date="2026-09-30")
    [file] = replay(problem, shop.lake, shop.engine, as_if=NOW).files
    assert (file.records, file.accepted, file.rejected) == (2, 1, 1)
    assert shop.table("rejected_records", "line") == [(7,)]


def test_a_view_without_positions_shows_its_items_in_order(shop: "Shop") -> None:
    shop.write("log.jsonl", changed(ALGOLIA_VIEW, positions=...))
    assert outcome(read(shop, "algolia")) == (1, 0, 0, 0)
    assert shop.table("impressions", "item_id, position") == [("i1", 1), ("i2", 2)]


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (changed(ALGOLIA_VIEW, positions=[21]), "position: found '1 positions for 2 objectIDs'"),
        (changed(ALGOLIA_CLICK, positions=[1, 2]), "position: found '2 positions for 1 objectIDs'"),
        (changed(ALGOLIA_CLICK, positions=[]), "position: found '0 positions for 1 objectIDs'"),
        (
            changed(ALGOLIA_PURCHASE, objectData=[{"price": 1}]),
            "value: found '1 objectData for 2 objectIDs', expected a finite number",
        ),
        (changed(ALGOLIA_PURCHASE, objectData=[{"price": "a"}, {}]), "value: found 'a'"),
        (changed(ALGOLIA_CART, objectIDs=[]), "item_id: found nothing"),
        (changed(ALGOLIA_CART, objectIDs=...), "item_id: found nothing"),
        (changed(ALGOLIA_VIEW, objectIDs=["i1", None]), "item_id: found nothing"),
        (
            changed(ALGOLIA_VIEW, objectIDs=["i1", {}]),
            "item_id: found an object (redacted), expected an id",
        ),
        (changed(ALGOLIA_VIEW, positions=[1, 0]), "position: found '0'"),
        (changed(ALGOLIA_CLICK, timestamp=...), "occurred_at: found nothing"),
        (changed(ALGOLIA_CLICK, timestamp=AT_TEN_MS // 1000), "occurred_at: found '1790848800'"),
        (
            changed(ALGOLIA_CLICK, queryID=None, userToken=..., authenticatedUserToken=""),
            "request_id: found nothing, expected an id, or the key user_id or session_id",
        ),
        (changed(ALGOLIA_CLICK, eventType=...), "eventType: found nothing, expected view, click"),
    ],
)
def test_what_is_refused(shop: "Shop", event: Record, detail: str) -> None:
    shop.write("log.jsonl", event)
    assert outcome(read(shop, "algolia")) == (0, 0, 1, 0)
    [(found,)] = shop.table("rejected_records", "detail")
    assert found.startswith(detail)


@pytest.mark.parametrize(
    "event",
    [
        ALGOLIA_FILTERS,
        changed(ALGOLIA_FILTERS, eventType="view", queryID=ALGOLIA_LIST),
        changed(ALGOLIA_CLICK, eventType="hover", objectIDs=...),
        changed(ALGOLIA_VIEW, queryID=..., positions=...),
        changed(ALGOLIA_CART, eventSubtype="wishlist"),
        changed(ALGOLIA_CART, eventSubtype=...),
    ],
)
def test_what_nobody_asked_for_is_ignored(shop: "Shop", event: Record) -> None:
    shop.write("log.jsonl", event)
    assert outcome(read(shop, "algolia")) == (0, 1, 0, 0)


def test_other_conversions_and_views_can_be_asked_for(shop: "Shop") -> None:
    other = changed(ALGOLIA_CART, eventSubtype=...)
    shop.write("log.jsonl", other, changed(ALGOLIA_VIEW, queryID=..., positions=...))
    signals = {name: {"window": "1d"} for name in ("conversion", "view")}
    assert outcome(read(shop, "algolia", signals=signals)) == (2, 0, 0, 0)
    assert sorted(shop.table("interactions", "signal, item_id")) == [
        ("conversion", "i2"),
        ("view", "i1"),
        ("view", "i2"),
    ]


def test_two_pieces_of_one_product_are_two_purchases_however_often_sent(shop: "Shop") -> None:
    twins = changed(ALGOLIA_PURCHASE, objectIDs=["i2", "i2"], objectData=[{"price": 3}] * 2)
    shop.write("log.jsonl", twins, twins)
    assert outcome(read(shop, "algolia")) == (1, 0, 0, 1)
    assert shop.table("interactions", EVENTS) == [(None, "i2", "purchase", 3.0)] * 2


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"price": "2.5", "quantity": "2"}, 2.5 * 2),
        ({"price": 2.5}, 2.5),
        ({"price": None, "quantity": 2}, 1.0),
        ({}, 1.0),
        (None, 1.0),
    ],
)
def test_the_value_of_a_purchase(shop: "Shop", data: object, value: float) -> None:
    shop.write("log.jsonl", changed(ALGOLIA_PURCHASE, objectIDs=["i2"], objectData=[data]))
    assert outcome(read(shop, "algolia")) == (1, 0, 0, 0)
    assert shop.table("interactions", "value") == [(value,)]


def test_the_list_of_a_purchase_without_one_per_item_is_its_events(shop: "Shop") -> None:
    shop.write("log.jsonl", changed(ALGOLIA_PURCHASE, queryID="q9", objectData=...))
    read(shop, "algolia")
    purchases = [("q9", "i2", "purchase", 1.0), ("q9", "i9", "purchase", 1.0)]
    assert shop.table("interactions", EVENTS) == purchases


@pytest.mark.parametrize("path", ["query", "context.search.text"])
def test_the_query_can_stand_in_an_event_of_ones_own(shop: "Shop", path: str) -> None:
    own: Record = {"query": "lamp", "context": {"search": {"text": "lamp"}}}
    shop.write("log.jsonl", ALGOLIA_VIEW | own, changed(ALGOLIA_VIEW, queryID="q2"))
    assert outcome(read(shop, "algolia", {"query": path})) == (2, 0, 0, 0)
    columns = "request_id = 'q2', query_text, query_id = 'request:q2'"
    assert shop.table("impressions", columns) == [
        (False, "lamp", False),
        (False, "lamp", False),
        (True, None, True),
        (True, None, True),
    ]
