"""What a policy may say and perhaps does not mean, each in its own words."""

from typing import Any

import pytest

from label_platform.policy import check_policy, load_policies, warnings_of
from label_platform.problem import Problem
from tests.policy.conftest import PROBLEM, MakePolicy, MakeProblem

Changes = dict[str, Any]

PAIRS: Changes = {"rankers": [{"objective": "lambdarank"}]}
DEBIASED_PAIRS = {"objective": "lambdarank", "position": "debias_only"}
BOTH: Changes = {"signals": {"click": {"gain": 1.0}, "purchase": {"gain": 2.0}}}
DWELL: Changes = {"signals": {"dwell_s": {"gain": 1.0}}}
ALL_SHOWN = {
    "skip_above": {"weight": 0.5},
    "examined": {"weight": "posterior"},
    "unexamined": {"rate": 1.0},
}
UNEQUAL = (
    "differ within a list, by which lambdarank weighs the two sides of a pair differently; "
    "pointwise takes them as they are meant"
)
WATCH: Changes = {
    "signals": {},
    "watch_time": {"label": "d2q", "watch_s": "dwell_s", "duration": "f_d"},
}


def evidence(weight: str) -> Changes:
    return {
        "grain": "query_item",
        "debias": {"method": "affine" if weight == "information" else "coec"},
        "rankers": [DEBIASED_PAIRS | {"weight": weight}],
    }


WARNINGS: list[tuple[Changes, str]] = [
    *[
        (
            evidence(weight),
            (
                f"rankers.0.weight: lambdarank weighs the two sides of a pair differently by "
                f"{weight}: it helped where the logging ranker was weak and cost a little where it "
                "was strong; compare it with weight: one"
            ),
        )
        for weight in (
            "impressions",
            "expected_examinations",
            "sqrt_expected_examinations",
            "information",
        )
    ],
    (
        {"debias": {"method": "posterior"}, "rankers": [DEBIASED_PAIRS]},
        f"rankers.0.objective: the weights of debias.method posterior {UNEQUAL}",
    ),
    (
        {
            "debias": {"method": "posterior"},
            "rankers": [{"objective": "rank_xendcg", "position": "debias_only"}],
        },
        (
            "rankers.0.objective: the weights of debias.method posterior "
            f"{UNEQUAL.replace('lambdarank', 'rank_xendcg')}"
        ),
    ),
    (
        BOTH | PAIRS | {"combine": {"dual": ["click"]}},
        f"rankers.0.objective: the weights of combine.dual {UNEQUAL}",
    ),
    (
        PAIRS | {"negatives": {"skip_above": {}, "unexamined": {"rate": 0.2}}},
        (
            "rankers.0.objective: the weights of negatives (positives 1, skip_above 1, unexamined "
            f"5) {UNEQUAL}"
        ),
    ),
    (
        PAIRS | {"negatives": ALL_SHOWN},
        (
            "rankers.0.objective: the weights of negatives (positives 1, skip_above 0.5, examined "
            f"posterior, unexamined 1) {UNEQUAL}"
        ),
    ),
    (
        PAIRS | {"signals": {"click": {"gain": 0.001}, "purchase": {"gain": 1}}},
        (
            "rankers.0.objective: lambdarank tells 256 levels of labels apart, and a gain of 0.001 "
            "(click) beside 1 is less than half a level: it counts for nothing; raise it, or use "
            "pointwise or grading"
        ),
    ),
    (
        BOTH | {"combine": {"first": ["purchase"]}},
        "signals.click: does not count: combine.first does not name it",
    ),
    (
        {"segments": [{"when": {"device": "mobile"}, "signals": {"purchase": {"gain": 1}}}]},
        (
            "segments.0.signals.purchase: counts in this segment alone: it is none of the policy's "
            "own signals"
        ),
    ),
    (
        {"grading": {"thresholds": [0, 1]}},
        (
            "grading.thresholds.0: 0 is reached by every row, as no label of this policy is below "
            "0: no row has grade 0; begin above 0"
        ),
    ),
    (
        BOTH | {"combine": {"dual": ["click"]}, "grading": {"thresholds": [0.5, 2]}},
        (
            "grading.thresholds.1: 2 is reached by no row: labels of this policy go up to 1; no "
            "row has grade 2"
        ),
    ),
    (
        WATCH | {"grading": {"thresholds": [0.5, 1.5]}},
        (
            "grading.thresholds.1: 1.5 is reached by no row: labels of this policy go up to 1; no "
            "row has grade 2"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "message"), WARNINGS)
def test_what_is_perhaps_not_meant_is_said_in_these_words(
    problem: Problem, make_policy: MakePolicy, changes: Changes, message: str
) -> None:
    policy = make_policy(**changes)
    check_policy(policy, problem)
    assert warnings_of(policy, problem) == [message]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        PAIRS,
        evidence("one"),
        {"rankers": [{"objective": "pointwise"}], "negatives": {"unexamined": {"rate": 0.2}}},
        PAIRS | {"negatives": {"skip_above": {}, "unexamined": {"rate": 1}}},
        # 1/510 of the range is the least that rounds to level 1
        PAIRS | {"signals": {"click": {"gain": 1 / 510}, "purchase": {"gain": 1}}},
        PAIRS | {"grading": {"thresholds": [0.001, 0.5]}},
        {"signals": {"click": {"gain": 1}, "purchase": {"gain": -1}}}
        | {"grading": {"thresholds": [-0.5, 0.5]}},
        BOTH | {"grading": {"thresholds": [1, 50]}},
        {"grading": {"quantiles": 31}} | PAIRS,
        BOTH | {"combine": {"first": ["purchase", "click"]}},
    ],
)
def test_what_is_plainly_meant_is_passed_over(
    problem: Problem, make_policy: MakePolicy, changes: Changes
) -> None:
    assert warnings_of(make_policy(**changes), problem) == []


@pytest.mark.parametrize(
    ("signals", "messages"),
    [
        (
            {"dwell_s": {"of": "click", "window": "1h"}},
            [
                (
                    "signals.dwell_s: its window (1h) is longer than that of click (30m), which it "
                    "describes: labels wait for it longer than for the click itself"
                )
            ],
        ),
        (
            {"dwell_s": {"of": "click", "window": "90s"}},
            [
                (
                    "signals.dwell_s: its window (90s) is shorter than that of click (30m), which "
                    "it describes: a late click counts without its dwell_s"
                )
            ],
        ),
        (
            {"dwell_s": {"window": "1h", "reversed_by": "click"}},
            [
                (
                    "signals.dwell_s: click, which takes it back, has a shorter window (30m) than "
                    "dwell_s itself (1h): what is taken back later stays"
                )
            ],
        ),
        ({"dwell_s": {"of": "click", "window": "30m"}}, []),
        ({"dwell_s": {"window": "30m", "reversed_by": "unlike"}}, []),
        ({"dwell_s": {"window": "16d"}}, []),
        (
            {"dwell_s": {"window": "17d"}},
            [
                (
                    "signals.dwell_s: its window (17d) is longer than the training window and the "
                    "days to evaluate together (16d): training ends that long before today, and "
                    "starts only when the log is as long; shorten the window, or write delay: "
                    "{immature: reweight}"
                )
            ],
        ),
    ],
)
def test_windows_that_lose_or_wait(
    make_problem: MakeProblem, make_policy: MakePolicy, signals: Changes, messages: list[str]
) -> None:
    problem = make_problem(signals=PROBLEM["signals"] | signals)
    assert warnings_of(make_policy(**DWELL), problem) == messages
    assert warnings_of(make_policy(signals={"purchase": {"gain": 1}}), problem) == []


def test_a_policy_that_waits_for_nothing_may_have_any_window(
    make_problem: MakeProblem, make_policy: MakePolicy
) -> None:
    problem = make_problem(signals=PROBLEM["signals"] | {"dwell_s": {"window": "17d"}})
    assert warnings_of(make_policy(**DWELL, delay={"immature": "provisional"}), problem) == []


SHOWN = "if it says where the item was shown, rankers repeat the logging ranker; take it out then"


@pytest.mark.parametrize(
    ("features", "messages"),
    [
        (["slot"], [f"rankers: the problem's features name 'slot': {SHOWN}"]),
        (["f_old_rank"], [f"rankers: the problem's features name 'f_old_rank': {SHOWN}"]),
        (["shownPosition"], [f"rankers: the problem's features name 'shownPosition': {SHOWN}"]),
        (
            ["position_*"],
            [
                (
                    "rankers: the problem's features pattern 'position_*': if such columns say "
                    "where the item was shown, rankers repeat the logging ranker; take it out then"
                )
            ],
        ),
        (
            ["*"],
            [
                (
                    "rankers: the problem's features pattern '*' also names rank, slot, page, "
                    "row, column, click, dwell_s, add_to_cart, purchase where logs have such "
                    "columns: where an item was shown and what became of it are no features; name "
                    "them by a narrower pattern"
                )
            ],
        ),
        (["f_*", "franking_fee", "pages", "row_count"], []),
    ],
)
def test_features_that_may_say_where_an_item_was_shown(
    make_problem: MakeProblem, make_policy: MakePolicy, features: list[str], messages: list[str]
) -> None:
    assert warnings_of(make_policy(), make_problem(features=features)) == messages


def test_of_the_shipped_policies_none_needs_a_warning(problem: Problem) -> None:
    found = {policy.name: warnings_of(policy, problem) for policy in load_policies(problem)}
    assert [name for name, said in found.items() if said] == []
