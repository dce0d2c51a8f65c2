import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.curves import estimate_curves
from label_platform.propensity.estimators.viewport import estimate_viewport
from label_platform.propensity_settings import PropensitySettings


def test_ratio_of_shares_and_its_error_by_hand() -> None:
    estimate = estimate_viewport([1000, 800], [900, 200])
    assert estimate.propensity.tolist() == pytest.approx([1, (200 / 800) / (900 / 1000)])
    error = math.sqrt(600 / (800 * 200) + 100 / (1000 * 900))
    assert estimate.log_error.tolist() == pytest.approx([0, error])
    assert estimate.details["share"].tolist() == pytest.approx([900 / 1000, 200 / 800])
    assert (estimate.impressions.tolist(), estimate.clicks.tolist()) == ([1000, 800], [900, 200])


def test_a_position_is_compared_with_the_first_of_lists_that_have_it() -> None:
    # lists of 1, of 2 and of 3; those of 1 are seen least
    served = [[900, 400, 100], [0, 400, 100], [0, 0, 100]]
    seen = [[90, 360, 50], [0, 180, 25], [0, 0, 10]]
    estimate = estimate_viewport(served, seen)
    second = ((180 + 25) / 500) / ((360 + 50) / 500)
    assert estimate.propensity.tolist() == pytest.approx([1, second, (10 / 100) / (50 / 100)])
    below = 180 * 220 / 400 + 25 * 75 / 100
    first = 360 * 40 / 400 + 50 * 50 / 100
    error = math.sqrt(below / (180 + 25) ** 2 + first / (360 + 50) ** 2)
    assert estimate.log_error[1] == pytest.approx(error)
    assert estimate.log_error[2] == pytest.approx(math.sqrt(90 / (100 * 10) + 50 / (100 * 50)))
    assert estimate.impressions.tolist() == [900 + 400 + 100, 400 + 100, 100]
    assert estimate.clicks.tolist() == [90 + 360 + 50, 180 + 25, 10]


def test_lists_without_position_one_are_no_evidence() -> None:
    estimate = estimate_viewport([[100, 0], [100, 70]], [[80, 0], [40, 70]])
    assert estimate.propensity[1] == pytest.approx((40 / 100) / (80 / 100))
    assert (estimate.impressions[1], estimate.clicks[1]) == (100, 40)


def test_lengths_of_few_lists_are_as_uncertain_as_one_length_of_all_of_them() -> None:
    # forty lists, each of a length of its own, of which every second is seen
    seen = np.tile([1.0, 0.0], 20)
    apart = estimate_viewport(np.ones((2, 40)), np.stack([seen, seen]))
    together = estimate_viewport([40, 40], [20, 20])
    assert apart.log_error[1] == pytest.approx(math.sqrt(2 * 20 / (40 * 20)))
    assert apart.log_error[1] == pytest.approx(together.log_error[1])


def test_given_loaded_divides_by_what_was_loaded() -> None:
    served, loaded, seen = [1000, 1000], [1000, 300], [900, 240]
    of_loaded = estimate_viewport(served, seen, loaded, given="loaded")
    of_served = estimate_viewport(served, seen, loaded)
    assert of_loaded.propensity[1] == pytest.approx((240 / 300) / (900 / 1000))
    assert of_served.propensity[1] == pytest.approx((240 / 1000) / (900 / 1000))
    assert (of_loaded.details["given"], of_served.details["given"]) == ("loaded", "served")


def test_counts_of_none_and_of_all_count_as_half_a_miss() -> None:
    estimate = estimate_viewport([50, 50, 50], [50, 50, 0])
    everything = 0.5 / (50 * 50)
    assert estimate.propensity.tolist() == pytest.approx([1, 1, 0.5 / 50])
    assert estimate.log_error[1] == pytest.approx(math.sqrt(2 * everything))
    assert estimate.log_error[2] == pytest.approx(math.sqrt(50 / (50 * 0.5) + everything))


def test_a_position_where_nothing_was_served_is_unknown() -> None:
    estimate = estimate_viewport([10, 0, 10], [8, 0, 4])
    assert np.isnan([estimate.propensity[1], estimate.log_error[1]]).all()
    assert estimate.propensity[2] == pytest.approx(4 / 8)


def test_one_position_is_the_reference_itself() -> None:
    estimate = estimate_viewport([10], [8])
    assert (estimate.propensity.tolist(), estimate.log_error.tolist()) == ([1], [0])


@pytest.mark.parametrize(("served", "seen"), [([40, 40], [0, 9]), ([0, 40], [0, 9]), ([], [])])
def test_nothing_seen_at_position_one_is_refused(served: list[int], seen: list[int]) -> None:
    estimate = estimate_viewport(served, seen)
    assert f"of {served[0] if served else 0} served" in estimate.refusal
    assert np.isnan(estimate.propensity).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([10, 10], [9]), "shape"),
        (([10], [11]), "position 1: 11 seen, but only 10 served"),
        (([10, 10], [5, 5], [10, 4]), "position 2: 5 seen, but only 4 loaded"),
        (([10], [5], [11]), "position 1: 11 loaded, but only 10 served"),
        (([10], [-1]), "seen: expected counts"),
        (([10], [5], None, "loaded"), "needs the counts of loaded"),
        (([10], [5], None, "Served"), "expected served or loaded, found 'Served'"),
    ],
)
def test_contradictions_are_named(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimate_viewport(*arguments)


@pytest.mark.parametrize("seed", [1, 2])
def test_intervals_hold_the_truth_where_people_scroll_down_from_the_top(seed: int) -> None:
    # a list is seen down to a depth, so that the positions of a list depend on each other
    reach = np.array([0.95, 0.9, 0.6, 0.3, 0.1])
    rng = np.random.default_rng(seed)
    inside = []
    for _ in range(100):
        seen = (rng.random((2000, 1)) < reach).sum(axis=0)
        estimate = estimate_viewport(np.full(5, 2000), seen)
        truth = reach / reach[0]
        inside.append((estimate.ci_low <= truth) & (truth <= estimate.ci_high))
    coverage = np.array(inside)[:, 1:]
    assert coverage.mean() >= 0.93
    # position 5 hardly depends on position 1: no wider than it must be
    assert coverage[:, -1].mean() <= 0.995


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_intervals_hold_the_truth_where_lists_differ_in_length(seed: int) -> None:
    # people with short lists look at most of what they are shown, those with long ones at little
    theta = np.array([1, 0.9, 0.7, 0.6, 0.55, 0.5, 0.4, 0.3])
    lengths, lists = np.array([2, 5, 8]), np.array([3000, 1000, 2000])
    at_first = np.array([0.9, 0.6, 0.25])
    served = np.where(np.arange(1, 9)[:, None] <= lengths, lists, 0)
    rng = np.random.default_rng(seed)
    inside = []
    for _ in range(400):
        seen = rng.binomial(served, theta[:, None] * at_first)
        estimate = estimate_viewport(served, seen)
        inside.append((estimate.ci_low <= theta) & (theta <= estimate.ci_high))
    coverage = np.array(inside)[:, 1:].mean(axis=0)
    # independent views, so that the interval is neither too narrow nor too wide; .011 is the
    # standard error of a coverage of .95 on 400 logs
    assert coverage.min() >= 0.95 - 3 * 0.011
    assert 0.935 <= coverage.mean() <= 0.965


def test_the_reason_says_what_the_shares_are_of() -> None:
    lists = ClickListSettings(n_lists=500, n_queries=20, candidates=5, curves=((1, 0.5),))
    shown = simulate_click_lists(lists, 1)
    statistics = log_statistics(shown, Setting("small", lists), 1, with_lists=False)
    seen = statistics.counts["position"].map({1: 450, 2: 200})
    viewed = replace(
        statistics,
        counts=statistics.counts.assign(viewable=statistics.counts["impressions"], viewed=seen),
    )
    strata = list(viewed.strata())
    table = estimate_curves("viewport", viewed, strata, PropensitySettings())
    assert table["reason"][0].startswith("650 items on screen of 1,000 served; the widest")
