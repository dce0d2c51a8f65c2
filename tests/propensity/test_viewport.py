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
