"""What was guessed from a sample is what the format's reader then finds in the logs."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import ingest
from tests.first_contact.conftest import Guessed, event, impression, write_lines, write_native
from tests.first_contact.test_guess_other_formats import ALGOLIA, COVEO, GA4, KUAIRAND, METARANK
from tests.first_contact.test_guess_ubi import asked, said

Guess = Callable[..., Guessed]
READ_AT = datetime(2026, 11, 21, tzinfo=UTC)
ZERO_BASED = [{**GA4[0], "items": [{"item_id": "i1", "index": 0}, {"item_id": "i2", "index": 1}]}]
LIST_INDEX = [
    {
        **GA4[0],
        "items": [{"item_id": f"i{n}", "item_list_index": n, "index": n + 1} for n in range(5)],
    }
]
LIKES = [
    {**COVEO[2], "eventValue": "likeSmartSnippet", "customData": {"documentUriHash": "h1"}},
    {**COVEO[2], "customData": {"contentIDKey": "permanentid", "contentIDValue": "p1"}},
]
SECOND = {"object": {"object_id": "i2"}, "position": {"ordinal": 1}}
UBI = [
    asked(),
    said("view", 0),
    said("view", event_attributes=SECOND),
    said("item_click", event_attributes=SECOND),
    said("hover"),
]
HITS = [asked(query_response_hit_ids=["i1", "i2"]), said("click", 1), said("addToCart", 1)]


def read_back(found: Guessed, folder: Path) -> tuple[dict[str, int], int]:
    """Rows that ingestion makes, impressions and events by signal, and records it refuses."""
    problem = found.problem
    lake = Lake(folder / "lake", problem.name)
    with Engine() as engine:
        report = ingest(problem, lake, engine, as_if=READ_AT)
        counts = {"impressions": 0}
        for table, column in (("impressions", "'impressions'"), ("interactions", "signal")):
            if lake.days(table):
                scan = lake.scan(table, lake.days(table))
                counts |= dict(engine.rows(f"select {column}, count(*) from {scan} group by 1"))
    assert report.refused == ()
    return counts, sum(each.rejected for each in report.files)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (ALGOLIA, {"impressions": 3, "click": 1, "add_to_cart": 1, "purchase": 2}),
        (GA4, {"impressions": 3, "click": 1}),
        (ZERO_BASED, {"impressions": 2}),
        (LIST_INDEX, {"impressions": 5}),
        (COVEO, {"impressions": 2, "click": 1, "add_to_cart": 1}),
        (COVEO[:2] + LIKES, {"impressions": 2, "click": 1, "like_smart_snippet": 1}),
        (METARANK, {"impressions": 2, "add_to_cart": 1}),
        (UBI, {"impressions": 2, "click": 1}),
        (HITS, {"impressions": 2, "click": 1, "add_to_cart": 1}),
    ],
)
def test_nested_formats(
    tmp_path: Path,
    guessed: Guess,
    monkeypatch: pytest.MonkeyPatch,
    records: list[Any],
    expected: dict[str, int],
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", "a secret of sixteen letters")
    found = guessed(write_lines(tmp_path / "logs" / "export.jsonl", records))
    assert read_back(found, tmp_path) == (expected, 0)


def test_tables(tmp_path: Path, guessed: Guess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", "a secret of sixteen letters")
    shown = [impression(n, shown_at="2026-11-10T10:00:00", f=n) for n in range(3)]
    found = guessed(write_native(tmp_path / "native", shown, [event("click"), event("purchase")]))
    expected = {"impressions": 3, "click": 1, "purchase": 1}
    assert read_back(found, tmp_path / "of_native") == (expected, 0)
    pd.DataFrame(KUAIRAND).to_csv(tmp_path / "log_standard.csv", index=False)
    found = guessed(tmp_path / "log_standard.csv")
    expected = {"impressions": 3, "click": 2, "like": 1, "watch_s": 2}
    assert read_back(found, tmp_path / "of_kuairand") == (expected, 0)
