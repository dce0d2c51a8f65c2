"""Slices: which lists and clicks they hold, and that they cost no scoring."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from label_platform.evaluation import (
    Measurement,
    Panel,
    RefusedYardstick,
    ShownLists,
    click_yardsticks,
    query_frequencies,
    sliced_yardsticks,
)
from label_platform.evaluation.slices import MAX_VALUES
from label_platform.propensity import PropensityCurve
from label_platform.ranking import Ranker


class CountingRanker(Ranker):
    """A ranker by one feature that notes how many rows it scored."""

    scored: list[int]

    def score(self, features: np.ndarray, threads: int = 1) -> np.ndarray:
        del threads
        self.scored.append(len(features))
        return np.asarray(features)[:, 0].astype(float)


def counting_ranker() -> CountingRanker:
    ranker = CountingRanker("pointwise", "none", ("f_good",), "", 1)
    object.__setattr__(ranker, "scored", [])
    return ranker


def with_column(table: pa.Table, name: str, values: object) -> pa.Table:
    if name in table.column_names:
        table = table.drop_columns([name])
    return table.append_column(name, pa.array(values))


def device_of_request(table: pa.Table) -> pa.Table:
    """Every third list is mobile."""
    mobile = table["request_id"].to_numpy() % 3 == 0
    return with_column(table, "device", np.where(mobile, "mobile", "desktop"))


def panel_of(table: pa.Table, *slices: str, curve: PropensityCurve | None = None) -> Panel:
    shown = ShownLists.from_impressions(table, ["f_good"], "click", curve, slices)
    return Panel(sliced_yardsticks(shown, lambda part: click_yardsticks(part, curve)))


def measured(panel: Panel) -> dict[tuple[str, str], Measurement]:
    return panel.measure(counting_ranker())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_slice_of_lists_is_the_yardstick_on_a_log_of_those_lists(
    make_impressions: Callable[..., pa.Table], seed: int
) -> None:
    table = device_of_request(make_impressions(seed=seed))
    mobile = table.filter(pa.array(table["request_id"].to_numpy() % 3 == 0))

    found = measured(panel_of(table, "device"))

    alone = measured(panel_of(mobile))
    name = "randomized_click_dcg"
    assert found[name, "device=mobile"].value == alone[name, "all"].value
    assert found[name, "device=mobile"].value != found[name, "all"].value
    parts = [found[name, part].denominator.sum() for part in ("device=mobile", "device=desktop")]
    assert sum(parts) == found[name, "all"].denominator.sum() == 200


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_new_items_count_their_own_clicks_on_whole_lists(
    make_impressions: Callable[..., pa.Table], seed: int
) -> None:
    table = make_impressions(seed=seed)
    draws = np.random.default_rng(seed).random((2, table.num_rows))
    table = with_column(with_column(table, "new_items", draws[0] < 0.4), "f_good", draws[1])

    found = measured(panel_of(table, "new_items"))["randomized_click_dcg", "new_items"]

    frame = table.to_pandas()
    frame = frame[frame["randomized"]]
    rank = frame.groupby("request_id")["f_good"].rank(ascending=False)
    gain = (frame["click"] * frame["new_items"] / np.log2(1 + rank)).sum()
    lists = frame.groupby("request_id")["new_items"].any().sum()
    assert found.numerator.sum() == pytest.approx(gain)
    assert found.denominator.sum() == lists


def test_slices_cost_no_scoring(make_impressions: Callable[..., pa.Table]) -> None:
    table = device_of_request(make_impressions())
    table = with_column(table, "new_items", table["item_id"].to_numpy() % 7 == 0)
    plain, sliced = panel_of(table), panel_of(table, "device", "new_items")
    rankers = [counting_ranker(), counting_ranker()]

    for panel, ranker in zip((plain, sliced), rankers, strict=True):
        panel.measure(ranker)

    assert rankers[0].scored == rankers[1].scored
    matrices = {id(each.shown.matrix) for each in sliced if hasattr(each, "shown")}
    assert len(matrices) == 1


def test_only_rows_that_are_ranked_are_scored(make_impressions: Callable[..., pa.Table]) -> None:
    table = make_impressions()
    ranker = counting_ranker()

    panel_of(table).measure(ranker)  # without a curve only the randomised half is ranked

    randomized = table.filter(table["randomized"])["f_good"].to_numpy().astype(np.float32)
    assert ranker.scored == [len(np.unique(randomized))]


def test_a_small_slice_is_refused_with_its_numbers(
    make_impressions: Callable[..., pa.Table],
) -> None:
    table = make_impressions()
    table = with_column(
        table, "device", np.where(table["request_id"].to_numpy() < 20, "tv", "desktop")
    )

    found = measured(panel_of(table, "device"))

    assert found["randomized_click_dcg", "device=tv"].refused == "device=tv: 20 lists, needed 30"
    assert found["randomized_click_dcg", "device=desktop"].refused == ""


def test_a_slice_without_clicks_is_refused(make_impressions: Callable[..., pa.Table]) -> None:
    table = device_of_request(make_impressions())
    silent = np.where(table["device"].to_numpy(zero_copy_only=False) == "mobile", 0.0, 1.0)
    table = with_column(table, "click", silent * table["click"].to_numpy())

    refused = measured(panel_of(table, "device"))["randomized_click_dcg", "device=mobile"].refused

    assert refused == "device=mobile: 0 clicks on 134 lists, needed 10"


def test_what_is_refused_on_all_lists_has_no_slices(
    make_impressions: Callable[..., pa.Table],
) -> None:
    panel = panel_of(device_of_request(make_impressions()), "device")

    assert [key for key in panel.keys if key[0] == "off_policy_dcg"] == [("off_policy_dcg", "all")]


def test_only_the_most_frequent_values_are_judged(
    make_impressions: Callable[..., pa.Table],
) -> None:
    table = make_impressions(lists=2000)
    # value n has about 2^-n of the lists
    value = np.minimum(np.floor(-np.log2((table["request_id"].to_numpy() + 1) / 2000)), 11)
    table = with_column(table, "version", value.astype(int))

    slices = {part for _, part in panel_of(table, "version").keys}

    assert slices == {"all", *(f"version={n}" for n in range(MAX_VALUES))}


def test_a_missing_value_is_a_value(make_impressions: Callable[..., pa.Table]) -> None:
    table = make_impressions()
    known = [None if each % 2 else "desktop" for each in table["query_id"].to_pylist()]

    assert {part for _, part in panel_of(with_column(table, "device", known), "device").keys} == {
        "all",
        "device=desktop",
        "device=null",
    }


def test_thirds_are_of_impressions_and_not_of_queries() -> None:
    # 90 impressions: 30 and more reach the torso, 60 and more the tail
    counts = np.array([30, 20, 10, *([3] * 10), 0])

    found = query_frequencies(counts)

    assert found.tolist() == ["head", "torso", "torso", *["tail"] * 10, "tail"]


def test_queries_with_as_many_impressions_are_of_one_third() -> None:
    assert set(query_frequencies(np.full(9, 4.0))) == {"head"}
    assert query_frequencies(np.zeros(3)).tolist() == ["tail"] * 3
    assert query_frequencies(np.array([])).tolist() == []


@pytest.mark.parametrize("seed", [0, 1])
def test_each_third_has_about_a_third_of_the_traffic(seed: int) -> None:
    counts = np.random.default_rng(seed).pareto(1.5, 5000).round(2) + 1

    found = query_frequencies(counts)

    shares = [counts[found == word].sum() / counts.sum() for word in ("head", "torso", "tail")]
    assert shares == pytest.approx([1 / 3] * 3, abs=float(counts.max() / counts.sum()))
    assert counts[found == "head"].min() > counts[found == "torso"].max()


def test_numbers_say_what_they_rest_on(make_impressions: Callable[..., pa.Table]) -> None:
    table = device_of_request(make_impressions())
    moments = np.datetime64("2026-10-01T23:59", "us") + np.timedelta64(1, "m") * (
        table["request_id"].to_numpy() % 2
    )
    table = table.append_column("shown_at", pa.array(moments).cast(pa.timestamp("us", "UTC")))

    evidence = panel_of(table, "device").evidence

    randomized = table.filter(table["randomized"])
    found = evidence["randomized_click_dcg", "all"]
    assert (found.lists, found.days, found.randomized_share) == (200, 1, 1.0)
    assert found.positives == randomized["click"].to_numpy().sum()
    assert evidence["off_policy_dcg", "all"].days == 2
    assert evidence["off_policy_dcg", "all"].randomized_share == 0.5


def test_a_panel_of_refusals_scores_nothing() -> None:
    ranker = counting_ranker()
    refused = RefusedYardstick("y", "because")

    found = Panel((refused, replace(refused, slice="device=tv"))).measure(ranker)

    assert found["y", "device=tv"].refused == "because"
    assert ranker.scored == []
