"""A small version of benchmarks/off_policy_studies.py."""

from dataclasses import replace

import pytest
from off_policy_studies import MIN_REFUSED, SETTINGS, Setting, study
from scipy.stats import binomtest

REPLICATIONS = 150


def named(name: str, target: str, estimator: str) -> Setting:
    return next(
        each
        for each in SETTINGS
        if (each.name, each.target, each.estimator) == (name, target, estimator)
    )


@pytest.mark.parametrize(
    "setting",
    [
        named("re-ordered lists", "random", "snips"),
        named("not-shown items", "true relevance", "snips"),
        named("not-shown items", "both rankers", "doubly_robust"),
        named("counted", "logger", "snips"),
        named("trust bias", "true relevance", "ips"),
    ],
    ids=lambda setting: f"{setting.name} {setting.estimator}",
)
def test_intervals_hold_the_truth_where_the_gates_pass(setting: Setting) -> None:
    found = study(setting, REPLICATIONS, (100,))

    passed = round(REPLICATIONS * (1 - found["refused"]))
    assert passed > 0.8 * REPLICATIONS
    assert binomtest(round(found["coverage"] * passed), passed, 0.95).pvalue > 0.001


def test_logs_that_pass_the_gate_on_clicks_by_luck_are_not_taken_at_their_word() -> None:
    setting = named("about 100 clicks", "logger", "snips")

    found = study(setting, 4 * REPLICATIONS, (101,))

    assert 0.2 < found["refused"] < 0.8
    passed = round(4 * REPLICATIONS * (1 - found["refused"]))
    assert binomtest(round(found["coverage"] * passed), passed, 0.95).pvalue > 0.001


@pytest.mark.parametrize(
    "setting",
    [replace(each, queries=60) for each in SETTINGS if each.is_destroyed],
    ids=lambda setting: f"{setting.name} {setting.target} {setting.estimator}",
)
def test_destroyed_overlap_is_refused(setting: Setting) -> None:
    assert study(setting, 20, (102,))["refused"] >= MIN_REFUSED
