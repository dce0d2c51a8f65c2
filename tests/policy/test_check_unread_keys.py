"""Keys that were written and have no effect are refused, each in its own words."""

from pathlib import Path
from typing import Any

import pytest

from label_platform.problem import Problem
from tests.policy.conftest import MakePolicy, MakeProblem, refusal_of

Changes = dict[str, Any]

DWELL: Changes = {"of": "dwell_s", "shape": "log", "cap": 300}
CLICK: Changes = {"click": {"gain": 1.0}}
BOTH: Changes = {**CLICK, "purchase": {"gain": 1.0}}
MAX: Changes = {"combine": "max"}
DUAL: Changes = {"combine": {"dual": ["click"]}}
MOBILE: Changes = {"device": "mobile"}
NO_EFFECT = "has no effect: where click, which combine.dual names, came, label and weight are 1"
NEVER = (
    "gain: -1 never counts with combine: max: it is never the largest, as what did not come is 0; "
    "use combine: sum, or leave the signal out"
)
COEC: Changes = {
    "grain": "query_item",
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
EXAMINED: Changes = {
    "skip_above": {"weight": 0.9},
    "examined": {"weight": "posterior"},
    "unexamined": {"rate": 0.2},
}


def signals(**gains: Changes) -> Changes:
    return {"signals": BOTH | gains}


def in_segment(**gains: Changes) -> Changes:
    return {"segments": [{"when": MOBILE, "signals": gains}]}


def debias(**said: object) -> Changes:
    return {"debias": said}


def auxiliary(*modes: str, **said: object) -> Changes:
    rankers = [{"objective": "pointwise", "auxiliary": mode} for mode in modes]
    return {"auxiliary": {"signals": BOTH} | said, "rankers": rankers}


REFUSALS: list[tuple[Changes, str]] = [
    (
        signals(click={"gain": -5}) | DUAL,
        f"signals.click.gain: -5 {NO_EFFECT}; write gain: 1",
    ),
    (
        signals(click={"gain": 0.3}) | DUAL,
        f"signals.click.gain: 0.3 {NO_EFFECT}; write gain: 1",
    ),
    (
        signals(click={"gain": 1, "quality": DWELL}) | DUAL,
        f"signals.click.quality: {NO_EFFECT}; leave it out",
    ),
    (
        signals() | DUAL | in_segment(click={"gain": 2}),
        f"segments.0.signals.click.gain: 2 {NO_EFFECT}; write gain: 1",
    ),
    (signals(purchase={"gain": -1}) | MAX, f"signals.purchase.{NEVER}"),
    (
        {"signals": CLICK} | MAX | in_segment(purchase={"gain": -1}),
        f"segments.0.signals.purchase.{NEVER}",
    ),
    (
        {"signals": BOTH} | MAX | in_segment(purchase={"gain": -1}),
        "segments.0.signals.purchase." + NEVER.replace("leave the signal out", "say gain: 0"),
    ),
    (
        auxiliary("combine", signals=BOTH | {"purchase": {"gain": -1}}, combine="max"),
        f"auxiliary.signals.purchase.{NEVER}",
    ),
    (
        auxiliary("transfer", tune="label"),
        (
            "auxiliary.tune: is for rankers with auxiliary: combine, whose scores are weighed; "
            "leave it out"
        ),
    ),
    *[
        (
            debias(method="none", clip=clip),
            "debias.clip: debias.method none divides by no propensity; leave it out",
        )
        # also what it is where the file does not say it
        for clip in (0.5, 0.05)
    ],
    (
        debias(propensity="pbm"),
        "debias.propensity: debias.method none uses no propensities; leave it out",
    ),
    *[
        (
            debias(method="none", on_refusal=said),
            "debias.on_refusal: debias.method none uses no propensities; leave it out",
        )
        for said in ("fail", {"fall_back_to": "none"})
    ],
    (
        debias(clip=0.1) | {"negatives": {"examined": {"weight": "theta"}}},
        "debias.clip: debias.method none divides by no propensity; leave it out",
    ),
    *[
        (
            COEC | debias(method="coec", prior={"toward": "empirical_bayes", "strength": strength}),
            (
                "debias.prior.strength: is for toward: model, empirical_bayes learns it from the "
                "data; leave it out"
            ),
        )
        for strength in (7, 1)
    ],
]


@pytest.mark.parametrize(("changes", "message"), REFUSALS)
def test_what_has_no_effect_is_refused_in_these_words(
    tmp_path: Path, problem: Problem, make_policy: MakePolicy, changes: Changes, message: str
) -> None:
    assert refusal_of(make_policy(**changes), problem) == f"{tmp_path / 'mine.yaml'}: {message}"


@pytest.mark.parametrize(
    "changes",
    [
        # of a dense signal the gain is the weight
        signals(purchase={"gain": 0.3}) | DUAL,
        signals() | DUAL | in_segment(purchase={"gain": 0.3}),
        signals() | DUAL | in_segment(click={"gain": 1}),
        signals(purchase={"gain": -1}),
        signals(purchase={"gain": -1}) | {"combine": {"first": ["purchase", "click"]}},
        signals(purchase={"gain": 0}) | MAX,
        {"signals": CLICK} | MAX,
        auxiliary("transfer"),
        auxiliary("transfer", "combine", tune="both"),
        debias(method="none"),
        debias(method="none", propensity="pbm", on_refusal="fail")
        | {"negatives": {"examined": {"weight": "theta"}}},
        debias(method="none", propensity="pbm", clip=0.1) | {"negatives": EXAMINED},
        COEC | debias(method="coec", prior={"toward": "empirical_bayes"}),
        COEC | debias(method="coec", prior={"toward": "model", "strength": 7}),
    ],
)
def test_what_has_an_effect_is_allowed(
    problem: Problem, make_policy: MakePolicy, changes: Changes
) -> None:
    assert refusal_of(make_policy(**changes), problem) == ""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"log_q": False},
            "negatives.random.log_q: is for draw: popularity, found uniform; leave it out",
        ),
        ({}, ""),
        ({"draw": "popularity", "log_q": False}, ""),
    ],
)
def test_the_correction_of_popular_draws_is_for_these(
    make_problem: MakeProblem, make_policy: MakePolicy, said: Changes, message: str
) -> None:
    policy = make_policy(negatives={"random": said})
    refusal = refusal_of(policy, make_problem(features=[]))
    assert refusal == (f"{policy.path}: {message}" if message else "")
