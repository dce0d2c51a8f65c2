import pickle
from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

from label_platform.evaluation import ShownLists, metric_yardsticks
from label_platform.evaluation.metric_yardsticks import RecentRankings
from label_platform.evaluation.metrics import Lists
from label_platform.evaluation_settings import EvaluationSettings, Metric

ALL_METRICS = EvaluationSettings(cutoff=3, metrics=get_args(Metric))
Make = Callable[..., pa.Table]


def shown_of(impressions: pa.Table) -> ShownLists:
    return ShownLists.from_impressions(impressions, ["f_good"], "click")


def named(shown: ShownLists, settings: EvaluationSettings = ALL_METRICS) -> dict[str, Any]:
    return {each.name: each for each in metric_yardsticks(shown, settings)}


def clicked_ranks(yardstick: Any) -> list[list[int]]:  # noqa: ANN401 - any of the yardsticks
    """The ranks of the clicks of each randomised list with any, by ``first_scores``."""
    shown, scores = yardstick.shown, first_scores(yardstick)
    ranks = []
    for start, size in zip(shown.lists.starts, shown.lists.sizes, strict=True):
        order = np.argsort(-scores[start : start + size])
        found = np.flatnonzero(shown.clicks[start : start + size][order] > 0) + 1
        if len(found):
            ranks.append(found.tolist())
    return ranks


def first_scores(yardstick: Any) -> np.ndarray:  # noqa: ANN401 - any of the yardsticks
    """By f_good, of whose ties the first item wins."""
    return yardstick.features[:, 0] - 1e-6 * np.arange(len(yardstick.features))


@pytest.mark.parametrize("seed", [0, 7])
def test_values_are_means_over_randomised_lists_with_a_click(
    make_impressions: Make, seed: int
) -> None:
    yardsticks = named(shown_of(make_impressions(seed=seed)))
    assert len(yardsticks) == len(get_args(Metric)) - 1  # all but DCG
    by_hand: dict[str, Callable[[list[int]], float]] = {
        "mrr_at_3": lambda ranks: 1 / ranks[0] if ranks[0] <= 3 else 0,
        "precision_at_3": lambda ranks: sum(r <= 3 for r in ranks) / 3,
        "recall_at_3": lambda ranks: sum(r <= 3 for r in ranks) / len(ranks),
        "map_at_3": lambda ranks: (
            sum(number / r for number, r in enumerate(ranks, 1) if r <= 3) / len(ranks)
        ),
        "negative_average_relevant_position": lambda ranks: -sum(ranks) / len(ranks),
        "expected_reciprocal_rank_at_3": lambda ranks: sum(
            0.5**number / r for number, r in enumerate(ranks, 1) if r <= 3
        ),
        "ndcg_at_3": lambda ranks: (
            sum(1 / np.log2(1 + r) for r in ranks if r <= 3)
            / sum(1 / np.log2(1 + r) for r in range(1, min(3, len(ranks)) + 1))
        ),
    }

    for name, of_list in by_hand.items():
        yardstick = yardsticks[f"randomized_click_{name}"]
        found = yardstick.measure(first_scores(yardstick))
        ranks = clicked_ranks(yardstick)
        assert 50 < len(ranks) < 200  # some lists of the 200 have no click
        assert found.denominator.sum() == len(ranks)
        assert found.value == pytest.approx(np.mean([of_list(each) for each in ranks])), name


def test_parts_are_by_query_and_the_same_for_all_rankers(make_impressions: Make) -> None:
    yardstick = named(shown_of(make_impressions()))["randomized_click_mrr_at_3"]

    one = yardstick.measure(first_scores(yardstick))
    other = yardstick.measure(-first_scores(yardstick))

    assert one.value > other.value
    assert set(one.units) <= {str(query) for query in range(60)}
    assert len(set(one.units)) == len(one.units)
    np.testing.assert_array_equal(one.units, other.units)
    np.testing.assert_array_equal(one.denominator, other.denominator)


def test_parts_are_by_list_where_queries_are_few(make_impressions: Make) -> None:
    table = make_impressions()
    one_query = table.set_column(1, "query_id", pa.array(["all"] * table.num_rows))
    yardstick = named(shown_of(one_query))["randomized_click_map_at_3"]

    found = yardstick.measure(first_scores(yardstick))

    assert len(found.units) == len(clicked_ranks(yardstick))
    assert (found.denominator == 1).all()


def test_only_wanted_metrics_are_made_and_dcg_is_there_already(
    make_impressions: Make,
) -> None:
    shown = shown_of(make_impressions())

    assert metric_yardsticks(shown, EvaluationSettings()) == ()
    assert metric_yardsticks(shown, EvaluationSettings(metrics=("dcg",))) == ()
    ten = named(shown, EvaluationSettings(metrics=("dcg", "mrr")))
    assert set(ten) == {"randomized_click_mrr_at_10"}
    assert ten["randomized_click_mrr_at_10"].slice == "all"


def test_what_the_data_cannot_support_is_refused(make_impressions: Make) -> None:
    def reason(shown: ShownLists) -> str:
        found = named(shown)
        assert len(found) == len(get_args(Metric)) - 1  # all but DCG
        reasons = {each.measure(np.zeros(0)).refused for each in found.values()}
        assert len(reasons) == 1
        return reasons.pop()

    shown = shown_of(make_impressions())
    none = shown.chosen(np.zeros(len(shown.lists), dtype=bool))
    assert reason(none) == "no list of the evaluation days was shown in random order"
    assert reason(shown_of(make_impressions(length=1))).startswith(
        "nothing to re-rank: all 200 randomised lists have one item"
    )
    clicks = shown.lists.totals(shown.clicks)
    telling = np.flatnonzero(shown.randomized & (clicks > 0) & (clicks < 6))
    few = np.zeros(len(shown.lists), dtype=bool)
    few[telling[:9]] = True
    assert reason(shown.chosen(few)).startswith("9 of 9 randomised lists of the evaluation days")
    few[telling[9]] = True
    assert not named(shown.chosen(few))["randomized_click_mrr_at_3"].measure(np.zeros(60)).refused
    # a list whose items were all clicked has the same value in every order
    all_clicked = replace(shown, clicks=np.ones(len(shown.clicks)))
    assert reason(all_clicked).startswith("0 of 200 randomised lists")


def test_a_ranking_that_knows_nothing_has_the_value_of_random_orders(
    make_impressions: Make,
) -> None:
    yardsticks = named(shown_of(make_impressions(lists=2000)))
    rng = np.random.default_rng(1)

    for yardstick in yardsticks.values():
        size = len(yardstick.features)
        drawn = [yardstick.measure(rng.random(size)).value for _ in range(60)]
        tied = yardstick.measure(np.zeros(size)).value
        assert abs(tied - np.mean(drawn)) < 4 * np.std(drawn) / np.sqrt(60), yardstick.name


def test_metrics_of_one_ranker_sort_once_and_pickles_do_not_know(make_impressions: Make) -> None:
    yardsticks = metric_yardsticks(shown_of(make_impressions()), ALL_METRICS)
    before = pickle.dumps(yardsticks)
    rankings = yardsticks[0].clicked.rankings  # type: ignore[attr-defined]
    scores = np.random.default_rng(0).random(len(yardsticks[0].features))

    for yardstick in yardsticks:
        yardstick.measure(scores.copy())

    assert rankings.of(scores.copy()) is rankings.of(scores)
    assert pickle.dumps(yardsticks) == before
    again = pickle.loads(before)[0]  # noqa: S301 - written above
    assert again.measure(scores).value == yardsticks[0].measure(scores).value


def test_scores_that_change_in_place_are_ranked_anew() -> None:
    rankings = RecentRankings(Lists.of_sorted(np.zeros(2)))
    scores = np.array([1.0, 2.0])
    assert rankings.of(scores).order.tolist() == [1, 0]
    scores[0] = 3.0
    assert rankings.of(scores).order.tolist() == [0, 1]


def test_rankers_measured_side_by_side_do_not_mix(make_impressions: Make) -> None:
    yardstick = named(shown_of(make_impressions()))["randomized_click_ndcg_at_3"]
    rng = np.random.default_rng(2)
    rankers = [rng.random(len(yardstick.features)) for _ in range(6)]
    expected = [yardstick.measure(scores).value for scores in rankers]
    found: dict[int, list[float]] = {number: [] for number in range(6)}

    def measure(number: int) -> None:
        found[number] = [yardstick.measure(rankers[number]).value for _ in range(20)]

    threads = [Thread(target=measure, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {number: [value] * 20 for number, value in enumerate(expected)}
