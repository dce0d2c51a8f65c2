"""The arithmetic that ``policies diff`` prints, worked out again: it gives the label beside it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.policy import (
    ARRIVED,
    LabelInputs,
    Policy,
    cell_words,
    compile_labels,
    evidence_sql,
    impression_words,
)
from label_platform.problem import Problem
from tests.policy.test_every_debiasing import AFFINE

MakePolicy = Callable[..., Policy]
NOW = datetime(2026, 10, 8, tzinfo=UTC)
ROWS = pd.DataFrame(
    {
        "impression_id": [1, 2, 3, 4, 5],
        "query_id": 1,
        "item_id": [1, 1, 1, 2, 2],
        "position": [1, 2, 3, 3, 2],
        "device": "mobile",
        "click": [1.0, 1.0, 0.0, 1.0, 0.0],
        "purchase": 0.0,
        "shown_at": NOW - timedelta(hours=2),
        "excluded_reason": pd.Series([None] * 5, dtype="str"),
    }
)
TRUST = {"affine", "doubly_robust"}
METHODS = ["none", "ips", "posterior", "coec", "affine", "doubly_robust"]


def worked_out(words: str) -> tuple[float, float]:
    """What the last expression of some words comes to, and what they say that it does."""
    expression, _, said = re.split("[;:] ", words)[-1].rpartition(" = ")
    expression = re.sub(r"\(mean theta [^)]*\)", "", expression).replace(" x ", " * ")
    numbers = re.sub(r"\b(?!max\b)[a-z_]+\b", "", expression)
    assert re.fullmatch(r"[-+*/(). ,0-9emax]+", numbers), words
    return float(eval(numbers)), float(said)  # noqa: S307 - nothing but numbers and max


def policy_of(make_policy: MakePolicy, method: str, **changes: Any) -> Policy:  # noqa: ANN401
    return make_policy(
        signals={"click": {"gain": 0.3}},
        debias={"method": method, "propensity": "affine"},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
        **changes,
    )


def rows_of(engine: Engine, sql: str) -> list[dict[str, Any]]:
    names = list(engine.schema(f"({sql})"))
    return [dict(zip(names, row, strict=True)) for row in engine.rows(sql)]


def inputs_of(method: str) -> LabelInputs:
    return LabelInputs("shown", None if method in {"none", "posterior"} else AFFINE)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "coec"])
def test_impressions(
    engine: Engine, problem: Problem, make_policy: MakePolicy, method: str
) -> None:
    engine.register("shown", ROWS)
    policy, inputs = policy_of(make_policy, method), inputs_of(method)
    labels = compile_labels(policy, problem, inputs)
    label = {row["impression_id"]: row["label"] for row in rows_of(engine, labels)}
    for row in rows_of(engine, evidence_sql(policy, problem, inputs, "click > 0")):
        words = impression_words(policy, row, label[row["impression_id"]])
        assert worked_out(words) == pytest.approx((label[row["impression_id"]],) * 2, rel=1e-4)
        assert (" - trust " in words) == (method in TRUST)
    assert label[2] == pytest.approx(
        {"ips": 0.3 / 0.5, "affine": 0.3 * (1 - 0.1) / 0.5, "doubly_robust": 0.3 * 0.9 / 0.5}.get(
            method, 0.3
        )
    )


@pytest.mark.parametrize("method", [method for method in METHODS if method != "posterior"])
def test_queries_and_items(
    engine: Engine, problem: Problem, make_policy: MakePolicy, method: str
) -> None:
    engine.register("shown", ROWS)
    policy, inputs = policy_of(make_policy, method, grain="query_item"), inputs_of(method)
    for cell in rows_of(engine, compile_labels(policy, problem, inputs)):
        shown = rows_of(
            engine, evidence_sql(policy, problem, inputs, f"item_id = {cell['item_id']}")
        )
        sums = (float(cell["gain_sum"]), float(cell["expected_examinations"]))
        label = round(sums[0] / sums[1], 6)
        words = cell_words(policy, shown, label, sums)
        assert worked_out(words) == pytest.approx((label, label), rel=1e-4)
        assert ("less trust" in words) == (method in TRUST)
        assert ("expected examinations" in words) == (method in TRUST | {"coec"})
        if method in TRUST:
            assert sums[0] == pytest.approx(sum(row["gain"] - row["trust"] for row in shown))


def test_a_clip_that_counts_is_told_beside_the_mean_theta(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    engine.register("shown", ROWS)
    policy = policy_of(make_policy, "coec", grain="query_item")
    said = []
    for clip in (0.01, 0.6):
        clipped = policy.model_copy(
            update={"debias": policy.debias.model_copy(update={"clip": clip})}
        )
        rows = rows_of(engine, evidence_sql(clipped, problem, inputs_of("coec"), "item_id = 1"))
        expected = sum(max(row["theta"], clip) for row in rows)
        said.append(cell_words(clipped, rows, 0.6 / expected, (0.6, expected)))
    # position 1 alone is examined more often than that
    assert "raised" not in said[0]
    assert ", 2 of 3 are raised to the clip 0.6) = " in said[1]


def test_a_policy_that_fell_back_takes_no_trust_away(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    engine.register("shown", ROWS.head(3))
    policy = policy_of(make_policy, "affine", grain="query_item")
    shown = rows_of(engine, evidence_sql(policy, problem, LabelInputs("shown"), "true"))
    assert cell_words(policy, shown, 0.2, (0.6, 3.0)) == (
        "3 impressions (click 2): sum of gains 0.6 / 3 = 0.2"
    )


@pytest.mark.parametrize(
    ("method", "arithmetic"),
    [
        ("none", "0.3; as it had come by now = 0.6"),
        ("ips", "0.3 / the share of it that had come by now / max(theta 0.5, clip 0.05) = 1.2"),
        (
            "affine",
            (
                "(0.3 / the share of it that had come by now - trust 0.03) / "
                "max(theta 0.5, clip 0.05) = 1.14"
            ),
        ),
    ],
)
def test_what_had_not_come_is_told(
    engine: Engine, problem: Problem, make_policy: MakePolicy, method: str, arithmetic: str
) -> None:
    engine.register("shown", ROWS)
    half = {"statistic": ARRIVED, "name": "click", "bucket": 0, "at": 0.0, "value": 0.5}
    engine.register("statistics", pd.DataFrame([half]))
    policy = policy_of(make_policy, method, delay={"immature": "reweight"})
    known = inputs_of(method)
    labels = compile_labels(
        policy, problem, LabelInputs("shown", known.propensities, "statistics", NOW)
    )
    (label,) = engine.row(f"select label from ({labels}) where impression_id = 2")
    (row,) = rows_of(engine, evidence_sql(policy, problem, known, "impression_id = 2"))
    assert impression_words(policy, row, label).endswith(arithmetic)


def test_a_weight_is_divided_of_what_was_rewarded_only(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    engine.register("shown", ROWS)
    policy = policy_of(make_policy, "ips")
    debias = policy.debias.model_copy(update={"into": "weight"})
    policy = policy.model_copy(update={"debias": debias})
    query = evidence_sql(policy, problem, LabelInputs("shown", AFFINE), "true")
    rows = {row["impression_id"]: row for row in rows_of(engine, query)}
    assert impression_words(policy, rows[2], 0.3) == (
        "0.3 x click 1 = 0.3; its weight, not its label, is divided by max(theta 0.5, clip 0.05)"
    )
    assert impression_words(policy, rows[3], 0.0) == "no signal = 0"


def test_a_segment_of_a_yes_or_no_has_the_gain_that_it_gives(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    engine.register("shown", ROWS.assign(device=ROWS["position"] <= 2))
    policy = make_policy(
        signals={"click": {"gain": 1.0}},
        segments=[{"when": {"device": "true"}, "signals": {"click": {"gain": 0.25}}}],
    )
    inputs = LabelInputs("shown")
    labels = compile_labels(policy, problem, inputs)
    label = {row["impression_id"]: row["label"] for row in rows_of(engine, labels)}
    rows = {
        row["impression_id"]: row
        for row in rows_of(engine, evidence_sql(policy, problem, inputs, "click > 0"))
    }
    assert impression_words(policy, rows[1], label[1]) == ("0.25 x click 1 in device true = 0.25")
    assert impression_words(policy, rows[4], label[4]) == "1 x click 1 = 1"
