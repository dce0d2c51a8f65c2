"""loss: binary beside labels that are not 0 and 1 is refused or warned of, as training would."""

from typing import Any

import numpy as np
import pytest

from label_platform.lake import Engine
from label_platform.policy import LabelInputs, compile_labels, warnings_of
from label_platform.problem import Problem
from label_platform.ranking import TrainingError
from label_platform.ranking.objectives import check_labels
from tests.policy.conftest import PROBLEM, MakePolicy, MakeProblem, Publish, refusal_of

Changes = dict[str, Any]

BINARY: Changes = {"rankers": [{"objective": "pointwise", "loss": "binary"}]}
DEBIASED: Changes = {
    "rankers": [{"objective": "pointwise", "loss": "binary", "position": "debias_only"}]
}
WATCH: Changes = {"label": "pc", "watch_s": "dwell_s", "duration": "f_d"}
FALLS_BACK: Changes = {"on_refusal": {"fall_back_to": "none"}}
TAKES = "rankers.0.loss: binary takes labels of 0 and 1, and "
INSTEAD = "; use loss: squared, or grading with one threshold"
WITHIN_1 = "; use loss: cross_entropy, or grading with one threshold"
LATER = ": training refuses a label that is neither"
CLICK: Changes = {"click": {"gain": 1}}
DWELL: Changes = {"of": "dwell_s", "shape": "log", "cap": 60}


def both(click: float, purchase: float) -> Changes:
    return {"signals": {"click": {"gain": click}, "purchase": {"gain": purchase}}}


REFUSED: list[tuple[Changes, str]] = [
    (DEBIASED | {"debias": {"method": "ips"}}, "debias.method ips divides labels by P(examined)"),
    (
        DEBIASED | {"debias": {"method": "coec"}, "grain": "query_item"},
        "debias.method coec divides labels by P(examined)",
    ),
    (
        DEBIASED | {"debias": {"method": "doubly_robust"}},
        "debias.method doubly_robust divides labels by P(examined)",
    ),
    (
        BINARY | {"signals": {"purchase": {"gain": 5}}},
        "signals.purchase.gain makes labels of 5 where purchase comes alone",
    ),
    (
        BINARY | both(0.3, 1) | {"combine": "max"},
        "signals.click.gain makes labels of 0.3 where click comes alone",
    ),
    (
        BINARY | {"signals": {"click": {"gain": 1, "quality": DWELL}}},
        "signals.click.quality.shape log makes labels between 0 and 1 where click comes alone",
    ),
    (
        BINARY | {"segments": [{"when": {"device": "mobile"}, "signals": {"click": {"gain": 2}}}]},
        "segments.0.signals.click.gain makes labels of 2 where click comes alone",
    ),
    (BINARY | {"grading": {"thresholds": [0.5, 2]}}, "grading.thresholds makes grades from 0 to 2"),
    (BINARY | {"grading": {"quantiles": 5}}, "grading.quantiles makes grades from 0 to 4"),
    (
        BINARY | {"signals": {}, "watch_time": WATCH | {"label": "pcr"}},
        "watch_time.label pcr makes numbers from 0 to 1",
    ),
]


def takes_cross_entropy(words: str) -> bool:
    return any(part in words for part in ("0.3", "shape log", "pcr"))


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_what_the_policy_makes_other_labels_of_is_refused(
    problem: Problem, make_policy: MakePolicy, changes: Changes, words: str
) -> None:
    policy = make_policy(**changes)
    instead = WITHIN_1 if takes_cross_entropy(words) else INSTEAD
    assert refusal_of(policy, problem) == f"{policy.path}: {TAKES}{words}{instead}"
    said = [ranker | {"loss": "squared"} for ranker in changes["rankers"]]
    assert refusal_of(make_policy(**changes | {"rankers": said}), problem) == ""


ON_DEVICES: Changes = {
    "signals": {"click": {"gain": 2}},
    "segments": [
        {"when": {"device": ["mobile", "desktop"]}, "signals": {"click": {"gain": 1}}},
    ],
}

WARNED: list[tuple[Changes, str]] = [
    # every impression may be in a segment
    (BINARY | ON_DEVICES, "signals.click.gain makes labels of 2 where click comes alone"),
    (
        DEBIASED | {"debias": {"method": "ips"} | FALLS_BACK},
        (
            "debias.method ips divides labels by P(examined), unless debias.on_refusal falls back "
            "to none"
        ),
    ),
    (
        BINARY | {"grain": "query_item"},
        "grain query_item makes rates of what was shown more than once",
    ),
    (
        BINARY | {"delay": {"immature": "reweight"}},
        "delay.immature: reweight divides by the share of feedback that has come",
    ),
    (
        BINARY | both(1, 1),
        "signals add up where click and purchase come together (combine: max does not)",
    ),
    (
        BINARY | both(1, 0.5) | {"combine": "max"},
        "signals.purchase.gain makes labels of 0.5 where purchase comes alone",
    ),
    (
        BINARY | both(1, -1),
        "signals.purchase.gain makes labels of -1 where purchase comes alone",
    ),
    (
        BINARY | {"signals": {"dwell_s": {"gain": 1}}},
        "signals.dwell_s is what click is described by, any number",
    ),
]


@pytest.mark.parametrize(("changes", "words"), WARNED)
def test_what_depends_on_the_log_is_a_warning(
    problem: Problem, make_policy: MakePolicy, changes: Changes, words: str
) -> None:
    policy = make_policy(**changes)
    assert refusal_of(policy, problem) == ""
    assert f"{TAKES}{words}{LATER}" in warnings_of(policy, problem)


FINE: list[Changes] = [
    BINARY,
    BINARY | {"signals": CLICK | {"purchase": {"gain": 0}}},
    BINARY | both(1, 1) | {"combine": "max"},
    BINARY | both(1, 1) | {"combine": {"first": ["purchase", "click"]}},
    # what combine.first does not name makes no label
    BINARY | both(1, 7) | {"combine": {"first": ["click"]}},
    BINARY | both(0.2, 1) | {"combine": {"dual": ["purchase"]}},
    BINARY | both(0.2, 7) | {"grading": {"thresholds": [0.5]}},
    BINARY | both(0.2, 7) | {"grading": {"quantiles": 2}},
    BINARY | {"signals": {"click": {"gain": 1, "quality": DWELL | {"shape": "minimum"}}}},
    BINARY | {"signals": {}, "watch_time": WATCH},
    DEBIASED | {"debias": {"method": "posterior"}},
    DEBIASED | {"debias": {"method": "ips", "into": "weight"}},
    DEBIASED | {"debias": {"method": "ips"}, "grading": {"thresholds": [0.5]}},
    BINARY | {"segments": [{"when": {"device": "mobile"}, "signals": {"purchase": {"gain": 0}}}]},
]


@pytest.mark.parametrize("changes", FINE)
def test_labels_of_0_and_1_are_passed_over(
    problem: Problem, make_policy: MakePolicy, changes: Changes
) -> None:
    policy = make_policy(**changes)
    lines = [*refusal_of(policy, problem).splitlines(), *warnings_of(policy, problem)]
    assert [line for line in lines if "loss" in line] == []


EXPONENTIAL: Changes = {"rankers": [{"objective": "lambdarank", "gain": "exponential"}]}
GRADES = "rankers.0.gain: exponential takes whole grades from 0 to 30, and "


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"signals": {"click": {"gain": 50}}},
            "signals.click.gain makes labels of 50 where click comes alone",
        ),
        (both(0.3, 1), "signals.click.gain makes labels of 0.3 where click comes alone"),
        (
            {"signals": {"click": {"gain": 3, "quality": DWELL}}},
            "signals.click.quality.shape log makes labels between 0 and 3 where click comes alone",
        ),
        (
            {"debias": {"method": "ips"}}
            | {"rankers": [EXPONENTIAL["rankers"][0] | {"position": "debias_only"}]},
            "debias.method ips divides labels by P(examined)",
        ),
        (
            {"signals": {}, "watch_time": WATCH | {"label": "dvr"}},
            "watch_time.label dvr makes numbers from 0 to 1",
        ),
    ],
)
@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_labels_that_are_no_grades_are_refused_an_exponential_gain(
    problem: Problem, make_policy: MakePolicy, changes: Changes, words: str, objective: str
) -> None:
    policy = make_policy(**EXPONENTIAL | changes)
    rankers = tuple(each.model_copy(update={"objective": objective}) for each in policy.rankers)
    refused = refusal_of(policy.model_copy(update={"rankers": rankers}), problem)
    assert f"{GRADES}{words}; use gain: linear, or grading" in refused


@pytest.mark.parametrize(
    "changes",
    [
        {},
        both(1, 4),
        both(0.3, 50) | {"grading": {"quantiles": 5}},
        both(0.3, 50) | {"grading": {"thresholds": [0.1, 1]}},
        both(0.3, 1) | {"combine": {"dual": ["purchase"]}},
    ],
)
def test_whole_grades_take_an_exponential_gain(
    problem: Problem, make_policy: MakePolicy, changes: Changes
) -> None:
    policy = make_policy(**EXPONENTIAL | changes)
    lines = [*refusal_of(policy, problem).splitlines(), *warnings_of(policy, problem)]
    assert [line for line in lines if "exponential" in line] == []


def test_what_may_be_no_grades_is_a_warning(problem: Problem, make_policy: MakePolicy) -> None:
    policy = make_policy(**EXPONENTIAL | both(1, 0.5))
    assert refusal_of(policy, problem) == ""
    words = "signals.purchase.gain makes labels of 0.5 where purchase comes alone"
    assert f"{GRADES}{words}: training refuses a label that is none" in warnings_of(policy, problem)


def test_the_auxiliary_label_is_looked_at_where_a_ranker_learns_it(
    problem: Problem, make_policy: MakePolicy
) -> None:
    rankers = [
        {"objective": "pointwise", "loss": "binary"},
        {"objective": "pointwise", "loss": "binary", "auxiliary": "transfer"},
    ]
    policy = make_policy(
        rankers=rankers,
        auxiliary={"signals": {"click": {"gain": 0.5}}},
        grading={"thresholds": [0.5]},
    )
    assert refusal_of(policy, problem) == (
        f"{policy.path}: rankers.1.loss: binary takes labels of 0 and 1, and auxiliary.signals."
        "click.gain makes labels of 0.5 where click comes alone; use loss: squared"
    )


def test_the_problems_first_signal_stands_in_for_clicks(
    make_problem: MakeProblem, make_policy: MakePolicy
) -> None:
    signals = {"view": {"window": "1h"}, "buy": {"window": "1d"}}
    policy = make_policy(
        **BINARY, signals={"view": {"gain": 0.5}, "buy": {"gain": 1}}, combine="max"
    )
    assert "signals.view.gain makes labels of 0.5" in refusal_of(
        policy, make_problem(signals=signals)
    )
    turned = make_problem(signals=dict(reversed(signals.items())))
    assert refusal_of(policy, turned) == ""


ROWS = [
    {"key": 1, "item_id": 1, "position": 1, "device": "mobile", "click": 1, "dwell_s": 30},
    {"key": 2, "item_id": 2, "position": 2, "device": "desktop", "click": 1, "dwell_s": 90},
    {"key": 3, "item_id": 3, "position": 2, "device": "mobile", "purchase": 1},
    {"key": 4, "item_id": 4, "position": 1, "device": "mobile", "click": 1, "purchase": 1},
    {"key": 5, "item_id": 5, "position": 1, "device": "desktop"},
]


def of_signals(cases: list[Changes]) -> list[Changes]:
    """Those whose labels are those of impressions, as compiled, with no grade to fit."""
    return [
        case
        for case in cases
        if case.get("signals", CLICK)
        and not {"grading", "grain", "delay"} & case.keys()
        and case.get("debias", {}).get("method") not in {"posterior", "doubly_robust"}
    ]


@pytest.mark.parametrize(
    "changes", [case for case, words in REFUSED if "0.3" in words or "shape" in words]
)
def test_where_cross_entropy_is_advised_it_takes_the_labels(
    engine: Engine,
    make_problem: MakeProblem,
    make_policy: MakePolicy,
    publish: Publish,
    curve: str,
    changes: Changes,
) -> None:
    problem = make_problem(**PROBLEM)
    said = [ranker | {"loss": "cross_entropy"} for ranker in changes["rankers"]]
    policy = make_policy(**changes | {"rankers": said})
    assert refusal_of(policy, problem) == ""
    sql = compile_labels(policy, problem, LabelInputs(publish(ROWS), curve))
    label = np.array([label for (label,) in engine.rows(f"select label from ({sql})")])
    assert set(label) - {0, 1}
    check_labels(label, policy.rankers[0])


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        *((changes, False) for changes in of_signals([case for case, _ in REFUSED + WARNED[1:]])),
        *((changes, True) for changes in of_signals([BINARY | ON_DEVICES, *FINE])),
    ],
)
def test_training_judges_labels_alike(
    engine: Engine,
    make_problem: MakeProblem,
    make_policy: MakePolicy,
    publish: Publish,
    curve: str,
    changes: Changes,
    fits: bool,  # noqa: FBT001 - a case of the table
) -> None:
    problem = make_problem(**PROBLEM)
    policy = make_policy(**changes)
    sql = compile_labels(policy, problem, LabelInputs(publish(ROWS), curve))
    label = np.array([label for (label,) in engine.rows(f"select label from ({sql})")])
    assert len(label) == len(ROWS)
    if fits:
        check_labels(label, policy.rankers[0])
    else:
        with pytest.raises(TrainingError, match="loss: binary takes 0 and 1"):
            check_labels(label, policy.rankers[0])
