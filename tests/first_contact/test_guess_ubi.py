"""User Behavior Insights: what is an impression, where ordinals begin, what is feedback."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.first_contact.conftest import Guessed, write_lines

Guess = Callable[..., Guessed]


def said(action: str, ordinal: object = 1, **changes: object) -> dict[str, Any]:
    """An event about an item of the list q1."""
    return {
        "application": "shop",
        "action_name": action,
        "query_id": "q1",
        "client_id": "c",
        "timestamp": "2026-11-10T10:00:00Z",
        "user_query": "shoes",
        "event_attributes": {
            "object": {"object_id": "i1"},
            "position": {"ordinal": ordinal},
        },
        **changes,
    }


def asked(**changes: object) -> dict[str, Any]:
    """The query of the list q1."""
    return {
        "application": "shop",
        "query_id": "q1",
        "user_query": "shoes",
        "timestamp": "2026-11-10T09:59:59Z",
        "query_attributes": {},
        **changes,
    }


def test_events_and_queries_of_one_file(tmp_path: Path, guessed: Guess) -> None:
    records = [asked(), said("impression", 1), said("impression", 2), said("click", 2)]
    found = guessed(write_lines(tmp_path / "ubi.ndjson.gz", records))
    assert found.source == {
        "format": "ubi",
        "path": "ubi.ndjson.gz",
        "options": {"impressions": "events", "first_ordinal": {"default": 1}},
    }
    assert found.content["ids"] == "string"
    assert found.content["user_ids"] == "keyed"
    assert found.content["signals"] == {"click": {"window": "30m"}}
    assert found.problem.start_date == date(2026, 11, 10)
    assert found.proposal.next_command == "labels"  # there is nothing that a ranker could use


def test_the_ordinal_base_is_each_applications_own(tmp_path: Path, guessed: Guess) -> None:
    records = [
        *(said("impression", n, application="old") for n in (0, 1, 2)),
        *(said("impression", {"index": n}, application="nested") for n in (0, 1)),
        *(said("impression", n, application="new") for n in (1, 2, 3)),
        said("click", 3, application="new"),
    ]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    # five ordinals begin at 0 and four at 1, so 0 stands for applications that come later
    assert found.source["options"]["first_ordinal"] == {"default": 0, "new": 1}
    assert found.doubts == ["first_ordinal"]
    for words in ("old: smallest ordinal 0 of 3", "new: smallest ordinal 1 of 4"):
        assert words in found.words


def test_views_are_impressions_where_there_are_no_others(tmp_path: Path, guessed: Guess) -> None:
    records = [said("view"), said("view", 2), said("click")]
    options = guessed(write_lines(tmp_path / "ubi.jsonl", records)).source["options"]
    assert options["impression_actions"] == ["view"]
    records.append(said("impression"))
    options = guessed(write_lines(tmp_path / "ubi.jsonl", records)).source["options"]
    assert "impression_actions" not in options


def test_hits_are_impressions_where_no_events_are(tmp_path: Path, guessed: Guess) -> None:
    records = [asked(query_response_hit_ids=["a", "b", "c"]), said("click")]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    assert found.source["options"]["impressions"] == "hits"
    assert "Seen: 3 impressions in 1 lists" in found.words


def test_a_click_by_another_name_is_renamed(tmp_path: Path, guessed: Guess) -> None:
    records = [said("impression"), said("item_click"), said("item_click")]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    assert found.source["options"]["actions"] == {"item_click": "click"}
    assert found.content["signals"] == {"click": {"window": "30m"}}
    # click_through, of older versions, is one that the reader knows
    records = [said("impression"), said("click_through"), said("item_click")]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    assert "actions" not in found.source["options"]
    assert "click: {window: 30m} guessed: seen 1 times" in found.words


def test_events_about_no_item_and_unknown_actions_are_not_taken(
    tmp_path: Path, guessed: Guess
) -> None:
    records = [said("impression"), said("click"), said("hover"), said("purchase")]
    records += [said("search", event_attributes={}), said("scroll", event_attributes=None)]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    assert list(found.content["signals"]) == ["click", "purchase"]
    assert "hover: {window: 1d} seen 1 times, not taken" in found.words
    assert "search" not in found.text


def test_signals_that_are_not_taken_can_be_uncommented(tmp_path: Path, guessed: Guess) -> None:
    long_name = "x" * 63
    actions = ["click", "hover", "on", "Quick View", long_name, "addToCart", "3d"]
    records = [said("impression"), *map(said, actions)]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    assert list(found.content["signals"]) == ["click", "add_to_cart"]
    text, count = re.subn(r"^  # (?=\S+: \{)", "  ", found.text, flags=re.MULTILINE)
    assert count == 4
    found.path.write_text(text)
    expected = {"click", "add_to_cart", "hover", "on", "quick_view", long_name}
    assert set(found.problem.signals) == expected
    assert "'3d' was seen 1 times, but is no name of a signal" in found.words


def test_actions_whose_names_no_signal_can_bear_are_renamed(tmp_path: Path, guessed: Guess) -> None:
    records = [said("impression"), said("productClick"), said("addToCart"), said("add_to_cart")]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    expected = {"addToCart": "add_to_cart", "productClick": "click"}
    assert found.source["options"]["actions"] == expected
    assert "click: {window: 30m} guessed: seen 1 times" in found.words
    assert "add_to_cart: {window: 1d} guessed: seen 2 times" in found.words


@pytest.mark.parametrize("flag", [True, False])
def test_a_flag_of_randomised_lists_is_found_by_its_name(
    tmp_path: Path, guessed: Guess, *, flag: bool
) -> None:
    attributes = {"experiment": {"name": "x", "shuffled": flag}, "random_seed": 7}
    records = [asked(query_attributes=attributes, query_response_hit_ids=["a"]), said("click")]
    found = guessed(write_lines(tmp_path / "ubi.jsonl", records))
    assert found.source["options"]["randomized"] == "experiment.shuffled"
    expected = ["raw_click", "ips_click", "coec_click"] if flag else ["raw_click"]
    assert found.content["policies"]["use"] == expected


def test_layouts_of_dumps(tmp_path: Path, guessed: Guess) -> None:
    records = [asked(), said("impression"), said("click")]
    dump = [line for record in records for line in ({"index": {"_index": "ubi"}}, record)]
    wrapped = [{"_index": "ubi", "_source": record} for record in records]
    files = {
        "dump.ndjson": "\n".join(map(json.dumps, dump)),
        "wrapped.jsonl": "\n".join(map(json.dumps, wrapped)),
        "array.json": json.dumps(records),
        "lines.json": "[\n" + ",\n".join(map(json.dumps, records)) + "\n]",
        "pretty.json": json.dumps(records, indent=2),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        found = guessed(tmp_path / name)
        assert "3 records of 1 of 1 files" in found.words, name
        assert found.source["path"] == name
        assert "Seen: 1 impressions in 1 lists" in found.words, name


def test_events_and_queries_in_files_of_their_own(tmp_path: Path, guessed: Guess) -> None:
    write_lines(tmp_path / "ubi" / "events-2026-11-10.jsonl", [said("impression"), said("click")])
    write_lines(tmp_path / "ubi" / "queries-2026-11-10.jsonl", [asked()])
    assert guessed(tmp_path / "ubi").source["path"] == "*.jsonl"
    # with something else in the folder that the glob would match, too, there are two sources
    write_lines(tmp_path / "ubi" / "notes.jsonl", [{"remark": "none"}])
    found = guessed(tmp_path / "ubi")
    paths = [source["path"] for source in found.content["logs"]]
    assert paths == ["events-*.jsonl", "queries-*.jsonl"]
    assert "not used, as no log of this format: notes.jsonl" in found.words
