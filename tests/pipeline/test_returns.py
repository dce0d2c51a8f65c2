"""A return takes back the purchase that it is of, also days later and from an older list."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from label_platform.pipeline.context import Project
from label_platform.pipeline.planner import stale_work
from label_platform.pipeline.run import run_chain
from label_platform.pipeline.steps import step_of
from label_platform.pipeline.workspace import Workspace
from tests.pipeline.conftest import PROJECT, quiet_instance


def at(on: int, hour: int = 10) -> str:
    return datetime(2026, 10, on, hour, tzinfo=UTC).isoformat()


def shown(request_id: str, on: int, user_id: str = "ann") -> dict[str, Any]:
    return {
        "request_id": request_id,
        "query_id": "shoes",
        "user_id": user_id,
        "item_id": "boot",
        "position": 1,
        "shown_at": at(on),
    }


def event(signal: str, on: int, hour: int = 12, **more: str) -> dict[str, Any]:
    return {"item_id": "boot", "signal": signal, "occurred_at": at(on, hour)} | more


class Shop:
    """A problem with a purchase window of 7 days, and a closed log of October."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir()
        problem = folder / "shop.yaml"
        problem.write_text(
            yaml.safe_dump(
                {
                    "name": "shop",
                    "start_date": date(2026, 10, 1),
                    "end_date": date(2026, 10, 31),
                    "logs_folder": "logs",
                    "logs": [
                        {"format": "native", "impressions": "imp*", "interactions": "events*"}
                    ],
                    "signals": {
                        "click": {"window": "30m"},
                        "purchase": {"window": "7d", "reversed_by": "return"},
                    },
                    "policies": {"from": str(PROJECT / "policies"), "use": ["raw_click"]},
                    "user_ids": "public",
                }
            )
        )
        self.project = Project.load(problem, Workspace(folder / "data"))

    def write(self, name: str, *records: dict[str, Any]) -> None:
        (self.logs / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))

    def build(self) -> dict[str, int]:
        """Bring everything up to date; how many partitions of each table had to be built."""
        with quiet_instance() as instance:
            summary = run_chain(self.project, instance, until="orphaned_interactions")
        assert summary.broken == {}
        with self.project.open() as context:
            last = context.log_days[-1]
            tables = ("matched_interactions", "impression_signals", "orphaned_interactions")
            assert [stale_work(context, step_of(each), "", last) for each in tables] == [[]] * 3
        return summary.built

    def purchases(self) -> dict[str, float]:
        """What each list's impression led to."""
        return dict(self.rows("impression_signals", "request_id, purchase"))

    def orphans(self) -> list[tuple[Any, ...]]:
        return self.rows("orphaned_interactions", "signal, day(occurred_at), reason")

    def contents(self) -> dict[str, str]:
        with self.project.open() as context:
            return context.contents("matched_interactions", tuple(context.event_days))

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Columns of all days of a table, in order."""
        with self.project.open() as context:
            relation = context.lake.scan(table, context.lake.days(table))
            return context.engine.rows(f"select {columns} from {relation} order by all")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_return_without_a_list_goes_to_the_list_that_was_bought_from(shop: Shop) -> None:
    shop.write("imp", shown("a", 1), shown("b", 3))
    shop.write("events", event("purchase", 1, user_id="ann"), event("return", 4, user_id="ann"))
    shop.build()
    assert shop.purchases() == {"a": 0, "b": 0}
    assert shop.orphans() == []


@pytest.mark.parametrize("who", [{"request_id": "a"}, {"user_id": "ann"}])
def test_the_window_of_a_return_counts_from_the_purchase(shop: Shop, who: dict[str, str]) -> None:
    """Bought on the 7th, six days after the list; taken back until the 14th, 12:00."""
    shop.write("imp", shown("a", 1), shown("of_somebody_else", 14, "bob"))
    shop.write("events", event("purchase", 7, **who))
    shop.build()
    assert shop.purchases() == {"a": 1, "of_somebody_else": 0}
    shop.write("events_too_late", event("return", 14, 13, **who))
    shop.build()
    assert shop.purchases()["a"] == 1
    assert shop.orphans() == [("return", 14, "outside_window")]
    shop.write("events_in_time", event("return", 14, 11, **who))
    built = shop.build()
    assert shop.purchases()["a"] == 0
    # the impression is of the 1st; no other day's signals had to be made again
    assert built["impression_signals"] == 1


@pytest.mark.parametrize(
    ("events", "left"),
    [
        (["buy 2", "return"], 0),
        (["buy 2", "return", "buy 3"], 3),
        (["buy 3", "return", "buy 2"], 2),
        (["buy 2", "buy 3", "return"], 2),
        (["buy 2", "buy 3", "return", "return"], 0),
        (["buy 2", "return", "return", "buy 3"], 3),
        (["return", "buy 2"], 2),
        (["buy -1", "return", "buy -2"], -2),
    ],
)
def test_a_return_takes_back_one_purchase(shop: Shop, events: list[str], left: float) -> None:
    """Each on a day of its own; the number is the purchase's value."""
    shop.write("imp", shown("a", 1), shown("b", 1))
    records = [event("purchase", 2, request_id="b")]
    for on, each in enumerate(events, start=1):
        what, _, value = each.partition(" ")
        record = event("return" if what == "return" else "purchase", on, request_id="a")
        records.append(record | ({"value": float(value)} if value else {}))
    shop.write("events", *records)
    shop.build()
    assert shop.purchases() == {"a": left, "b": 1}


def test_a_return_that_is_read_before_its_purchase_finds_it_later(
    shop: Shop, tmp_path: Path
) -> None:
    """Also, the days are the same as if everything had been there from the beginning."""
    bought = event("purchase", 6, user_id="ann", ingested_at=at(20))
    returned = event("return", 9, user_id="ann", ingested_at=at(20))
    lists = shown("a", 1), shown("b", 8)
    shop.write("imp", *lists)
    shop.write("events", returned)
    shop.build()
    assert shop.orphans() == [("return", 9, "nothing_to_reverse")]
    shop.write("events_late", bought)
    assert shop.build()["impression_signals"] == 1
    assert shop.purchases() == {"a": 0, "b": 0}
    assert shop.orphans() == []

    (tmp_path / "at_once").mkdir()
    at_once = Shop(tmp_path / "at_once")
    at_once.write("imp", *lists)
    at_once.write("events", returned, bought)
    at_once.build()
    assert at_once.contents() == shop.contents()
