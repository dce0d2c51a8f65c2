import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from label_platform.evaluation.two_errors import TwoErrors

DRAWS = 400_000


@pytest.mark.parametrize("freedom", [1, 4, 19])
def test_one_error_alone_is_students(freedom: int) -> None:
    for found in (TwoErrors(2.0, freedom, 0.0, 50), TwoErrors(0.0, 5, 2.0, freedom)):
        for distance in (0.0, 1.0, 9.0, 80.0):
            expected = 2 * student.sf(distance / 2.0, freedom)
            assert found.exceeds(distance) == pytest.approx(expected, rel=1e-9)
        assert found.within(0.99) == pytest.approx(2.0 * student.ppf(0.995, freedom))


@pytest.mark.parametrize("first_freedom", [1, 4])
def test_a_negligible_second_error_changes_nothing(first_freedom: int) -> None:
    both = TwoErrors(1.0, first_freedom, 1e-4, 100)

    for distance in (0.5, 3.0, 12.0):
        expected = 2 * student.sf(distance, first_freedom)
        assert both.exceeds(distance) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("first", "freedom", "seed"), [(1.0, 4, 0), (0.3, 4, 1), (3.0, 2, 2)])
def test_it_is_the_sum_of_two_draws_of_students(first: float, freedom: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = first * rng.standard_t(freedom, DRAWS) + rng.standard_t(60, DRAWS)
    both = TwoErrors(first, freedom, 1.0, 60)

    for confidence in (0.5, 0.95, 0.998):
        outside = (np.abs(drawn) > both.within(confidence)).sum()
        low, high = binom.ppf([0.0005, 0.9995], DRAWS, 1 - confidence)
        assert low <= outside <= high
        assert both.exceeds(both.within(confidence)) == pytest.approx(1 - confidence)


@pytest.mark.parametrize(("ratio", "seed"), [(1.0, 0), (3.0, 1), (10.0, 2)])
def test_five_fits_reject_no_more_often_than_they_say_where_one_t_does(
    ratio: float, seed: int
) -> None:
    """The true difference is 0; fits have ``ratio`` times the variance of queries."""
    logs, level, freedom = 40_000, 0.002, 4
    rng = np.random.default_rng(seed)
    difference = np.abs(rng.normal(size=logs)) * np.sqrt(ratio + 1)
    of_fits = ratio * rng.chisquare(freedom, logs) / freedom

    # the distance at which it rejects grows with the error that the fits show
    grid = np.linspace(0, of_fits.max() ** 0.5 + 0.01, 200)
    critical = [TwoErrors(each, freedom, 1.0, 500).within(1 - level) for each in grid]
    rejected = (difference > np.interp(np.sqrt(of_fits), grid, critical)).sum()

    of_one_t = (of_fits + 1) ** 2 / (of_fits**2 / freedom + 1 / 500)
    bold = (2 * student.sf(difference / np.sqrt(of_fits + 1), of_one_t) < level).sum()
    most = binom.ppf(0.999, logs, level)
    assert rejected <= most
    if ratio > 1:
        assert bold > most
