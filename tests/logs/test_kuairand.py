"""The KuaiRand reader, on rows with the documented columns and on the real sample."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import IngestReport, ingest
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from tests.logs.conftest import Shop

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT.parent / "shared" / "data" / "kuairand_sample"
SIGNALS = (
    "click",
    "like",
    "follow",
    "comment",
    "forward",
    "hate",
    "long_view",
    "profile_enter",
    "watch_s",
    "comment_stay_s",
    "profile_stay_s",
)
ROW = {
    "user_id": 7,
    "video_id": 300,
    "date": 20220408,
    "hourmin": 1900,
    "time_ms": 1_649_412_000_000,
    "is_click": 0,
    "is_like": 0,
    "is_follow": 0,
    "is_comment": 0,
    "is_forward": 0,
    "is_hate": 0,
    "long_view": 0,
    "play_time_ms": 0,
    "duration_ms": 93_633,
    "profile_stay_time": 0,
    "comment_stay_time": 0,
    "is_profile_enter": 0,
    "is_rand": 0,
    "tab": 1,
}
AT = datetime(2022, 4, 8, 10, tzinfo=UTC)


def table(*rows: dict[str, object], separator: str = ",") -> list[str]:
    names = list(ROW | rows[0])
    values = [[str((ROW | row)[name]) for name in names] for row in rows]
    return [separator.join(line) for line in (names, *values)]


def read(shop: "Shop", **changes: Any) -> IngestReport:  # noqa: ANN401 - any setting
    settings = {
        "start_date": "2022-04-07",
        "logs": [{"format": "kuairand", "path": "log*"}],
        "signals": {name: {"window": "1d"} for name in SIGNALS},
        "features": ["duration_ms"],
    }
    return shop.ingest(**(settings | changes))


def test_each_row_is_a_list_of_one(shop: "Shop") -> None:
    rows = table({}, {"user_id": 8, "is_rand": 1, "tab": 4, "duration_ms": 0}, {"tab": ""})
    shop.write("log.csv", *rows[:3], rows[3].replace("300", "301"))
    [counts] = read(shop).files
    assert (counts.records, counts.accepted) == (3, 3)
    columns = "query_id, user_key, item_id, position, shown_at, randomized, duration_ms"
    assert shop.table("impressions", columns) == [
        ("1", "7", "300", 1, AT, False, 93_633.0),
        ("4", "8", "300", 1, AT, True, 0.0),
        ("all", "7", "301", 1, AT, False, 93_633.0),
    ]
    lists = [text for (text,) in shop.table("impressions", "request_id")]
    assert len(set(lists)) == 3
    assert all(len(text) == 32 for text in lists)


def test_every_column_of_feedback_is_a_signal(shop: "Shop") -> None:
    feedback = {
        "is_click": 1,
        "is_like": 1,
        "is_follow": 1,
        "is_comment": 1,
        "is_forward": 1,
        "is_hate": 1,
        "long_view": 1,
        "play_time_ms": 65_847,
        "comment_stay_time": 1500,
        "profile_stay_time": 250,
        "is_profile_enter": 1,
    }
    shop.write("log.csv", *table(feedback, {"user_id": 8}))
    read(shop)
    seconds = {
        "watch_s": 65_847 / 1000,
        "comment_stay_s": 1500 / 1000,
        "profile_stay_s": 250 / 1000,
    }
    columns = "signal, value, item_id, user_key, occurred_at"
    assert shop.table("interactions", columns) == [
        (name, seconds.get(name, 1.0), "300", "7", AT) for name in sorted(SIGNALS)
    ]


def test_a_sample_with_fewer_columns_and_tabs(shop: "Shop") -> None:
    header = "user_id video_id date hourmin time_ms is_click play_time_ms duration_ms label"
    rows = [
        "7 300 20220408 1900 1649412000000 1 0 10 1",
        "7 301 20220408 1900 1649412000000 0 0 10 0",
    ]
    shop.write("log.tsv.gz", *(line.replace(" ", "\t") for line in [header, *rows]))
    read(shop)
    assert shop.table("impressions", "query_id, item_id, randomized") == [
        ("all", "300", False),
        ("all", "301", False),
    ]
    assert shop.table("interactions", "item_id, signal") == [("300", "click"), ("300", "like")]


def test_what_cannot_be_read_is_refused_as_it_stands(shop: "Shop") -> None:
    rows = table(
        {"play_time_ms": "long"},
        {"play_time_ms": "inf", "user_id": 8},
        {"time_ms": "", "user_id": 9},
        {"video_id": "", "user_id": 10},
        {"is_rand": "perhaps", "user_id": 11},
        {"user_id": ""},
    )
    shop.write("log.csv", *rows, "1,2,3")
    [counts] = read(shop).files
    assert (counts.accepted, counts.rejected) == (1, 6)
    found = shop.table("rejected_records", "line, reason, split_part(detail, ',', 1)")
    assert found == [
        (2, "wrong_type", "watch_s: found 'long'"),
        (3, "value_not_finite", "watch_s: found 'inf'"),
        (4, "missing_key", "shown_at: found nothing"),
        (5, "missing_key", "item_id: found nothing"),
        (6, "wrong_type", "randomized: found 'perhaps'"),
        (8, "wrong_column_count", "found 3 fields"),
    ]


def test_the_same_row_twice_is_one(shop: "Shop") -> None:
    shop.write("log.csv", *table({"is_click": 1}, {"is_click": 1, "hourmin": 2000}))
    [counts] = read(shop).files
    assert (counts.accepted, counts.duplicates) == (1, 1)
    assert len(shop.table("interactions")) == 1


def test_videos_are_items(shop: "Shop") -> None:
    shop.write("log.csv", *table({}))
    shop.write("videos.csv", "video_id,author_id,show_cnt", "300,1,12.5")
    logs = [{"format": "kuairand", "path": "log*", "items": "videos.csv"}]
    read(shop, logs=logs, item_features=["show_cnt"])
    assert shop.table("items", "item_id, show_cnt") == [("300", 12.5)]


def test_other_kinds_of_files_and_options_are_refused(shop: "Shop") -> None:
    shop.write("log.parquet")
    pq.write_table(pa.table({"user_id": [1]}), shop.folder / "logs" / "log.parquet")
    [counts] = read(shop, features=[]).files
    assert "expected CSV or TSV" in counts.refusal
    logs = [{"format": "kuairand", "path": "log*", "options": {"tab": 1}}]
    with pytest.raises(ConfigurationError, match=r"logs\.0: options: tab: unknown key"):
        read(shop, logs=logs)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"needs the KuaiRand sample in {SAMPLE}")
def test_the_real_sample(tmp_path: Path, engine: Engine) -> None:
    """27,065 rows; the same user, video and millisecond stand there twice, also in full."""
    with gzip.open(SAMPLE / "standard.tsv.gz", "rt") as lines:
        names, *rows = (line.rstrip("\n").split("\t") for line in lines)
    place = {name: number for number, name in enumerate(names)}
    shown = {
        tuple(row[place[key]] for key in ("user_id", "video_id", "time_ms")): row for row in rows
    }
    signals = {
        "click": "is_click",
        "like": "label",
        "follow": "is_follow",
        "long_view": "long_view",
    }
    problem = Problem.model_validate(
        {
            "name": "kuairand",
            "start_date": "2022-04-07",
            "logs": [{"format": "kuairand", "path": "*.tsv.gz"}],
            "logs_folder": str(SAMPLE),
            "signals": {name: {"window": "1d"} for name in (*signals, "watch_s")},
            "features": ["duration_ms"],
            "policies": {"use": ["raw_click"]},
            "user_ids": "public",
        }
    )
    lake = Lake(tmp_path, problem.name)
    report = ingest(problem, lake, engine)
    [counts] = report.files
    assert (counts.records, counts.accepted) == (27_065, len(shown))
    assert (counts.rejected, counts.ignored, counts.duplicates) == (0, 0, 27_065 - len(shown))
    assert report.days == tuple(date(2022, 4, day) for day in range(7, 22))
    found = engine.rows(
        f"select signal, count(*), sum(value) from {lake.scan('interactions', report.days)}"
        " group by signal"
    )
    counted = {signal: count for signal, count, _ in found}
    for signal, column in signals.items():
        assert counted[signal] == sum(row[place[column]] == "1" for row in shown.values())
    [watched] = [value for signal, _, value in found if signal == "watch_s"]
    played = sum(int(row[place["play_time_ms"]]) for row in shown.values())
    assert watched == pytest.approx(played / 1000)
