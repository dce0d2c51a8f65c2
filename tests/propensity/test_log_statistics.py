"""The SQL of cells, lists and features, and what estimators make of it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import (
    LogStatistics,
    cell_statistics_sql,
    count_cells_sql,
    features_sql,
    list_statistics_sql,
    position_counts_sql,
    swap_statistics_sql,
)
from label_platform.propensity.cells import Cells
from label_platform.propensity.curves import estimate_curves
from label_platform.propensity.estimators.harvest_all_pairs import estimate_harvest_all_pairs
from label_platform.propensity.estimators.pbm import estimate_pbm
from label_platform.propensity.registry import ESTIMATORS
from label_platform.propensity_settings import PropensitySettings

COLUMNS = [
    *("query_id", "item_id", "position", "device", "randomized"),
    *("impressions", "clicks", "impressions_below_click", "clicks_below_click", "viewed"),
    *("chance_impressions", "chance_clicks", "weighted_impressions", "weighted_clicks"),
    "list_length",
]
ROWS = pd.DataFrame(
    [
        ("q1", "a", 1, "tv", False, 10, 3, 0, 0, 9, 6, 1, 12.0, 2.0, 2),
        ("q1", "a", 1, "tv", False, 5, 1, 0, 0, 5, 0, 0, 0.0, 0.0, 2),
        ("q1", "a", 2, "tv", False, 4, 1, 2, 1, 2, 0, 0, 0.0, 0.0, 2),
        ("q1", "a", 2, "tv", True, 100, 50, 9, 9, 90, 0, 0, 0.0, 0.0, 2),
        ("q1", "b", 2, "tv", False, 7, 2, 3, 0, 3, 0, 0, 0.0, 0.0, 3),
        ("q2", "a", 1, "pc", False, 6, 2, 0, 0, 6, 0, 0, 0.0, 0.0, 2),
    ],
    columns=COLUMNS,
)


def frame(sql: str, rows: pd.DataFrame = ROWS) -> pd.DataFrame:
    with Engine() as engine:
        engine.register("statistics", rows)
        return engine.frame(sql)


def statistics_of(rows: pd.DataFrame, *, pooled: bool = False) -> LogStatistics:
    """What is read of a log of one day without contexts."""
    return LogStatistics(
        context=(),
        randomized=pd.DataFrame(),
        counts=frame(position_counts_sql("statistics", []), rows),
        cells=frame(cell_statistics_sql("statistics", [], pooled=pooled), rows),
        cells_by_day=frame(cell_statistics_sql("statistics", []), rows).assign(day="1"),
        swapped=frame(swap_statistics_sql("statistics", []), rows),
        pooled=pooled,
    )


def test_cells_sum_what_rankers_showed() -> None:
    cells = frame(cell_statistics_sql("statistics", ["device"]))
    found = cells[["device", "query", "position", "impressions", "clicks"]].to_numpy().tolist()
    assert found == [
        ["tv", 1, 1, 10 + 5, 3 + 1],
        ["tv", 1, 2, 4, 1],
        ["tv", 1, 2, 7, 2],
        ["pc", 2, 1, 6, 2],
    ]
    assert cells["impressions_below_click"].tolist() == [0, 2, 3, 0]
    # one code per (context, query, item)
    assert cells.groupby("item").size().tolist() == [1, 2, 1]
    assert frame(count_cells_sql("statistics", ["device"])).iloc[0, 0] == 4


def test_days_keep_only_items_seen_at_several_positions() -> None:
    days = pd.concat([ROWS.assign(day="1"), ROWS.iloc[:1].assign(day="2")])
    cells = frame(cell_statistics_sql("statistics", ["device"], by_day=True), days)
    assert cells[["day", "position", "impressions"]].to_numpy().tolist() == [
        ["1", 1, 15],
        ["1", 2, 4],
    ]


def test_views_and_swaps() -> None:
    counts = frame(position_counts_sql("statistics", []))
    assert counts.columns.tolist()[:2] == ["length", "position"]
    assert counts.to_numpy().tolist() == [
        [2, 1, 10 + 5 + 6, 3 + 1 + 2, 9 + 5 + 6, 10 + 5 + 6],
        [2, 2, 4 + 100, 1 + 50, 2 + 90, 4 + 100],
        [3, 2, 7, 2, 3, 7],
    ]
    swaps = frame(swap_statistics_sql("statistics", []))
    columns = ["position", "impressions", "clicks", "counted_impressions", "counted_clicks"]
    # six of the ten impressions of the first row have probability 1/2, one with a click
    assert swaps[columns].to_numpy().tolist() == [[1, 6 / 0.5, 1 / 0.5, 6, 1]]


def test_days_counted_before_chance_was_are_no_evidence_of_swaps() -> None:
    before = ROWS.assign(chance_impressions=None, chance_clicks=None)
    both = pd.concat([ROWS, before.astype({"chance_impressions": float, "chance_clicks": float})])
    swaps = frame(swap_statistics_sql("statistics", []), both)
    columns = ["impressions", "counted_impressions", "counted_clicks"]
    assert swaps[columns].to_numpy().tolist() == [[6 / 0.5, 6, 1]]


def test_days_that_log_no_views_are_not_days_without_a_view() -> None:
    half = pd.concat([ROWS, ROWS.assign(viewed=np.nan)])
    statistics = statistics_of(half)
    (stratum,) = statistics.strata()
    assert stratum.views is not None
    # by position, of what was shown and what was seen, in lists of 2 and of 3
    assert stratum.views.tolist() == [
        [[10 + 5 + 6, 0], [9 + 5 + 6, 0]],
        [[4 + 100, 7], [2 + 90, 3]],
    ]


def test_a_log_that_keeps_no_lists_compares_all_its_positions() -> None:
    single = ROWS.assign(list_length=ROWS["position"])
    (stratum,) = statistics_of(single).strata()
    assert stratum.views is not None
    # one record per request: every list would end at its only record
    assert stratum.views.tolist() == [
        [[10 + 5 + 6], [9 + 5 + 6]],
        [[4 + 100 + 7], [2 + 90 + 3]],
    ]


def test_lists_of_different_length_are_not_compared_with_each_other() -> None:
    # lists of 5 are looked at by nine of ten people, lists of 10 by three of ten, at each position
    shown = dict.fromkeys((5, 10), 10000)
    seen = {5: 9_000, 10: 3_000}
    rows = pd.DataFrame(
        [
            ("q", "a", place, False, shown[length], 0, 0, 0, seen[length], 0, 0, 0.0, 0.0, length)
            for length in (5, 10)
            for place in range(1, length + 1)
        ],
        columns=[name for name in COLUMNS if name != "device"],
    )
    (stratum,) = statistics_of(rows).strata()
    estimate = ESTIMATORS["viewport"].run(stratum, 20)
    assert estimate.propensity.tolist() == pytest.approx([1.0] * 10)


def test_clicks_where_an_item_always_stands_are_no_evidence_of_swaps() -> None:
    # of a hundred queries each, an item stands at home 1,000 times for certain; by a coin it
    # stands at either of two places twice, and is clicked there once in every 25th query
    rows = pd.DataFrame(
        list(product(range(100), (1, 2), (1, 2))), columns=["query_id", "item_id", "position"]
    ).assign(randomized=False, chance_impressions=2, list_length=2, viewed=np.nan)
    certain = 1_000 * (rows["position"] == rows["item_id"])
    rows["chance_clicks"] = (rows["query_id"] % 25 == 0).astype(int)
    for name, rate in (("impressions", 1), ("clicks", 0.3)):
        by_chance = rows[f"chance_{name}"]
        rows[name] = (by_chance + certain * rate).astype(int)
        rows[f"weighted_{name}"] = by_chance / 0.5
        rows[f"{name}_below_click"] = 0
    statistics = statistics_of(rows)
    (stratum,) = statistics.strata()
    # four queries of a hundred have a click at each of four places
    assert stratum.swap_counts == (100 * 4 * 2, 4 * 4)
    settings = PropensitySettings(replicates=20)
    found = estimate_curves("swap", statistics, [stratum], settings)
    assert found["verdict"][0] == "insufficient_interventions"
    words = "16 clicks on 800 impressions, where at least 20 clicks are needed"
    assert found["reason"][0].startswith(words)


def many_cells(seed: int) -> pd.DataFrame:
    settings = ClickListSettings(n_lists=6_000, n_queries=3_000, candidates=12)
    table = simulate_click_lists(settings, seed).table()
    zero = dict.fromkeys(COLUMNS[7:], 0) | {"list_length": 10}
    return table.rename(columns={"query": "query_id", "item": "item_id"}).assign(**zero)


@pytest.mark.parametrize("seed", [1, 2])
def test_pooling_items_of_equal_exposure_changes_no_estimate(seed: int) -> None:
    rows = many_cells(seed)
    whole = frame(cell_statistics_sql("statistics", []), rows)
    pooled = frame(cell_statistics_sql("statistics", [], pooled=True), rows)
    assert len(pooled) < 0.9 * len(whole)
    assert pooled["clicks"].sum() < whole["clicks"].sum()
    for estimate in (estimate_pbm, estimate_harvest_all_pairs):
        of_whole = estimate(Cells.from_table(whole), replicates=2).propensity
        of_pooled = estimate(Cells.from_table(pooled), replicates=2).propensity
        assert of_pooled == pytest.approx(of_whole, rel=1e-5)


def test_pooled_items_of_one_query_have_intervals_as_wide_as_unpooled_ones() -> None:
    rng = np.random.default_rng(1)
    # each item ten times at a position and ten times at the next: two exposures in all
    item = np.repeat(np.arange(1_000), 2)
    position = 1 + item % 2 + np.tile([0, 1], 1_000)
    shown = {"query_id": "window", "item_id": item, "position": position, "impressions": 10}
    clicks = rng.binomial(10, rng.uniform(0.2, 0.8, 1_000)[item] / position)
    zero = dict.fromkeys(COLUMNS[7:], 0) | {"list_length": 10}
    rows = pd.DataFrame({**shown, "clicks": clicks, "randomized": False, **zero})
    errors = []
    for pooled in (False, True):
        (stratum,) = statistics_of(rows, pooled=pooled).strata()
        errors.append(estimate_pbm(stratum.cells, replicates=200).log_error[1:])
    assert errors[1] == pytest.approx(errors[0], rel=0.25)


def test_pooled_lists_of_one_query_are_drawn_each() -> None:
    places = pd.DataFrame({"list": [1, 2], "query": 1, "item": 1, "position": 1, "clicked": True})
    statistics = replace(statistics_of(many_cells(1), pooled=True), lists=places)
    (stratum,) = statistics.strata()
    assert stratum.lists is not None
    assert stratum.lists.query.tolist() == [0, 1]


def test_pooling_takes_as_many_cells_as_the_limit_without_a_bias() -> None:
    rows = many_cells(1)
    # no two items of a query have equal exposure
    rows["impressions"] = rows["impressions"] * 1_000 + np.arange(len(rows))
    rows["clicks"] *= 1_000
    uncapped = frame(cell_statistics_sql("statistics", [], pooled=True), rows)
    limit = len(uncapped) // 3
    capped = frame(cell_statistics_sql("statistics", [], pooled=True, max_cells=limit), rows)
    assert limit - 5 < len(capped) <= limit
    # whole items, of all groups of queries
    sizes = uncapped.groupby("item").size()
    kept = capped.groupby("item").size()
    assert kept.tolist() == sizes[kept.index].tolist()
    assert capped["query"].nunique() == uncapped["query"].nunique()
    rate, kept_rate = (
        each["clicks"].sum() / each["impressions"].sum() for each in (uncapped, capped)
    )
    assert kept_rate == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize("way", ["pooled", "by_day"])
def test_lists_of_an_unknown_context_are_counted(way: str) -> None:
    rows = ROWS.iloc[:4].assign(device=None, day="1")
    cells = frame(
        cell_statistics_sql(
            "statistics", ["device"], pooled=way == "pooled", by_day=way == "by_day"
        ),
        rows,
    )
    assert cells[["position", "impressions"]].to_numpy().tolist() == [[1, 10 + 5], [2, 4]]


def test_lists_are_read_query_by_query_up_to_the_limit() -> None:
    shown = pd.DataFrame(
        {
            "request_id": [1, 1, 2, 2, 3],
            "query_id": ["q1", "q1", "q1", "q1", "q2"],
            "item_id": ["a", "b", "b", "a", "c"],
            "position": [1, 2, 1, 3, 1],
            "clicked": [True, False, False, True, False],
        }
    )
    lists = frame(list_statistics_sql("statistics", [], 10), shown)
    statistics = replace(statistics_of(ROWS), lists=lists)
    (stratum,) = statistics.strata()
    assert stratum.lists is not None
    assert stratum.lists.query_item.tolist() == [[0, 1, -1], [1, -1, 0], [2, -1, -1]]
    assert stratum.lists.clicked.tolist() == [
        [True, False, False],
        [False, False, True],
        [False, False, False],
    ]
    # with two queries, it is lists that a bootstrap draws
    assert stratum.lists.query.tolist() == [0, 1, 2]


def lists_of(queries: list[str]) -> pd.DataFrame:
    """A list of one item for each query named."""
    return pd.DataFrame(
        {
            "request_id": range(len(queries)),
            "query_id": queries,
            "item_id": "a",
            "position": 1,
            "clicked": False,
        }
    )


def test_of_many_queries_whole_ones_are_read_up_to_the_limit() -> None:
    shown = lists_of([f"q{number}" for number in range(40)] * 3)
    read = frame(list_statistics_sql("statistics", [], 3 * 25 + 1), shown)
    assert read.groupby("query_id")["list"].nunique().tolist() == [3] * 25


@pytest.mark.parametrize("others", [0, 30])
def test_of_one_query_with_more_lists_than_the_limit_some_are_read(others: int) -> None:
    # with each of ten names: some come early by md5, and exceed the limit at once
    for name in (f"shop {number}" for number in range(10)):
        shown = lists_of([name] * 500 + [f"q{number}" for number in range(others)])
        read = frame(list_statistics_sql("statistics", [], 100), shown)
        whole = len(read) >= 20 and (read["query_id"] != name).all()
        assert len(read) == 100 or (others and whole)


def test_features_are_those_of_the_last_impression() -> None:
    signals = pd.DataFrame(
        {
            "query_id": ["q1", "q1", "q2"],
            "item_id": ["a", "a", "a"],
            "device": ["tv", "tv", "pc"],
            "shown_at": pd.to_datetime(["2026-10-01", "2026-10-02", "2026-10-01"]),
            "f_price": ["1.5", "2.5", "dear"],
        }
    )
    coded = frame(cell_statistics_sql("statistics", ["device"], with_ids=True))
    with Engine() as engine:
        engine.register("coded", coded)
        engine.register("signals", signals)
        found = engine.frame(features_sql("coded", "signals", ["device"], ["f_price"]))
    prices = found.set_index("item")["f_price"].to_dict()
    codes = coded.drop_duplicates("item").set_index(["query_id", "item_id"])["item"]
    assert prices[codes["q1", "a"]] == 2.5
    assert np.isnan(prices[codes["q2", "a"]])
