import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from label_platform.evaluation.calibration import (
    calibration_of,
    expected_calibration_error,
    linear_recalibration,
    logistic_recalibration,
)


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def drawn(seed: int, rows: int, intercept: float = 0.0, slope: float = 1.0) -> list[np.ndarray]:
    """Predictions, and clicks of the chance that the logistic line makes of them."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, size=rows).clip(0.001, 0.999)
    true = 1 / (1 + np.exp(-(intercept + slope * logit(p))))
    return [p, (rng.random(rows) < true).astype(float)]


@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_scikit_learn(seed: int) -> None:
    p, y = drawn(seed, 3000, intercept=0.3, slope=0.7)
    w = np.random.default_rng(seed).integers(1, 4, size=3000).astype(float)

    found = calibration_of(p, y, w)

    assert found.squared_error == pytest.approx(brier_score_loss(y, p, sample_weight=w))
    assert found.log_loss == pytest.approx(log_loss(y, p, sample_weight=w))
    line = LinearRegression().fit(p[:, None], y, sample_weight=w)
    assert found.linear.slope == pytest.approx(line.coef_[0])
    assert found.linear.intercept == pytest.approx(line.intercept_)
    curve = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], y, sample_weight=w)
    assert found.logistic.slope == pytest.approx(curve.coef_[0, 0], rel=1e-4)
    assert found.logistic.intercept == pytest.approx(curve.intercept_[0], rel=1e-3)
    shares, means = calibration_curve(y, p, n_bins=15, strategy="quantile")
    error, _ = expected_calibration_error(p, y, bins=15)  # 200 rows a bin
    assert error == pytest.approx(np.abs(shares - means).mean())


@pytest.mark.parametrize(("seed", "intercept", "slope"), [(0, 0.0, 1.0), (1, 0.5, 0.6), (2, -1, 2)])
def test_the_line_that_made_the_outcomes_is_found(
    seed: int, intercept: float, slope: float
) -> None:
    p, y = drawn(seed, 200_000, intercept, slope)

    found = logistic_recalibration(p, y)

    # standard errors are near .012
    assert found.intercept == pytest.approx(intercept, abs=0.05)
    assert found.slope == pytest.approx(slope, abs=0.05)


def test_exact_predictions_have_the_error_of_chance() -> None:
    errors = [expected_calibration_error(*drawn(seed, 2000)) for seed in range(200)]

    found, by_chance = np.mean(errors, axis=0)

    spread = np.std([error for error, _ in errors]) / np.sqrt(200)
    assert abs(found - by_chance) < 4 * spread
    p, y = drawn(0, 2000, intercept=1.0)
    wrong, by_chance = expected_calibration_error(p, y)
    assert wrong > 5 * by_chance


def test_calibration_error_by_hand() -> None:
    # bins of two: (0.1, 0.2) with one success, (0.6, 0.9) with two
    p, y = np.array([0.9, 0.1, 0.6, 0.2]), np.array([1.0, 0.0, 1.0, 1.0])

    error, _ = expected_calibration_error(p, y, bins=2)

    assert error == pytest.approx((abs(1 / 2 - 0.3 / 2) + abs(1 - 1.5 / 2)) / 2)


def test_equal_predictions_are_never_parted() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(1000) < 0.3).astype(float)

    error, _ = expected_calibration_error(np.full(1000, 0.3), y, bins=15)

    assert error == pytest.approx(abs(y.mean() - 0.3))


def test_weights_are_repetitions() -> None:
    p, y = drawn(3, 500)
    w = np.random.default_rng(3).integers(0, 3, size=500)

    weighted, repeated = calibration_of(p, y, w), calibration_of(np.repeat(p, w), np.repeat(y, w))

    for name in ("squared_error", "log_loss", "expected_calibration_error"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name))
    assert weighted.linear.slope == pytest.approx(repeated.linear.slope)
    assert weighted.logistic.slope == pytest.approx(repeated.logistic.slope)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.3, 1.0])), min_size=1),
    bins=st.integers(1, 20),
)
def test_values_stay_within_bounds(rows: list[tuple[float, float]], bins: int) -> None:
    p, y = (np.array(column) for column in zip(*rows, strict=True))

    found = calibration_of(p, y, bins=bins)

    assert 0 <= found.squared_error <= 1
    assert 0 <= found.expected_calibration_error <= 1 + 1e-12
    assert found.expected_calibration_error >= abs(p.mean() - y.mean()) - 1e-12
    assert found.expected_by_chance >= 0
    assert found.log_loss >= 0
    assert all(value is None or np.isfinite(value) for value in found.as_facts().values())


def test_what_cannot_be_had_is_no_number() -> None:
    p, y = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])

    assert np.isnan(logistic_recalibration(p, y).slope)  # separated
    assert np.isnan(logistic_recalibration(p, np.ones(4)).slope)
    assert np.isnan(linear_recalibration(np.full(4, 0.5), y).slope)
    labels = calibration_of(p * 30, y * 30)
    assert np.isnan(labels.log_loss)
    assert np.isnan(labels.logistic.slope)
    assert labels.linear.slope == pytest.approx(linear_recalibration(p, y).slope)
    assert labels.squared_error == pytest.approx(900 * np.mean((p - y) ** 2))
    assert labels.as_facts()["log_loss"] is None


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="found 2 predictions, 1 outcomes and 2 weights"):
        calibration_of(np.zeros(2), np.zeros(1))
    with pytest.raises(ValueError, match="one above 0"):
        calibration_of(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="1 of 2 predictions are not finite"):
        calibration_of(np.array([0.0, np.nan]), np.zeros(2))
    with pytest.raises(ValueError, match="weights of 0 or more"):
        calibration_of(np.zeros(2), np.zeros(2), np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="found 0 bins"):
        expected_calibration_error(np.zeros(2), np.zeros(2), bins=0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        logistic_recalibration(np.array([0.1, 3.0]), np.array([0.0, 1.0]))
