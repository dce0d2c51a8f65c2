"""Logs that are read again: unchanged, grown, or for signals that were not asked for before."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Partition
from label_platform.logs import FileCounts, unreconciled
from label_platform.logs.ledger import LEDGER_NAME
from label_platform.strict_yaml import ConfigurationError
from tests.logs.two_days import DAY_1, two_days

if TYPE_CHECKING:
    from tests.logs.conftest import Shop


def test_reading_again_adds_nothing(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    before = shop.hashes()
    ledger = (shop.lake.folder / LEDGER_NAME).read_bytes()
    report = shop.ingest()
    assert (report.files, report.days, report.unchanged) == ((), (), 3)
    assert shop.hashes() == before
    assert (shop.lake.folder / LEDGER_NAME).read_bytes() == ledger


@pytest.mark.parametrize(("version", "kind"), [(1, ConfigurationError), (99, ValueError)])
def test_a_ledger_of_another_version_is_refused(
    shop: "Shop", version: int, kind: type[Exception]
) -> None:
    two_days(shop)
    shop.ingest()
    path = shop.lake.folder / LEDGER_NAME
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format_version": version}))
    with pytest.raises(kind, match=f"{LEDGER_NAME}: format version {version}"):
        shop.ingest()


def test_a_file_that_was_only_touched_is_unchanged(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    os.utime(shop.folder / "logs" / "interactions.jsonl", (1, 1))
    assert shop.ingest().unchanged == 3


def test_a_grown_file_adds_only_what_is_new(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    path = shop.folder / "logs" / "impressions-1.jsonl"
    with path.open("a") as handle:
        handle.write(json.dumps(shop.impression(item_id="i3", position=3)) + "\n{bad\n")
    report = shop.ingest()
    assert report.files == (FileCounts("impressions-1.jsonl", 6, 1, 0, 2, 3, (DAY_1,)),)
    assert report.unchanged == 2
    items = shop.table("impressions", "request_id, item_id")
    assert items == [("r1", "i1"), ("r1", "i2"), ("r1", "i3"), ("r2", "i1")]
    refused = shop.table("rejected_records", "source, line, reason")
    assert refused == [
        ("impressions-1.jsonl", 4, "not_json"),
        ("impressions-1.jsonl", 6, "not_json"),
        ("interactions.jsonl", 5, "wrong_type"),
    ]


def test_content_does_not_depend_on_how_it_arrived(shop: "Shop", tmp_path: Path) -> None:
    two_days(shop)
    late = shop.impression(request_id="r3", item_id="i9")
    shop.ingest()
    shop.write("impressions-3.jsonl", late)
    shop.ingest()
    apart = shop.hashes()
    shutil.rmtree(tmp_path / "lake")
    shop.ingest()
    assert shop.hashes() == apart


def test_one_day_has_as_many_files_as_batches(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    shop.write("impressions-3.jsonl", shop.impression(request_id="r3"))
    shop.ingest()
    manifest = shop.lake.manifest(Partition("impressions", DAY_1))
    assert manifest is not None
    assert [file.rows for file in manifest.files] == [2, 1]


def test_a_signal_that_is_asked_for_later_is_read_later(shop: "Shop") -> None:
    two_days(shop)
    shop.ingest()
    signals = {name: {"window": "1d"} for name in ("click", "return", "hover")}
    report = shop.ingest(signals=signals)
    assert [(file.source, file.accepted) for file in report.files] == [("interactions.jsonl", 1)]


def videos(*rows: str) -> list[str]:
    return ["user_id,video_id,time_ms,is_click,is_like,play_time_ms", *rows]


def asking(*signals: str) -> dict[str, object]:
    return {
        "logs": [{"format": "kuairand", "path": "log*"}],
        "signals": {signal: {"window": "1d"} for signal in signals},
    }


def test_a_signal_that_is_asked_for_later_is_read_from_known_impressions(shop: "Shop") -> None:
    rows = ["1,2,1790848800000,1,1,0", "3,4,1790848800000,1,0,0"]
    shop.write("log.csv", *videos(*rows))
    shop.ingest(**asking("click"))
    report = shop.ingest(**asking("click", "like"))
    assert [(counts.accepted, counts.duplicates) for counts in report.files] == [(0, 2)]
    expected = [("2", "click"), ("2", "like"), ("4", "click")]
    assert shop.table("interactions", "item_id, signal") == expected
    assert shop.ingest(**asking("click", "like")).unchanged == 1
    shop.write("log.csv", *videos(*rows, "5,6,1790848800000,0,1,0"))
    shop.ingest(**asking("click", "like"))
    assert shop.table("interactions", "item_id, signal") == [*expected, ("6", "like")]
    assert len(shop.table("impressions")) == 3
    assert unreconciled(shop.engine, shop.lake) == []


def test_a_grown_file_brings_the_new_signal_of_old_impressions(shop: "Shop") -> None:
    row = "1,2,1790848800000,1,1,0"
    shop.write("log.csv", *videos(row))
    shop.ingest(**asking("click"))
    shop.write("log.csv", *videos(row, "3,4,1790848800000,1,0,0"))
    shop.ingest(**asking("click", "like"))
    expected = [("2", "click"), ("2", "like"), ("4", "click")]
    assert shop.table("interactions", "item_id, signal") == expected


def test_an_impression_that_a_file_has_twice_is_watched_once(shop: "Shop") -> None:
    rows = ["1,2,1790848800000,1,0,3000", "1,2,1790848800000,1,0,5000"]
    shop.write("log.csv", *videos(*rows))
    for signals in (["watch_s"], ["watch_s", "click"]):
        shop.ingest(**asking(*signals))
    assert shop.table("interactions", "signal, value") == [("click", 1.0), ("watch_s", 3.0)]
    assert unreconciled(shop.engine, shop.lake) == []
