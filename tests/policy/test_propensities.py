from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from label_platform.policy import (
    Policy,
    PropensityRefusedError,
    click_signal,
    examples_need_propensities,
    labels_need_propensities,
    longest_window,
    require_propensities,
    used_signals,
)
from label_platform.problem import Problem
from label_platform.propensity_settings import PropensityGates

MakePolicy = Callable[..., Policy]
STRICT = PropensityGates(refuse_wide=True)
LENIENT = PropensityGates(refuse_wide=False)
REASON = "46 clicks on 4,077 randomised impressions"


@pytest.mark.parametrize(
    ("verdict", "is_wide", "gates", "used"),
    [
        ("ok", False, STRICT, True),
        ("drift", False, STRICT, True),
        ("wide", True, LENIENT, True),
        ("wide", True, STRICT, False),
        ("insufficient_interventions", False, LENIENT, False),
    ],
)
def test_a_refused_curve_fails_the_policy_or_makes_it_fall_back(
    make_policy: MakePolicy, verdict: str, gates: PropensityGates, *, is_wide: bool, used: bool
) -> None:
    falling_back = make_policy(
        debias={"method": "ips", "on_refusal": {"fall_back_to": "none"}},
    )
    assert require_propensities(falling_back, verdict, REASON, gates, is_wide=is_wide) is used
    failing = make_policy(debias={"method": "ips"})
    if used:
        assert require_propensities(failing, verdict, REASON, gates, is_wide=is_wide)
        return
    with pytest.raises(PropensityRefusedError) as refusal:
        require_propensities(failing, verdict, REASON, gates, is_wide=is_wide)
    assert str(refusal.value) == (
        f"mine: its propensities are refused ({verdict}): {REASON}. "
        "With debias.on_refusal: {fall_back_to: none} it would be built without debiasing"
    )
    assert refusal.value.verdict == verdict
    assert refusal.value.reason == REASON


@pytest.mark.parametrize("verdict", ["drift", "misfit", "disagreement"])
def test_a_worse_flag_does_not_let_a_wide_curve_through(
    make_policy: MakePolicy, verdict: str
) -> None:
    policy = make_policy(debias={"method": "ips"})
    assert require_propensities(policy, verdict, REASON, LENIENT, is_wide=True)
    with pytest.raises(PropensityRefusedError, match=r"are refused \(wide\)"):
        require_propensities(policy, verdict, REASON, STRICT, is_wide=True)


@pytest.mark.parametrize(
    ("changes", "labels", "examples"),
    [
        ({}, False, False),
        ({"debias": {"method": "ips"}}, True, False),
        ({"negatives": {"examined": {}}}, False, True),
        ({"negatives": {"examined": {"weight": 0.5}}}, False, False),
    ],
)
def test_who_needs_propensities(
    make_policy: MakePolicy, changes: dict[str, Any], *, labels: bool, examples: bool
) -> None:
    policy = make_policy(**changes)
    assert labels_need_propensities(policy) is labels
    assert examples_need_propensities(policy) is examples


def test_windows_of_the_signals_a_policy_uses(problem: Problem, make_policy: MakePolicy) -> None:
    quality = {"of": "dwell_s", "shape": "log", "cap": 300}
    clicks = make_policy(signals={"click": {"gain": 1, "quality": quality}})
    assert used_signals(clicks) == ("click", "dwell_s")
    assert longest_window(clicks, problem) == timedelta(minutes=30)
    purchases = {"click": {"gain": 1}, "purchase": {"gain": 1}}
    assert longest_window(make_policy(signals=purchases), problem) == timedelta(days=3)
    provisional = make_policy(signals=purchases, delay={"immature": "provisional"})
    assert longest_window(provisional, problem) == timedelta(0)


def test_the_click_is_the_first_signal_where_none_has_that_name(
    problem: Problem, make_problem: Callable[..., Problem]
) -> None:
    assert click_signal(problem) == "click"
    videos = make_problem(signals={"watch_s": {"window": "1d"}, "like": {"window": "1d"}})
    assert click_signal(videos) == "watch_s"
