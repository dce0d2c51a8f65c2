"""Watch time: units, keys that its label does not read, and negatives that no row can be."""

from pathlib import Path
from typing import Any

import pytest

from label_platform.policy import warnings_of
from label_platform.problem import Problem
from tests.policy.conftest import MakePolicy, MakeProblem, refusal_of

Changes = dict[str, Any]

POSTERIOR: Changes = {
    "debias": {"method": "posterior"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
BLOCKS: Changes = {
    "skip_above": {},
    "skip_next": {},
    "examined": {"weight": 1},
    "unexamined": {"rate": 0.1},
    "hard": {"by": "rank"},
    "at_most_per_list": 3,
}


def watching(label: str, **keys: object) -> Changes:
    block = {"label": label, "watch_s": "dwell_s", "duration": "f_d"}
    return {"signals": {}, "watch_time": block | keys}


def negatives(**blocks: object) -> Changes:
    return {"negatives": blocks}


REFUSALS: list[tuple[Changes, str]] = [
    *[
        (
            watching(label, bins=5),
            f"watch_time.bins: is for label d2q, dvr or d2co, found {label}; leave it out",
        )
        for label in ("wt", "pc", "pcr")
    ],
    *[
        (
            watching(label, unit_s=60),
            f"watch_time.unit_s: is for label wt, found {label}; leave it out",
        )
        for label in ("pc", "pcr", "d2q", "dvr", "d2co")
    ],
    *[
        (
            watching("pcr") | {"combine": combine},
            "combine: is for signals, this policy has watch_time; leave it out",
        )
        for combine in ("max", "sum")
    ],
    (
        watching("pcr", duration="f_ms"),
        (
            "watch_time.duration_unit: is s where the policy does not say it, but 'f_ms' ends in "
            "_ms; write duration_unit: ms, or s if the column is in s whatever its name"
        ),
    ),
    *[
        (
            watching(label) | negatives(**{key: said}),
            (
                f"negatives.{key}: has no effect: labels of {label} compare watch times and are "
                "practically all above 0, also where little was watched, so no row is a negative; "
                "leave it out"
            ),
        )
        for label in ("d2q", "dvr")
        for key, said in BLOCKS.items()
    ],
    *[
        (
            watching(label) | POSTERIOR,
            (
                "debias.method: posterior weighs rows with label 0, and practically all labels of "
                f"{label} are above 0; leave it out"
            ),
        )
        for label in ("d2q", "dvr")
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
        *[watching(label, bins=5) for label in ("d2q", "dvr", "d2co")],
        watching("wt", unit_s=60),
        watching("pcr", duration="f_ms", duration_unit="ms"),
        watching("pcr", duration="f_s"),
        watching("pcr", duration="f_s", duration_unit="s"),
        # neither unit
        watching("pcr", duration="f_items"),
        watching("pcr", duration="f_items", duration_unit="ms"),
        # labels that are 0 where a video was not watched to its end, or no longer than skips are
        *[watching(label) | negatives(**BLOCKS) for label in ("pc", "d2co")],
        watching("pc") | POSTERIOR,
    ],
)
def test_what_stands_close_by_is_allowed_without_a_word(
    problem: Problem, make_policy: MakePolicy, changes: Changes
) -> None:
    policy = make_policy(**changes)
    assert refusal_of(policy, problem) == ""
    assert warnings_of(policy, problem) == []


WARNINGS: list[tuple[Changes, str]] = [
    (
        watching("pcr", duration="f_ms", duration_unit="s"),
        (
            "watch_time.duration_unit: is s, but 'f_ms' ends in _ms: if the column is in ms, all "
            "durations are 1000 times too long"
        ),
    ),
    (
        watching("pcr", duration="f_s", duration_unit="ms"),
        (
            "watch_time.duration_unit: is ms, but 'f_s' ends in _s: if the column is in s, all "
            "durations are 1000 times too short"
        ),
    ),
    *[
        (
            watching(label) | negatives(**blocks),
            (
                f"negatives: with watch_time.label {label} a row is positive from its first moment "
                "watched on: negatives are only those with 0 s, skips of half a second are none"
            ),
        )
        for label in ("wt", "pcr")
        for blocks in (BLOCKS, {"at_most_per_list": 3})
    ],
]


@pytest.mark.parametrize(("changes", "message"), WARNINGS)
def test_what_is_perhaps_not_meant_is_a_warning(
    problem: Problem, make_policy: MakePolicy, changes: Changes, message: str
) -> None:
    policy = make_policy(**changes)
    assert refusal_of(policy, problem) == ""
    assert warnings_of(policy, problem) == [message]


@pytest.mark.parametrize(
    ("features", "hint"),
    [
        (["duration_ms"], "did you mean 'duration_ms'? valid: duration_ms"),
        (["f_*", "duration_ms"], "did you mean 'duration_ms'? valid: duration_ms, f_*"),
        ([], "there are none"),
    ],
)
def test_the_nearest_column_is_named(
    tmp_path: Path,
    make_problem: MakeProblem,
    make_policy: MakePolicy,
    features: list[str],
    hint: str,
) -> None:
    policy = make_policy(**watching("pcr", duration="duraton_ms", duration_unit="ms"))
    assert refusal_of(policy, make_problem(features=features)) == (
        f"{tmp_path / 'mine.yaml'}: watch_time.duration: 'duraton_ms' is none of the columns that "
        f"the problem's features name, which impressions keep; {hint}"
    )
