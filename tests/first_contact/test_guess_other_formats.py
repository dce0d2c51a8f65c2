"""Formats of shops and data sets: told by their keys, with the options that they need."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.first_contact.conftest import Guessed, write_lines

Guess = Callable[..., Guessed]
MS = int(datetime(2026, 11, 10, 10, tzinfo=UTC).timestamp() * 1000)
DAY = "2026-11-10"

ALGOLIA = [
    {
        "eventType": "view",
        "eventName": "Shown",
        "userToken": "u",
        "timestamp": MS,
        "queryID": "a" * 32,
        "objectIDs": ["i1", "i2", "i3"],
    },
    {
        "eventType": "click",
        "userToken": "u",
        "timestamp": MS,
        "queryID": "a" * 32,
        "objectIDs": ["i2"],
        "positions": [2],
    },
    {
        "eventType": "conversion",
        "eventSubtype": "addToCart",
        "userToken": "u",
        "timestamp": MS,
        "objectIDs": ["i2"],
    },
    {
        "eventType": "conversion",
        "eventSubtype": "purchase",
        "userToken": "u",
        "timestamp": MS,
        "objectIDs": ["i1", "i2"],
    },
]
GA4 = [
    {
        "event_name": "view_item_list",
        "event_timestamp": MS * 1000,
        "user_pseudo_id": "u",
        "device": {"category": "mobile"},
        "items": [{"item_id": "i1", "index": 1}, {"item_id": "i2", "index": 2}],
    },
    {
        "event_name": "view_item_list",
        "event_timestamp": MS * 1000,
        "user_pseudo_id": "v",
        "device": {"category": "desktop"},
        "items": [{"item_id": "i1", "index": 1}],
    },
    {
        "event_name": "select_item",
        "event_timestamp": MS * 1000,
        "user_pseudo_id": "u",
        "device": {"category": "mobile"},
        "items": [{"item_id": "i2", "index": 2}],
    },
    {
        "event_name": "view_item",
        "event_timestamp": MS * 1000,
        "user_pseudo_id": "u",
        "device": {"category": "mobile"},
        "items": [{"item_id": "i2", "index": 2}],
    },
]
COVEO = [
    {
        "searchQueryUid": "s",
        "queryText": "shoes",
        "visitorId": "v",
        "datetime": MS,
        "results": [{"documentUriHash": "h1"}, {"documentUriHash": "h2"}],
    },
    {
        "searchQueryUid": "s",
        "documentUriHash": "h2",
        "documentPosition": 2,
        "visitorId": "v",
        "datetime": MS,
    },
    {
        "eventType": "ecommerce",
        "eventValue": "addToCart",
        "lastSearchQueryUid": "s",
        "visitorId": "v",
        "datetime": MS,
        "customData": {"contentIDKey": "urihash", "contentIDValue": "h2"},
    },
]
METARANK = [
    {
        "event": "ranking",
        "id": "r",
        "timestamp": str(MS),
        "user": "u",
        "session": "s",
        "fields": [{"name": "query", "value": "shoes"}, {"name": "hour", "value": 10}],
        "items": [
            {"id": "i1", "fields": [{"name": "score", "value": 1.5}]},
            {"id": "i2", "fields": [{"name": "score", "value": 1}]},
        ],
    },
    {
        "event": "interaction",
        "id": "x",
        "ranking": "r",
        "timestamp": str(MS),
        "user": "u",
        "type": "AddToCart",
        "item": "i2",
    },
    {
        "event": "item",
        "id": "y",
        "item": "i2",
        "timestamp": str(MS),
        "fields": [{"name": "price", "value": 3}, {"name": "brand", "value": "b"}],
    },
]


@pytest.mark.parametrize(
    ("format_name", "records", "options", "impressions", "signals"),
    [
        ("algolia", ALGOLIA, {}, "3 impressions in 1 lists", ["add_to_cart", "click", "purchase"]),
        ("ga4", GA4, {}, "3 impressions in 2 lists", ["click"]),
        (
            "coveo",
            COVEO,
            {"timestamp": "datetime"},
            "2 impressions in 1 lists",
            ["add_to_cart", "click"],
        ),
        ("metarank", METARANK, {}, "2 impressions in 1 lists", ["add_to_cart", "click"]),
    ],
)
def test_formats_are_told_by_their_keys(
    tmp_path: Path,
    guessed: Guess,
    format_name: str,
    records: list[Any],
    options: dict[str, Any],
    impressions: str,
    signals: list[str],
) -> None:
    found = guessed(write_lines(tmp_path / "export.jsonl", records))
    assert found.source["format"] == format_name
    assert found.source["path"] == "export.jsonl"
    assert found.source.get("options", {}) == options
    assert f"Seen: {impressions}, {DAY} to {DAY}" in found.words
    assert sorted(found.content["signals"]) == signals
    assert found.content["user_ids"] == "keyed"
    assert found.content["ids"] == "string"
    assert "time_zone" not in found.source
    assert str(found.problem.start_date) == DAY


def test_a_batch_of_events_is_its_events(tmp_path: Path, guessed: Guess) -> None:
    found = guessed(write_lines(tmp_path / "export.jsonl", [{"events": ALGOLIA}]))
    assert found.source["format"] == "algolia"
    assert "click 1" in found.words
    assert "purchase 2" in found.words  # one per item


def test_an_export_as_parquet_is_the_same(tmp_path: Path, guessed: Guess) -> None:
    parquet.write_table(pa.Table.from_pylist(GA4), tmp_path / "export.parquet")
    found = guessed(tmp_path / "export.parquet")
    assert found.source == {"format": "ga4", "path": "export.parquet"}
    assert "Seen: 3 impressions in 2 lists, 2026-11-10 to 2026-11-10" in found.words
    assert found.content["context"] == ["device"]
    assert "view_item: {window: 1d} seen 1 times, not taken" in found.words


def test_an_index_from_zero_is_said(tmp_path: Path, guessed: Guess) -> None:
    record = {**GA4[0], "items": [{"item_id": "i1", "index": 0}, {"item_id": "i2", "index": 1}]}
    found = guessed(write_lines(tmp_path / "export.jsonl", [record]))
    assert found.source["options"] == {"first_index": 0}


def test_the_place_in_a_list_is_said_by_its_own_index_first(tmp_path: Path, guessed: Guess) -> None:
    items = [{"item_id": f"i{n}", "item_list_index": n, "index": n + 1} for n in range(5)]
    found = guessed(write_lines(tmp_path / "export.jsonl", [{**GA4[0], "items": items}]))
    assert found.source["options"] == {"first_index": 0}
    assert "item_list_index or index is 0 for 1 of 5 items" in found.words
    # Google writes (not set) where the site's code says nothing
    items = [{"item_id": f"i{n}", "item_list_index": "(not set)", "index": n} for n in range(5)]
    found = guessed(write_lines(tmp_path / "export.jsonl", [{**GA4[0], "items": items}]))
    assert found.source["options"] == {"first_index": 0}


def test_custom_events_of_coveo_name_their_document_in_several_ways(
    tmp_path: Path, guessed: Guess
) -> None:
    custom = {key: value for key, value in COVEO[2].items() if key != "customData"}
    documents = [
        *({key: "h1"} for key in ("documentUriHash", "documenturihash")),
        {"contentidkey": "@urihash", "contentidvalue": "h1"},
        {"contentIDKey": "permanentid", "contentIDValue": "p1"},  # of no result that is known
    ]
    likes = [{**custom, "eventValue": "likeSmartSnippet", "customData": of} for of in documents]
    found = guessed(write_lines(tmp_path / "export.jsonl", [*COVEO[:2], *likes]))
    assert "like_smart_snippet: {window: 1d} guessed: seen 3 times" in found.words


def test_coveo_without_a_time_has_no_days(tmp_path: Path, guessed: Guess) -> None:
    records = [{key: value for key, value in each.items() if key != "datetime"} for each in COVEO]
    with pytest.raises(ValueError, match="no impression with a time that can be read"):
        guessed(write_lines(tmp_path / "export.jsonl", records))


def test_fields_of_metarank_are_features(tmp_path: Path, guessed: Guess) -> None:
    content = guessed(write_lines(tmp_path / "export.jsonl", METARANK)).content
    assert content["features"] == ["hour", "score"]
    assert content["item_features"] == ["price"]


def test_the_relevancy_of_older_rankings_is_a_feature(tmp_path: Path, guessed: Guess) -> None:
    items = [{"id": "i1", "relevancy": 1.5}, {"id": "i2", "relevancy": 0}]
    records = [{**METARANK[0], "items": items}, *METARANK[1:]]
    found = guessed(write_lines(tmp_path / "export.jsonl", records))
    assert found.content["features"] == ["hour", "relevancy"]


KUAIRAND = {
    "user_id": [1, 1, 2],
    "video_id": [10, 11, 10],
    "time_ms": [MS, MS + 1, MS + 2],
    "is_click": [1, 1, 0],
    "is_like": [0, 1, 0],
    "is_hate": [0, 0, 0],
    "play_time_ms": [5000, 0, 100],
    "duration_ms": [9000, 9000, 0],
    "is_rand": [0, 1, 0],
    "tab": [1, 1, 2],
}


def test_outcomes_of_videos_are_signals_and_no_features(tmp_path: Path, guessed: Guess) -> None:
    pd.DataFrame(KUAIRAND).to_csv(tmp_path / "log_standard.csv", index=False)
    found = guessed(tmp_path / "log_standard.csv")
    assert found.source == {"format": "kuairand", "path": "log_standard.csv"}
    # nobody hated anything; two played for longer than 0
    assert "events: click 2, watch_s 2, like 1." in found.words
    assert found.content["features"] == ["duration_ms"]
    assert found.content["policies"]["use"] == ["raw_click", "ips_click", "coec_click"]
    assert found.content["ids"] == "string"
    assert found.content["user_ids"] == "keyed"
    assert "all 3 lists that were looked at have one item: lambdarank will have" in found.words


def test_the_derived_sample_has_likes_under_another_name(tmp_path: Path, guessed: Guess) -> None:
    table = pd.DataFrame(KUAIRAND).drop(columns=["is_like", "is_rand"])
    table["label"] = [1, 1, 0]
    table.to_csv(tmp_path / "standard.tsv.gz", sep="\t", index=False)
    found = guessed(tmp_path / "standard.tsv.gz")
    assert found.content["signals"]["like"] == {"window": "1d"}
    assert "like: {window: 1d} guessed: seen 2 times" in found.words
    assert found.content["policies"]["use"] == ["raw_click"]


def test_campaigns_and_their_catalogue(tmp_path: Path, guessed: Guess) -> None:
    rows = {
        "timestamp": ["2019-11-24 00:00:01+00:00", "2019-11-30 00:00:01+00:00"],
        "item_id": [3, 4],
        "position": [1, 3],
        "click": [0, 1],
        "propensity_score": [0.5, 0.5],
        "user_feature_0": ["a1", "b2"],
        **{f"user-item_affinity_{n}": [0.0, 1.0] for n in range(3)},
    }
    for name in ("random", "bts"):
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv.gz")
    items = {"item_id": [3, 4], "item_feature_0": [0.1, 0.2], "item_feature_1": ["c", "d"]}
    pd.DataFrame(items).to_csv(tmp_path / "item_context.csv")
    found = guessed(tmp_path)
    assert found.source == {"format": "open_bandit", "path": "*.csv.gz"}
    assert found.content["features"] == ["user-item_affinity_*"]
    assert found.content["item_features"] == ["item_feature_0"]
    assert found.content["user_ids"] == "public"
    assert "2 of 4 lists were in random order" in found.words
    assert "all 4 lists that were looked at have one item" in found.words
    assert (str(found.problem.start_date), str(found.problem.end_date)) == (
        "2019-11-24",
        "2019-11-30",
    )
