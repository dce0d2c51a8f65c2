"""The people: that they look, watch, react and come back as the model says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from label_platform.logs.simulators.retrieval import directions
from label_platform.logs.simulators.short_video.people import draw_people, remember_day
from label_platform.logs.simulators.short_video.watching import draw_watch_s, own_interest
from tests.logs.simulators.short_video.conftest import SMALL, Simulated, simulate

EXPLICIT = ["like", "follow", "comment", "forward"]


def seconds(duration_s: float, interest: float, *, watched: bool, seed: int = 0) -> np.ndarray:
    shape = (40_000,)
    return draw_watch_s(
        np.full(shape, duration_s),
        np.full(shape, interest),
        np.full(shape, watched),
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_seconds_rise_with_duration_at_equal_interest_and_the_share_falls(seed: int) -> None:
    durations = np.array([7.5, 15, 60, 120, 240])
    medians = np.array(
        [np.median(seconds(duration, 0.3, watched=True, seed=seed)) for duration in durations]
    )
    assert (np.diff(medians) > 0).all()
    assert (np.diff(medians / durations) < 0).all()
    # median share: (.45 + .9 * .3) (D / 15)^-.3 = .72 * (.5, 1, 4, 8, 16)^-.3, all below the end
    expected = 0.72 * (durations / 15) ** -0.3 * durations
    # a median of 40,000 with spread .45: standard error 1.25 * .45 / 200 = .3%
    assert medians == pytest.approx(expected, rel=0.015)


def test_seconds_rise_with_interest() -> None:
    low, high = (seconds(60, interest, watched=True) for interest in (0.1, 0.8))
    # .45 + .9 * .1 = .54 and .45 + .9 * .8 = 1.17 of a minute, less for its being 4 times as long
    assert np.median(low) == pytest.approx(0.54 * 4**-0.3 * 60, rel=0.015)
    assert np.median(high) == pytest.approx(1.17 * 4**-0.3 * 60, rel=0.015)


def test_some_videos_are_seen_to_the_end_and_some_loop() -> None:
    seen = seconds(8, 0.8, watched=True)
    assert 0.3 < (seen == 8).mean() < 0.7
    # of those who would go on, .1 + .4 * .8 = .42 let it loop
    goes_on = (seen == 8) | (seen > 8)
    assert (seen > 8).sum() / goes_on.sum() == pytest.approx(0.42, abs=0.02)
    assert seen.max() == 16


def test_a_skip_takes_a_second_however_long_the_video_is() -> None:
    for duration in (5.0, 300.0):
        skips = seconds(duration, 0.8, watched=False)
        assert np.median(skips) == pytest.approx(1.2, abs=0.05)
        assert skips.max() <= duration
        assert skips.min() > 0


def test_own_interest_is_the_segments_on_average() -> None:
    rng = np.random.default_rng(0)
    common = np.tile([0.05, 0.5, 0.9], (20_000, 1))
    style = directions(3, rng)
    own = own_interest(common, directions(20_000, rng), np.tile(style, (20_000, 1, 1)))
    assert own.min() >= 0
    assert own.max() <= 1
    # a cosine in 6 dimensions has variance 1/6
    error = np.sqrt(1 / 6 / 20_000) * common[0] * (1 - common[0])
    assert (np.abs(own.mean(axis=0) - common[0]) < 4.5 * error).all()
    assert own[:, 1].std() == pytest.approx(0.25 / np.sqrt(6), rel=0.03)


def test_people_come_as_far_as_their_patience_takes_them(
    feed: Simulated, outcomes: pd.DataFrame
) -> None:
    reached = outcomes.assign(reached=outcomes["watch_s"] > 0)
    cells = reached.groupby(["device", "position"])["reached"].agg(["mean", "size"]).reset_index()
    cells = cells.merge(feed.examination, on=["device", "position"])
    error = np.sqrt(cells["examination"] * (1 - cells["examination"]) / cells["size"])
    # a few videos of the last day are seen after midnight
    assert (np.abs(cells["mean"] - cells["examination"]) < 4.5 * error + 0.002).all()
    for _device, curve in cells.sort_values("position").groupby("device"):
        assert curve["mean"].iloc[0] > 0.998
        assert (np.diff(curve["mean"]) < 0).all()
    at_two = cells[cells["position"] == 2].set_index("device")["mean"]
    assert at_two["phone"] == pytest.approx(0.85, abs=0.02)
    assert at_two["tablet"] == pytest.approx(0.75, abs=0.02)


def test_nobody_skips_a_position(outcomes: pd.DataFrame) -> None:
    reached = outcomes.sort_values(["request_id", "position"])["watch_s"].to_numpy() > 0
    by_list = reached.reshape(-1, 10)
    whole = by_list[:, 0]
    assert whole.mean() > 0.998
    assert (np.diff(by_list[whole].astype(int), axis=1) <= 0).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_plays_on_random_feeds_follow_examination_times_interest(tmp_path: Path, seed: int) -> None:
    # on the first day nobody comes because of what was seen before
    settings = replace(SMALL, days=1, lists_per_day=5000, randomized_share=1.0, seed=seed)
    feed = simulate(tmp_path, settings)
    shown = feed.outcomes().merge(feed.examination, on=["device", "position"])
    chance = shown["examination"] * shown["relevance"]
    cells = shown.assign(chance=chance, variance=chance * (1 - chance))
    sums = cells.groupby(["device", "position"])[["click", "chance", "variance"]].sum()
    z = (sums["click"] - sums["chance"]) / np.sqrt(sums["variance"])
    assert len(z) == 20
    assert (z.abs() < 4.5).all()


def test_watch_time_in_the_log_is_biased_by_duration(outcomes: pd.DataFrame) -> None:
    watched = outcomes[outcomes["click"] == 1]
    middle = watched[watched["relevance"].between(0.3, 0.6)]
    length = pd.qcut(middle["duration_ms"], 4, labels=False)
    means = middle.assign(share=1000 * middle["watch_s"] / middle["duration_ms"]).groupby(length)
    by_length = means[["watch_s", "share"]].mean()
    assert by_length["watch_s"].is_monotonic_increasing
    assert by_length["share"].is_monotonic_decreasing
    assert by_length["watch_s"].iloc[-1] > 3 * by_length["watch_s"].iloc[0]


def test_seconds_are_a_mixture_of_skips_and_watching(outcomes: pd.DataFrame) -> None:
    reached = outcomes[outcomes["watch_s"] > 0]
    skipped = reached["click"] == 0
    assert 0.3 < skipped.mean() < 0.8
    assert reached.loc[skipped, "watch_s"].quantile(0.95) < 3
    assert reached.loc[~skipped, "watch_s"].median() > 8
    assert (1000 * reached["watch_s"] > reached["duration_ms"]).any()


def test_explicit_feedback_grows_with_interest(outcomes: pd.DataFrame) -> None:
    reached = outcomes[outcomes["watch_s"] > 0]
    third = pd.qcut(reached["relevance"], 3, labels=False)
    rates = reached.groupby(third)[EXPLICIT].mean()
    assert rates["like"].is_monotonic_increasing
    # both the play and what follows it grow: at least gamma^3
    assert (rates.iloc[2] > 5 * rates.iloc[0]).all()
    assert (reached.loc[reached["click"] == 0, EXPLICIT] == 0).all().all()


def test_explicit_feedback_does_not_depend_on_duration(outcomes: pd.DataFrame) -> None:
    watched = outcomes[outcomes["click"] == 1]
    expected = 0.005 + 0.25 * watched["relevance"] ** 2
    long = watched["duration_ms"] > watched["duration_ms"].median()
    # likes follow own interest, which is higher among those who play than the segment's is
    surplus = watched["like"] / expected.mean() - expected / expected.mean()
    halves = surplus.groupby(long).agg(["mean", "sem"])
    difference = halves["mean"].diff().iloc[-1]
    assert abs(difference) < 4.5 * np.hypot(*halves["sem"])


def test_who_was_satisfied_is_likelier_to_come_back() -> None:
    people = draw_people(SMALL, np.random.default_rng(0))
    remember_day(people, np.array([3, 5]), np.array([0.5, 0.9]), SMALL)
    expected = np.full(2500, 0.3)
    expected[3], expected[5] = 0.2 + 0.6 * 0.5, 0.2 + 0.6 * 0.9
    assert people.chance_to_come == pytest.approx(expected)


def returned(feed: Simulated) -> pd.DataFrame:
    """Visits of all days but the last, and whether the visitor came on the day after."""
    visits = feed.visits.assign(day=pd.to_datetime(feed.visits["day"]))
    after = visits[["day", "user_id"]].assign(day=visits["day"] - pd.Timedelta(days=1), back=1.0)
    joined = visits.merge(after, on=["day", "user_id"], how="left").fillna({"back": 0.0})
    return joined[joined["day"] < visits["day"].max()]


def test_retention_rises_with_satisfaction(feed: Simulated) -> None:
    visits = returned(feed)
    third = pd.qcut(visits["satisfaction"], 3, labels=False)
    thirds = visits.groupby(third)[["satisfaction", "back"]].agg(["mean", "size"])
    rates, n = thirds["back", "mean"], thirds["back", "size"]
    assert rates.is_monotonic_increasing
    expected = 0.2 + 0.6 * thirds["satisfaction", "mean"]
    assert (np.abs(rates - expected) < 4.5 * np.sqrt(0.25 / n)).all()


def test_without_retention_satisfaction_brings_nobody_back(tmp_path: Path) -> None:
    visits = returned(simulate(tmp_path, replace(SMALL, retention=0.0, lists_per_day=1000)))
    assert abs(visits["back"].mean() - 0.2) < 4.5 * np.sqrt(0.2 * 0.8 / len(visits))
    correlation = visits["satisfaction"].corr(visits["back"])
    assert abs(correlation) < 4.5 / np.sqrt(len(visits))


def test_visits_are_what_the_log_shows(feed: Simulated) -> None:
    lists = feed.impressions.drop_duplicates("request_id")
    logged = lists.groupby([lists["shown_at"].dt.date, "user_id"]).size()
    told = feed.visits.set_index(["day", "user_id"])["feeds"]
    assert told.sort_index().tolist() == logged.sort_index().tolist()
    assert told.index.is_unique
    assert feed.visits["satisfaction"].between(0, 1).all()


def test_the_weak_logger_shows_long_videos_first_and_the_strong_one_what_interests(
    feed: Simulated, tmp_path: Path
) -> None:
    def upper_to_lower(simulated: Simulated, column: str) -> float:
        outcomes = simulated.outcomes()
        logged = outcomes[~outcomes["randomized"]]
        halves = logged.groupby(logged["position"] > 5)[column].mean()
        return float(halves[False] / halves[True])

    strong = simulate(tmp_path, replace(SMALL, days=1, logger="strong"))
    assert upper_to_lower(feed, "duration_ms") > 1.2
    assert upper_to_lower(strong, "relevance") > 1.3
    assert upper_to_lower(feed, "relevance") < 1.15
    assert abs(upper_to_lower(strong, "duration_ms") - 1) < 0.15


def test_random_feeds_show_any_video_at_any_position(outcomes: pd.DataFrame) -> None:
    chosen = outcomes[outcomes["randomized"]]
    by_position = chosen.groupby("position")["relevance"].agg(["mean", "sem"])
    z = (by_position["mean"] - chosen["relevance"].mean()) / by_position["sem"]
    assert (z.abs() < 4.5).all()
