"""Each row of the field's table of labels, by hand: one shipped policy per row."""

from collections.abc import Callable
from math import log

import pytest

from label_platform.lake import Engine
from label_platform.policy import LabelInputs, Policy, compile_labels, load_policy
from label_platform.problem import Problem
from tests.policy.conftest import POLICIES

MakePolicy = Callable[..., Policy]
Publish = Callable[..., str]
Labels = dict[int, tuple[float, float]]

# theta is 1, .5 and .01 (raised to .05), beta 0, .1 and .02
AFFINE = """(
    select * from (values
        ('affine', 'mobile', 1, 1.0, 0.0, false), ('affine', 'mobile', 2, 0.5, 0.1, false),
        ('affine', 'mobile', 3, 0.01, 0.02, false), ('affine', null, 1, 1.0, 0.0, false),
        ('affine', null, 2, 0.5, 0.1, false), ('affine', null, 3, 0.01, 0.02, false),
        ('pbm', null, 1, 1.0, null, true), ('pbm', null, 2, 0.5, null, true),
        ('pbm', null, 3, 0.01, null, true)
    ) as curves(estimator, device, position, propensity, trust_offset, chosen)
)"""
ROWS = [
    {"key": 1, "item_id": 1, "position": 1, "device": "mobile", "click": 1},
    {"key": 2, "item_id": 1, "position": 2, "device": "mobile", "click": 1},
    {"key": 3, "item_id": 1, "position": 3, "device": "mobile", "click": 0},
    {"key": 4, "item_id": 2, "position": 3, "device": "mobile", "click": 1, "purchase": 1},
    {"key": 5, "item_id": 2, "position": 2, "device": "mobile", "click": 0},
]


def compiled(engine: Engine, policy: Policy, problem: Problem, signals: str) -> Labels:
    """Label and weight by key."""
    labels = compile_labels(policy, problem, LabelInputs(signals, AFFINE))
    rows = engine.rows(
        f"select key, label, weight from ({labels}) as labels "
        f"inner join {signals} as signals on labels.impression_id = signals.impression_id"
    )
    return {key: (label, weight) for key, label, weight in rows}


def shipped(name: str) -> Policy:
    return load_policy(POLICIES / f"{name}.yaml")


def test_raw_clicks(engine: Engine, problem: Problem, publish: Publish) -> None:
    found = compiled(engine, shipped("raw_click"), problem, publish(ROWS))
    assert found == {1: (1, 1), 2: (1, 1), 3: (0, 1), 4: (1, 1), 5: (0, 1)}


def test_inverse_propensities_in_the_label(
    engine: Engine, problem: Problem, publish: Publish
) -> None:
    found = compiled(engine, shipped("ips_click"), problem, publish(ROWS))
    assert found == {1: (1 / 1, 1), 2: (1 / 0.5, 1), 3: (0, 1), 4: (1 / 0.05, 1), 5: (0, 1)}


def test_inverse_propensities_as_weights_of_positives(
    engine: Engine, problem: Problem, publish: Publish
) -> None:
    signals = publish(ROWS)
    policy = shipped("inverse_propensity_weight")
    found = compiled(engine, policy, problem, signals)
    assert found == {1: (1, 1 / 1), 2: (1, 1 / 0.5), 3: (0, 1), 4: (1, 1 / 0.05), 5: (0, 1)}
    normalised = policy.model_copy(
        update={"debias": policy.debias.model_copy(update={"self_normalise": True})}
    )
    mean = (1 / 1 + 1 / 0.5 + 1 / 0.05) / 3
    found = compiled(engine, normalised, problem, signals)
    weights = {key: weight for key, (_, weight) in found.items()}
    expected = {1: 1 / mean, 2: 2 / mean, 3: 1, 4: 20 / mean, 5: 1}
    assert weights == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "gain_sums", "examinations"),
    [
        ("raw_click_pairs", {1: 2, 2: 1}, {1: 3, 2: 2}),
        ("ips_click_pairs", {1: 1 / 1 + 1 / 0.5, 2: 1 / 0.05}, {1: 3, 2: 2}),
        ("coec_click", {1: 2, 2: 1}, {1: 1 + 0.5 + 0.05, 2: 0.05 + 0.5}),
        (
            "affine_click",
            {1: 2 - (0 + 0.1 + 0.02), 2: 1 - (0.02 + 0.1)},
            {1: 1 + 0.5 + 0.05, 2: 0.05 + 0.5},
        ),
        # the chosen curve knows no trust offset
        ("doubly_robust_click", {1: 2, 2: 1}, {1: 1 + 0.5 + 0.05, 2: 0.05 + 0.5}),
    ],
)
def test_queries_and_items(
    engine: Engine,
    problem: Problem,
    publish: Publish,
    name: str,
    gain_sums: dict[int, float],
    examinations: dict[int, float],
) -> None:
    labels = compile_labels(shipped(name), problem, LabelInputs(publish(ROWS), AFFINE))
    cells = engine.frame(labels).set_index("item_id").astype(float)
    assert cells["gain_sum"].to_dict() == pytest.approx(gain_sums)
    assert cells["expected_examinations"].to_dict() == pytest.approx(examinations)


def test_the_evidence_of_affine_labels(engine: Engine, problem: Problem, publish: Publish) -> None:
    labels = compile_labels(shipped("affine_click"), problem, LabelInputs(publish(ROWS), AFFINE))
    cells = engine.frame(labels).set_index("item_id").astype(float)
    mean = (3 - (0.1 + 0.02 + 0.02 + 0.1)) / (1 + 0.5 + 0.05 + 0.05 + 0.5)
    at = {
        1: 1 / (1 * mean + 0),
        2: 0.5**2 / (0.5 * mean + 0.1),
        3: 0.05**2 / (0.05 * mean + 0.02),
    }
    assert cells["information"].to_dict() == pytest.approx(
        {1: at[1] + at[2] + at[3], 2: at[3] + at[2]}, abs=1e-5
    )
    assert cells["unclipped_examinations"].to_dict() == pytest.approx({1: 1.51, 2: 0.51})


@pytest.mark.parametrize("gain", [0.01, 0.3, 4.0])
def test_another_gain_changes_labels_and_no_weight(
    engine: Engine, problem: Problem, publish: Publish, gain: float
) -> None:
    policy = shipped("affine_click")
    signals = {"click": policy.signals["click"].model_copy(update={"gain": gain})}
    inputs = LabelInputs(publish(ROWS), AFFINE)
    plain, scaled = (
        engine.frame(compile_labels(each, problem, inputs)).set_index("item_id").astype(float)
        for each in (policy, policy.model_copy(update={"signals": signals}))
    )
    assert scaled["gain_sum"].to_dict() == pytest.approx((gain * plain["gain_sum"]).to_dict())
    assert scaled["information"].to_dict() == pytest.approx(
        plain["information"].to_dict(), rel=2e-5
    )


def test_doubly_robust_impressions_say_what_a_prediction_adds(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    policy = make_policy(
        debias={"method": "doubly_robust", "propensity": "affine"},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
    )
    signals = publish(ROWS)
    assert compiled(engine, policy, problem, signals) == {
        1: (pytest.approx((1 - 0) / 1), 1),
        2: (pytest.approx((1 - 0.1) / 0.5), 1),
        3: (pytest.approx((0 - 0.02) / 0.05), 1),
        4: (pytest.approx((1 - 0.02) / 0.05), 1),
        5: (pytest.approx((0 - 0.1) / 0.5), 1),
    }
    labels = compile_labels(policy, problem, LabelInputs(signals, AFFINE))
    shares = engine.rows(f"select distinct prediction_share from ({labels}) order by all")
    # only where theta was raised: r + (c - beta - theta r) / .05
    assert shares == [(0.0,), (pytest.approx(1 - 0.01 / 0.05),)]


COMBINED = [
    {"key": 1, "item_id": 1, "position": 1, "device": "mobile", "click": 1, "dwell_s": 60},
    {"key": 2, "item_id": 1, "position": 2, "device": "mobile", "click": 1, "add_to_cart": 1},
    {"key": 3, "item_id": 1, "position": 3, "device": "mobile"},
    {"key": 4, "item_id": 2, "position": 1, "device": "desktop", "click": 1, "add_to_cart": 1,
     "purchase": 1},
]  # fmt: skip
GAINS = {"click": {"gain": 0.3}, "add_to_cart": {"gain": 0.5}, "purchase": {"gain": 1.0}}


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("sum", {1: 0.3, 2: 0.3 + 0.5, 3: 0, 4: 0.3 + 0.5 + 1.0}),
        ("max", {1: 0.3, 2: 0.5, 3: 0, 4: 1.0}),
        ({"first": ["click", "purchase", "add_to_cart"]}, {1: 0.3, 2: 0.3, 3: 0, 4: 0.3}),
        ({"first": ["purchase", "add_to_cart", "click"]}, {1: 0.3, 2: 0.5, 3: 0, 4: 1.0}),
        ({"dual": ["purchase"]}, {1: 1, 2: 1, 3: 0, 4: 1}),
    ],
)
def test_ways_to_combine(
    engine: Engine,
    problem: Problem,
    publish: Publish,
    make_policy: MakePolicy,
    combine: object,
    expected: dict[int, float],
) -> None:
    policy = make_policy(signals=GAINS, combine=combine)
    found = compiled(engine, policy, problem, publish(COMBINED))
    assert {key: label for key, (label, _) in found.items()} == pytest.approx(expected)


def test_dual_positives_weigh_what_they_are_worth(
    engine: Engine, problem: Problem, publish: Publish
) -> None:
    policy = shipped("dual_positives")
    signals = publish(COMBINED)
    weights = {
        key: weight for key, (_, weight) in compiled(engine, policy, problem, signals).items()
    }
    # key 2: in the cart, though its click was left at once
    assert weights == pytest.approx({1: log(1 + 60 / 300) / log(2), 2: 1, 3: 1, 4: 1}, abs=1e-6)
    labels = compile_labels(policy, problem, LabelInputs(signals))
    dense = engine.rows(f"select label, is_dense from ({labels}) order by all")
    assert dense == [(0, False), (1, False), (1, False), (1, True)]


def test_a_dense_signal_that_was_taken_back_weighs_like_no_feedback(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    signals = {"click": {"gain": 0.25}, "add_to_cart": {"gain": -1.0}, "purchase": {"gain": 1.0}}
    policy = make_policy(signals=signals, combine={"dual": ["purchase"]})
    found = compiled(engine, policy, problem, publish(COMBINED))
    # key 2: a click of .25 and, against it, 1; key 3: nothing; key 4: bought
    assert found == {1: (1, 0.25), 2: (0, 1), 3: (0, 1), 4: (1, 1)}


def test_a_dense_sum_that_is_0_but_for_rounding_is_no_positive(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    # .2 + .1 - .005 x 60, which is 5.6e-17 as a DOUBLE
    signals = {"click": {"gain": 0.1}, "add_to_cart": {"gain": 0.2}, "dwell_s": {"gain": -0.005}}
    policy = make_policy(
        signals=signals | {"purchase": {"gain": 1.0}}, combine={"dual": ["purchase"]}
    )
    assert 0 < 0.2 + 0.1 - 0.005 * 60 < 1e-15
    rows = publish([COMBINED[1] | {"dwell_s": 60}])
    assert compiled(engine, policy, problem, rows) == {2: (0, 1)}


def test_segments_have_gains_and_a_clip_of_their_own(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    policy = make_policy(
        signals={"click": {"gain": 1.0}, "purchase": {"gain": 2.0}},
        segments=[
            {"when": {"device": ["tablet", "mobile"]}, "signals": {"click": {"gain": 0.5}}},
            {"when": {"device": "mobile"}, "clip": 0.9},
            {"when": {"device": "desktop"}, "clip": 0.5},
        ],
        debias={"method": "ips", "clip": 0.1},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
    )
    desktop = {"key": 6, "item_id": 1, "position": 3, "device": "desktop", "click": 1}
    found = compiled(engine, policy, problem, publish([*ROWS, desktop]))
    labels = {key: label for key, (label, _) in found.items()}
    assert labels == pytest.approx(
        {
            # mobiles belong to the first segment that names them, which keeps the policy's clip
            1: 0.5 / 1,
            2: 0.5 / 0.5,
            3: 0,
            4: (0.5 + 2.0) / 0.1,
            5: 0,
            6: 1.0 / 0.5,
        }
    )


def test_a_policy_that_falls_back_has_the_same_columns(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    signals = publish(ROWS)
    for grain in ("impression", "query_item"):
        policy = make_policy(
            grain=grain,
            debias={"method": "doubly_robust", "on_refusal": {"fall_back_to": "none"}},
            rankers=[{"objective": "pointwise", "position": "debias_only"}],
        )
        with_curve = compile_labels(policy, problem, LabelInputs(signals, AFFINE))
        without = compile_labels(policy, problem, LabelInputs(signals))
        assert engine.schema(f"({without})") == engine.schema(f"({with_curve})")
