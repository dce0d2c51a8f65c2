"""Every refusal of check_policy with its message, and what stands close by and is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from label_platform.policy import Policy, check_policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError
from tests.policy.conftest import refusal_of, without_lines

MakePolicy = Callable[..., Policy]
Changes = dict[str, Any]

IPS: Changes = {
    "debias": {"method": "ips"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
COEC: Changes = {
    "grain": "query_item",
    "debias": {"method": "coec"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
WATCH: Changes = {"signals": {}, "watch_time": {"label": "d2q", "watch_s": "dwell_s"}}
"""Its duration, duration_s, is no feature of the problem."""
QUERY_ITEM: Changes = {"grain": "query_item"}


def rankers(**ranker: str) -> Changes:
    return {"rankers": [{"objective": "pointwise", **ranker}]}


def quality(of: str, signal: str = "click") -> Changes:
    return {
        "signals": {signal: {"gain": 1, "quality": {"of": of, "shape": "log", "cap": 300}}},
    }


def negatives(**blocks: object) -> Changes:
    return {"negatives": blocks}


def auxiliary(*modes: str, **signals: Changes) -> Changes:
    """An auxiliary label of these signals, and a ranker for each way to use it."""
    said = {"auxiliary": {"signals": signals}} if signals else {}
    return said | {"rankers": [{"objective": "pointwise", "auxiliary": mode} for mode in modes]}


EMPIRICAL: Changes = {"debias": {"method": "coec", "prior": {"toward": "empirical_bayes"}}}
REFUSALS: list[tuple[Changes, str]] = [
    (
        {"signals": {"purchas": {"gain": 1}}},
        (
            "signals.purchas: the problem has no such signal; did you mean 'purchase'? "
            "valid: add_to_cart, click, dwell_s, purchase"
        ),
    ),
    (
        {"signals": {"click": {"gain": 0}, "purchase": {"gain": -1}}},
        "signals: at least one gain must be above 0, or no label is positive",
    ),
    (
        auxiliary("none", "transfer"),
        (
            "rankers.1.auxiliary: transfer needs the key auxiliary of the policy, which says what "
            "the second label is made of"
        ),
    ),
    (
        auxiliary("none", click={"gain": 1}),
        (
            "auxiliary: no ranker learns it; write auxiliary: combine or auxiliary: transfer in a "
            "ranker, or leave it out"
        ),
    ),
    (
        auxiliary("combine", clik={"gain": 1}),
        (
            "auxiliary.signals.clik: the problem has no such signal; did you mean 'click'? "
            "valid: add_to_cart, click, dwell_s, purchase"
        ),
    ),
    (
        auxiliary("combine", click={"gain": -1}),
        "auxiliary.signals: at least one gain must be above 0, or no auxiliary label is positive",
    ),
    (
        auxiliary(
            "combine",
            click={"gain": 1, "quality": {"of": "dwel", "shape": "log", "cap": 300}},
        ),
        (
            "auxiliary.signals.click.quality.of: the problem has no signal 'dwel'; did you mean "
            "'dwell_s'? valid: dwell_s"
        ),
    ),
    (
        WATCH,
        (
            "watch_time.duration: 'duration_s' is none of the columns that the problem's features "
            "name, which impressions keep; valid: f_*"
        ),
    ),
    (
        {"signals": {}, "watch_time": {"label": "wt", "watch_s": "dwel_s", "duration": "f_d"}},
        (
            "watch_time.watch_s: the problem has no such signal; did you mean 'dwell_s'? "
            "valid: add_to_cart, click, dwell_s, purchase"
        ),
    ),
    (
        WATCH | QUERY_ITEM | {"watch_time": {**WATCH["watch_time"], "duration": "f_d"}},
        "grain: watch_time is for grain impression, found query_item",
    ),
    (
        quality("dwel"),
        (
            "signals.click.quality.of: the problem has no signal 'dwel'; did you mean 'dwell_s'? "
            "valid: dwell_s"
        ),
    ),
    (
        quality("dwell_s", signal="purchase"),
        (
            "signals.purchase.quality.of: expected a signal that describes 'purchase', 'dwell_s' "
            "describes 'click'; none does in this problem"
        ),
    ),
    (
        quality("purchase"),
        (
            "signals.click.quality.of: expected a signal that describes 'click', 'purchase' "
            "describes no other signal (it has no key of); valid: dwell_s"
        ),
    ),
    (
        COEC
        | {
            "debias": {"method": "posterior"},
            "rankers": [{"objective": "pointwise", "position": "debias_only"}],
        },
        (
            "debias.method: posterior is for grain impression: it weighs each impression without "
            "a click; use coec"
        ),
    ),
    (
        IPS | {"debias": {"method": "coec"}},
        (
            "debias.method: coec is for grain query_item: it divides the clicks of many "
            "impressions by the examinations they should have had; use ips"
        ),
    ),
    (
        {"rankers": [{"objective": "pointwise"}, {"objective": "pointwise", "position": "none"}]},
        "rankers.1: the same as rankers.0",
    ),
    *[
        (
            rankers(weight=weight),
            (
                f"rankers.0.weight: {weight} is for grain query_item: a row of grain impression is "
                "one impression; use one"
            ),
        )
        for weight in ("impressions", "expected_examinations")
    ],
    *[
        (
            COEC | rankers(position=position),
            (
                f"rankers.0.position: {position} is for grain impression: a query and item was "
                "shown at several positions; use debias_only"
            ),
        )
        for position in ("feature", "both")
    ],
    (
        QUERY_ITEM | rankers(position="feature"),
        (
            "rankers.0.position: feature is for grain impression: a query and item was shown at "
            "several positions; use none"
        ),
    ),
    (
        rankers(position="debias_only"),
        (
            "rankers.0.position: debias_only needs a debias.method other than none; without one "
            "write none"
        ),
    ),
    (
        rankers(position="both"),
        "rankers.0.position: both needs a debias.method other than none; without one write feature",
    ),
    (
        IPS | rankers(position="none"),
        (
            "rankers.0.position: none contradicts debias.method ips, which uses it; did you mean "
            "debias_only?"
        ),
    ),
    (
        IPS | rankers(position="feature"),
        (
            "rankers.0.position: feature contradicts debias.method ips, which uses it too; did you "
            "mean both?"
        ),
    ),
    (
        COEC | {"combine": {"dual": ["click"]}},
        (
            "combine.dual: is for grain impression: each positive has a weight of its own there, "
            "and a query and item has but one; use sum"
        ),
    ),
    (
        {"combine": {"dual": ["click"]}, "delay": {"immature": "reweight"}},
        (
            "combine.dual: has labels of 0 and 1, which no share of what has come can correct; use "
            "delay.immature: exclude or provisional"
        ),
    ),
    *[
        (
            COEC | {"debias": {"method": method}} | changes,
            (
                f"{key}: {words}the trust offset is a rate of this signal, from which propensities "
                f"are estimated{end}"
            ),
        )
        for method in ("affine", "doubly_robust")
        for changes, key, words, end in (
            (
                {"signals": {"purchase": {"gain": 1}}},
                "debias.method",
                f"{method} is for the signal click alone: ",
                "; found purchase",
            ),
            (
                quality("dwell_s"),
                "signals.click.quality",
                f"with method {method}, ",
                ", whatever its quality",
            ),
            (
                {"segments": [{"when": {"device": "mobile"}, "signals": {"click": {"gain": 2}}}]},
                "segments.0.signals",
                f"with method {method}, ",
                ", in all segments",
            ),
        )
    ],
    *[
        (
            COEC | EMPIRICAL | changes,
            f"debias.prior.toward: empirical_bayes compares {words}; use model",
        )
        for changes, words in (
            (
                quality("dwell_s"),
                (
                    "labels with the chance of counts: it is for one signal with a gain above "
                    "0, no quality and no segments that change it"
                ),
            ),
            (
                {"decay": {"half_life": "7d"}},
                "labels with the chance of counts, and with decay a count is none",
            ),
            (
                {"negatives": {"never_examined": {"rate": 0.1}}},
                (
                    "labels with the chance of counts, of all cells: never_examined leaves most of "
                    "those without gain out"
                ),
            ),
        )
    ],
    (
        COEC
        | {
            "rankers": [
                {"objective": "pointwise", "weight": "information", "position": "debias_only"}
            ]
        },
        (
            "rankers.0.weight: information is for debias.method affine or doubly_robust, found "
            "coec; use expected_examinations"
        ),
    ),
    *[
        (
            {"grain": "query_item", "debias": {"method": method}}
            | rankers(
                position="none" if method == "none" else "debias_only",
                weight="sqrt_expected_examinations",
            ),
            (
                "rankers.0.weight: sqrt_expected_examinations is for debias.method coec, found "
                f"{method}; use {instead}"
            ),
        )
        for method, instead in (
            ("none", "impressions"),
            ("ips", "impressions"),
            ("affine", "expected_examinations"),
            ("doubly_robust", "expected_examinations"),
        )
    ],
    (
        rankers(weight="sqrt_expected_examinations"),
        (
            "rankers.0.weight: sqrt_expected_examinations is for grain query_item: a row of grain "
            "impression is one impression; use one"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSALS)
def test_a_contradiction_is_refused_with_file_key_and_reason(
    tmp_path: Path, problem: Problem, make_policy: MakePolicy, changes: Changes, message: str
) -> None:
    assert refusal_of(make_policy(**changes), problem) == f"{tmp_path / 'mine.yaml'}: {message}"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        quality("dwell_s"),
        WATCH | {"watch_time": {**WATCH["watch_time"], "duration": "f_d"}},
        {"signals": {"click": {"gain": 1}, "purchase": {"gain": -1}}},
        auxiliary("none", "combine", "transfer", click={"gain": 1}, add_to_cart={"gain": -1}),
        rankers(position="feature"),
        IPS,
        IPS | rankers(position="both"),
        IPS | {"debias": {"method": "posterior"}},
        COEC | rankers(position="debias_only", weight="expected_examinations"),
        COEC | rankers(position="debias_only", weight="sqrt_expected_examinations"),
        COEC
        | {
            "rankers": [
                {
                    "objective": "lambdarank",
                    "position": "debias_only",
                    "weight": "expected_examinations",
                }
            ]
        },
    ],
)
def test_what_is_right_passes(problem: Problem, make_policy: MakePolicy, changes: Changes) -> None:
    assert refusal_of(make_policy(**changes), problem) == ""


def test_all_contradictions_are_told_at_once(
    tmp_path: Path, problem: Problem, make_policy: MakePolicy
) -> None:
    policy = make_policy(
        signals={"clik": {"gain": 1}},
        **QUERY_ITEM,
        **negatives(skip_above={}),
        **rankers(position="both", weight="impressions"),
    )
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(policy, problem)
    keys = [line.split(": ")[1] for line in without_lines(refusal.value).splitlines()]
    assert keys == ["signals.clik", "negatives.skip_above", "rankers.0.position"]
    assert str(refusal.value).count(str(tmp_path / "mine.yaml")) == len(keys)
