"""Every refusal of a policy's negatives with its message, and what is close by and allowed."""

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
QUERY_ITEM: Changes = {"grain": "query_item"}


def rankers(**ranker: str) -> Changes:
    return {"rankers": [{"objective": "pointwise", **ranker}]}


def negatives(**blocks: object) -> Changes:
    return {"negatives": blocks}


POSTERIOR: Changes = {"examined": {"weight": "posterior"}, "unexamined": {"rate": 0.2}}
REFUSALS: list[tuple[Changes, str]] = [
    *[
        (
            COEC | negatives(**{block: keys}),
            (
                f"negatives.{block}: is for grain impression: the label of a query and item "
                "already counts its impressions without a click; never_examined and random are "
                "for this grain"
            ),
        )
        for block, keys in (
            ("skip_above", {}),
            ("skip_next", {}),
            ("examined", {"weight": 1}),
            ("unexamined", {"rate": 0.2}),
            ("hard", {}),
            ("at_most_per_list", 5),
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
            "a query and item was examined and had no gain"
        ),
    ),
    (
        negatives(examined={"weight": -1}),
        "negatives.examined.weight: expected theta, posterior or a number above 0, found -1",
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
        IPS | negatives(skip_above={}, skip_next={"weight": 2}, unexamined={"rate": 0.2}),
        (
            "negatives.skip_next.weight: ips already corrects for examination, by 1/theta on what "
            "was clicked, so another weight than 1 corrects twice"
        ),
    ),
    (
        IPS | negatives(skip_above={}, hard={"weight": 0.5}, unexamined={"rate": 0.2}),
        (
            "negatives.hard.weight: ips already corrects for examination, by 1/theta on what was "
            "clicked, so another weight than 1 corrects twice"
        ),
    ),
    (
        IPS | negatives(at_most_per_list=5),
        (
            "negatives.at_most_per_list: ips already corrects for examination, by 1/theta on what "
            "was clicked, so leaving rows out corrects twice"
        ),
    ),
    (
        IPS | negatives(skip_above={}, examined={"weight": "posterior"}, unexamined={"rate": 0.2}),
        (
            "negatives.examined.weight: ips already corrects for examination, by 1/theta on what "
            "was clicked, so posterior on what was not corrects twice; write weight: 1"
        ),
    ),
    *[
        (
            IPS | {"debias": {"method": "posterior"}} | negatives(**{key: value}),
            (
                f"negatives.{key}: posterior already weighs every row without a click by whether "
                "it was examined, so choosing among them corrects twice; leave it out"
            ),
        )
        for key, value in (
            ("skip_above", {}),
            ("skip_above", {"weight": 0.5}),
            ("skip_next", {}),
            ("examined", {}),
            ("examined", {"weight": "posterior"}),
            ("unexamined", {"rate": 0.2}),
            ("hard", {}),
            ("at_most_per_list", 5),
        )
    ],
    *[
        (
            IPS | {"debias": {"method": method, "propensity": "pbm"}} | negatives(skip_above={}),
            (
                f"negatives.skip_above: {method} already says by the label of a row without a "
                "click what it is worth, so choosing among them corrects twice; leave it out"
            ),
        )
        for method in ("affine", "doubly_robust")
    ],
    *[
        (
            negatives(**POSTERIOR | {"skip_above": {"weight": 0.9}} | {key: {"weight": weight}}),
            (
                f"negatives.{key}.weight: full weight ({weight}) beside examined.weight: posterior "
                "corrects twice: by the posterior no row without a click counts in full, above a "
                "click either; write a weight below 1, or examined.weight: theta"
            ),
        )
        for key, weight in (("skip_above", 1), ("skip_above", 2), ("skip_next", 1))
    ],
    *[
        (
            negatives(**changes),
            (
                "negatives.examined.weight: posterior learns the relevance it needs from what "
                f"trains, which must stand for all that was shown; this policy {found}; use theta"
            ),
        )
        for changes, found in (
            ({"examined": {"weight": "posterior"}}, "lacks skip_above, unexamined"),
            (POSTERIOR, "lacks skip_above"),
            (
                POSTERIOR | {"skip_above": {"weight": 0.5}, "at_most_per_list": 9},
                "has at_most_per_list",
            ),
        )
    ],
    (
        COEC | {"debias": {"method": "ips"}} | negatives(never_examined={"rate": 0.1}),
        (
            "negatives.never_examined: needs debias.method coec: without it nothing says how often "
            "a query and item was examined and had no gain"
        ),
    ),
    (
        negatives(skip_above={}, near_duplicates=0.1),
        (
            "negatives.near_duplicates: is for the blocks random and hard, there are none: what "
            "was shown and not clicked is no duplicate by chance"
        ),
    ),
    *[
        (
            negatives(**{key: {"weight": float("inf")}}),
            f"negatives.{key}.weight: expected a number above 0, found inf",
        )
        for key in ("skip_above", "skip_next", "hard")
    ],
    *[
        (negatives(hard=block), f"negatives.hard.score: {words}")
        for block, words in (
            (
                {"by": "score"},
                (
                    "by: score needs it: the feature, logged with the impression, that holds the "
                    "logging ranker's score"
                ),
            ),
            (
                {"score": "f_bm25"},
                "is for by: score, found by: features; leave it out",
            ),
            (
                {"by": "rank", "score": "f_bm25"},
                "is for by: score, found by: rank; leave it out",
            ),
            (
                {"by": "score", "score": "f_*"},
                "expected the name of one feature, found the pattern 'f_*'",
            ),
            (
                {"by": "score", "score": "g_bm25"},
                "'g_bm25' is none of the columns that the problem's features name; valid: f_*",
            ),
            (
                # features of items are not what the ranker said of a query
                {"by": "score", "score": "item_a"},
                "'item_a' is none of the columns that the problem's features name; valid: f_*",
            ),
        )
    ],
    (
        negatives(random={}),
        (
            "negatives.random: an item that was not shown has no features of an impression, and "
            "their absence would give it away; this problem's features are such: f_*"
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
        # all that was shown, at its own mass
        IPS | negatives(skip_above={}, examined={"weight": 1}, unexamined={"rate": 0.2}),
        IPS | negatives(skip_above={}, unexamined={"rate": 0.2, "weight": 5}),
        IPS | negatives(skip_above={}, skip_next={}, hard={}, unexamined={"rate": 0.2}),
        negatives(skip_above={}, examined={}, unexamined={"rate": 0.2}),
        negatives(**POSTERIOR, skip_above={"weight": 0.9}),
        negatives(hard={}, near_duplicates=0.1),
        negatives(hard={"by": "score", "score": "f_bm25"}),
        negatives(at_most_per_list=5),
        COEC | negatives(never_examined={"rate": 0.1}),
    ],
)
def test_what_is_right_passes(problem: Problem, make_policy: MakePolicy, changes: Changes) -> None:
    assert refusal_of(make_policy(**changes), problem) == ""


def test_hard_negatives_by_features_need_features(
    tmp_path: Path, make_problem: Callable[..., Problem], make_policy: MakePolicy
) -> None:
    without = make_problem(features=[], item_features=[])
    with pytest.raises(ConfigurationError) as refusal:
        check_policy(make_policy(**negatives(hard={})), without)
    assert without_lines(refusal.value) == (
        f"{tmp_path / 'mine.yaml'}: negatives.hard.by: features needs the problem's features or "
        "item_features, it has none; use rank"
    )
    check_policy(make_policy(**negatives(hard={"by": "rank"})), without)
    by_score = make_policy(**negatives(hard={"by": "score", "score": "f_bm25"}))
    assert "features name; there are none" in refusal_of(by_score, without)
    named = make_problem(features=["f_bm25", "f_price"])
    misnamed = make_policy(**negatives(hard={"by": "score", "score": "f_bm52"}))
    assert refusal_of(misnamed, named).endswith("did you mean 'f_bm25'? valid: f_bm25, f_price")
    for one in ({"features": []}, {"item_features": []}):
        check_policy(make_policy(**negatives(hard={})), make_problem(**one))
