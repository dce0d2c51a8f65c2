"""The arithmetic of one label, against sums done by hand."""

from datetime import timedelta
from math import log
from typing import Any

import pytest

from label_platform.explain import Curve, CurveError, Fitted, computed_label
from label_platform.explain.steps import Comparison
from tests.explain.one_label import CONTEXT, CURVE, NOON, MakePolicy, at, curve, numbers


@pytest.mark.parametrize(
    ("shape", "dwell_s", "expected"),
    [
        ("log", 60, 0.5 * log(1 + 60 / 300) / log(2)),
        ("log", 900, 0.5 * 1),
        ("log", -5, 0.0),
        ("linear", 60, 0.5 * 60 / 300),
        ("linear", 400, 0.5 * 1),
        ("minimum", 299, 0.0),
        ("minimum", 300, 0.5),
    ],
)
def test_quality(make: MakePolicy, shape: str, dwell_s: float, expected: float) -> None:
    quality = {"of": "dwell_s", "shape": shape, "cap": 300}
    policy = make(signals={"click": {"gain": 0.5, "quality": quality}})
    found = numbers(policy, at(1), click=1, dwell_s=dwell_s)
    assert found["label"] == round(expected, 6)


@pytest.mark.parametrize(
    ("combine", "click", "purchase", "label", "weight"),
    [
        ("sum", 1, 2, 0.5 * 1 + 2.0 * 2, 1),
        ("max", 3, 0, max(0.5 * 3, 0), 1),
        ({"first": ["purchase", "click"]}, 1, 1, 2.0 * 1, 1),
        ({"first": ["purchase", "click"]}, 1, 0, 0.5 * 1, 1),
        ({"first": ["purchase", "click"]}, 0, 0, 0, 1),
        ({"dual": ["purchase"]}, 1, 1, 1, 1),
        ({"dual": ["purchase"]}, 1, 0, 1, 0.5),
        ({"dual": ["purchase"]}, 3, 0, 1, 1),
        ({"dual": ["purchase"]}, 0, 0, 0, 1),
    ],
)
def test_combinations(
    make: MakePolicy,
    combine: str | dict[str, list[str]],
    click: float,
    purchase: float,
    label: float,
    weight: float,
) -> None:
    signals = {"click": {"gain": 0.5}, "purchase": {"gain": 2.0}}
    policy = make(signals=signals, combine=combine)
    assert numbers(policy, at(1), click=click, purchase=purchase) == {
        "label": label,
        "weight": weight,
    }


@pytest.mark.parametrize(
    ("click", "label", "weight"), [(1, 0, 1), (2, 0, 1), (3, 1, 0.75), (5, 1, 1)]
)
def test_what_speaks_against_a_dense_signal(
    make: MakePolicy, click: float, label: float, weight: float
) -> None:
    signals = {"click": {"gain": 0.25}, "add_to_cart": {"gain": -0.5}, "purchase": {"gain": 1.0}}
    policy = make(signals=signals, combine={"dual": ["purchase"]})
    # the sum .25 click - .5 decides the label, and min(1, .25 click) is its weight
    found = numbers(policy, at(1), click=click, add_to_cart=1)
    assert found == {"label": label, "weight": weight}


def test_a_sum_that_is_0_but_for_rounding_is_no_positive(make: MakePolicy) -> None:
    # .1 + .2 - .3 is 5.6e-17 in this order, and -.5 + .4 + .1 is 2.8e-17 in this one
    for gains in ((0.1, 0.2, -0.3), (-0.5, 0.4, 0.1)):
        names = ("click", "add_to_cart", "dislike")
        signals = {name: {"gain": gain} for name, gain in zip(names, gains, strict=True)}
        policy = make(signals=signals | {"purchase": {"gain": 1.0}}, combine={"dual": ["purchase"]})
        found = numbers(policy, at(1), click=1, add_to_cart=1, dislike=1)
        assert found == {"label": 0, "weight": 1}


@pytest.mark.parametrize(
    ("position", "device", "theta", "beta"),
    [
        (1, "mobile", 1.0, 0.06),
        (2, "mobile", 0.4, 0.0),
        (2, "desktop", 0.6, 0.02),
        (2, None, 0.6, 0.02),
        (3, "mobile", 0.6, 0.02),
        (4, "desktop", 0.02, 0.0),
        (30, "mobile", 0.02, 0.0),
    ],
)
def test_the_curve_is_that_of_the_context_or_else_of_all(
    position: int, device: str | None, theta: float, beta: float
) -> None:
    found = CURVE.of(at(position, device))
    assert (found.theta, found.trust_offset) == (theta, beta)


def test_a_curve_that_says_nothing_is_an_error() -> None:
    with pytest.raises(CurveError, match="no pooled row at or above position 1"):
        curve({("mobile", 1): (1.0, None)}).of(at(1, "desktop"))
    with pytest.raises(CurveError, match="no row of the policy's estimator"):
        Curve([], CONTEXT).of(at(1))


@pytest.mark.parametrize(
    ("debias", "position", "clicks", "expected"),
    [
        ({"method": "ips"}, 2, 1, {"label": 0.5 / 0.4, "weight": 1}),
        ({"method": "ips", "clip": 0.05}, 4, 1, {"label": 0.5 / 0.05, "weight": 1}),
        ({"method": "ips", "into": "weight"}, 2, 1, {"label": 0.5, "weight": 1 / 0.4}),
        ({"method": "ips", "into": "weight"}, 2, 0, {"label": 0, "weight": 1}),
        ({"method": "affine"}, 1, 1, {"label": (0.5 - 0.5 * 0.06) / 1.0, "weight": 1}),
        ({"method": "affine"}, 3, 0, {"label": (0 - 0.5 * 0.02) / 0.6, "weight": 1}),
        (
            {"method": "doubly_robust", "clip": 0.05},
            4,
            1,
            {"label": 0.5 / 0.05, "weight": 1, "prediction_share": 1 - 0.02 / 0.05},
        ),
    ],
)
def test_debiasing(
    make: MakePolicy,
    debias: dict[str, Any],
    position: int,
    clicks: float,
    expected: dict[str, float],
) -> None:
    policy = make(debias=debias)
    found = numbers(policy, at(position), Fitted(CURVE), click=clicks)
    assert found == {name: round(value, 6) for name, value in expected.items()}
    # without a curve the policy has fallen back to its gains
    assert numbers(policy, at(position), click=clicks)["label"] == 0.5 * clicks


def test_a_raised_propensity_is_said_to_be_clipped(make: MakePolicy) -> None:
    policy = make(debias={"method": "ips", "clip": 0.05})
    computed = computed_label(policy, at(4), {"click": 1.0}, Fitted(CURVE))
    assert computed.is_clipped
    assert [step.note for step in computed.steps if step.name == "t"] == [
        "theta is raised to the clip"
    ]
    assert not computed_label(policy, at(2), {"click": 1.0}, Fitted(CURVE)).is_clipped


def test_a_weight_is_divided_by_its_mean(make: MakePolicy) -> None:
    policy = make(debias={"method": "ips", "into": "weight", "self_normalise": True})
    found = numbers(policy, at(2), Fitted(CURVE, mean_inverse=1.6), click=1)
    assert found == {"label": 0.5, "weight": round(1 / 0.4 / 1.6, 6)}


def test_the_first_segment_that_fits_decides_gain_and_clip(make: MakePolicy) -> None:
    policy = make(
        debias={"method": "ips", "clip": 0.3},
        segments=[
            {"when": {"device": ["tablet", "mobile"], "surface": "app"}, "clip": 0.5},
            {"when": {"device": "mobile"}, "signals": {"click": {"gain": 3.0}}},
        ],
    )
    in_app = at(2, surface="app")
    assert numbers(policy, in_app, Fitted(CURVE), click=1)["label"] == 0.5 / 0.5
    assert numbers(policy, at(2), Fitted(CURVE), click=1)["label"] == 3.0 / 0.4
    # what has no device is in no segment
    assert numbers(policy, at(2, None), Fitted(CURVE), click=1)["label"] == round(0.5 / 0.6, 6)


STATISTICS = [
    {"statistic": "arrived", "name": "click", "at": 0.0, "value": 0.01},
    {"statistic": "arrived", "name": "click", "at": 100.0, "value": 0.4},
    {"statistic": "arrived", "name": "click", "at": 900.0, "value": 0.8},
    {"statistic": "arrived", "name": "purchase", "at": 0.0, "value": 0.5},
]


@pytest.mark.parametrize(("age_s", "share"), [(50, 0.05), (100, 0.4), (899, 0.4), (5000, 0.8)])
def test_what_came_is_divided_by_the_share_that_comes_by_its_age(
    make: MakePolicy, age_s: float, share: float
) -> None:
    policy = make(delay={"immature": "reweight"})
    fitted = Fitted(statistics=STATISTICS, as_of=NOON + timedelta(seconds=age_s))
    assert numbers(policy, at(1), fitted, click=1)["label"] == round(0.5 / share, 6)


@pytest.mark.parametrize(
    ("debias", "gain", "examined"),
    [
        ({"method": "none"}, 0.5, 1.0),
        ({"method": "coec"}, 0.5, 0.4),
        ({"method": "ips"}, 0.5 / 0.4, 1.0),
        ({"method": "affine"}, 0.5 - 0.5 * 0.0, 0.4),
    ],
)
def test_the_part_of_one_impression_in_its_cell(
    make: MakePolicy, debias: dict[str, Any], gain: float, examined: float
) -> None:
    policy = make(grain="query_item", debias=debias)
    fitted = Fitted(CURVE if debias["method"] != "none" else None)
    found = computed_label(policy, at(2), {"click": 1.0}, fitted).numbers
    assert (found["gain_sum"], found["expected_examinations"]) == (gain, examined)


def test_what_is_expected_of_one_signal_is_what_has_come_by_now(make: MakePolicy) -> None:
    policy = make(grain="query_item", debias={"method": "coec"}, delay={"immature": "reweight"})
    fitted = Fitted(CURVE, STATISTICS, NOON + timedelta(seconds=200))
    found = computed_label(policy, at(2), {"click": 1.0}, fitted).numbers
    assert found == {"gain_sum": 0.5, "expected_examinations": round(0.4 * 0.4, 6)}


# at position 3 of mobile: theta .6 and beta .02, raised to a clip of .8; 40% of clicks have come
@pytest.mark.parametrize("method", ["affine", "doubly_robust"])
@pytest.mark.parametrize("clicks", [0, 1])
def test_trust_and_what_is_unclipped_have_come_by_now_as_clicks_have(
    make: MakePolicy, method: str, clicks: float
) -> None:
    fitted = Fitted(CURVE, STATISTICS, NOON + timedelta(seconds=200))
    said = {"debias": {"method": method, "clip": 0.8}, "delay": {"immature": "reweight"}}
    cell = make(grain="query_item", **said)
    assert numbers(cell, at(3), fitted, click=clicks) == {
        "gain_sum": pytest.approx(0.5 * clicks - 0.4 * 0.5 * 0.02),
        "expected_examinations": pytest.approx(0.4 * 0.8),
        "unclipped_examinations": pytest.approx(0.4 * 0.6),
    }
    found = numbers(make(**said), at(3), fitted, click=clicks)
    assert found["label"] == pytest.approx((0.5 * clicks / 0.4 - 0.5 * 0.02) / 0.8, abs=1e-6)
    assert found.get("prediction_share") == (0.25 if method == "doubly_robust" else None)


def test_a_policy_that_has_fallen_back_adds_no_prediction(make: MakePolicy) -> None:
    said = {"debias": {"method": "doubly_robust", "on_refusal": {"fall_back_to": "none"}}}
    assert numbers(make(**said), at(3), click=1) == {
        "label": 0.5,
        "weight": 1,
        "prediction_share": 0,
    }
    young = make(grain="query_item", delay={"immature": "reweight"}, **said)
    fitted = Fitted(statistics=STATISTICS, as_of=NOON + timedelta(seconds=200))
    assert numbers(young, at(3), fitted, click=1) == {
        "gain_sum": 0.5,
        "expected_examinations": 0.4,
        "unclipped_examinations": 0.4,
    }


def test_the_auxiliary_label_is_divided_by_its_own_signals_shares(make: MakePolicy) -> None:
    policy = make(
        auxiliary={"signals": {"purchase": {"gain": 2.0}}}, delay={"immature": "reweight"}
    )
    fitted = Fitted(statistics=STATISTICS, as_of=NOON + timedelta(seconds=200))
    assert numbers(policy, at(1), fitted, click=1, purchase=1) == {
        "label": 0.5 / 0.4,
        "weight": 1,
        "auxiliary_label": 2 / 0.5,
    }


@pytest.mark.parametrize(
    ("stored", "recomputed", "differs"),
    [
        (0.5, 0.5, False),
        (0.5, 0.5000019, False),
        (0.5, 0.5000021, True),
        (None, None, False),
        (None, 0.0, True),
        (0.0, None, True),
        (float("nan"), 0.5, True),
    ],
)
def test_numbers_differ_from_two_millionths_on(
    stored: float | None,
    recomputed: float | None,
    differs: bool,  # noqa: FBT001
) -> None:
    assert Comparison("label", stored, recomputed).differs is differs
