from itertools import permutations
from math import log2, sqrt
from statistics import fmean, stdev, variance

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_platform.evaluation.metrics import Lists, Ranking, best_dcg_at_k
from label_platform.evaluation.watch_metrics import (
    duration_spread,
    normalised_engagement_gain,
    normalised_watch_time_gain,
)


def one_list(scores: list[float]) -> Ranking:
    return Ranking.of(np.array(scores), Lists.of_sorted(np.zeros(len(scores))))


def test_values_by_hand() -> None:
    ranking = one_list([3.0, 2.0, 1.0])
    watch = np.array([0.0, 5.0, 20.0])

    found = normalised_watch_time_gain(watch, ranking, 2)

    assert found[0] == pytest.approx((5 / log2(3)) / (20 + 5 / log2(3)))
    engaged = normalised_engagement_gain(np.array([0.0, 0.0, 4.0]), ranking, 3)
    assert engaged[0] == pytest.approx(1 / log2(4))
    assert duration_spread(np.array([10.0, 30.0, 99.0]), ranking, 2)[0] == pytest.approx(sqrt(200))


def test_a_known_best_order_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    lists = Lists.of_sorted(np.repeat(np.arange(50), 7))
    watch, ranking = rng.exponential(size=350), Ranking.of(rng.random(350), lists)

    found = normalised_watch_time_gain(watch, ranking, 5, best_dcg_at_k(watch, lists, 5))

    np.testing.assert_array_equal(found, normalised_watch_time_gain(watch, ranking, 5))
    assert ((found >= 0) & (found <= 1)).all()


def test_people_without_anything_have_no_value() -> None:
    ranking = Ranking.of(np.array([1.0, 2.0, 3.0]), Lists.of_sorted(np.array([0, 0, 1])))

    assert np.isnan(normalised_watch_time_gain(np.array([0.0, 0.0, 5.0]), ranking, 2)).tolist() == [
        True,
        False,
    ]
    assert np.isnan(normalised_engagement_gain(np.array([1.0, 0.0, 0.0]), ranking, 2)).tolist() == [
        False,
        True,
    ]
    assert np.isnan(duration_spread(np.array([1.0, 2.0, 3.0]), ranking, 2)).tolist() == [
        False,
        True,
    ]


@settings(deadline=None)
@given(
    items=st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.floats(0, 1e6)), min_size=2, max_size=6
    ),
    k=st.integers(2, 8),
)
def test_spread_is_the_root_of_the_mean_variance_over_orders_of_ties(
    items: list[tuple[float, float]], k: int
) -> None:
    scores, durations = [score for score, _ in items], [duration for _, duration in items]
    falling = sorted(scores, reverse=True)
    orders = [o for o in permutations(range(len(items))) if [scores[i] for i in o] == falling]

    found = duration_spread(np.array(durations), one_list(scores), k)[0]

    expected = fmean(variance([durations[item] for item in order[:k]]) for order in orders)
    # a variance is exact to 1e-16 of the greatest square, its root to 1e-8 of the greatest
    assert found == pytest.approx(sqrt(expected), rel=1e-6, abs=5e-8 * max(durations))


@pytest.mark.parametrize("seed", [0, 1])
def test_spread_without_ties_is_the_sample_deviation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 40, size=30)
    lists = Lists.of_sorted(np.repeat(np.arange(30), sizes))
    # far from 0, where sums of squares would lose what tells durations apart
    durations, scores = 1e7 + rng.random(sizes.sum()), rng.random(sizes.sum())

    found = duration_spread(durations, Ranking.of(scores, lists), 10)

    for value, start, size in zip(found, lists.starts, sizes, strict=True):
        own = slice(start, start + size)
        first = durations[own][np.argsort(-scores[own])[:10]]
        assert value == pytest.approx(stdev(first.tolist()), rel=1e-6)


def test_wrong_input_is_refused() -> None:
    ranking = one_list([1.0, 2.0])
    with pytest.raises(ValueError, match="gains of 0 or more, found -1"):
        normalised_watch_time_gain(np.array([-1.0, 2.0]), ranking, 2)
    with pytest.raises(ValueError, match="NEG needs feedback of 0 or more"):
        normalised_engagement_gain(np.array([-1.0, 2.0]), ranking, 2)
    with pytest.raises(ValueError, match="1 of 2 durations are not known"):
        duration_spread(np.array([np.nan, 2.0]), ranking, 2)
    with pytest.raises(ValueError, match="found k = 1"):
        duration_spread(np.array([1.0, 2.0]), ranking, 1)
