from math import log2

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from label_platform.policy import RankerSpec
from label_platform.ranking import TrainingData
from label_platform.ranking.agreement import mean_ndcg_at_10, rank_correlation
from label_platform.ranking.auxiliary import choose_weight


def test_ndcg_is_the_mean_over_lists_that_can_be_ordered_wrongly() -> None:
    label = np.array([0.0, 1.0, 2.0, 1.0, 1.0, 3.0, 0.0])
    score = np.array([0.3, 0.2, 0.1, 9.0, 8.0, 0.9, 0.4])
    sizes = np.array([3, 2, 2])  # the second list has one label only

    found = mean_ndcg_at_10(label, score, sizes)

    first = (0 / log2(2) + 1 / log2(3) + 2 / log2(4)) / (2 / log2(2) + 1 / log2(3))
    assert found == pytest.approx((first + 1) / 2)


def test_items_that_tie_share_the_mean_of_their_discounts() -> None:
    found = mean_ndcg_at_10(np.array([1.0, 0.0]), np.array([5.0, 5.0]), np.array([2]))

    assert found == pytest.approx((1 / log2(2) + 1 / log2(3)) / 2)


def test_the_eleventh_item_earns_nothing() -> None:
    label = np.append(np.zeros(10), 1.0)

    assert mean_ndcg_at_10(label, -np.arange(11.0), np.array([11])) == 0
    assert mean_ndcg_at_10(label, np.arange(11.0), np.array([11])) == 1


def test_negative_labels_are_shifted_by_the_lowest() -> None:
    score, sizes = np.array([0.1, 0.2, 0.3]), np.array([3])

    shifted = mean_ndcg_at_10(np.array([-2.0, 1.0, 0.0]), score, sizes)

    assert shifted == pytest.approx((2 / log2(2) + 3 / log2(3)) / (3 / log2(2) + 2 / log2(3)))


@pytest.mark.parametrize("sizes", [[1, 1, 1], [3], []])
def test_ndcg_of_lists_that_nothing_tells_apart_is_none(sizes: list[int]) -> None:
    label = np.ones(sum(sizes)) if sizes == [3] else np.arange(float(sum(sizes)))

    assert mean_ndcg_at_10(label, label, np.array(sizes, dtype=np.int64)) is None


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlation_is_spearmans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label, score = rng.integers(0, 3, 50).astype(float), rng.random(50).round(1)

    assert rank_correlation(label, score) == pytest.approx(spearmanr(label, score).statistic)


def test_rank_correlation_of_what_does_not_vary() -> None:
    assert rank_correlation(np.ones(3), np.arange(3.0)) is None
    assert rank_correlation(np.zeros(0), np.zeros(0)) is None
    assert rank_correlation(np.arange(3.0), np.ones(3)) == 0


def test_the_weight_is_the_best_of_the_grid_and_the_smaller_of_two() -> None:
    """By hand: the second score turns a list round from the weight on at which it outweighs."""
    frame = pd.DataFrame(
        {
            "part": "validate",
            "group_id": [1, 1, 2, 2],
            "query_id": [1, 1, 2, 2],
            "item_id": range(4),
            "label": [1.0, 0.0, 1.0, 0.0],
            "auxiliary_label": [0.0, 1.0, 0.0, 1.0],
            "weight": 1.0,
            "raw_label": 0.0,
            "raw_weight": 1.0,
            "f_a": 0.0,
        }
    )
    spec = RankerSpec(objective="pointwise", auxiliary="combine")
    rows = TrainingData.from_examples(frame, spec, ["f_a"], "validate")
    own = np.array([0.0, 0.3, 5.0, 0.0])

    # list 1 needs 0.3 < lambda, list 2 needs lambda < 5: 0.5, 1 and 2 are as good
    second = np.array([1.0, 0.0, 0.0, 1.0])
    assert choose_weight(own, second, rows, "label") == (0.5, "nDCG@10 of label")
    # the auxiliary label wants the opposite by as much: both together do not care
    weight, tuned_by = choose_weight(own, second, rows, "both")
    assert (weight, tuned_by) == (0.0, "nDCG@10 of label and nDCG@10 of auxiliary_label")
