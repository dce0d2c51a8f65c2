"""Metarank's events, as its documentation describes them."""

from datetime import timedelta
from hashlib import md5
from typing import TYPE_CHECKING

import pytest

from label_platform.strict_yaml import ConfigurationError
from tests.logs.examples_of_formats import (
    AT_TEN,
    AT_TEN_MS,
    METARANK,
    METARANK_INTERACTION,
    METARANK_ITEM,
    METARANK_RANKING,
    METARANK_USER,
    Record,
    changed,
    outcome,
    read,
)

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

FEATURES = {"features": ["bm25", "relevancy", "sou*"], "item_features": ["price", "is_*"]}
QUERY = md5(b"lamp", usedforsecurity=False).hexdigest()


def field(name: object, value: object) -> Record:
    return {"name": name, "value": value}


def test_rankings_are_impressions_and_interactions_feedback(shop: "Shop") -> None:
    shop.write("log.jsonl", *METARANK)
    assert outcome(read(shop, "metarank", **FEATURES)) == (3, 1, 0, 0)
    columns = "request_id, query_id, query_text, user_key, session_id, item_id, position, shown_at"
    shared = ("ranking-1", QUERY, "lamp", "user-1", "session-1")
    assert shop.table("impressions", f"{columns}, bm25, relevancy, source") == [
        (*shared, "i1", 1, AT_TEN, 2.5, None, "search"),
        (*shared, "i2", 2, AT_TEN, None, 1.5, "search"),
    ]
    columns = "signal, value, request_id, user_key, session_id, item_id, position, occurred_at"
    five = AT_TEN + timedelta(seconds=5)
    assert shop.table("interactions", columns) == [
        ("add_to_cart", 1.0, "ranking-1", "user-1", "session-1", "i2", None, five)
    ]
    before = AT_TEN - timedelta(seconds=1)
    columns = "item_id, valid_from, title, price, is_new"
    assert shop.table("items", columns) == [("i1", before, "Lamp", 20.0, 1.0)]


def test_what_was_searched_for_may_have_another_name(shop: "Shop") -> None:
    fields = [field("query", "no"), field("searched", "lamp")]
    shop.write("log.jsonl", changed(METARANK_RANKING, fields=fields))
    read(shop, "metarank", {"query_field": "searched"})
    assert set(shop.table("impressions", "query_id, query_text")) == {(QUERY, "lamp")}


@pytest.mark.parametrize(
    "fields", [..., None, [], 5, [5, None], [field("query", "")], [field("query", None)]]
)
def test_a_ranking_without_a_query_is_a_query_of_its_own(shop: "Shop", fields: object) -> None:
    shop.write("log.jsonl", changed(METARANK_RANKING, fields=fields))
    assert outcome(read(shop, "metarank")) == (1, 0, 0, 0)
    found = set(shop.table("impressions", "query_id, query_text"))
    assert found == {("request:ranking-1", None)}


def test_fields_become_features(shop: "Shop") -> None:
    items = [
        {"id": "i1", "fields": [field("score", "1.5"), field("shared", 1), field("score", 9)]},
        {"id": "i2", "fields": [field("score", [1, 2]), field("kind", "new")]},
        {"id": "i3", "fields": None},
    ]
    fields = [field("shared", 2), field("SHARED", 3), field("is_app", value=True), field(None, 1)]
    shop.write("log.jsonl", changed(METARANK_RANKING, items=items, fields=fields))
    read(shop, "metarank", features=["score", "shared", "kind", "is_app"])
    assert shop.table("impressions", "item_id, score, shared, kind, is_app") == [
        ("i1", 1.5, 1.0, None, 1.0),
        ("i2", None, 2.0, "new", 1.0),
        ("i3", None, 2.0, None, 1.0),
    ]


def test_features_that_no_event_has_are_named(shop: "Shop") -> None:
    shop.write("log.jsonl", *METARANK)
    with pytest.raises(ConfigurationError, match=r"'bm26' matches no column.*did you mean 'bm25'"):
        read(shop, "metarank", features=["bm26"])


def test_an_interaction_without_a_ranking_belongs_to_its_user(shop: "Shop") -> None:
    shop.write(
        "log.jsonl",
        changed(METARANK_INTERACTION, ranking=""),
        changed(METARANK_INTERACTION, ranking=None, session=...),
        changed(METARANK_INTERACTION, ranking=..., session=None, user=""),
    )
    assert outcome(read(shop, "metarank")) == (2, 0, 1, 0)
    assert set(shop.table("interactions", "request_id is null, user_key, session_id is null")) == {
        (True, "user-1", False),
        (True, "user-1", True),
    }


def test_an_item_is_what_its_events_say_as_of_their_time(shop: "Shop") -> None:
    cheaper = changed(METARANK_ITEM, timestamp=AT_TEN_MS, fields=[field("price", 15)])
    shop.write("log.jsonl", METARANK_ITEM, cheaper, METARANK_ITEM)
    read(shop, "metarank", item_features=["price"])
    assert shop.table("items", "item_id, valid_from, title, price") == [
        ("i1", AT_TEN - timedelta(seconds=1), "Lamp", 20.0),
        ("i1", AT_TEN, None, 15.0),
    ]


@pytest.mark.parametrize(
    "record",
    [
        METARANK_USER,
        changed(METARANK_RANKING, event="feedback"),
        changed(METARANK_RANKING, items=[]),
        changed(METARANK_INTERACTION, type="hover", item=...),
    ],
)
def test_what_is_ignored(shop: "Shop", record: Record) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "metarank")) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (changed(METARANK_RANKING, event=...), "event: found nothing, expected ranking, inter"),
        (changed(METARANK_RANKING, id=...), "request_id: found nothing"),
        (changed(METARANK_RANKING, timestamp=None), "shown_at: found nothing"),
        (changed(METARANK_RANKING, items=...), "item_id: found nothing"),
        (changed(METARANK_RANKING, items={"id": "i1"}), "item_id: found nothing"),
        (changed(METARANK_RANKING, items=[{"id": "i1"}, 5]), "item_id: found nothing"),
        (changed(METARANK_RANKING, items=[{"id": True}]), "item_id: found 'true', expected an id"),
        (changed(METARANK_INTERACTION, type=...), "signal: found nothing"),
        (changed(METARANK_INTERACTION, type={}), "signal: found"),
        (changed(METARANK_INTERACTION, item=""), "item_id: found nothing"),
        (changed(METARANK_ITEM, item=...), "item_id: found nothing"),
        (changed(METARANK_ITEM, timestamp="now"), "valid_from: found 'now'"),
    ],
)
def test_what_is_refused(shop: "Shop", record: Record, detail: str) -> None:
    shop.write("log.jsonl", record)
    assert outcome(read(shop, "metarank")) == (0, 0, 1, 0)
    [(found,)] = shop.table("rejected_records", "detail")
    assert found.startswith(detail)
