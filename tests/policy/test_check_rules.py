"""Refusals of segments, combinations, windows, days and features, each in its own words."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from label_platform.policy import check_policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError
from tests.policy.conftest import PROBLEM, MakePolicy, MakeProblem, refusal_of, without_lines

Changes = dict[str, Any]

CLICK: Changes = {"click": {"gain": 1.0}}
BOTH: Changes = {"signals": {**CLICK, "purchase": {"gain": 2.0}}}
MOBILE: Changes = {"device": "mobile"}
IPS: Changes = {
    "debias": {"method": "ips"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
POSTERIOR: Changes = IPS | {"debias": {"method": "posterior"}}
WATCH: Changes = {"signals": {}, "watch_time": {"label": "d2q", "watch_s": "dwell_s"}}
SECONDS: Changes = {"watch_time": {**WATCH["watch_time"], "duration": "f_d"}}


def segments(*blocks: Changes) -> Changes:
    return {"segments": list(blocks)}


def ranker(**said: object) -> Changes:
    return {"rankers": [{"objective": "pointwise"} | said]}


REFUSALS: list[tuple[Changes, str]] = [
    (
        segments({"when": {"devise": "mobile"}, "signals": CLICK}),
        (
            "segments.0.when.devise: expected device, surface or the problem's context; did you "
            "mean 'device'? valid: device, surface"
        ),
    ),
    (
        segments({"when": MOBILE}),
        "segments.0: says nothing but when; give it signals or a clip, or leave it out",
    ),
    (
        segments({"when": MOBILE, "clip": 0.1}),
        "segments.0.clip: debias.method none divides by no propensity; leave it out",
    ),
    (
        segments({"when": MOBILE, "signals": {"purchas": {"gain": 1}}}),
        (
            "segments.0.signals.purchas: the problem has no such signal; did you mean 'purchase'? "
            "valid: add_to_cart, click, dwell_s, purchase"
        ),
    ),
    (
        {"combine": {"first": ["click"]}}
        | segments({"when": MOBILE, "signals": {"purchase": {"gain": 2}}}),
        (
            "segments.0.signals.purchase: never counts: combine.first does not name it; use "
            "combine: sum or max, or name it there and give it the gain that it has elsewhere "
            "among the policy's own signals"
        ),
    ),
    (
        {"combine": {"dual": ["click"], "dense_share": 0.3}},
        (
            "combine.dense_share: has no effect: all of the policy's signals are primary; leave "
            "it out"
        ),
    ),
    (
        POSTERIOR
        | {"signals": {"click": {"gain": 1}, "add_to_cart": {"gain": -1}}}
        | {"combine": {"dual": ["click"]}},
        (
            "combine.dual: labels of 0 and 1 do not tell a complaint from an impression that "
            "nobody looked at, which debias.method posterior goes by; use combine: sum"
        ),
    ),
    (
        {"grain": "query_item", "decay": {"half_life": "12h"}},
        (
            "decay.half_life: 12h is too short for the problem's training.window of 14 days: "
            "after 15 half-lives next to nothing is left of a day, and too few digits to divide; "
            "expected 23h or more, or a shorter training.window"
        ),
    ),
    (
        ranker(weight="impressions") | {"grain": "query_item", "decay": {"half_life": "7d"}},
        (
            "rankers.0.weight: impressions counts all alike, which decay does not; use "
            "expected_examinations, which has it in"
        ),
    ),
    (
        ranker(weight="impressions") | {"grain": "query_item", "delay": {"immature": "reweight"}},
        (
            "rankers.0.weight: impressions counts all alike, which delay.immature: reweight does "
            "not; use expected_examinations, which has it in"
        ),
    ),
    (
        segments({"when": MOBILE, "signals": {"click": {"gain": 0}}}),
        "segments.0.signals: at least one gain must be above 0, or no label there is positive",
    ),
    (
        segments(
            {
                "when": MOBILE,
                "signals": {
                    "click": {"gain": 1, "quality": {"of": "dwel", "shape": "log", "cap": 9}}
                },
            }
        ),
        (
            "segments.0.signals.click.quality.of: the problem has no signal 'dwel'; did you mean "
            "'dwell_s'? valid: dwell_s"
        ),
    ),
    (
        segments(
            {"when": {"device": ["mobile", "tablet"]}, "signals": CLICK},
            {"when": {"device": "mobile", "surface": "home"}, "signals": CLICK},
        ),
        (
            "segments.1: never counts: segments.0 comes first and has every impression that this "
            "one would have; put the narrower one first"
        ),
    ),
    (
        WATCH | SECONDS | segments({"when": MOBILE, "signals": CLICK}),
        "segments.0.signals: is for signals, this policy has watch_time",
    ),
    (
        BOTH | {"combine": {"first": ["purchas", "click"]}},
        (
            "combine.first: 'purchas' is none of the policy's signals; did you mean 'purchase'? "
            "valid: click, purchase"
        ),
    ),
    (
        BOTH | {"combine": {"dual": ["add_to_cart"]}},
        "combine.dual: 'add_to_cart' is none of the policy's signals; valid: click, purchase",
    ),
    (
        BOTH | {"combine": {"first": ["click", "purchase", "click"]}},
        "combine.first: 'click' stands there more than once",
    ),
    (
        WATCH | SECONDS | {"combine": {"dual": ["click"]}},
        "combine.dual: is for signals, this policy has watch_time; leave it out",
    ),
    (
        WATCH | SECONDS | {"delay": {"immature": "reweight"}},
        (
            "delay.immature: reweight is for signals, which have come or not: seconds watched are "
            "no count of which a share has come; use exclude or provisional"
        ),
    ),
    (
        {"decay": {"half_life": "0d"}},
        (
            "decay.half_life: expected a duration above 0 such as 7d: after 0 everything counts "
            "for nothing"
        ),
    ),
    (
        {
            "debias": {"method": "ips", "into": "weight"},
            "rankers": [{"objective": "lambdarank", "position": "debias_only"}],
        },
        (
            "rankers.0.objective: lambdarank with debias.into: weight would weigh the two sides of "
            "a pair differently, 1/theta times; use pointwise, or into: label"
        ),
    ),
    (
        {
            "debias": {"method": "ips", "into": "weight"},
            "rankers": [{"objective": "rank_xendcg", "position": "debias_only"}],
        },
        (
            "rankers.0.objective: rank_xendcg with debias.into: weight would weigh the two sides "
            "of a pair differently, 1/theta times; use pointwise, or into: label"
        ),
    ),
    (
        ranker(objective="rank_xendcg", loss="binary"),
        (
            "rankers.0.loss: binary is for objective pointwise, rank_xendcg has its own; leave it "
            "out"
        ),
    ),
    (
        ranker(gain="exponential"),
        (
            "rankers.0.gain: exponential is of items in a list, pointwise learns the label; leave "
            "it out"
        ),
    ),
    (
        ranker(objective="rank_xendcg", parameters={"lambdarank_norm": False}),
        (
            "rankers.0.parameters.lambdarank_norm: is for objective lambdarank, found rank_xendcg; "
            "leave it out"
        ),
    ),
    (
        ranker(objective="lambdarank", parameters={"lambdarank_position_bias_regularization": 0.5}),
        (
            "rankers.0.parameters.lambdarank_position_bias_regularization: is for position: "
            "lightgbm_bias, found none; leave it out"
        ),
    ),
    (
        ranker(position="lightgbm_bias"),
        (
            "rankers.0.position: lightgbm_bias is for objective lambdarank, found pointwise: there "
            "is no pair whose positions could explain it"
        ),
    ),
    (
        ranker(objective="rank_xendcg", position="lightgbm_bias"),
        (
            "rankers.0.position: lightgbm_bias is for objective lambdarank, found rank_xendcg: "
            "LightGBM takes positions for rank_xendcg and does nothing with them"
        ),
    ),
    (
        ranker(objective="lambdarank", position="lightgbm_bias") | {"grain": "query_item"},
        (
            "rankers.0.position: lightgbm_bias is for grain impression: a query and item was shown "
            "at several positions; use none"
        ),
    ),
    (
        ranker(objective="lambdarank", position="lightgbm_bias") | {"debias": {"method": "ips"}},
        (
            "rankers.0.position: lightgbm_bias contradicts debias.method ips: both correct for "
            "where an item was shown; use debias_only, or debias.method: none"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSALS)
def test_a_contradiction_is_refused_in_these_words(
    tmp_path: Path, problem: Problem, make_policy: MakePolicy, changes: Changes, message: str
) -> None:
    assert refusal_of(make_policy(**changes), problem) == f"{tmp_path / 'mine.yaml'}: {message}"


@pytest.mark.parametrize(
    "changes",
    [
        # the narrower one first; another device; a column that the first does not ask for
        segments(
            {"when": {"device": "mobile", "surface": "home"}, "signals": CLICK},
            {"when": MOBILE, "signals": CLICK},
        ),
        segments(
            {"when": {"device": ["mobile", "tablet"]}, "signals": CLICK},
            {"when": {"device": ["mobile", "desktop"]}, "signals": CLICK},
        ),
        segments(
            {"when": {"surface": "home"}, "signals": CLICK},
            {"when": MOBILE, "signals": CLICK},
        ),
        IPS | segments({"when": MOBILE, "clip": 0.1}),
        BOTH | segments({"when": MOBILE, "signals": {"click": {"gain": 0}}}),
        BOTH | {"combine": {"first": ["purchase", "click"]}},
        {"signals": {"click": {"gain": 0.3}, "purchase": {"gain": 1.0}}}
        | {"combine": {"dual": ["purchase"]}},
        WATCH | SECONDS | {"delay": {"immature": "provisional"}},
        WATCH | SECONDS | {"grading": {"thresholds": [0.5]}},
        {"grain": "query_item", "decay": {"half_life": "23h"}},
        # where an impression is a row decay weighs it, and divides nothing
        {"decay": {"half_life": "12h"}},
        # of several signals what came is divided, and impressions count alike
        BOTH
        | ranker(weight="impressions")
        | {"grain": "query_item", "delay": {"immature": "reweight"}},
        {"debias": {"method": "ips", "into": "weight"}, "rankers": IPS["rankers"]},
    ],
)
def test_what_stands_close_by_is_allowed(
    problem: Problem, make_policy: MakePolicy, changes: Changes
) -> None:
    assert refusal_of(make_policy(**changes), problem) == ""


def test_a_segment_may_ask_for_any_column_of_the_context(
    make_problem: MakeProblem, make_policy: MakePolicy
) -> None:
    policy = make_policy(segments=[{"when": {"country": "at"}, "signals": CLICK}])
    check_policy(policy, make_problem(context=["country"]))
    with pytest.raises(ConfigurationError, match=r"when\.country"):
        check_policy(policy, make_problem())


def test_a_window_of_nothing_is_refused_where_the_policy_reads_it(
    tmp_path: Path, make_problem: MakeProblem, make_policy: MakePolicy
) -> None:
    problem = make_problem(signals=PROBLEM["signals"] | {"click": {"window": "0s"}})
    assert problem.signals["click"].window == timedelta(0)
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(make_policy(), problem)
    assert without_lines(refusal.value) == (
        f"{tmp_path / 'mine.yaml'}: signals.click: its window in the problem is 0, so whatever "
        "comes after the impression comes too late; expected a duration such as 30m"
    )
    check_policy(make_policy(signals={"purchase": {"gain": 1}}), problem)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": ["f_*", "position"]},
            (
                "rankers: the problem's features name 'position': a ranker that sees where an item "
                "was shown repeats the logging ranker; take it out, and write position: feature in "
                "a ranker, which fixes it to 1 when scoring"
            ),
        ),
        (
            {"item_features": ["purchase"]},
            (
                "rankers: the problem's item_features name 'purchase', a signal: it is what became "
                "of the impression and is not known when items are ranked; take it out"
            ),
        ),
    ],
)
def test_features_that_give_the_answer_away_are_refused(
    tmp_path: Path,
    make_problem: MakeProblem,
    make_policy: MakePolicy,
    changes: Changes,
    message: str,
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(make_policy(), make_problem(**changes))
    assert without_lines(refusal.value) == f"{tmp_path / 'mine.yaml'}: {message}"
