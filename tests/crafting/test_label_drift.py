"""Drift of labels: by hand, and on simulated quiet and unquiet days."""

from math import log

import numpy as np
import pytest
from scipy.stats import binom, f

from label_platform.crafting import LabelDrift, label_drift
from label_platform.crafting.label_drift import bin_edges

SEEDS = (1, 2, 3)
QUIET_DAYS = 30
WINDOW = 14
CLICK_RATE = 0.05


def labels_of_a_day(
    random: np.random.Generator, rows: int, unrest: float, rate: float = CLICK_RATE
) -> dict[int, int]:
    """Counts by bucket: clicks whose rate and worth move from day to day by a random factor."""
    clicked = random.binomial(rows, min(1.0, rate * np.exp(random.normal(0, unrest))))
    worth = 200 + random.poisson(40 * np.exp(random.normal(0, unrest / 10)), clicked)
    buckets, counts = np.unique(worth, return_counts=True)
    return {0: rows - clicked, **dict(zip(buckets.tolist(), counts.tolist(), strict=True))}


def test_shares_by_hand() -> None:
    window = [{0: 90, 5: 10}, {0: 94, 5: 6}, {0: 92, 5: 8}]
    found = label_drift({0: 80, 5: 20}, window)
    day = (80.5 / 101, 20.5 / 101)
    before = (276.5 / 301, 24.5 / 301)
    psi = sum((q - p) * log(q / p) for q, p in zip(day, before, strict=True))
    assert found.psi == pytest.approx(psi)
    # 400 labels, 44 of them above 0: a quarter of them, 11, expected on the day
    statistic = (20 - 11) ** 2 * (1 / 11 + 1 / 33 + 1 / 89 + 1 / 267)
    # 8 of each of the window's days expected above 0
    unrest = (2**2 + 2**2) * (1 / 8 + 1 / 92) / 2
    assert unrest < 1
    assert found.p_value == pytest.approx(f.sf(statistic, 1, 2), rel=1e-3)
    assert found.days == 3


def test_the_windows_unrest_by_hand() -> None:
    window = [{0: 950, 5: 50}, {0: 850, 5: 150}, {0: 900, 5: 100}]
    found = label_drift({0: 800, 5: 200}, window)
    # 4,000 labels, 500 above 0: 125 expected on the day
    statistic = 75**2 * (1 / 125 + 1 / 375 + 1 / 875 + 1 / 2625)
    unrest = (50**2 + 50**2) * (1 / 100 + 1 / 900) / 2
    assert unrest == pytest.approx(250 / 9)
    assert found.p_value == pytest.approx(f.sf(statistic / unrest, 1, 2), rel=1e-3)
    assert found.p_value > 0.2


def test_a_day_like_its_window_is_no_drift() -> None:
    counts = {-3: 20, 0: 50, 4: 10, 9: 20}
    found = label_drift(counts, [counts] * 4)
    assert found.p_value == 1.0
    assert found.psi == pytest.approx(0, abs=1e-3)  # half a label more in each bin


def test_how_large_labels_are_is_seen_where_their_number_is_not() -> None:
    window = [{0: 900, 10: 50, 20: 50}] * 5
    found = label_drift({0: 900, 10: 90, 20: 10}, window)
    # of 600 above 0, 340 were in bucket 10; two questions were asked, with one edge each
    statistic = (90 - 340 / 6) ** 2 * sum(
        1 / (part / 6) + 1 / (part * 5 / 6) for part in (340, 260)
    )
    assert found.p_value == pytest.approx(2 * f.sf(statistic, 1, 4), rel=1e-3)


def test_labels_below_0_are_seen_too() -> None:
    window = [{-20: 450, -10: 450, 10: 100}] * 8
    found = label_drift({-20: 600, -10: 300, 10: 100}, window)
    assert found.p_value is not None
    assert found.p_value < 0.001


@pytest.mark.parametrize("days", [0, 1, 2])
def test_few_days_tell_nothing(days: int) -> None:
    assert label_drift({0: 10, 1: 90}, [{0: 90, 1: 10}] * days) == LabelDrift(days)


def test_a_day_without_labels_tells_nothing() -> None:
    assert label_drift({}, [{0: 90, 1: 10}] * 5) == LabelDrift(5)


def test_clicks_where_there_were_none_before() -> None:
    found = label_drift({0: 900, 1: 100}, [{0: 1000}] * 5)
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.psi is not None
    assert found.psi > 0.25


def test_edges_are_quantiles_beside_a_bin_of_zeros() -> None:
    window = [{0: 1000, **dict.fromkeys(range(1, 101), 1)}] * 3
    # ten bins of ten buckets each: halfway between 10 and 11, 20 and 21, ...
    expected = [-0.5, 0.5, *(10.5 + 10 * n for n in range(9))]
    assert bin_edges(window).tolist() == expected
    mirrored = [{-bucket: rows for bucket, rows in counts.items()} for counts in window]
    assert bin_edges(mirrored).tolist() == [-edge for edge in reversed(expected)]


def test_edges_keep_away_from_what_is_there() -> None:
    window = [{0: 100, 10: 50, 30: 50}] * 3
    assert bin_edges(window).tolist() == [-0.5, 0.5, 20.0]


def test_few_positives_share_one_bin() -> None:
    # 12 a day make two bins of at least 5
    assert len(bin_edges([{0: 100, **dict.fromkeys(range(1, 13), 1)}] * 3)) == 3
    assert len(bin_edges([{0: 100, 1: 1, 2: 1, 3: 2}] * 3)) == 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("rows", "unrest"), [(5_000, 0.0), (200_000, 0.0), (200_000, 0.05)])
def test_quiet_days_raise_no_alarm(rows: int, unrest: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    days = [labels_of_a_day(random, rows, unrest) for _ in range(WINDOW + QUIET_DAYS)]
    found = [label_drift(days[n], days[n - WINDOW : n]) for n in range(WINDOW, len(days))]
    p_values = np.array([each.p_value for each in found])
    assert max(each.psi or 0.0 for each in found) < 0.05
    # as many as independent tests of that size have in all but one of 1,000 logs
    for size in (0.001, 0.01, 0.05):
        assert (p_values < size).sum() <= binom.ppf(0.999, QUIET_DAYS, size)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("rows", "unrest"), [(20_000, 0.0), (200_000, 0.05)])
def test_clicks_that_halve_raise_an_alarm(rows: int, unrest: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    window = [labels_of_a_day(random, rows, unrest) for _ in range(WINDOW)]
    found = label_drift(labels_of_a_day(random, rows, 0.0, CLICK_RATE / 2), window)
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert found.psi is not None
    assert 0.01 < found.psi < 0.03
