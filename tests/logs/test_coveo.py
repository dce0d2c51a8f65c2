"""Coveo usage analytics, from events as its clients send them."""

from datetime import timedelta
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from label_platform.logs import replay
from label_platform.strict_yaml import ConfigurationError
from tests.logs.conftest import NOW
from tests.logs.examples_of_formats import (
    AT_TEN,
    COVEO,
    COVEO_CLICK,
    COVEO_CUSTOM,
    COVEO_SEARCH,
    Record,
    changed,
    outcome,
    read,
)

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

UID = COVEO_SEARCH["searchQueryUid"]
LIKES = {"signals": {"click": {"window": "1d"}, "like_smart_snippet": {"window": "1d"}}}
QUERY = md5(b"lamp", usedforsecurity=False).hexdigest()


def test_searches_are_impressions_and_the_rest_is_feedback(shop: "Shop") -> None:
    shop.write("log.jsonl", *COVEO)
    assert outcome(read(shop, "coveo", **LIKES)) == (3, 1, 0, 0)
    columns = "request_id, query_id, query_text, user_key, session_id, item_id, position, shown_at"
    shared = (UID, QUERY, "lamp", "visitor-1", "visit-1")
    found = shop.table("impressions", f"{columns}, surface, ranker_id, user_agent")
    assert sorted(found) == [
        (*shared, "h1", 1, AT_TEN, "ProductSearch", "ml", "Mozilla/5.0"),
        (*shared, "h2", 2, AT_TEN, "ProductSearch", "ml", "Mozilla/5.0"),
    ]
    columns = "signal, value, request_id, user_key, session_id, item_id, position, occurred_at"
    mine = (UID, "visitor-1", "visit-1", "h2")
    assert shop.table("interactions", f"{columns}, surface") == [
        ("click", 1.0, *mine, 2, AT_TEN + timedelta(seconds=5), "ProductSearch"),
        ("like_smart_snippet", 1.0, *mine, None, AT_TEN + timedelta(seconds=10), None),
    ]


@pytest.mark.parametrize(
    ("data", "document"),
    [
        ({"documentUriHash": "h3"}, "h3"),
        ({"documenturihash": "h3"}, "h3"),
        ({"contentIdKey": "@urihash", "contentIdValue": "h3"}, "h3"),
        ({"contentidkey": "UriHash", "contentidvalue": "h3"}, "h3"),
        ({"contentIDKey": "permanentid", "contentIDValue": "p3"}, None),
        ({"contentIDValue": "p3"}, None),
        ("text", None),
        (None, None),
    ],
)
def test_the_document_of_a_custom_event(shop: "Shop", data: object, document: str | None) -> None:
    shop.write("log.jsonl", changed(COVEO_CUSTOM, customData=data))
    expected = (1, 0, 0, 0) if document else (0, 1, 0, 0)
    assert outcome(read(shop, "coveo", **LIKES)) == expected
    found = shop.table("interactions", "item_id, request_id")
    assert found == ([(document, UID)] if document else [])


def test_a_document_of_its_own_makes_no_click_of_a_custom_event(shop: "Shop") -> None:
    shop.write("log.jsonl", changed(COVEO_CUSTOM, documentUriHash="h1", customData=...))
    read(shop, "coveo", **LIKES)
    assert shop.table("interactions", "signal, item_id") == [("like_smart_snippet", "h1")]


def test_documents_without_a_hash_are_known_by_their_address(shop: "Shop") -> None:
    results = [{"documentUri": "u1"}, {"documentUri": "u2", "documentUriHash": ""}]
    click = changed(COVEO_CLICK, documentUriHash=None, documentUri="u2")
    shop.write("log.jsonl", changed(COVEO_SEARCH, results=results), click)
    assert outcome(read(shop, "coveo")) == (2, 0, 0, 0)
    assert shop.table("impressions", "item_id, position") == [("u1", 1), ("u2", 2)]
    assert shop.table("interactions", "item_id") == [("u2",)]


@pytest.mark.parametrize("text", ["", None, ...])
def test_a_search_without_a_text_is_a_query_of_its_own(shop: "Shop", text: object) -> None:
    shop.write("log.jsonl", changed(COVEO_SEARCH, queryText=text))
    assert outcome(read(shop, "coveo")) == (1, 0, 0, 0)
    [(query, found)] = set(shop.table("impressions", "query_id, query_text"))
    assert (query, found) == (f"request:{UID}", None)


@pytest.mark.parametrize(
    ("changes", "user"),
    [
        ({}, "visitor-1"),
        ({"visitorId": "", "clientId": "client-1"}, "client-1"),
        ({"visitorId": None, "username": "ann@shop.example"}, "ann@shop.example"),
        ({"visitorId": ..., "username": "Anonymous"}, None),
    ],
)
def test_who_it_was(shop: "Shop", changes: Record, user: str | None) -> None:
    shop.write("log.jsonl", changed(COVEO_SEARCH, **changes))
    read(shop, "coveo")
    assert set(shop.table("impressions", "user_key")) == {(user,)}


@pytest.mark.parametrize(
    "record",
    [
        changed(COVEO_SEARCH, results=[]),
        changed(COVEO_SEARCH, results=None),
        changed(COVEO_SEARCH, results=...),
        {"timestamp": 5, "something": "else"},
        changed(COVEO_CUSTOM, eventValue="openTab"),
    ],
)
def test_what_is_ignored(shop: "Shop", record: Record) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "coveo")) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (changed(COVEO_SEARCH, timestamp=...), "shown_at: found nothing"),
        (changed(COVEO_SEARCH, searchQueryUid=...), "request_id: found nothing"),
        (changed(COVEO_SEARCH, results="none"), "item_id: found nothing"),
        (changed(COVEO_SEARCH, results=[{}, None]), "item_id: found nothing"),
        (
            changed(COVEO_SEARCH, queryText={"a": 1}),
            "query_text: found a value (redacted), expected text",
        ),
        (changed(COVEO_CLICK, documentPosition=0), "position: found '0'"),
        (changed(COVEO_CLICK, documentPosition="two"), "position: found 'two'"),
        (changed(COVEO_CLICK, documentUri=..., documentUriHash=""), "item_id: found nothing"),
        (changed(COVEO_CUSTOM, eventValue=...), "signal: found nothing"),
    ],
)
def test_what_is_refused(shop: "Shop", record: Record, detail: str) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "coveo")) == (0, 0, 1, 0)
    [(found,)] = shop.table("rejected_records", "detail")
    assert found.startswith(detail)


@pytest.mark.parametrize(
    ("key", "moment"),
    [
        ("datetime", {"datetime": "2026-10-01T10:00:00.000Z"}),
        ("customData.at", {"customData": {"at": "1790848800000"}}),
    ],
)
def test_the_key_of_the_time_is_configured(shop: "Shop", key: str, moment: Record) -> None:
    shop.write("log.jsonl", changed(COVEO_SEARCH, timestamp=..., **moment))
    assert outcome(read(shop, "coveo", {"timestamp": key})) == (1, 0, 0, 0)
    assert set(shop.table("impressions", "shown_at")) == {(AT_TEN,)}


def test_a_key_of_the_time_that_was_mended_empties_the_quarantine(shop: "Shop") -> None:
    shop.write("log.jsonl", *COVEO)
    assert outcome(read(shop, "coveo", {"timestamp": "datetime"})) == (0, 2, 2, 0)
    logs = [{"format": "coveo", "path": "log*", "options": {"timestamp": "timestamp"}}]
    replay(shop.problem(logs=logs), shop.lake, shop.engine, as_if=NOW)
    assert len(shop.table("impressions")) == 2
    assert shop.table("rejected_records") == []


@pytest.mark.parametrize("options", [{}, {"timestmp": "datetime"}])
def test_without_the_key_of_the_time_likely_ones_are_named(shop: "Shop", options: Record) -> None:
    shop.write("log.jsonl", *COVEO)
    source = {"format": "coveo", "path": "log*", "options": options}
    with pytest.raises(ConfigurationError) as error:
        shop.ingest(logs=[source])
    assert "options: timestamp: this key is required and absent" in str(error.value)
    assert "such as timestamp, datetime or time" in str(error.value)
    assert ("did you mean 'timestamp'?" in str(error.value)) == bool(options)
