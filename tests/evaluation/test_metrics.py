from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import ndcg_score

from label_platform.evaluation import (
    Lists,
    dcg_at_k,
    lists_without_positives,
    ndcg_at_k,
    rank_discounts,
)
from label_platform.evaluation.metrics import Floats

TWO_LISTS = Lists.of_sorted(np.array(["a", "a", "a", "b", "b"]))


def test_discounts_follow_the_rank_within_each_list() -> None:
    found = rank_discounts(np.array([0.1, 0.9, 0.5, 2.0, 1.0]), TWO_LISTS, k=2)

    assert found.tolist() == pytest.approx([0, 1, 1 / log2(3), 1, 1 / log2(3)])


def test_ties_share_their_discounts_whatever_their_gains() -> None:
    found = rank_discounts(np.array([7.0, 7.0, 9.0, 1.0, 1.0]), TWO_LISTS, k=10)

    tied = (1 / log2(3) + 1 / log2(4)) / 2
    assert found.tolist() == pytest.approx([tied, tied, 1, *[(1 + 1 / log2(3)) / 2] * 2])


def test_dcg_sums_gains_by_discount() -> None:
    gains = np.array([3.0, 2.0, 0.0, 1.0, 0.0])
    scores = np.array([1.0, 2.0, 3.0, 1.0, 2.0])

    found = dcg_at_k(gains, scores, TWO_LISTS, k=10)

    assert found.tolist() == pytest.approx([2 / log2(3) + 3 / log2(4), 1 / log2(3)])


def test_lists_without_positives_are_counted_and_have_no_ndcg() -> None:
    gains = np.array([0.0, 1.0, 0.0, 0.0, 0.0])

    found = ndcg_at_k(gains, np.array([1.0, 2.0, 0.0, 1.0, 2.0]), TWO_LISTS, k=10)

    assert found[0] == 1.0
    assert np.isnan(found[1])
    assert lists_without_positives(gains, TWO_LISTS) == 1


def test_no_lists_have_no_metrics() -> None:
    empty = Lists.of_sorted(np.array([]))

    assert dcg_at_k(np.array([]), np.array([]), empty, k=10).tolist() == []
    assert lists_without_positives(np.array([]), empty) == 0


def test_negative_gains_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more, found -1"):
        ndcg_at_k(np.array([-1.0] * 5), np.zeros(5), TWO_LISTS, k=10)


def test_scores_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 5 scores"):
        rank_discounts(np.array([1.0, np.nan, 2.0, 3.0, 4.0]), TWO_LISTS, k=10)


@settings(deadline=None)
@given(
    gains=arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0])),
    scores=arrays(np.float64, 12, elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])),
    k=st.integers(1, 12),
)
def test_agrees_with_scikit_learn_and_stays_within_bounds(
    gains: Floats, scores: Floats, k: int
) -> None:
    lists = Lists.of_sorted(np.repeat([0, 1, 2], 4))

    found = ndcg_at_k(gains, scores, lists, k)

    for mine, of_list, of_score in zip(
        found, gains.reshape(3, 4), scores.reshape(3, 4), strict=True
    ):
        if of_list.max() == 0:
            assert np.isnan(mine)
        else:
            assert mine == pytest.approx(ndcg_score([of_list], [of_score], k=k))
            assert 0 <= mine <= 1
