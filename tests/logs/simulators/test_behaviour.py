"""The people: that they look, click and buy as the model says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from label_platform.logs.simulators import ProductSearchSettings
from label_platform.logs.simulators.browsing import click_probability
from label_platform.logs.simulators.log_settings import Logger
from tests.logs.simulators.conftest import Simulated, simulate

KEYS = ["request_id", "item_id", "position"]


def joined(simulated: Simulated, signal: str, like: pd.DataFrame | None = None) -> pd.DataFrame:
    """Events of a signal beside what they are about: impressions, or earlier events."""
    events = simulated.events[simulated.events["signal"] == signal]
    before = simulated.impressions if like is None else like
    after = events[[*KEYS, "value", "occurred_at"]]
    both = before.merge(after, on=KEYS, suffixes=("_before", ""))
    return both[both["occurred_at"] >= both["shown_at"]]


def delays_s(rows: pd.DataFrame, since: str) -> pd.Series:
    return (rows["occurred_at"] - rows[since]).dt.total_seconds()


@pytest.fixture(scope="module")
def clicks_of_people(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Impressions of lists in random order, with relevance, examination and whether clicked."""
    settings = ProductSearchSettings(
        days=1,
        lists_per_day=6000,
        n_queries=300,
        randomized_share=0.5,
        bot_share=0,
        examination={"desktop": 1.0, "mobile": (1, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05)},
    )
    simulated = simulate(tmp_path_factory.mktemp("people"), settings)
    shown = simulated.impressions[simulated.impressions["randomized"]]
    shown = shown.merge(simulated.relevance[["query_id", "item_id", "relevance"]])
    shown = shown.merge(simulated.examination, on=["device", "position"])
    clicked = joined(simulated, "click")[KEYS].assign(clicked=1)
    return shown.merge(clicked, on=KEYS, how="left").fillna({"clicked": 0})


def test_clicks_on_random_lists_follow_examination_times_relevance(
    clicks_of_people: pd.DataFrame,
) -> None:
    chance = clicks_of_people["examination"] * clicks_of_people["relevance"]
    cells = clicks_of_people.assign(chance=chance, variance=chance * (1 - chance)).groupby(
        ["device", "position"]
    )[["clicked", "chance", "variance"]]
    sums = cells.sum()
    # clicks on the last day that happen after midnight are not in the log: at most a handful
    z = (sums["clicked"] - sums["chance"]) / np.sqrt(sums["variance"])
    assert len(z) == 20
    assert (z.abs() < 4.5).all()


def test_random_lists_show_every_candidate_equally_often(clicks_of_people: pd.DataFrame) -> None:
    # relevance must not depend on the position
    by_position = clicks_of_people.groupby("position")["relevance"].agg(["mean", "sem"])
    z = (by_position["mean"] - clicks_of_people["relevance"].mean()) / by_position["sem"]
    assert (z.abs() < 4.5).all()
    assert set(clicks_of_people["logging_probability"]) == {1 / 25}


def test_relevance_has_the_promised_range(simulated: Simulated) -> None:
    relevance = simulated.relevance["relevance"]
    assert 0.15 < relevance.mean() < 0.25
    assert 0.8 < relevance.max() < 0.95
    assert relevance.min() > 0


def test_trust_adds_clicks_on_what_is_irrelevant_most_of_all_at_the_top() -> None:
    settings = ProductSearchSettings(trust_bias=0.4, list_length=2, examination={"all": (1, 0.5)})
    relevance = np.array([[0.2, 0.2]])
    found = click_probability(settings, relevance, np.array([0]))
    assert found == pytest.approx(np.array([[0.2 + 0.8 * 0.4, 0.5 * (0.2 + 0.8 * 0.4 / 2)]]))


def test_the_randomised_share_is_the_one_asked_for(simulated: Simulated) -> None:
    lists = simulated.impressions.drop_duplicates("request_id")
    assert lists["randomized"].sum() == simulated.summary.randomized_lists
    # 7,500 lists at .2: standard deviation sqrt(.2 * .8 / 7,500)
    assert abs(lists["randomized"].mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 7500)
    assert lists["logging_probability"].notna().equals(lists["randomized"])
    assert set(lists.loc[lists["randomized"], "ranker_id"]) == {"randomized"}


@pytest.mark.parametrize(
    ("logger", "low", "high"),
    [("weak", -0.1, 0.1), ("strong", -0.9, -0.3), ("random", -0.05, 0.05)],
)
def test_loggers_differ_in_how_well_they_rank(
    logger: Logger, low: float, high: float, tmp_path: Path
) -> None:
    settings = ProductSearchSettings(
        days=1, lists_per_day=2000, n_queries=300, logger=logger, list_length=25, bot_share=0
    )
    simulated = simulate(tmp_path, settings)
    shown = simulated.impressions.merge(simulated.relevance, on=["query_id", "item_id"])
    assert low < np.corrcoef(shown["position"], shown["relevance"])[0, 1] < high


def test_items_sometimes_change_places(simulated: Simulated) -> None:
    ranked = simulated.impressions[~simulated.impressions["randomized"]]
    cells = ranked.groupby(["query_id", "item_id"])["position"].agg(["nunique", "size"])
    often = cells[cells["size"] >= 5]
    assert (often["nunique"] > 1).mean() > 0.5


def test_delays_stay_within_their_bounds(simulated: Simulated) -> None:
    clicks = joined(simulated, "click")
    assert delays_s(clicks, "shown_at").between(0, 1200).all()
    timed = clicks.rename(columns={"occurred_at": "clicked_at"}).drop(columns="value")
    dwells = joined(simulated, "dwell_s", timed)
    assert (dwells["occurred_at"] == dwells["clicked_at"]).all()
    assert dwells["value"].between(0.5, 3600).all()
    of_people = dwells[dwells["value"] > 0.5]
    assert 5 < delays_s(of_people, "shown_at").median() < 60
    carts = joined(simulated, "add_to_cart", timed).rename(columns={"occurred_at": "carted_at"})
    assert (carts["carted_at"] - carts["clicked_at"]).dt.total_seconds().between(0, 3600).all()
    purchases = joined(simulated, "purchase", carts.drop(columns="value"))
    assert delays_s(purchases, "carted_at").between(600, 6 * 86_400).all()
    purchases = purchases.rename(columns={"occurred_at": "bought_at"}).drop(columns="value")
    returns = joined(simulated, "return", purchases)
    assert len(returns) > 0
    assert delays_s(returns, "bought_at").between(86_400, 10 * 86_400).all()


def test_most_purchases_come_within_three_days(simulated: Simulated) -> None:
    purchases = joined(simulated, "purchase")
    first_days = purchases[purchases["shown_at"] < pd.Timestamp("2026-10-02", tz="UTC")]
    assert (delays_s(first_days, "shown_at") < 3 * 86_400).mean() > 0.9


def test_what_follows_a_click_grows_with_relevance(simulated: Simulated) -> None:
    clicks = joined(simulated, "click").merge(simulated.relevance, on=["query_id", "item_id"])
    third = pd.qcut(clicks["relevance"], 3, labels=False)
    carted = clicks.merge(
        joined(simulated, "add_to_cart")[KEYS].assign(carted=1), on=KEYS, how="left"
    )["carted"].fillna(0)
    rates = carted.groupby(third.to_numpy()).mean()
    assert rates.is_monotonic_increasing
    dwells = joined(simulated, "dwell_s").merge(simulated.relevance, on=["query_id", "item_id"])
    dwells = dwells[dwells["value"] > 0.5]
    assert np.corrcoef(np.log(dwells["value"]), dwells["relevance"])[0, 1] > 0.3


def test_bots_and_only_bots_click_more_than_thirty_times_a_minute(simulated: Simulated) -> None:
    clicks = joined(simulated, "click")
    minute = clicks["occurred_at"].dt.floor("min")
    busiest = clicks.groupby(["session_id", minute]).size().groupby("session_id").max()
    assert (busiest > 30).sum() == simulated.summary.bot_sessions > 0
    assert not busiest.between(20, 30).any()


def test_a_signal_comes_that_nobody_asked_for(simulated: Simulated) -> None:
    assert simulated.summary.interactions["hover"] > 0
