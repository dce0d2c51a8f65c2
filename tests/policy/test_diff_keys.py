"""What differs between two policy files, and what that affects."""

from typing import Any

import pytest

from label_platform.policy import policy_change
from label_platform.policy.diff_keys import key_changes
from label_platform.problem import Problem
from tests.policy.conftest import MakePolicy


@pytest.mark.parametrize(
    ("changes", "reaches", "said"),
    [
        ({"description": "other words"}, "nothing", "description: (none) -> other words"),
        ({"signals": {"click": {"gain": 2.0}}}, "labels", "signals.click.gain: 1.0 -> 2.0"),
        (
            {"signals": {"click": {"gain": 1.0}, "purchase": {"gain": 3.0}}},
            "labels",
            "signals.purchase: (none) -> {gain: 3.0}",
        ),
        (
            {"negatives": {"skip_next": {"depth": 2}}},
            "examples",
            "negatives.skip_next: (none) -> {depth: 2, weight: 1.0}",
        ),
        (
            {"rankers": [{"objective": "lambdarank"}]},
            "rankers",
            "rankers.0.objective: pointwise -> lambdarank",
        ),
        (
            {"rankers": [{"objective": "pointwise", "loss": "binary"}]},
            "rankers",
            "rankers.0.loss: squared -> binary",
        ),
        (
            {"rankers": [{"objective": "pointwise", "parameters": {"num_leaves": 63}}]},
            "rankers",
            "rankers.0.parameters.num_leaves: 31 -> 63",
        ),
        (
            {"debias": {"method": "ips", "clip": 0.1}},
            "labels",
            "debias.clip: 0.05 -> 0.1",
        ),
    ],
)
def test_keys_are_named_with_what_they_reach(
    changes: dict[str, Any], reaches: str, said: str, problem: Problem, make_policy: MakePolicy
) -> None:
    old = make_policy()
    found = policy_change(old, make_policy(**changes), problem)
    assert found.reaches == reaches
    assert said in map(str, found.keys)
    assert (found.label_versions[0] != found.label_versions[1]) == (reaches == "labels")
    assert (found.policy_versions[0] != found.policy_versions[1]) == (reaches != "nothing")


@pytest.mark.parametrize("half_life", ["14d", "36h", "90m", "100s"])
def test_durations_are_said_as_people_write_them(make_policy: MakePolicy, half_life: str) -> None:
    decay = {"half_life": half_life}
    (taken_up,) = key_changes(make_policy(), make_policy(decay=decay))
    assert str(taken_up) == f"decay: (none) -> {{half_life: {half_life}}}"
    (changed,) = key_changes(make_policy(decay={"half_life": "7d"}), make_policy(decay=decay))
    assert str(changed) == f"decay.half_life: 7d -> {half_life}"
