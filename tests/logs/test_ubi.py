"""The UBI reader's events, on records written from the documented schema."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from label_platform.strict_yaml import ConfigurationError
from tests.logs.ubi_records import AT_TEN, Record, event, of, outcome, query, read

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

SHOWN = "request_id, item_id, position, query_text, user_key, session_id, surface, shown_at"
HAPPENED = "request_id, item_id, position, signal, value, user_key, session_id, surface"


def test_events_and_queries_become_impressions_interactions_and_requests(shop: "Shop") -> None:
    browser = event()["event_attributes"] | {"browser": "Mozilla/5.0"}
    shop.write("ubi.ndjson", query(), event(event_attributes=browser), event("click"))
    assert outcome(read(shop)) == (3, 0, 0, 0)
    row = ("l1", "i1", 1, "lamp", "u1", "s1", "shop", AT_TEN)
    assert shop.table("impressions", SHOWN) == [row]
    assert shop.table("impressions", "user_agent, randomized") == [("Mozilla/5.0", False)]
    row = ("l1", "i1", 1, "click", 1.0, "u1", "s1", "shop")
    assert shop.table("interactions", HAPPENED) == [row]
    columns = "request_id, query_text, user_key, session_id, randomized, asked_at"
    asked = datetime(2026, 10, 1, 9, 59, 59, tzinfo=UTC)
    assert shop.table("requests", columns) == [("l1", "lamp", "c1", None, None, asked)]
    [(of_impression,)] = shop.table("impressions", "query_id")
    assert shop.table("requests", "query_id") == [(of_impression,)]


def test_both_shapes_of_ordinal(shop: "Shop") -> None:
    shop.write("ubi.ndjson", event(ordinal=3), event(ordinal={"index": 4}))
    assert outcome(read(shop)) == (2, 0, 0, 0)
    assert shop.table("impressions", "position") == [(3,), (4,)]


@pytest.mark.parametrize(
    ("first_ordinal", "expected"),
    [
        (1, {"app": 2, "shop": 2}),
        (0, {"app": 2 + 1, "shop": 2 + 1}),
        ({"default": 1, "app": 0}, {"app": 2 + 1, "shop": 2}),
        ({"default": 0, "app": 1}, {"app": 2, "shop": 2 + 1}),
        ({"shop": 0, "app": 1}, {"app": 2, "shop": 2 + 1}),
    ],
)
def test_one_file_may_count_from_0_and_from_1(
    shop: "Shop", first_ordinal: object, expected: dict[str, int]
) -> None:
    shop.write("ubi.ndjson", event(ordinal=2), event(ordinal=2, application="app", query_id="l2"))
    assert outcome(read(shop, {"first_ordinal": first_ordinal})) == (2, 0, 0, 0)
    assert dict(shop.table("impressions", "surface, position")) == expected


@pytest.mark.parametrize(
    ("ordinal", "reason", "found"),
    [
        (-1, "position_below_one", "'-1'"),
        (1.5, "wrong_type", "'1.5'"),
        ("two", "wrong_type", "'two'"),
        (10**18, "wrong_type", "'1000000000000000000'"),
        (True, "wrong_type", "'true'"),
        ({"xy": {"x": 1, "y": 2}}, "wrong_type", "an object (redacted)"),
        ({"index": None}, "missing_key", "nothing"),
    ],
)
def test_ordinals_that_are_no_positions_are_refused_as_they_are(
    shop: "Shop", ordinal: object, reason: str, found: str
) -> None:
    shop.write("ubi.ndjson", event(ordinal=ordinal), event(ordinal="0"))
    assert outcome(read(shop, {"first_ordinal": 0})) == (1, 0, 1, 0)
    [(line, given, detail)] = shop.table("rejected_records", "line, reason, detail")
    assert (line, given) == (1, reason)
    assert detail.startswith("position: ")
    assert found in detail


def test_an_application_without_a_base_stops_the_reading(shop: "Shop") -> None:
    shop.write("ubi.ndjson", event(), event(application="shopp"))
    with pytest.raises(ConfigurationError, match=r"first_ordinal.*'shopp'.*did you mean 'shop'"):
        read(shop, {"first_ordinal": {"shop": 1}})
    # what has no ordinal needs no base
    shop.write("ubi.ndjson", event(), query(application="another"))
    assert outcome(read(shop, {"first_ordinal": {"shop": 1}})) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"impresions": "hits"}, r"logs\.0: options: impresions.*did you mean 'impressions'"),
        ({"impressions": "hit"}, r"options: impressions: found 'hit'; did you mean 'hits'"),
        ({"first_ordinal": 2}, r"options: first_ordinal: .*0, 1, or a mapping.*found 2"),
        ({"first_ordinal": {"app": "0"}}, r"options: first_ordinal: .*0, 1, or a mapping"),
        ({"first_ordinal": True}, r"options: first_ordinal: .*found True"),
    ],
)
def test_wrong_options_are_named(shop: "Shop", options: Record, message: str) -> None:
    shop.write("ubi.ndjson", event())
    with pytest.raises(ConfigurationError, match=message):
        read(shop, options)


@pytest.mark.parametrize(
    ("source", "message"),
    [({}, "needs the key path"), ({"path": "ubi*", "impressions": "x*"}, "impressions: format")],
)
def test_a_stream_has_one_path(shop: "Shop", source: Record, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        shop.ingest(logs=[{"format": "ubi", **source}])


def test_who_it_was_is_found_where_clients_write_it(shop: "Shop") -> None:
    in_attributes = of("i1") | {"session_id": "s2"}
    shop.write(
        "ubi.ndjson",
        event("click", user_id="", session_id=..., event_attributes=in_attributes),
        event("click", user_id=None, session_id="", query_id="l2"),
    )
    assert outcome(read(shop)) == (2, 0, 0, 0)
    assert shop.table("interactions", "request_id, user_key, session_id") == [
        ("l1", "c1", "s2"),
        ("l2", "c1", None),
    ]


def test_an_event_without_query_is_kept_if_somebody_did_it(shop: "Shop") -> None:
    nobody = {"query_id": ..., "user_id": "", "client_id": ..., "session_id": ...}
    shop.write(
        "ubi.ndjson",
        event("purchase", query_id=...),
        event("purchase", **nobody),
        event("product_hover", **nobody, event_attributes=None),
    )
    assert outcome(read(shop)) == (1, 1, 1, 0)
    row = (None, "i1", 1, "purchase", 1.0, "u1", "s1", "shop")
    assert shop.table("interactions", HAPPENED) == [row]
    assert shop.table("rejected_records", "line, reason") == [(2, "missing_key")]


def test_items_are_text_numbers_or_an_old_internal_id(shop: "Shop") -> None:
    old = {"object": {"internal_id": 77}, "position": {"ordinal": {"index": 2}}}
    shop.write(
        "ubi.ndjson",
        event(event_attributes=of(42)),
        event(event_attributes=old),
        event(event_attributes=of({"id": 1})),
        event(event_attributes=of(None)),
    )
    assert outcome(read(shop)) == (2, 0, 2, 0)
    assert shop.table("impressions", "item_id, position") == [("42", 1), ("77", 2)]
    reasons = shop.table("rejected_records", "line, reason")
    assert reasons == [(3, "wrong_type"), (4, "missing_key")]


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        (1_790_848_800_000, None, AT_TEN),
        ("2026-10-01T10:00:00Z", None, AT_TEN),
        ("2026-10-01T12:00:00+02:00", None, AT_TEN),
        ("2026-10-01T10:00:00.000+0000", None, AT_TEN),
        ("2026-10-01T12:00:00", "Europe/Berlin", AT_TEN),
        ("2026-10-01T10:00:00Z", "Europe/Berlin", AT_TEN),
        ("2026-10-01T12:00:00", None, "timestamp_without_zone"),
        ("yesterday", "Europe/Berlin", "unreadable_timestamp"),
        (..., None, "missing_key"),
    ],
)
def test_times(shop: "Shop", moment: object, zone: str | None, expected: object) -> None:
    shop.write("ubi.ndjson", event(timestamp=moment))
    counts = read(shop, zone=zone)
    table, column = (
        ("impressions", "shown_at") if counts.accepted else ("rejected_records", "reason")
    )
    assert shop.table(table, column) == [(expected,)]


def test_actions_have_the_signals_names_that_the_problem_asks_for(shop: "Shop") -> None:
    shop.write("ubi.ndjson", event("click_through"), event("addToCart"), event("impression"))
    signals = {name: {"window": "1d"} for name in ("click", "add_to_cart")}
    counts = read(shop, {"actions": {"addToCart": "add_to_cart"}}, signals=signals)
    assert outcome(counts) == (3, 0, 0, 0)
    assert shop.table("interactions", "signal") == [("add_to_cart",), ("click",)]


def test_another_action_may_be_the_impression(shop: "Shop") -> None:
    shop.write("ubi.ndjson", event("view"), event("impression", query_id="l2"))
    assert outcome(read(shop, {"impression_actions": ["view"]})) == (1, 1, 0, 0)
    assert shop.table("impressions", "request_id") == [("l1",)]


def test_what_is_sent_again_is_there_once(shop: "Shop") -> None:
    records = [query(user_query=""), event(), event("click"), event("purchase", query_id=None)]
    shop.write("ubi.ndjson", *records, *records)
    assert outcome(read(shop)) == (4, 0, 0, 4)
    shop.write("ubi.ndjson", *records, *records, *records, event("click", query_id="l2"))
    assert outcome(read(shop)) == (1, 0, 0, 3 * 4)
    tables = ("requests", "impressions", "interactions")
    assert [len(shop.table(name)) for name in tables] == [1, 1, 2 + 1]


def test_broken_records_are_refused_one_by_one(shop: "Shop") -> None:
    shop.write(
        "ubi.ndjson",
        event(),
        '{"index": {"_ind',
        b'{"action_name": "click\xff"}',
        "{}",
        '"index"',
        {"_source": "no document"},
        event(action_name=...),
        event(query_id=...),
        event(event_attributes="none"),
        event(action_name={"name": "click"}),
        {"index": {}, "action_name": "click"},
        event("click", user_id=["u1"]),
    )
    assert outcome(read(shop)) == (1, 0, 11, 0)
    assert shop.table("rejected_records", "line, reason") == [
        (2, "not_json"),
        (3, "invalid_utf8"),
        (4, "missing_key"),
        (5, "not_an_object"),
        (6, "not_an_object"),
        (7, "missing_key"),
        (8, "missing_key"),
        (9, "missing_key"),
        (10, "wrong_type"),
        (11, "missing_key"),
        (12, "wrong_type"),
    ]
    kept = " ".join(raw for (raw,) in shop.table("rejected_records", "raw"))
    assert not any(identity in kept for identity in ('"u1"', '"c1"', '"s1"'))


def test_items_may_lie_beside(shop: "Shop") -> None:
    shop.write("ubi.ndjson", event())
    shop.write("items.csv", "item_id,title,price", "i1,Lamp,9.5")
    source = {"format": "ubi", "path": "ubi*", "items": "items.csv"}
    shop.ingest(logs=[source], item_features=["price"])
    assert shop.table("items", "item_id, title, price") == [("i1", "Lamp", 9.5)]
