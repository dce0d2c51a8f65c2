"""Against hand arithmetic, every order of ties written out row by row, and trec_eval."""

from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import fmean

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from label_platform.evaluation.metrics import Floats, Lists, Ranking
from label_platform.evaluation.rank_metrics import (
    average_precision_at_k,
    average_relevant_position,
    expected_reciprocal_rank_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)

HIGHEST = 3.0
Metric = Callable[[Floats, Ranking, int], Floats]
METRICS: dict[str, Metric] = {
    "precision": precision_at_k,
    "recall": recall_at_k,
    "ap": average_precision_at_k,
    "rr": reciprocal_rank_at_k,
    "err": lambda gains, ranking, k: expected_reciprocal_rank_at_k(gains, ranking, k, HIGHEST),
    "arp": lambda gains, ranking, k: average_relevant_position(gains, ranking),  # noqa: ARG005
}


def plainly(name: str, gains: Sequence[float], k: int) -> float:
    """A metric of one list whose gains are in the order of the ranking."""
    relevant = [gain > 0 for gain in gains]
    first = relevant[:k]
    if name == "precision":
        return sum(first) / k
    if name == "recall":
        return sum(first) / sum(relevant)
    if name == "ap":
        hits = [sum(first[: r + 1]) / (r + 1) for r, hit in enumerate(first) if hit]
        return sum(hits) / sum(relevant)
    if name == "rr":
        return 1 / (first.index(True) + 1) if any(first) else 0.0
    if name == "arp":
        return sum(gain * r for r, gain in enumerate(gains, 1)) / sum(gains)
    value, looking = 0.0, 1.0
    for r, gain in enumerate(gains[:k], 1):
        stop = (2**gain - 1) / 2**HIGHEST
        value += looking * stop / r
        looking *= 1 - stop
    return value


def over_orders_of_ties(
    name: str, gains: Sequence[float], scores: Sequence[float], k: int
) -> float:
    falling = sorted(scores, reverse=True)
    orders = [
        order
        for order in permutations(range(len(scores)))
        if [scores[item] for item in order] == falling
    ]
    return fmean(plainly(name, [gains[item] for item in order], k) for order in orders)


@st.composite
def some_lists(draw: st.DrawFn) -> tuple[list[list[float]], list[list[float]]]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    grade, score = st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.0]), st.sampled_from([-1.0, 0.0, 7.5])
    lists_of = [
        [draw(st.lists(each, min_size=size, max_size=size)) for size in sizes]
        for each in (grade, score)
    ]
    return lists_of[0], lists_of[1]


def ranked(scores: list[list[float]]) -> Ranking:
    keys = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    return Ranking.of(np.concatenate(scores), Lists.of_sorted(keys))


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None)
@given(lists=some_lists(), k=st.integers(1, 8))
def test_ties_are_the_mean_over_their_orders_and_values_stay_within_bounds(
    name: str, lists: tuple[list[list[float]], list[list[float]]], k: int
) -> None:
    gains, scores = lists

    found = METRICS[name](np.concatenate(gains), ranked(scores), k)

    for value, of_list, of_score in zip(found, gains, scores, strict=True):
        if max(of_list) == 0:
            assert np.isnan(value)
            continue
        assert value == pytest.approx(over_orders_of_ties(name, of_list, of_score, k), abs=1e-12)
        assert 0 <= value <= (1 if name != "arp" else len(of_list) + 1e-9)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_agrees_with_trec_eval(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, size=60)
    lists = Lists.of_sorted(np.repeat(np.arange(60), sizes))
    gains = rng.choice([0, 0, 0, 1, 2], size=sizes.sum())
    scores = rng.permutation(sizes.sum()).astype(float)  # trec_eval orders ties by name
    names = {"precision": f"P_{k}", "recall": f"recall_{k}", "ap": f"map_cut_{k}"}
    judged: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for item, code in enumerate(lists.codes):
        judged.setdefault(str(code), {})[str(item)] = int(gains[item])
        run.setdefault(str(code), {})[str(item)] = float(scores[item])
    measures = {*names.values(), "recip_rank", f"ndcg_cut_{k}"}
    theirs = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(run)
    ranking = Ranking.of(scores, lists)
    known = np.flatnonzero(lists.totals(gains.astype(float)) > 0)
    assert len(known) > 40

    for name, of_trec in names.items():
        mine = METRICS[name](gains.astype(float), ranking, k)[known]
        assert mine == pytest.approx([theirs[str(code)][of_trec] for code in known])
    reciprocal = np.array([theirs[str(code)]["recip_rank"] for code in known])
    mine = reciprocal_rank_at_k(gains.astype(float), ranking, k)[known]
    assert mine == pytest.approx(np.where(reciprocal >= 1 / k - 1e-9, reciprocal, 0))
    best = Ranking.of(gains.astype(float), lists).dcg(gains, k)[known]
    gain_at_k = [theirs[str(code)][f"ndcg_cut_{k}"] for code in known]
    assert ranking.dcg(gains, k)[known] / best == pytest.approx(gain_at_k)


def test_values_by_hand() -> None:
    # ranked: nothing, grade 3, nothing, grade 1
    ranking = ranked([[4.0, 3.0, 2.0, 1.0]])
    gains = np.array([0.0, 3.0, 0.0, 1.0])

    assert precision_at_k(gains, ranking, 3)[0] == pytest.approx(1 / 3)
    assert recall_at_k(gains, ranking, 3)[0] == pytest.approx(1 / 2)
    assert average_precision_at_k(gains, ranking, 4)[0] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert average_precision_at_k(gains, ranking, 3)[0] == pytest.approx((1 / 2) / 2)
    assert reciprocal_rank_at_k(gains, ranking, 4)[0] == pytest.approx(1 / 2)
    assert reciprocal_rank_at_k(gains, ranking, 1)[0] == 0
    assert average_relevant_position(gains, ranking)[0] == pytest.approx((3 * 2 + 1 * 4) / 4)
    err = expected_reciprocal_rank_at_k(gains, ranking, 4, HIGHEST)[0]
    assert err == pytest.approx(7 / 8 / 2 + (1 - 7 / 8) * (1 / 8) / 4)


def test_a_list_shorter_than_k_keeps_the_k_of_precision() -> None:
    ranking = ranked([[2.0, 1.0]])

    assert precision_at_k(np.ones(2), ranking, 10)[0] == pytest.approx(2 / 10)
    assert recall_at_k(np.ones(2), ranking, 10)[0] == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_long_ties_are_what_random_orders_give_on_average(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gains = rng.choice([0.0, 0.0, 0.0, 1.0, 3.0], size=300)
    tied = ranked([np.zeros(300).tolist()])
    orders = 4000
    drawn = Ranking.of(rng.random(300 * orders), Lists.of_sorted(np.repeat(np.arange(orders), 300)))

    for name, metric in METRICS.items():
        values = metric(np.tile(gains, orders), drawn, 10)
        error = values.std() / np.sqrt(orders)
        assert abs(metric(gains, tied, 10)[0] - values.mean()) < 4 * error + 1e-9, name


@pytest.mark.parametrize("name", METRICS)
def test_no_lists_have_no_values(name: str) -> None:
    empty = Ranking.of(np.array([]), Lists.of_sorted(np.array([])))

    assert METRICS[name](np.array([]), empty, 10).tolist() == []


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("wrong", [-1.0, np.nan])
def test_gains_without_meaning_are_refused(name: str, wrong: float) -> None:
    with pytest.raises(ValueError, match="gains of 0 or more"):
        METRICS[name](np.array([1.0, wrong]), ranked([[1.0, 2.0]]), 1)


def test_wrong_arguments_are_refused() -> None:
    ranking = ranked([[1.0, 2.0]])
    with pytest.raises(ValueError, match="found k = 0"):
        precision_at_k(np.ones(2), ranking, 0)
    with pytest.raises(ValueError, match="found 3 gains for 2 items"):
        recall_at_k(np.ones(3), ranking, 1)
    with pytest.raises(ValueError, match="found a grade of 4, the highest was to be 3"):
        expected_reciprocal_rank_at_k(np.array([4.0, 0.0]), ranking, 1, HIGHEST)
    with pytest.raises(ValueError, match="found 3 scores for 2 items"):
        Ranking.of(np.ones(3), ranking.lists)


@pytest.mark.parametrize("sizes", [[3, 1, 2], [1] * 40 + [200], [200, 150, 180]])
def test_lists_of_all_lengths_are_sorted_alike(sizes: list[int]) -> None:
    rng = np.random.default_rng(3)
    keys = np.repeat(np.arange(len(sizes)), sizes)
    scores = rng.choice([-np.inf, 0.0, 1.0, 2.0, np.inf], size=len(keys))

    ranking = Ranking.of(scores, Lists.of_sorted(keys))

    expected = sorted(range(len(keys)), key=lambda item: (keys[item], -scores[item]))
    assert ranking.order.tolist() == expected
    assert ranking.rank.tolist() == [r for size in sizes for r in range(1, size + 1)]
