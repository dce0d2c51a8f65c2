"""The files: their shapes, their grain, what stays out of them, and that a seed fixes them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import ingest
from label_platform.logs.simulators import ShortVideoSettings, simulate_short_video
from label_platform.problem import load_problem
from tests.logs.simulators.short_video.conftest import KEYS, SMALL, Simulated
from tests.logs.simulators.test_product_search import contents

PROBLEM = Path(__file__).parents[4] / "data" / "problems" / "short_video.yaml"
TINY = replace(
    SMALL, days=2, lists_per_day=60, n_segments=8, n_unseen_segments=2, n_videos=60, seed=3
)
FEATURES = ["f_topic_match", "f_style_match", "f_creator_affinity", "f_trending"]
FEATURES += ["f_past_watch_log", "f_freshness", "duration_ms"]
ITEM_FEATURES = ["item_sharpness", "item_followers_log", "item_age_days"]
LOGGED = ["request_id", "query_id", "query_text", "user_id", "session_id", "item_id", "position"]
LOGGED += ["shown_at", "surface", "device", "ranker_id", "randomized", "logging_probability"]


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate_short_video(TINY, tmp_path / name)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert len(one) == 2 + 2 + 1 + 3 + 1


def test_another_seed_writes_other_files(tmp_path: Path) -> None:
    simulate_short_video(TINY, tmp_path / "one")
    simulate_short_video(replace(TINY, seed=4), tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one)


def test_a_day_is_the_same_however_many_follow(tmp_path: Path) -> None:
    simulate_short_video(TINY, tmp_path / "two_days")
    simulate_short_video(replace(TINY, days=1), tmp_path / "one_day")
    two, one = contents(tmp_path / "two_days"), contents(tmp_path / "one_day")
    same = [name for name in one if "day=" in name or "relevance" in name or "items" in name]
    assert len(same) == 4
    assert all(one[name] == two[name] for name in same)


def test_impressions_are_complete_feeds_without_the_truth(feed: Simulated) -> None:
    shown = feed.impressions
    assert list(shown) == LOGGED + FEATURES
    assert len(shown) == feed.summary.impressions == 4 * 2500 * 10
    lists = shown.groupby("request_id")
    assert (lists["position"].apply(list).map(tuple) == tuple(range(1, 11))).all()
    assert (lists["item_id"].nunique() == 10).all()
    of_list = shown.drop_duplicates(["request_id", "query_id", "user_id", "session_id", "shown_at"])
    assert of_list["request_id"].is_unique
    per_day = of_list.groupby(of_list["shown_at"].dt.date).size()
    assert per_day.to_dict() == dict.fromkeys(feed.settings.log_days, 2500)
    assert shown["logging_probability"].dropna().unique().tolist() == [1 / 30]
    assert shown["logging_probability"].notna().equals(shown["randomized"])


def test_a_user_has_one_segment_one_device_and_one_session_a_day(feed: Simulated) -> None:
    shown = feed.impressions.assign(day=feed.impressions["shown_at"].dt.date)
    of_user = shown[["user_id", "query_id", "device"]].drop_duplicates()
    assert of_user["user_id"].is_unique
    sessions = shown[["user_id", "day", "session_id"]].drop_duplicates()
    assert sessions["session_id"].is_unique
    assert not sessions.duplicated(["user_id", "day"]).any()


def test_the_truth_covers_all_that_is_shown_and_unseen_segments(feed: Simulated) -> None:
    truth = feed.relevance
    fixed = ["query_id", "item_id", "relevance", "seen_in_log"]
    assert list(truth) == [*fixed, *FEATURES, *ITEM_FEATURES]
    assert not truth.duplicated(["query_id", "item_id"]).any()
    assert (truth.groupby("query_id").size() == 30).all()
    unseen = set(truth.loc[~truth["seen_in_log"], "query_id"])
    assert len(unseen) == 20
    assert not unseen & set(feed.impressions["query_id"])
    keys = ["query_id", "item_id"]
    joined = feed.impressions.merge(truth, on=keys, suffixes=("", "_true"))
    assert len(joined) == len(feed.impressions)
    assert all((joined[name] == joined[f"{name}_true"]).all() for name in FEATURES)
    items = pd.read_parquet(feed.folder / "logs" / "items.parquet")
    assert list(items) == ["item_id", "valid_from", "title", *ITEM_FEATURES]
    with_items = truth.merge(items, on="item_id", suffixes=("", "_known"))
    assert len(with_items) == len(truth)
    assert all((with_items[name] == with_items[f"{name}_known"]).all() for name in ITEM_FEATURES)


def test_no_feature_is_the_truth_itself(feed: Simulated) -> None:
    known = feed.relevance[FEATURES + ITEM_FEATURES].corrwith(feed.relevance["relevance"])
    assert known.abs().max() < 0.8
    assert known["f_topic_match"] > 0.3


def test_durations_have_a_heavy_right_tail_and_say_nothing_of_interest(feed: Simulated) -> None:
    duration = feed.relevance.drop_duplicates("item_id")["duration_ms"] / 1000
    assert duration.between(5, 300).all()
    assert duration.mean() > 1.5 * duration.median()
    assert duration.quantile(0.99) > 5 * duration.median()
    # 3,000 pairs over 800 videos: the correlation of independent columns has a spread of about .03
    assert abs(feed.relevance["duration_ms"].corr(feed.relevance["relevance"])) < 0.12


def test_events_are_about_what_was_shown_and_within_the_windows(feed: Simulated) -> None:
    problem = load_problem(PROBLEM)
    joined = feed.events.merge(feed.impressions, on=KEYS, suffixes=("", "_shown"))
    assert len(joined) == len(feed.events) == sum(feed.summary.interactions.values())
    assert (joined["user_id"] == joined["user_id_shown"]).all()
    assert not feed.events.duplicated([*KEYS, "signal"]).any()
    assert set(joined["signal"]) == set(problem.signals) == set(feed.summary.interactions)
    delay = joined["occurred_at"] - joined["shown_at"]
    window = joined["signal"].map({name: s.window for name, s in problem.signals.items()})
    assert (delay >= pd.Timedelta(0)).all()
    assert (delay <= window).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_ingestion_takes_every_record(tmp_path: Path, engine: Engine, seed: int) -> None:
    settings = replace(SMALL, days=2, lists_per_day=200, seed=seed)
    written = simulate_short_video(settings, tmp_path / "simulated")
    problem = load_problem(PROBLEM, tmp_path / "simulated" / "logs")
    files = ingest(problem, Lake(tmp_path / "lake", problem.name), engine).files
    assert sum(file.rejected + file.ignored + file.duplicates for file in files) == 0
    accepted = written.impressions + sum(written.interactions.values()) + settings.n_videos
    assert sum(file.accepted for file in files) == accepted
    assert sum(file.records for file in files) == accepted


def test_settings_and_counts_lie_beside_the_logs(feed: Simulated) -> None:
    description = json.loads((feed.folder / "simulation.json").read_text())
    assert description["simulator"] == "short_video"
    assert description["settings"]["start_date"] == "2026-10-01"
    assert description["summary"]["impressions"] == 100_000


def test_an_earlier_simulation_is_not_overwritten(tmp_path: Path) -> None:
    simulate_short_video(TINY, tmp_path)
    with pytest.raises(FileExistsError, match="truth exists: remove it"):
        simulate_short_video(TINY, tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        replace(TINY, lists_per_day=1),
        replace(TINY, list_length=1),
        replace(TINY, list_length=30),
        replace(TINY, n_segments=1, n_unseen_segments=0, n_videos=30),
        replace(TINY, logger="random", retention=0.0, randomized_share=1.0),
    ],
)
def test_extreme_sizes_can_be_simulated(settings: ShortVideoSettings, tmp_path: Path) -> None:
    summary = simulate_short_video(settings, tmp_path)
    assert summary.impressions == 2 * settings.lists_per_day * settings.list_length


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": 0}, "days: found 0, expected 1 or more"),
        ({"n_segments": 0}, "n_segments: found 0, expected 1 or more"),
        ({"seed": -1}, "seed: found -1, expected 0 or more"),
        ({"n_unseen_segments": -1}, "n_unseen_segments: found -1, expected 0 or more"),
        ({"randomized_share": 1.5}, "randomized_share: found 1.5, expected 0 to 1"),
        ({"retention": 0.9}, "retention: found 0.9, expected 0 to 0.8"),
        ({"logger": "good"}, r"logger: found 'good', expected weak \| strong \| random"),
        ({"list_length": 31}, "list_length: found 31, expected at most 30"),
        ({"n_videos": 29}, "n_videos: found 29, expected at least 30"),
        ({"patience": {}}, "patience: found 'no device', expected at least one"),
        ({"patience": {"tv": 1.0}}, r"patience\[tv\]: found 1.0, expected between 0 and 1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShortVideoSettings(**changes)
