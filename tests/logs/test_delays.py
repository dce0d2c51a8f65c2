"""The delays of feedback, by hand and in simulations whose answer is known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from label_platform.logs.delays import (
    LADDER_S,
    MIN_EVENTS,
    PERCENTILES,
    DelayCounts,
    estimate_delays,
)

HOUR, DAY = 3600, 86400
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def counts(
    delay_s: list[int], events: list[int], followed_s: list[int], waiting: list[int]
) -> DelayCounts:
    return DelayCounts(*map(np.array, (delay_s, events, followed_s, waiting)))


def observed(delay_s: NDArray[np.float64], followed_s: NDArray[np.float64]) -> DelayCounts:
    """What a log knows of impressions that it could follow for so long."""
    delay, followed = (np.round(each).astype(np.int64) for each in (delay_s, followed_s))
    came = delay <= followed
    return DelayCounts(
        *np.unique(delay[came], return_counts=True),
        *np.unique(followed[~came], return_counts=True),
    )


def test_kaplan_meier_by_hand() -> None:
    """Of 400 impressions 100 have events at 10 s and at 30 s, and 100 leave at 20 s and at 40 s.

    S(10) = 1 - 100/400 = .75, S(30) = .75 * (1 - 100/200) = .375; F(10) = .25/.625 = .4.
    """
    found = estimate_delays(counts([10, 30], [100, 100], [20, 40], [100, 100]), window_s=10)
    assert (found.impressions, found.events, found.followed_s) == (400, 200, 40)
    assert [each.delay_s for each in found.percentiles] == [30, 30, 30]
    # of the events that were seen half had come within 10 s
    assert found.outside_window == pytest.approx(1 - (1 - 0.75) / (1 - 0.375))
    assert found.still_open == 0
    assert found.recommended_s is None
    assert "60.0% of the events until then come in the second half" in found.refusal

    wider = estimate_delays(counts([10, 30], [100, 100], [20, 40], [100, 100]), window_s=30)
    assert wider.outside_window == 0
    assert wider.still_open == 100 / 400


def test_where_everybody_was_followed_the_percentiles_are_those_of_the_events() -> None:
    """1,000 events at 1, 2, ... 1,000 s and 9,000 impressions followed for a day."""
    delays = np.arange(1, 1001)
    found = estimate_delays(
        DelayCounts(delays, np.ones(1000, np.int64), np.array([DAY]), np.array([9000])), window_s=60
    )
    assert [each.delay_s for each in found.percentiles] == [500, 900, 990]
    assert found.outside_window == pytest.approx(940 / 1000)
    # Greenwood without censoring is the binomial: logit(F) +- 1.96 / sqrt(n F (1 - F))
    for percentile in found.percentiles:
        share = delays / 1000
        half = 1.959964 / np.sqrt(1000 * share[:-1] * (1 - share[:-1]))
        logit = np.log(share[:-1] / (1 - share[:-1]))
        wanted = np.log(percentile.percent / (100 - percentile.percent)) - 1e-9
        assert percentile.low_s == delays[np.argmax(logit + half >= wanted)]
        assert percentile.high_s == delays[np.argmax(np.append(logit - half, np.inf) >= wanted)]
    assert found.recommended_s == 30 * 60
    assert found.refusal == ""


EXPONENTIAL = stats.expon(scale=6 * HOUR)
LOGNORMAL = stats.lognorm(1.2, scale=2 * HOUR)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("distribution", "log_days", "naive_is_short_by", "window_s"),
    [(EXPONENTIAL, 3, (0.07, 0.07, 0.07), 2 * DAY), (LOGNORMAL, 5, (0.03, 0.06, 0.1), 2 * DAY)],
    ids=["exponential", "lognormal"],
)
def test_delays_that_are_cut_off_by_the_end_of_the_log(
    seed: int,
    distribution: stats.rv_continuous,
    log_days: int,
    naive_is_short_by: tuple[float, ...],
    window_s: int,
) -> None:
    """One list in five leads to an event; the intervals hold the truth 95 times in 100."""
    generator, n, rounds = np.random.default_rng(seed), 20_000, 150
    covered, estimates, naive = np.zeros(3), [], []
    for _ in range(rounds):
        leads = generator.random(n) < 0.2
        delay_s = np.where(leads, distribution.rvs(n, random_state=generator), 400 * DAY)
        followed_s = generator.uniform(0, log_days * DAY, n)
        found = estimate_delays(observed(delay_s, followed_s), 6 * HOUR)
        truth = distribution.ppf(np.array(PERCENTILES) / 100 * distribution.cdf(found.followed_s))
        covered += [
            each.low_s <= true <= each.high_s
            for each, true in zip(found.percentiles, truth, strict=True)
        ]
        estimates.append(np.array([each.delay_s for each in found.percentiles]) / truth)
        naive.append(np.percentile(delay_s[delay_s <= followed_s], PERCENTILES) / truth)
        assert found.followed_s / DAY == pytest.approx(0.95 * log_days, abs=0.1)
    # four standard errors of a share of .95 in 150 rounds are .07
    assert np.all(covered / rounds >= 0.88)
    assert np.abs(np.mean(estimates, axis=0) - 1).max() < 0.03
    assert np.all(np.mean(naive, axis=0) < 1 - np.array(naive_is_short_by))
    expected = 1 - distribution.cdf(6 * HOUR) / distribution.cdf(found.followed_s)
    assert found.outside_window == pytest.approx(expected, abs=0.05)
    assert found.recommended_s == window_s


def test_a_log_that_ends_while_events_still_come() -> None:
    """Exponential with a mean of 2 days, followed for at most 3: 22% come later than that."""
    generator = np.random.default_rng(0)
    delay_s, followed_s = generator.exponential(2 * DAY, 5000), generator.uniform(0, 3 * DAY, 5000)
    found = estimate_delays(observed(delay_s, followed_s), 3 * DAY)
    assert found.recommended_s is None
    assert found.refusal.startswith(
        "not identifiable: the log, or the longest window, is too short"
    )
    assert "followed for 2.9 d" in found.refusal
    # what is shown beside the refusal is a lower bound: of the delays up to W
    assert found.percentiles[0].high_s < 2 * DAY * np.log(2)


def test_too_few_events_and_none() -> None:
    few = estimate_delays(counts([5], [MIN_EVENTS - 1], [DAY], [900]), window_s=60)
    assert few.refusal == (
        "not identifiable: too few events: found 99 after 999 impressions, expected at least 100"
    )
    assert (few.percentiles, few.outside_window, few.recommended_s) == ((), None, None)
    assert estimate_delays(counts([5], [MIN_EVENTS], [DAY], [900]), window_s=60).recommended_s == 60
    none = np.zeros(0, np.int64)
    nobody = estimate_delays(DelayCounts(none, none, none, none), window_s=60)
    assert nobody.refusal == "not identifiable: no impressions"
    waiting = estimate_delays(DelayCounts(none, none, np.array([30, 90]), np.array([1, 3])), 60)
    assert (waiting.events, waiting.still_open) == (0, 1 / 4)


def test_every_impression_may_have_its_event() -> None:
    found = estimate_delays(counts([1, 2], [100, 300], [], []), window_s=1)
    assert [each.delay_s for each in found.percentiles] == [2, 2, 2]
    assert found.outside_window == pytest.approx(300 / 400)


@pytest.mark.parametrize("window_s", LADDER_S)
def test_the_smallest_window_that_holds_enough_is_recommended(window_s: int) -> None:
    """99 of 100 events come at the window's last second, the others a second later."""
    waits = ([200 * DAY], [5000])
    assert estimate_delays(counts([window_s, window_s + 1], [198, 2], *waits), 1).recommended_s == (
        window_s
    )
    beyond = estimate_delays(counts([window_s, window_s + 1], [197, 3], *waits), 1)
    following = [each for each in LADDER_S if each > window_s]
    assert beyond.recommended_s == (following[0] if following else None)
    if not following:
        assert beyond.refusal == "more than 1% of the events take over 30 d"
