import numpy as np
import pandas as pd
import pytest

from label_platform.propensity.cells import Cells
from label_platform.propensity.estimators.regression_em import regression_em_propensities
from label_platform.ranking import TrainingError
from label_platform.ranking.relevance_model import lightgbm_relevance


def rows(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of which the first tells the probability, the probability, and weights."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 3))
    truth = 1 / (1 + np.exp(1 - 1.5 * features[:, 0]))
    return features, truth, rng.integers(1, 20, n).astype(float)


@pytest.mark.parametrize("seed", [1, 2])
def test_probabilities_are_recovered_from_shares(seed: int) -> None:
    features, truth, weights = rows(seed)
    shares = np.random.default_rng(seed).binomial(weights.astype(int), truth) / weights
    gamma = lightgbm_relevance(features, shares, weights)
    assert ((gamma > 0) & (gamma < 1)).all()
    assert np.abs(gamma - truth).mean() < 0.04
    assert np.average(gamma, weights=weights) == pytest.approx(
        np.average(shares, weights=weights), rel=0.01
    )


def test_a_row_counts_by_its_weight() -> None:
    features = np.ones((200, 1))
    posterior = np.tile([1.0, 0.0], 100)
    weights = np.tile([3.0, 1.0], 100)
    assert lightgbm_relevance(features, posterior, weights) == pytest.approx(3 / 4, abs=1e-3)


def test_the_length_of_a_log_changes_nothing() -> None:
    features, truth, weights = rows(3)
    short = lightgbm_relevance(features, truth, weights)
    assert lightgbm_relevance(features, truth, weights * 1000) == pytest.approx(short)


def test_rows_of_weight_zero_do_not_count_and_are_predicted() -> None:
    features, truth, weights = rows(4)
    weights[::2] = 0
    wrong = np.where(weights > 0, truth, 1 - truth)
    gamma = lightgbm_relevance(features, wrong, weights)
    assert gamma.tolist() == lightgbm_relevance(features, truth, weights).tolist()
    assert np.abs(gamma - truth)[::2].mean() < 0.02


def test_the_same_rows_give_the_same_model() -> None:
    first, second = (lightgbm_relevance(*rows(5)).tolist() for _ in range(2))
    assert first == second


def test_few_rows_give_the_mean() -> None:
    features = np.arange(6.0)[:, None]
    gamma = lightgbm_relevance(features, features[:, 0] / 10, np.ones(6))
    assert gamma == pytest.approx((0 + 1 + 2 + 3 + 4 + 5) / 10 / 6, abs=1e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_regression_em_recovers_a_curve_with_it(seed: int) -> None:
    curve = np.array([1, 0.6, 0.3])
    features, truth, _ = rows(seed, 3000)
    rng = np.random.default_rng(seed)
    # each item at one position only, by chance: features alone connect the positions
    position = rng.integers(0, 3, len(truth))
    table = pd.DataFrame(
        {
            "query": np.arange(len(truth)) // 10,
            "item": np.arange(len(truth)),
            "position": position + 1,
            "impressions": 40,
            "clicks": rng.binomial(40, truth * curve[position]),
        }
    )
    theta = regression_em_propensities(Cells.from_table(table), features, lightgbm_relevance)
    assert theta == pytest.approx(curve, rel=0.08)


@pytest.mark.parametrize(
    ("posterior", "weights", "words"),
    [
        (np.ones(2), np.ones(3), "shapes"),
        (np.array([0.5, 1.5, 0]), np.ones(3), "probabilities"),
        (np.array([0.5, np.nan, 0]), np.ones(3), "probabilities"),
        (np.ones(3), np.array([1, -1, 1]), "0 or more"),
        (np.ones(3), np.zeros(3), "all 3 are 0"),
    ],
)
def test_impossible_rows_are_named(posterior: np.ndarray, weights: np.ndarray, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        lightgbm_relevance(np.ones((3, 1)), posterior, weights)
