"""Predictions of labels by models that have not seen the row's query."""

import numpy as np
import pytest

from label_platform.ranking import TrainingError, cross_fitted_labels

QUERIES, ITEMS = 120, 20


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(QUERIES * ITEMS, 3))
    relevance = 1 / (1 + np.exp(-features[:, 0] - 0.5 * features[:, 1]))
    units = np.repeat([f"q{number}" for number in range(QUERIES)], ITEMS)
    return features, relevance, rng.binomial(1, relevance).astype(float), units


@pytest.mark.parametrize("seed", range(3))
def test_relevance_is_learned_and_the_rows_own_label_is_not(seed: int) -> None:
    features, relevance, label, units = rows(seed)
    weight = np.ones(len(label))
    found = cross_fitted_labels(features, label, weight, units)
    assert np.corrcoef(found, relevance)[0, 1] > 0.8
    assert abs(found.mean() - label.mean()) < 0.03
    # a query's own labels change nothing of its predictions
    changed = label.copy()
    changed[units == "q7"] = 25.0
    again = cross_fitted_labels(features, changed, weight, units)
    np.testing.assert_array_equal(again[units == "q7"], found[units == "q7"])
    assert not np.array_equal(again, found)


def test_rows_without_weight_are_predicted_and_not_learned_from() -> None:
    features, _, label, units = rows(0)
    weight = np.where(np.arange(len(label)) % 3 == 0, 0.0, 1.0)
    found = cross_fitted_labels(features, label, weight, units)
    changed = np.where(weight == 0, 99.0, label)
    np.testing.assert_array_equal(cross_fitted_labels(features, changed, weight, units), found)
    assert np.isfinite(found).all()


def test_what_cannot_be_told_apart_gets_the_weighted_mean() -> None:
    label, weight = np.array([0.0, 1.0, 0.5]), np.array([1.0, 3.0, 0.0])
    mean = (1 * 0 + 3 * 1) / (1 + 3)
    few = cross_fitted_labels(np.zeros((3, 1)), label, weight, np.array(["a", "b", "c"]))
    assert few.tolist() == [mean] * 3
    features, _, label, units = rows(0)
    none = cross_fitted_labels(features[:, :0], label, np.ones(len(label)), units)
    assert none.tolist() == pytest.approx([label.mean()] * len(label))
    with pytest.raises(TrainingError, match="all 3 are 0"):
        cross_fitted_labels(np.zeros((3, 1)), np.zeros(3), np.zeros(3), np.array(["a", "b", "c"]))
