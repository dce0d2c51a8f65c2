"""Every refusal of check_policy with its message, and what stands close by and is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from label_platform.policy import Policy, check_policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

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


def negatives(**blocks: Changes) -> Changes:
    return {"negatives": blocks}


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
        WATCH,
        (
            "watch_time.duration: 'duration_s' is none of the columns that the problem's features "
            "name, which impressions keep: f_*"
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
    *[
        (
            COEC | negatives(**{block: keys}),
            (
                f"negatives.{block}: is for grain impression: the label of a query and item "
                "already counts its impressions without a click; never_examined is for this grain"
            ),
        )
        for block, keys in (
            ("skip_above", {}),
            ("examined", {"weight": 1}),
            ("unexamined", {"rate": 0.2}),
            ("random", {}),
        )
    ],
    (
        negatives(never_examined={"rate": 0.1}),
        (
            "negatives.never_examined: is for grain query_item: one impression has no expected "
            "examinations to add up; unexamined is for this grain"
        ),
    ),
    (
        QUERY_ITEM | negatives(never_examined={"rate": 0.1}),
        (
            "negatives.never_examined: needs debias.method coec: without it nothing says how often "
            "a query and item was examined"
        ),
    ),
    (
        negatives(examined={"weight": -1}),
        "negatives.examined.weight: expected theta or a number above 0, found -1",
    ),
    (
        negatives(unexamined={"rate": 0.2, "weight": 0}),
        "negatives.unexamined.weight: expected inverse_rate or a number above 0, found 0",
    ),
    (
        IPS | negatives(skip_above={}, examined={}, unexamined={"rate": 0.2}),
        (
            "negatives.examined.weight: ips already corrects for examination, by 1/theta on what "
            "was clicked, so theta on what was not corrects twice; write weight: 1"
        ),
    ),
    (
        IPS | negatives(skip_above={}, examined={"weight": 0.5}, unexamined={"rate": 0.2}),
        (
            "negatives.examined.weight: ips already corrects for examination, by 1/theta on what "
            "was clicked, so another weight than 1 corrects twice"
        ),
    ),
    (
        IPS | negatives(skip_above={}),
        (
            "negatives.unexamined: ips already corrects for examination, by 1/theta on what was "
            "clicked, so skip_above or examined at full weight without it corrects twice; add it, "
            "or leave all blocks out"
        ),
    ),
    (
        IPS | negatives(unexamined={"rate": 0.2}),
        (
            "negatives.skip_above: ips already corrects for examination, by 1/theta on what was "
            "clicked, so leaving it out beside other blocks corrects twice"
        ),
    ),
    (
        IPS | negatives(skip_above={"weight": 2}, unexamined={"rate": 0.2}),
        (
            "negatives.skip_above.weight: ips already corrects for examination, by 1/theta on what "
            "was clicked, so another weight than 1 corrects twice"
        ),
    ),
    (
        IPS | negatives(skip_above={}, unexamined={"rate": 0.2, "weight": 1}),
        (
            "negatives.unexamined.weight: ips already corrects for examination, by 1/theta on what "
            "was clicked, so another weight than inverse_rate is wrong"
        ),
    ),
    (
        negatives(random={}),
        (
            "negatives.random: an item that was not shown has no features of an impression, and "
            "their absence would give it away; this problem's features are such: f_*"
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
]


@pytest.mark.parametrize(("changes", "message"), REFUSALS)
def test_a_contradiction_is_refused_with_file_key_and_reason(
    tmp_path: Path, problem: Problem, make_policy: MakePolicy, changes: Changes, message: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(make_policy(**changes), problem)
    assert str(refusal.value) == f"{tmp_path / 'mine.yaml'}: {message}"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        quality("dwell_s"),
        WATCH | {"watch_time": {**WATCH["watch_time"], "duration": "f_d"}},
        {"signals": {"click": {"gain": 1}, "purchase": {"gain": -1}}},
        rankers(position="feature"),
        IPS,
        IPS | rankers(position="both"),
        # all that was shown, at its own mass
        IPS | negatives(skip_above={}, examined={"weight": 1}, unexamined={"rate": 0.2}),
        IPS | negatives(skip_above={}, unexamined={"rate": 0.2, "weight": 5}),
        negatives(skip_above={}, examined={}, unexamined={"rate": 0.2}),
        COEC | negatives(never_examined={"rate": 0.1}),
        COEC | rankers(position="debias_only", weight="expected_examinations"),
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
    check_policy(make_policy(**changes), problem)


def test_random_negatives_need_features_of_items_alone(
    tmp_path: Path, make_problem: Callable[..., Problem], make_policy: MakePolicy
) -> None:
    only_items = make_problem(features=[])
    policy = make_policy(**negatives(random={}))
    check_policy(policy, only_items)
    by_position = make_policy(**negatives(random={}), **rankers(position="feature"))
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(by_position, only_items)
    assert str(refusal.value) == (
        f"{tmp_path / 'mine.yaml'}: negatives.random: an item that was not shown has no position, "
        "which rankers.0.position: feature makes a feature"
    )
    with pytest.raises(ConfigurationError, match="needs the problem's item_features, it has none"):
        check_policy(policy, make_problem(features=[], item_features=[]))


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
    keys = [line.split(": ")[1] for line in str(refusal.value).splitlines()]
    assert keys == ["signals.clik", "negatives.skip_above", "rankers.0.position"]
    assert str(refusal.value).count(str(tmp_path / "mine.yaml")) == len(keys)
