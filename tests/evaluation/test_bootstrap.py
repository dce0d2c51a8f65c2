"""The bootstrap over queries, and what it does to an interval."""

import numpy as np
import pytest
from scipy.stats import binom

from label_platform.evaluation.bootstrap import (
    bootstrap_ratios,
    bootstrap_weights,
    standard_errors,
)
from label_platform.evaluation.estimates import FitValues, estimate, query_error
from label_platform.evaluation.metrics import Floats

SEEDS = (0, 1, 2)
NOISE = 4 / np.sqrt(2 * 1000)
"""Four standard errors of a standard error of 1,000 resamples."""


def drawn(queries: int, seed: int) -> tuple[Floats, Floats]:
    """Clicks and lists of queries of very different traffic."""
    rng = np.random.default_rng(seed)
    lists = rng.geometric(0.2, queries).astype(float)
    return rng.poisson(0.4 * lists).astype(float), lists


def sides(numerator: Floats, denominator: Floats) -> FitValues:
    wide = (np.repeat(part[:, None], 3, axis=1) for part in (numerator, denominator))
    return FitValues(np.arange(len(numerator)).astype(str), *wide)


def test_a_ratio_is_the_weighted_sums_of_each_resample() -> None:
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 0]], dtype=np.uint8)
    numerator = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    denominator = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])

    found = bootstrap_ratios(numerator, denominator, weights)

    assert found[0].tolist() == [(1 + 2 + 3) / (1 + 1 + 2), (4 + 5 + 6) / (2 + 2 + 2)]
    assert found[1].tolist() == [(2 * 1 + 3) / (2 * 1 + 2), (2 * 4 + 6) / (2 * 2 + 2)]
    assert np.isnan(found[2]).all()


def test_the_spread_leaves_resamples_without_a_ratio_out() -> None:
    ratios = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 7.0]])

    found = standard_errors(ratios)

    assert found[0] == np.std([1.0, 3.0], ddof=1)
    assert np.isnan(found[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_are_poisson_and_the_same_for_the_same_seed(seed: int) -> None:
    weights = bootstrap_weights(500, 400, seed)

    share = [(weights == count).mean() for count in range(3)]
    allowed = 4 * 0.5 / np.sqrt(weights.size)
    assert share == pytest.approx([np.exp(-1), np.exp(-1), np.exp(-1) / 2], abs=allowed)
    np.testing.assert_array_equal(weights, bootstrap_weights(500, 400, seed))
    assert (weights != bootstrap_weights(500, 400, seed + 1)).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_on_many_queries_it_is_the_linearised_standard_error(seed: int) -> None:
    numerator, denominator = drawn(2000, seed)

    ratios = bootstrap_ratios(
        numerator[:, None], denominator[:, None], bootstrap_weights(2000, seed=seed)
    )

    linearised = query_error(sides(numerator, denominator))
    assert standard_errors(ratios)[0] == pytest.approx(linearised, rel=NOISE)


def test_both_are_the_spread_of_the_ratio_over_logs() -> None:
    of_logs = [n.sum() / d.sum() for n, d in (drawn(300, seed) for seed in range(2000))]

    linearised = [query_error(sides(*drawn(300, seed))) for seed in range(50)]

    # 2,000 logs tell their spread to 1 / sqrt(2 * 2000) = 1.6%, 50 errors of 6% their mean to 1%
    assert np.mean(linearised) == pytest.approx(np.std(of_logs), rel=4 * 0.02)


def test_intervals_cover_the_true_ratio() -> None:
    covered, logs = 0, 400
    for seed in range(logs):
        found = estimate(sides(*drawn(200, seed)))
        low, high = found.interval(0.95)
        covered += low <= 0.4 <= high
    assert binom.ppf(0.001, logs, 0.95) <= covered <= binom.ppf(0.999, logs, 0.95)


def test_a_query_that_holds_most_of_the_log_is_seen_by_the_bootstrap_only() -> None:
    numerator, denominator = drawn(40, 0)
    numerator[0], denominator[0] = 300.0, 500.0

    ratios = bootstrap_ratios(numerator[:, None], denominator[:, None], bootstrap_weights(40))

    error, side = standard_errors(ratios)[0], sides(numerator, denominator)
    assert error > 1.2 * query_error(side)
    # fits that agree leave the standard error over queries alone
    assert estimate(side, bootstrap_error=error).standard_error == pytest.approx(error)
    assert estimate(side).standard_error == pytest.approx(query_error(side))


def test_a_bootstrap_that_hardly_differs_changes_nothing() -> None:
    side = sides(*drawn(100, 0))
    linearised = query_error(side)

    assert estimate(side, bootstrap_error=1.19 * linearised) == estimate(side)
    assert estimate(side, bootstrap_error=0.5 * linearised) == estimate(side)
    assert estimate(side, bootstrap_error=1.21 * linearised) != estimate(side)
