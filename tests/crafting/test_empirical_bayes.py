from math import log, sqrt

import numpy as np
import pytest

from label_platform.crafting import fit_empirical_bayes


def test_moments_by_hand() -> None:
    gain, examined = np.array([8.0, 1.0, 0.0, 3.0]), np.array([10.0, 10.0, 10.0, 10.0])
    mean = 12 / 40
    spread = 10 * ((0.8 - mean) ** 2 + (0.1 - mean) ** 2 + mean**2 + 0) - 3 * mean
    variance = spread / (40 - 400 / 40)
    found = fit_empirical_bayes(gain, examined)
    assert (found.mean, found.strength) == pytest.approx((mean, mean / variance))
    assert not found.refusal


@pytest.mark.parametrize("seed", range(4))
def test_the_prior_that_made_the_labels_is_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, rate, cells = 2.0, 10.0, 20_000
    examined = rng.gamma(2.0, 10.0, cells) + 0.1
    gain = rng.poisson(examined * rng.gamma(shape, 1 / rate, cells)).astype(float)
    found = fit_empirical_bayes(gain, examined)
    assert not found.refusal
    assert found.mean == pytest.approx(shape / rate, rel=0.03)
    assert found.strength == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("seed", range(4))
def test_items_that_do_not_differ_have_no_prior(seed: int) -> None:
    rng = np.random.default_rng(seed)
    examined = np.full(2000, 5.0)
    # less spread than chance has: the same clicks everywhere
    gain = np.full(2000, 1.0) + (rng.random(2000) < 0.01)
    found = fit_empirical_bayes(gain, examined)
    assert "no more than by chance" in found.refusal


@pytest.mark.parametrize("seed", range(4))
def test_a_logger_that_follows_relevance_is_noticed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    relevance = rng.gamma(2.0, 0.1, 3000)
    followed = 1 + 200 * relevance
    gain = rng.poisson(followed * relevance).astype(float)
    assert "no guess for them" in fit_empirical_bayes(gain, followed).refusal
    shuffled = rng.permutation(followed)
    gain = rng.poisson(shuffled * relevance).astype(float)
    assert not fit_empirical_bayes(gain, shuffled).refusal


def test_the_slope_by_hand() -> None:
    gain, examined = np.array([0.0, 0.0, 30.0, 30.0]), np.array([1.0, 1.0, 50.0, 50.0])
    mean = 60 / 102
    at = [log(1) - 100 * log(50) / 102, log(50) - 100 * log(50) / 102]
    parts = [(0 - mean) * at[0]] * 2 + [(30 - 50 * mean) * at[1]] * 2
    slope = sum(parts) / sqrt(sum(part**2 for part in parts))
    found = fit_empirical_bayes(gain, examined)
    assert found.refusal.startswith("labels differ") or f"{slope:.1f}" in found.refusal


@pytest.mark.parametrize(("gain", "examined"), [([], []), ([1.0], [2.0]), ([0.0, 0.0], [1.0, 2.0])])
def test_too_little_to_learn_from(gain: list[float], examined: list[float]) -> None:
    assert fit_empirical_bayes(np.array(gain), np.array(examined)).refusal
