"""The files: their shapes, their grain, their faults, and that the same seed writes the same."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from tests.logs.simulators.conftest import SMALL, Simulated

TINY = replace(SMALL, days=2, lists_per_day=60, n_queries=20, n_unseen_queries=4, n_items=100)
LOGGED = ["request_id", "query_id", "query_text", "user_id", "session_id", "item_id", "position"]
LOGGED += ["shown_at", "surface", "device", "ranker_id", "randomized", "logging_probability"]
FEATURES = ["f_text_match", "f_title_overlap", "f_semantic", "f_price_fit", "f_brand_affinity"]
FEATURES += ["f_past_sales", "f_sponsored_bid", "f_freshness"]
ITEM_FEATURES = ["item_price_z", "item_rating", "item_reviews_log", "item_age_days"]


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate_product_search(TINY, tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_seed_writes_other_logs(tmp_path: Path) -> None:
    simulate_product_search(TINY, tmp_path / "one")
    simulate_product_search(replace(TINY, seed=1), tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one if "examination" not in name)


def test_a_day_is_the_same_however_many_follow(tmp_path: Path) -> None:
    simulate_product_search(TINY, tmp_path / "two_days")
    simulate_product_search(replace(TINY, days=1), tmp_path / "one_day")
    two, one = contents(tmp_path / "two_days"), contents(tmp_path / "one_day")
    same = [name for name in one if "day=" in name or name.startswith("truth")]
    assert len(same) == 4
    assert all(one[name] == two[name] for name in same)


def test_one_file_a_day_holds_that_day(simulated: Simulated) -> None:
    names = [f"day={day}" for day in simulated.settings.log_days]
    logs = simulated.folder / "logs"
    assert sorted(p.name for p in (logs / "impressions").iterdir()) == [
        f"{name}.parquet" for name in names
    ]
    assert sorted(p.name for p in (logs / "interactions").iterdir()) == [
        f"{name}.jsonl.gz" for name in names
    ]
    per_day = simulated.impressions.groupby(simulated.impressions["shown_at"].dt.date)
    assert per_day["request_id"].nunique().to_dict() == dict.fromkeys(
        simulated.settings.log_days, 1500
    )
    days = simulated.events["occurred_at"].dt.date
    assert {days.min(), days.max()} == {date(2026, 10, 1), date(2026, 10, 5)}


def test_impressions_are_complete_lists(simulated: Simulated) -> None:
    shown = simulated.impressions
    assert list(shown) == LOGGED + FEATURES
    assert len(shown) == simulated.summary.impressions == 5 * 1500 * 10
    lists = shown.groupby("request_id")
    assert (lists["position"].apply(list).map(tuple) == tuple(range(1, 11))).all()
    assert (lists["item_id"].nunique() == 10).all()
    of_list = shown.drop_duplicates(["request_id", "query_id", "session_id", "shown_at", "device"])
    assert of_list["request_id"].is_unique


def test_impressions_are_sorted_and_typed(simulated: Simulated) -> None:
    keys = simulated.rows[["request_id", "position"]].apply(tuple, axis=1)
    assert keys.is_monotonic_increasing
    schema = pq.read_schema(simulated.folder / "logs/impressions/day=2026-10-01.parquet")
    assert str(schema.field("shown_at").type) == "timestamp[ms, tz=UTC]"
    assert str(schema.field("query_text").type) == "string"
    assert {str(schema.field(name).type) for name in FEATURES} == {"float"}


def test_truth_stays_out_of_the_logs(simulated: Simulated) -> None:
    assert list(simulated.relevance) == [
        *("query_id", "item_id", "relevance", "seen_in_log"),
        *FEATURES,
        *ITEM_FEATURES,
    ]
    seen = simulated.relevance["seen_in_log"]
    unseen_queries = set(simulated.relevance.loc[~seen, "query_id"])
    assert len(unseen_queries) == 50
    assert not unseen_queries & set(simulated.impressions["query_id"])
    items = pd.read_parquet(simulated.folder / "logs" / "items.parquet")
    assert list(items) == ["item_id", "valid_from", "title", *ITEM_FEATURES]
    event_keys = ["request_id", "item_id", "signal", "value", "occurred_at", "user_id", "position"]
    assert list(simulated.events) == event_keys


def test_truth_knows_the_features_of_all_that_is_shown(simulated: Simulated) -> None:
    keys = ["query_id", "item_id"]
    assert not simulated.relevance.duplicated(keys).any()
    assert (simulated.relevance.groupby("query_id").size() == 25).all()
    joined = simulated.impressions.merge(simulated.relevance, on=keys, suffixes=("", "_true"))
    assert len(joined) == len(simulated.impressions)
    assert all((joined[name] == joined[f"{name}_true"]).all() for name in FEATURES)


def test_the_catalogue_holds_every_item_and_some_twice(simulated: Simulated) -> None:
    items = pd.read_parquet(simulated.folder / "logs" / "items.parquet")
    assert set(items["item_id"]) == set(range(1, 1001))
    assert not items.duplicated(["item_id", "valid_from"]).any()
    later = items[items["item_id"].duplicated()]
    assert len(later) == 10
    assert (later["valid_from"] >= pd.Timestamp("2026-10-01", tz="UTC")).all()


def test_faults_are_as_many_as_the_summary_says(simulated: Simulated) -> None:
    rows, summary = simulated.rows, simulated.summary
    broken = (rows["position"] == 0) | rows["item_id"].isna()
    assert broken.sum() == summary.malformed_impressions > 0
    assert rows[~broken].duplicated().sum() == summary.duplicate_impressions > 0
    sound = simulated.events_with_repetitions
    assert len(simulated.lines) - len(sound) == summary.malformed_interactions > 0
    assert sound.duplicated().sum() == summary.duplicate_interactions > 0
    assert simulated.events["signal"].value_counts().to_dict() == summary.interactions


def test_fault_shares_are_those_asked_for(simulated: Simulated) -> None:
    # 75,000 rows at 1%: 750 +- 27, so 5 standard deviations are 136
    assert abs(simulated.summary.duplicate_impressions - 750) < 136
    assert abs(simulated.summary.malformed_impressions - 750) < 136


def test_every_kind_of_broken_line_occurs(simulated: Simulated) -> None:
    text = "\n".join(simulated.lines)
    assert '"position":"first"' in text
    assert '"value":"abc"' in text
    assert '"occurred_at":-' in text
    assert any('"item_id"' not in line for line in simulated.lines)
    assert any(not line.endswith("}") for line in simulated.lines)


def test_stray_clicks_are_counted(simulated: Simulated) -> None:
    keys = ["request_id", "item_id", "position"]
    clicks = simulated.events[simulated.events["signal"] == "click"]
    joined = clicks.merge(simulated.impressions[[*keys, "shown_at"]], on=keys, how="left")
    assert joined["shown_at"].isna().sum() == simulated.summary.clicks_without_impression > 0
    early = joined["occurred_at"] < joined["shown_at"]
    assert early.sum() == simulated.summary.clicks_before_impression > 0


def test_settings_and_counts_lie_beside_the_logs(simulated: Simulated) -> None:
    description = json.loads((simulated.folder / "simulation.json").read_text())
    assert description["settings"]["lists_per_day"] == 1500
    assert description["settings"]["start_date"] == "2026-10-01"
    assert description["summary"]["impressions"] == 75_000


def test_an_earlier_simulation_is_not_overwritten(tmp_path: Path) -> None:
    simulate_product_search(TINY, tmp_path)
    with pytest.raises(FileExistsError, match="truth exists: remove it"):
        simulate_product_search(TINY, tmp_path)


def test_an_interrupted_simulation_leaves_no_logs_and_can_be_repeated(tmp_path: Path) -> None:
    def interrupt(done: int, _days: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_product_search(TINY, tmp_path, interrupt)
    assert not (tmp_path / "logs").exists()
    simulate_product_search(TINY, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "simulation.json", "truth"]


def test_progress_names_days_done_and_days(tmp_path: Path) -> None:
    calls = []
    simulate_product_search(TINY, tmp_path, lambda done, days: calls.append((done, days)))
    assert calls == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    "settings",
    [
        replace(TINY, lists_per_day=1),
        replace(TINY, list_length=1),
        replace(TINY, list_length=25),
        replace(TINY, n_items=25, n_unseen_queries=0),
        replace(TINY, logger="random", bot_share=1.0),
    ],
)
def test_extreme_sizes_can_be_simulated(settings: ProductSearchSettings, tmp_path: Path) -> None:
    summary = simulate_product_search(settings, tmp_path)
    assert summary.impressions == 2 * settings.lists_per_day * settings.list_length
