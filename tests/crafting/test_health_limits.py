"""Limits of the policy file: what they warn of, and that they change no version."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from label_platform.crafting import LIMITS, LabelDrift, LabelHealth, health_warnings
from label_platform.policy import LabelHealth as Limits
from label_platform.policy import label_version, load_policy, policy_version
from label_platform.problem import load_problem

PROJECT = Path(__file__).parents[2]
DAY = LabelHealth(
    rows=1000,
    positives=40,
    mean=0.1,
    effective_share=0.2,
    clip_share=0.3,
    immature_share=0.1,
    buckets={0: 960, 300: 40},
)
DRIFT = LabelDrift(days=9, psi=0.1, p_value=0.02)


@pytest.mark.parametrize(
    ("limits", "name", "words"),
    [
        (
            {"positive_share": [0.05, 1.0]},
            "positive_share",
            "0.04 of 1,000 labels are above 0, below 0.05",
        ),
        (
            {"positive_share": [0.0, 0.03]},
            "positive_share",
            "0.04 of 1,000 labels are above 0, above 0.03",
        ),
        ({"clip_share": 0.25}, "clip_share", "0.3 of impressions are at the clip, above 0.25"),
        (
            {"effective_share": 0.21},
            "effective_share",
            "40 labels above 0 are worth 8.0 equal ones, a share of 0.2, below 0.21",
        ),
        ({"psi": 0.09}, "drift", "PSI 0.1 is above 0.09, against 9 days before"),
        ({"drift_p_value": 0.05}, "drift", "p value 0.02 is below 0.05, against 9 days before"),
        (
            {"psi": 0.09, "drift_p_value": 0.05},
            "drift",
            "PSI 0.1 is above 0.09 and p value 0.02 is below 0.05, against 9 days before",
        ),
        (
            {"immature_share": 0.09},
            "immature_share",
            "0.1 of impressions can still get feedback, above 0.09",
        ),
    ],
)
def test_a_broken_limit_is_named_with_its_numbers(
    limits: dict[str, Any], name: str, words: str
) -> None:
    assert health_warnings(DAY, DRIFT, Limits.model_validate(limits)) == {name: words}
    assert name in LIMITS


def test_numbers_at_their_limits_break_none() -> None:
    limits = Limits(
        positive_share=(0.04, 0.04),
        clip_share=0.3,
        effective_share=0.2,
        psi=0.1,
        drift_p_value=0.02,
        immature_share=0.1,
    )
    assert health_warnings(DAY, DRIFT, limits) == {}
    assert health_warnings(DAY, DRIFT, Limits()) == {}


def test_what_is_not_known_breaks_no_limit() -> None:
    empty = LabelHealth(0, 0, None, None, None, 0.0, {})
    strict = Limits(
        positive_share=(0.9, 1.0), clip_share=0, effective_share=1, psi=1e-9, drift_p_value=0.9
    )
    assert health_warnings(empty, LabelDrift(2), strict) == {}


@pytest.mark.parametrize("limits", [[0.5, 0.4], [-0.1, 0.5], [0.5, 1.1], [0.5]])
def test_shares_that_are_none_are_refused(limits: list[float]) -> None:
    with pytest.raises(ValidationError, match="positive_share"):
        Limits.model_validate({"positive_share": limits})


def test_limits_change_no_version() -> None:
    problem = load_problem(PROJECT / "data" / "problems" / "product_search.yaml")
    policy = load_policy(PROJECT / "policies" / "coec_click.yaml")
    changed = policy.model_copy(update={"health": Limits(psi=0.1, positive_share=(0.01, 0.2))})
    assert changed.health != policy.health
    assert label_version(changed, problem) == label_version(policy, problem)
    assert policy_version(changed, problem) == policy_version(policy, problem)
