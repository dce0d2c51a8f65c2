from collections.abc import Callable

import numpy as np
import pytest

from label_platform.crafting import fit_watch_time
from label_platform.crafting.duration_mixture import fit_mixture, smoothed
from label_platform.lake import Engine
from tests.crafting.conftest import policy

Register = Callable[..., str]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_means_of_a_mixture_are_recovered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    skips = rng.random(4000) < 0.4
    watched = np.where(skips, rng.normal(6, 2, 4000), rng.normal(30, 6, 4000))
    found = fit_mixture(watched, np.ones(4000), 60)
    assert found.skipped_mean == pytest.approx(6, abs=0.3)
    assert found.watched_mean == pytest.approx(30, abs=0.6)
    assert found.skipped_share == pytest.approx(0.4, abs=0.03)


def test_counts_are_rows_said_once() -> None:
    values, counts = np.array([1.0, 2, 3, 20, 21, 25]), np.array([3, 5, 1, 4, 2, 6])
    together = fit_mixture(values, counts.astype(float), 30)
    apart = fit_mixture(np.repeat(values, counts), np.ones(counts.sum()), 30)
    assert together.skipped_mean == pytest.approx(apart.skipped_mean)
    assert together.watched_mean == pytest.approx(apart.watched_mean)


def test_values_that_are_all_the_same_have_one_mean() -> None:
    found = fit_mixture(np.array([7.0]), np.array([12.0]), 10)
    assert (found.skipped_mean, found.watched_mean) == (7, 7)


def test_smoothing_keeps_a_line_and_calms_noise() -> None:
    durations = np.array([3.0, 5, 9, 20, 60, 300])
    sizes = np.array([10.0, 20, 10, 30, 10, 5])
    line = 2 + 0.7 * durations
    np.testing.assert_allclose(smoothed(durations, line, sizes), line)
    assert smoothed(durations[:1], line[:1], sizes[:1]) == pytest.approx(line[:1])
    even = np.arange(1.0, 31)
    noisy = even + np.random.default_rng(0).normal(0, 1, 30)
    off = smoothed(even, noisy, np.ones(30)) - even
    assert np.abs(off).mean() < 0.7 * np.abs(noisy - even).mean()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_means_are_recovered_at_every_duration(
    engine: Engine, impressions: Register, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    duration = np.round(rng.uniform(10, 100, 12_000))
    q, p = 1 + 0.05 * duration, 0.7 * duration
    sd = 0.08 * duration
    skips = rng.random(len(duration)) < 0.5
    watched = np.clip(np.where(skips, rng.normal(q, 0.5), rng.normal(p, sd)), 0, None)
    shown = impressions(list(zip(duration.tolist(), watched.tolist(), strict=True)))
    found = fit_watch_time(policy("d2co", bins=15), engine, shown).to_pandas()
    means = found.set_index("statistic")
    at = means.loc["skipped_mean", "at"].to_numpy()
    assert len(at) == 15
    np.testing.assert_allclose(means.loc["skipped_mean", "value"], 1 + 0.05 * at, atol=0.25)
    np.testing.assert_allclose(means.loc["watched_mean", "value"], 0.7 * at, rtol=0.03)
