"""What means the same has the same versions; what order means something."""

import pytest

from label_platform.policy import label_version, policy_version, version
from label_platform.problem import Problem
from tests.policy.conftest import MakePolicy
from tests.policy.test_version_of_every_key import (
    ALL,
    CART,
    CLICK,
    MOBILE,
    RANKER,
    Changes,
    debiased,
    dense,
    in_segment,
    teacher,
)

TABLET: Changes = {"when": {"device": "tablet"}, "signals": CART}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"segments": [{"when": {"device": "mobile", "surface": "home"}}]},
            {"segments": [{"when": {"surface": "home", "device": "mobile"}}]},
        ),
        (
            {"segments": [{"when": {"device": ["tablet", "mobile"]}}]},
            {"segments": [{"when": {"device": ["mobile", "tablet"]}}]},
        ),
        (in_segment(), in_segment(when={"device": ["mobile"]})),
        ({"signals": CLICK | CART}, {"signals": CART | CLICK}),
        (
            ALL | {"combine": {"dual": ["purchase", "click"]}},
            {"combine": {"dual": ["click", "purchase"]}},
        ),
        (dense(signals=CLICK | CART), dense(signals=CART | CLICK)),
        (debiased(), debiased(into="label", propensity="auto", clip=0.05, self_normalise=False)),
        (dense(), dense(tune="label")),
        (teacher(), {"teacher": {"model": "old.txt"}}),
        ({}, {"combine": "sum", "segments": [], "negatives": {}, "health": {}, "delay": {}}),
        ({}, {"grading": "continuous"}),
    ],
)
def test_what_means_the_same_has_the_same_versions(
    problem: Problem, make_policy: MakePolicy, old: Changes, new: Changes
) -> None:
    first, second = make_policy(**old), make_policy(**old | new)
    assert label_version(first, problem) == label_version(second, problem)
    assert policy_version(first, problem) == policy_version(second, problem)


def test_the_first_segment_that_fits_counts_so_their_order_changes_labels(
    problem: Problem, make_policy: MakePolicy
) -> None:
    old = make_policy(segments=[MOBILE, TABLET])
    new = make_policy(segments=[TABLET, MOBILE])
    assert label_version(old, problem) != label_version(new, problem)
    assert policy_version(old, problem) != policy_version(new, problem)


def test_rankers_are_told_in_their_order_which_changes_no_label(
    problem: Problem, make_policy: MakePolicy
) -> None:
    pairwise = {"objective": "lambdarank"}
    old, new = make_policy(rankers=[RANKER, pairwise]), make_policy(rankers=[pairwise, RANKER])
    assert label_version(old, problem) == label_version(new, problem)
    assert policy_version(old, problem) != policy_version(new, problem)


def test_propensities_of_a_policy_without_debiasing_change_nothing(
    problem: Problem, make_policy: MakePolicy
) -> None:
    old, new = make_policy(), make_policy(debias={"clip": 0.1, "propensity": "randomized"})
    assert label_version(old, problem) == label_version(new, problem)
    assert policy_version(old, problem) == policy_version(new, problem)


def test_a_posterior_weighs_training_rows_and_leaves_labels_as_they_are(
    problem: Problem, make_policy: MakePolicy
) -> None:
    old, new = make_policy(), make_policy(debias={"method": "posterior"})
    assert label_version(old, problem) == label_version(new, problem)
    assert policy_version(old, problem) != policy_version(new, problem)


def test_rows_of_before_clicks_worth_nothing_were_looked_at_are_stale(
    problem: Problem, make_policy: MakePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a click without a gain, and one that a segment or the order of signals takes the worth of
    for said in (
        {"signals": {"purchase": {"gain": 1.0}}},
        {"signals": {"click": {"gain": 0.0}, "purchase": {"gain": 1.0}}},
        {"signals": {"click": {"gain": 1.0}}, "segments": [MOBILE]},
    ):
        policy = make_policy(debias={"method": "posterior"}, **said)
        now = policy_version(policy, problem)
        with monkeypatch.context() as before:
            before.setattr(version, "_CORRECTED", -1)
            assert policy_version(policy, problem) != now
