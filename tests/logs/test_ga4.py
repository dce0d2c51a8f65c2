"""The GA4 export, from records as BigQuery writes them."""

from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from tests.logs.examples_of_formats import (
    AT_TEN,
    GA4,
    GA4_CART,
    GA4_PURCHASE,
    GA4_REFUND,
    GA4_SELECT,
    GA4_VIEW,
    Record,
    changed,
    outcome,
    read,
)

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

BROWSER = "1234567.1690000000"
LIST = "item_id, position, query_id, query_text, surface"
LAMP, BULB = GA4_VIEW["items"]


def digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


SESSION = digest(f"{BROWSER}\x1f1790848000")
REQUEST = digest(f"{BROWSER}\x1f1790848000\x1flamps\x1f1790848800000123")


def view(*items: Record, **changes: object) -> Record:
    return changed(GA4_VIEW, items=list(items), **changes)


def parameter(key: str, kind: str, value: object) -> Record:
    return {"key": key, "value": {kind: value}}


def test_views_are_impressions_and_the_rest_is_feedback(shop: "Shop") -> None:
    shop.write("log.jsonl", *GA4)
    assert outcome(read(shop, "ga4")) == (5, 1, 0, 0)
    columns = "request_id, query_id, user_key, session_id, item_id, position, shown_at, surface"
    shared = (REQUEST, "lamps", BROWSER, SESSION)
    assert shop.table("impressions", f"{columns}, device") == [
        (*shared, "i1", 1, AT_TEN, "lamps", "mobile"),
        (*shared, "i2", 2, AT_TEN, "lamps", "mobile"),
    ]
    columns = "signal, value, request_id, user_key, session_id, surface, position, occurred_at"
    ten = AT_TEN
    assert shop.table("interactions", columns) == [
        ("add_to_cart", 1.0, None, "user-1", SESSION, "lamps", 2, ten + timedelta(seconds=10)),
        ("click", 1.0, None, BROWSER, SESSION, "lamps", 2, ten + timedelta(seconds=5)),
        ("purchase", 2.5 * 4, None, BROWSER, SESSION, None, None, ten + timedelta(seconds=60)),
        ("return", 2.5 * 1, None, BROWSER, SESSION, None, None, ten + timedelta(days=1, minutes=1)),
    ]
    assert set(shop.table("interactions", "item_id")) == {("i2",)}


def test_a_daily_table_that_changed_adds_only_what_is_new(shop: "Shop") -> None:
    shop.write("log_events_20261001.jsonl", *GA4[:3])
    assert outcome(read(shop, "ga4")) == (3, 0, 0, 0)
    before = shop.table("impressions"), shop.table("interactions")
    late = changed(GA4_SELECT, event_timestamp="1790848806000000")
    # exported anew: in another order, with events that came late, numbers as numbers
    again = [changed(each, event_timestamp=int(each["event_timestamp"])) for each in GA4[:3]]
    shop.write("log_events_20261001.jsonl", late, *reversed(again), GA4_PURCHASE)
    assert outcome(read(shop, "ga4")) == (2, 0, 0, 3)
    assert shop.table("impressions") == before[0]
    assert set(before[1]) < set(shop.table("interactions"))
    assert len(shop.table("interactions")) == 2 + 2


@pytest.mark.parametrize(
    ("first_index", "indexes", "positions"),
    [(1, ["1", "2"], [1, 2]), (0, ["0", 1], [1, 2]), (0, [4.0, "5.0"], [5, 6])],
)
def test_the_first_index_is_configured(
    shop: "Shop", first_index: int, indexes: list[object], positions: list[int]
) -> None:
    items = [
        changed(item, item_list_index=index)
        for item, index in zip((LAMP, BULB), indexes, strict=True)
    ]
    shop.write("log.jsonl", view(*items), changed(GA4_SELECT, items=[items[1]]))
    assert outcome(read(shop, "ga4", {"first_index": first_index})) == (2, 0, 0, 0)
    assert shop.table("impressions", "position") == [(each,) for each in positions]
    assert shop.table("interactions", "position") == [(positions[1],)]


@pytest.mark.parametrize("absent", [..., None, "", "(not set)", float("nan")])
@pytest.mark.parametrize("first_index", [0, 1])
def test_without_an_index_the_items_stand_in_order(
    shop: "Shop", absent: object, first_index: int
) -> None:
    items = [changed(item, item_list_index=absent) for item in (LAMP, BULB)]
    shop.write("log.jsonl", view(*items))
    assert outcome(read(shop, "ga4", {"first_index": first_index})) == (1, 0, 0, 0)
    assert shop.table("impressions", "item_id, position") == [("i1", 1), ("i2", 2)]


def test_index_is_read_where_item_list_index_is_not(shop: "Shop") -> None:
    items = [changed(LAMP, item_list_index="(not set)", index=7), changed(BULB, index=9)]
    shop.write("log.jsonl", view(*items))
    read(shop, "ga4")
    assert shop.table("impressions", "position") == [(2,), (7,)]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (view(changed(LAMP, item_list_id=...)), "All lamps"),
        (view(changed(LAMP, item_list_id="(not set)", item_list_name=None), BULB), "lamps"),
        (
            view(
                {"item_id": "i1"},
                event_params=[
                    parameter("item_list_id", "string_value", None),
                    parameter("item_list_name", "string_value", "Home"),
                ],
            ),
            "Home",
        ),
        (
            view(LAMP, event_params=[parameter("item_list_id", "int_value", 5)]),
            "lamps",
        ),
        (view({"item_id": "i1"}), None),
    ],
)
def test_where_the_list_is_named(shop: "Shop", record: Record, expected: str | None) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "ga4")) == (1, 0, 0, 0)
    [(surface, request, query)] = set(shop.table("impressions", "surface, request_id, query_id"))
    assert surface == expected
    assert query == (expected or f"request:{request}")


def test_items_of_two_lists_in_one_event_are_two_lists(shop: "Shop") -> None:
    shop.write("log.jsonl", view(LAMP, changed(BULB, item_list_id="bulbs")))
    read(shop, "ga4")
    other = digest(f"{BROWSER}\x1f1790848000\x1fbulbs\x1f1790848800000123")
    assert shop.table("impressions", "item_id, request_id") == [("i1", REQUEST), ("i2", other)]


def test_what_was_searched_for_is_the_query(shop: "Shop") -> None:
    searched = parameter("search_term", "string_value", "led lamp")
    shop.write("log.jsonl", view(LAMP, event_params=[*GA4_VIEW["event_params"], searched]))
    read(shop, "ga4")
    assert shop.table("impressions", LIST) == [("i1", 1, digest("led lamp"), "led lamp", "lamps")]


def test_items_without_an_id_are_known_by_name(shop: "Shop") -> None:
    shop.write("log.jsonl", view(changed(LAMP, item_id="(not set)"), changed(BULB, item_id=...)))
    read(shop, "ga4")
    assert shop.table("impressions", "item_id") == [("Bulb",), ("Lamp",)]


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (changed(GA4_VIEW, event_timestamp=...), "shown_at: found nothing"),
        (changed(GA4_VIEW, event_timestamp="soon"), "shown_at: found 'soon'"),
        (changed(GA4_VIEW, event_timestamp="1790848800000"), "shown_at: found '1790848800'"),
        (changed(GA4_VIEW, event_name=None), "event_name: found nothing, expected the name"),
        (changed(GA4_VIEW, items=5), "item_id: found nothing"),
        (view(LAMP, {}), "item_id: found nothing"),
        (
            view(LAMP, changed(BULB, item_id=["i2"])),
            "item_id: found an array (redacted), expected an id",
        ),
        (view(changed(LAMP, item_list_index="first")), "position: found 'first'"),
        (view(changed(LAMP, item_list_index="0")), "position: found '0'"),
        (changed(GA4_SELECT, items=[]), "item_id: found nothing"),
        (changed(GA4_SELECT, items=...), "item_id: found nothing"),
        (
            changed(GA4_SELECT, user_pseudo_id="", event_params=[]),
            "request_id: found nothing, expected an id, or the key user_id or session_id",
        ),
        (
            changed(GA4_PURCHASE, items=[{"item_id": "i2", "price": 2, "quantity": "some"}]),
            "value: found 'some', expected a finite number",
        ),
        (
            changed(GA4_PURCHASE, items=[{"item_id": "i2", "price": 1e308, "quantity": 10}]),
            "value: found 'inf', expected a finite number",
        ),
    ],
)
def test_what_is_refused(shop: "Shop", record: Record, detail: str) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "ga4")) == (0, 0, 1, 0)
    [(found,)] = shop.table("rejected_records", "detail")
    assert found.startswith(detail)


@pytest.mark.parametrize(
    "record",
    [
        changed(GA4_VIEW, items=[]),
        changed(GA4_VIEW, items=None),
        changed(GA4_VIEW, items=...),
        changed(GA4_SELECT, event_name="view_item"),
        changed(GA4_SELECT, event_name="scroll", items=..., event_params="none"),
    ],
)
def test_what_shows_nothing_or_was_not_asked_for_is_ignored(shop: "Shop", record: Record) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "ga4")) == (0, 1, 0, 0)


def test_users_without_consent_have_lists_but_no_feedback(shop: "Shop") -> None:
    nobody: Record = {"user_pseudo_id": None, "event_params": []}
    shop.write("log.jsonl", changed(GA4_VIEW, **nobody), changed(GA4_CART, **nobody))
    # the cart has a user id of the shop's own
    assert outcome(read(shop, "ga4")) == (2, 0, 0, 0)
    assert set(shop.table("impressions", "user_key, session_id")) == {(None, None)}
    assert shop.table("interactions", "user_key, session_id") == [("user-1", None)]


def test_two_sizes_of_one_product_are_two_purchases_however_often_sent(shop: "Shop") -> None:
    sizes = [{"item_id": "i2", "item_variant": size, "price": 3.0} for size in ("S", "M")]
    purchase = changed(GA4_PURCHASE, items=sizes)
    shop.write("log.jsonl", purchase, purchase)
    assert outcome(read(shop, "ga4")) == (1, 0, 0, 1)
    assert shop.table("interactions", "item_id, value") == [("i2", 3.0)] * 2


def test_lists_that_were_loaded_from_parquet_again(shop: "Shop") -> None:
    nested = {key: {"list": [{"element": each} for each in GA4_VIEW[key]]} for key in ("items",)}
    nested["event_params"] = {
        "list": [{"element": each} for each in GA4_VIEW["event_params"]],
    }
    shop.write("log.jsonl", GA4_VIEW, changed(GA4_VIEW, **nested))
    assert outcome(read(shop, "ga4")) == (1, 0, 0, 1)


def test_times_are_cut_to_milliseconds_and_tell_lists_apart(shop: "Shop") -> None:
    shop.write("log.jsonl", GA4_VIEW, changed(GA4_VIEW, event_timestamp="1790848800000999"))
    assert outcome(read(shop, "ga4")) == (2, 0, 0, 0)
    assert set(shop.table("impressions", "shown_at")) == {(datetime(2026, 10, 1, 10, tzinfo=UTC),)}
    assert len(set(shop.table("impressions", "request_id"))) == 2


def test_a_refund_takes_back_what_was_paid(shop: "Shop") -> None:
    shop.write("log.jsonl", GA4_REFUND)
    read(shop, "ga4")
    assert shop.table("interactions", "signal, value") == [("return", 2.5)]
