"""What is looked up in the files again is what ingestion made of them, with file and line."""

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from label_platform.logs import RawLine, RawLines, Table, Wish, erase_user, raw_lines
from label_platform.problem import Problem
from tests.logs.examples_of_formats import EXAMPLES, OPTIONS, read
from tests.logs.test_kuairand import ROW, SIGNALS
from tests.logs.test_kuairand import table as kuairand_table

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

COLUMNS = {
    "impressions": "impression_id, request_id, query_id, item_id, position, shown_at, session_id",
    "interactions": "interaction_id, request_id, item_id, signal, value, occurred_at, session_id",
    "requests": "request_id, asked_at, query_id, query_text",
}


def looker(shop: "Shop", problem: Problem) -> RawLines:
    return raw_lines(problem, shop.engine, shop.lake, ["duration_ms"])


def all_lines(shop: "Shop", lines: RawLines, table: Table) -> list[RawLine]:
    """Every line of a table, looked up by the items or lists that the lake has."""
    days = shop.lake.days(table)
    key = "request_id" if table == "requests" else "item_id"
    values = {(value,) for (value,) in shop.table(table, f"distinct {key}")}
    return lines.find(table, days, [Wish((key,), values)])


def as_in_lake(found: list[RawLine], columns: str) -> set[tuple[Any, ...]]:
    return {tuple(str(line.values[name]) for name in columns.split(", ")) for line in found}


def lake_rows(shop: "Shop", table: str) -> set[tuple[Any, ...]]:
    casts = ", ".join(
        f"{name}::varchar" if name.endswith("_id") and name.startswith("i") else name
        for name in COLUMNS[table].split(", ")
    )
    return {tuple(map(str, row)) for row in shop.table(table, casts)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_lines_of_every_format_are_those_of_the_lake(shop: "Shop", name: str) -> None:
    shop.write("log.jsonl", *EXAMPLES[name], EXAMPLES[name][0])
    read(shop, name)
    signals = {each: {"window": "1d"} for each in ("click", "add_to_cart")}
    signals["purchase"] = {"window": "7d", "reversed_by": "return"}
    source = {"format": name, "path": "log*", "options": OPTIONS.get(name, {})}
    lines = looker(shop, shop.problem(logs=[source], signals=signals))
    tables: tuple[Table, ...] = ("impressions", "interactions", "requests")
    for table in tables:
        if not shop.lake.days(table):
            continue
        found = all_lines(shop, lines, table)
        assert as_in_lake(found, COLUMNS[table]) == lake_rows(shop, table)
        assert {line.file for line in found} <= {"log.jsonl"}
        assert {line.line for line in found} <= set(range(1, len(EXAMPLES[name]) + 2))
    assert (lines.changed, lines.gone) == (set(), {})


def test_feedback_within_an_impression_is_looked_up_as_events(shop: "Shop") -> None:
    rows = [
        ROW | {"video_id": 300 + n, "is_click": n % 2, "play_time_ms": 1000 * n} for n in range(6)
    ]
    shop.write("log.csv", *kuairand_table(*rows))
    changes = {
        "logs": [{"format": "kuairand", "path": "log.csv"}],
        "signals": {name: {"window": "1d"} for name in SIGNALS},
        "features": ["duration_ms"],
        "start_date": date(2022, 4, 1),
    }
    shop.ingest(**changes)
    lines = looker(shop, shop.problem(**changes))
    events = all_lines(shop, lines, "interactions")
    assert len(events) == 3 + 5
    # the header is line 1
    assert as_in_lake(events, COLUMNS["interactions"]) == lake_rows(shop, "interactions")
    assert {
        (line.values["item_id"], line.line) for line in events if line.values["value"] == 5
    } == {("305", 7)}
    shown = all_lines(shop, lines, "impressions")
    assert as_in_lake(shown, COLUMNS["impressions"]) == lake_rows(shop, "impressions")
    assert {line.values["duration_ms"] for line in shown} == {93_633.0}


def test_only_what_is_wished_for_is_found(shop: "Shop") -> None:
    records = [shop.impression(request_id=r, item_id=i) for r in "ab" for i in "xyz"]
    shop.write("impressions.jsonl", *records)
    shop.write("interactions.jsonl", shop.event(request_id="a", item_id="x"), "broken")
    shop.ingest()
    lines, days = looker(shop, shop.problem()), [date(2026, 10, 1)]
    both = Wish(("request_id", "item_id"), {("a", "y"), ("b", "z")})
    found = lines.find("impressions", days, [both, Wish(("item_id",), {("x",)})])
    assert [(line.line, line.values["request_id"], line.values["item_id"]) for line in found] == [
        (1, "a", "x"),
        (2, "a", "y"),
        (4, "b", "x"),
        (6, "b", "z"),
    ]
    assert lines.find("impressions", [date(2026, 10, 2)], [both]) == []
    assert lines.find("impressions", days, [Wish(("item_id",), set())]) == []
    assert lines.files_of("impressions", days) == ["impressions.jsonl"]


def test_a_file_that_changed_or_went_away_is_named(shop: "Shop") -> None:
    shop.write("impressions.jsonl", shop.impression())
    shop.write("interactions.jsonl", shop.event())
    shop.ingest()
    lines, days = looker(shop, shop.problem()), [date(2026, 10, 1)]
    wish = [Wish(("item_id",), {("i1",)})]
    path = shop.folder / "logs" / "impressions.jsonl"
    path.touch()
    assert len(lines.find("impressions", days, wish)) == 1
    assert lines.changed == set()
    path.write_text(json.dumps(shop.impression(position=2)) + "\n")
    (line,) = lines.find("impressions", days, wish)
    assert (line.values["position"], lines.changed) == (2, {"impressions.jsonl"})
    path.unlink()
    assert lines.find("impressions", days, wish) == []
    assert lines.gone == {"impressions.jsonl": "it is not there any more"}


def test_lines_of_an_erased_user_are_not_found(shop: "Shop") -> None:
    ann, bob = {"user_id": "ann", "session_id": "s1"}, {"user_id": "bob", "session_id": "s2"}
    shop.write(
        "impressions.jsonl",
        shop.impression(request_id="r1", **ann),
        shop.impression(request_id="r2", **bob),
    )
    events = [
        shop.event(request_id="r1", **ann),
        shop.event(request_id="r1"),
        shop.event(request_id=..., session_id="s1"),
        shop.event(request_id="r2", **bob),
    ]
    shop.write("interactions.jsonl", *events)
    shop.ingest()
    wish, days = [Wish(("item_id",), {("i1",)})], [date(2026, 10, 1)]
    assert len(looker(shop, shop.problem()).find("interactions", days, wish)) == 4
    erase_user(shop.problem(), shop.lake, shop.engine, "ann")
    lines = looker(shop, shop.problem())
    found = lines.find("interactions", days, wish)
    assert [line.line for line in found] == [4]
    assert len(found) == len(shop.table("interactions"))
    assert [line.line for line in lines.find("impressions", days, wish)] == [2]
