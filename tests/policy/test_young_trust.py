"""Labels less trust, of rows whose clicks have not all come: what is expected is what can have."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.policy import ARRIVED, LabelInputs, Policy, compile_labels
from label_platform.problem import Problem

MakePolicy = Callable[..., Policy]
NOW = datetime(2026, 10, 8, tzinfo=UTC)
HOUR_S = 3600
# theta 1, .5 and .2; beta 0, .1 and .05
CURVE = """(
    select * from (values
        ('affine', cast(null as varchar), 1, 1.0, 0.0, true),
        ('affine', null, 2, 0.5, 0.1, true),
        ('affine', null, 3, 0.2, 0.05, true)
    ) as curves(estimator, device, position, propensity, trust_offset, chosen)
)"""
THETA, BETA = np.array([1.0, 0.5, 0.2]), np.array([0.0, 0.1, 0.05])
FALLS_BACK = {"method": "affine", "on_refusal": {"fall_back_to": "none"}}
INPUTS = LabelInputs("shown", CURVE, "statistics", NOW)


def register(engine: Engine, rows: pd.DataFrame) -> None:
    """Impressions of one query, and the share that comes: clicks 40% in an hour, all in five."""
    fixed = pd.DataFrame(
        {
            "impression_id": range(len(rows)),
            "query_id": 1,
            "device": "mobile",
            "shown_at": [NOW - timedelta(hours=age) for age in rows["age_h"]],
            "excluded_reason": pd.Series([None] * len(rows), dtype="str"),
        }
    )
    engine.register("shown", pd.concat([fixed, rows.drop(columns="age_h")], axis=1))
    curve = [("click", 1, 0.4), ("click", 5, 1.0), ("purchase", 1, 0.1), ("purchase", 5, 0.2)]
    statistics = [
        {"statistic": ARRIVED, "name": name, "bucket": 0, "at": age * HOUR_S, "value": share}
        for name, age, share in curve
    ]
    engine.register("statistics", pd.DataFrame(statistics))


def young(make_policy: MakePolicy, method: str, **changes: Any) -> Policy:  # noqa: ANN401
    return make_policy(
        signals={"click": {"gain": 0.5}},
        debias={"method": method, "propensity": "affine", "clip": 0.4},
        delay={"immature": "reweight"},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
        **changes,
    )


def three_impressions(engine: Engine) -> None:
    """One whole, and two of which 40% of the clicks have come; the last is raised to the clip."""
    positions, clicks = [1, 2, 3], [1.0, 1.0, 0.0]
    rows = {"item_id": 1, "position": positions, "click": clicks, "age_h": [9, 2, 2]}
    register(engine, pd.DataFrame(rows))


@pytest.mark.parametrize("method", ["affine", "doubly_robust"])
def test_a_query_and_item(
    engine: Engine, problem: Problem, make_policy: MakePolicy, method: str
) -> None:
    three_impressions(engine)
    labels = compile_labels(young(make_policy, method, grain="query_item"), problem, INPUTS)
    (cell,) = engine.frame(labels).astype(float).to_dict(orient="records")
    gains = 0.5 * (1 - 0.0) + 0.5 * (1 - 0.4 * 0.1) + 0.5 * (0 - 0.4 * 0.05)
    examined = 1 + 0.4 * 0.5 + 0.4 * 0.4
    m = gains / 0.5 / examined
    assert cell["gain_sum"] == pytest.approx(gains)
    assert cell["expected_examinations"] == pytest.approx(examined)
    assert cell["unclipped_examinations"] == pytest.approx(1 + 0.4 * 0.5 + 0.4 * 0.2)
    # what an impression with all its clicks would tell, times the share that has come
    assert cell["information"] == pytest.approx(
        1 / m + 0.4 * 0.5**2 / (0.5 * m + 0.1) + 0.4 * 0.4**2 / (0.4 * m + 0.05), abs=1e-5
    )


@pytest.mark.parametrize("method", ["affine", "doubly_robust"])
def test_impressions(
    engine: Engine, problem: Problem, make_policy: MakePolicy, method: str
) -> None:
    three_impressions(engine)
    labels = compile_labels(young(make_policy, method), problem, INPUTS)
    found = engine.frame(f"from ({labels}) order by impression_id")
    assert found["label"].tolist() == pytest.approx(
        [
            (0.5 / 1 - 0) / 1,
            (0.5 / 0.4 - 0.5 * 0.1) / 0.5,
            (0 / 0.4 - 0.5 * 0.05) / 0.4,
        ]
    )
    if method == "doubly_robust":
        assert found["prediction_share"].tolist() == pytest.approx([0, 0, 1 - 0.2 / 0.4])


@pytest.mark.parametrize("method", ["affine", "doubly_robust"])
def test_without_propensities_no_prediction_is_added(
    engine: Engine, problem: Problem, make_policy: MakePolicy, method: str
) -> None:
    three_impressions(engine)
    policy = young(make_policy, method, grain="query_item")
    debias = policy.debias.model_copy(
        update={"on_refusal": make_policy(debias=FALLS_BACK).debias.on_refusal}
    )
    policy = policy.model_copy(update={"debias": debias})
    labels = compile_labels(policy, problem, LabelInputs("shown", None, "statistics", NOW))
    (cell,) = engine.frame(labels).astype(float).to_dict(orient="records")
    assert cell["gain_sum"] == pytest.approx(0.5 * (1 + 1))
    for name in ("expected_examinations", "unclipped_examinations", "information"):
        assert cell[name] == pytest.approx(1 + 0.4 + 0.4)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("method", ["affine", "doubly_robust"])
@pytest.mark.parametrize("grain", ["impression", "query_item"])
def test_labels_average_to_relevance_whatever_has_come(
    engine: Engine, problem: Problem, make_policy: MakePolicy, seed: int, method: str, grain: str
) -> None:
    rng, size, truth = np.random.default_rng(seed), 120_000, 0.3
    position = rng.integers(1, 4, size)
    is_young = rng.random(size) < 0.7
    theta, beta, share = THETA[position - 1], BETA[position - 1], np.where(is_young, 0.4, 1.0)
    clicks = (rng.random(size) < share * (theta * truth + beta)).astype(float)
    ages_h = np.where(is_young, 2, 9)
    rows = {"item_id": 1, "position": position, "click": clicks, "age_h": ages_h}
    register(engine, pd.DataFrame(rows))
    labels = compile_labels(young(make_policy, method, grain=grain), problem, INPUTS)
    names = ("label", "1") if grain == "impression" else ("gain_sum", "expected_examinations")
    top, bottom = engine.row(
        f"select sum({names[0]})::double, sum({names[1]})::double from ({labels})"
    )
    if method == "doubly_robust":
        shares = "avg(prediction_share)"
        if grain == "query_item":
            shares = "1 - sum(unclipped_examinations)::double / sum(expected_examinations)::double"
        (of_prediction,) = engine.row(f"select {shares} from ({labels})")
        # with a prediction that is right
        found = top / bottom / 0.5 + truth * of_prediction
        expected = truth
    else:
        # affine is biased by what the clip raises, and by nothing else
        raised = np.maximum(theta, 0.4)
        found = top / bottom / 0.5
        expected = (
            truth * (theta / raised).mean()
            if grain == "impression"
            else truth * (share * theta).sum() / (share * raised).sum()
        )
    chance = share * (theta * truth + beta)
    raised = np.maximum(theta, 0.4)
    variance = chance * (1 - chance)
    error = (
        np.sqrt((variance / (share * raised) ** 2).sum()) / size
        if grain == "impression"
        else np.sqrt(variance.sum()) / (share * raised).sum()
    )
    assert error < 0.01
    assert abs(found - expected) < 4 * error


def test_the_auxiliary_label_is_divided_by_the_share_of_its_own_signals(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    rows = {"item_id": 1, "position": 1, "click": 1.0, "purchase": 1.0, "age_h": [2, 9]}
    register(engine, pd.DataFrame(rows))
    policy = make_policy(
        signals={"click": {"gain": 0.5}},
        auxiliary={"signals": {"purchase": {"gain": 3.0}, "click": {"gain": 1.0}}},
        delay={"immature": "reweight"},
        rankers=[{"objective": "pointwise", "auxiliary": "combine"}],
    )
    labels = compile_labels(policy, problem, LabelInputs("shown", None, "statistics", NOW))
    found = engine.rows(f"select label, auxiliary_label from ({labels}) order by impression_id")
    assert found == [
        (pytest.approx(0.5 / 0.4), pytest.approx(3 / 0.1 + 1 / 0.4)),
        (pytest.approx(0.5 / 1), pytest.approx(3 / 0.2 + 1 / 1)),
    ]
