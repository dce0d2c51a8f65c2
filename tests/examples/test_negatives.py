"""METHODS, section 7, by hand: a click at 3 of 30 shown."""

from collections.abc import Callable
from hashlib import md5
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
THIRTY = range(101, 131)
THETA = [1 / position for position in range(1, 31)]
RATE = 0.2


def is_sampled(impression_id: UUID) -> bool:
    """Whether the sample of unexamined rows has this impression."""
    digest = md5(f"unexamined|{impression_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) < RATE * 2**32


def positions_by_origin(rows: pd.DataFrame) -> dict[str, list[int]]:
    return {
        str(origin): [int(position) for position in group]
        for origin, group in rows.groupby("origin")["position"]
    }


def test_click_at_3_of_30(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, THIRTY, clicked=[3])
    blocks = {"skip_above": {"weight": 2}, "examined": {"depth": 2}, "unexamined": {"rate": RATE}}
    rows = shop.examples(make_policy(negatives=blocks), shop.theta(THETA))
    everything = shop.examples(make_policy())
    sampled = [
        int(position)
        for position, key in zip(everything["position"], everything["impression_id"], strict=True)
        if position > 5 and is_sampled(key)
    ]
    assert 0 < len(sampled) < 25
    assert positions_by_origin(rows) == {
        "positive": [3],
        "skip_above": [1, 2],
        "examined": [4, 5],
        "unexamined": sampled,
    }
    weights = dict(zip(rows["position"], rows["weight"], strict=True))
    expected = {1: 2, 2: 2, 3: 1, 4: 1 / 4, 5: 1 / 5, **dict.fromkeys(sampled, 1 / RATE)}
    assert weights == pytest.approx(expected)
    assert dict(zip(rows["position"], rows["label"], strict=True)) == {
        position: float(position == 3) for position in expected
    }


ALL = list(range(1, 31))


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({}, {"positive": [3], "shown": [1, 2, *range(4, 31)]}),
        ({"skip_above": {}}, {"positive": [3], "skip_above": [1, 2]}),
        ({"examined": {"depth": 4, "weight": 1}}, {"positive": [3], "examined": [4, 5, 6, 7]}),
        # nobody asked for examined rows, so all below the click count as unexamined
        ({"unexamined": {"rate": 1}}, {"positive": [3], "unexamined": [*range(4, 31)]}),
        (
            {"examined": {"depth": 2, "weight": 1}, "unexamined": {"rate": 1}},
            {"positive": [3], "examined": [4, 5], "unexamined": [*range(6, 31)]},
        ),
    ],
)
def test_only_the_blocks_that_are_asked_for_train(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    blocks: dict[str, Any],
    expected: dict[str, list[int]],
) -> None:
    shop.show(1, THIRTY, clicked=[3])
    rows = shop.examples(make_policy(negatives=blocks))
    assert positions_by_origin(rows) == expected
    assert (rows["weight"] == 1).all()


def test_the_last_click_decides(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, THIRTY, clicked=[3, 6])
    rows = shop.examples(make_policy(negatives={"skip_above": {}, "examined": {"weight": 0.5}}))
    assert positions_by_origin(rows) == {
        "positive": [3, 6],
        "skip_above": [1, 2, 4, 5],
        "examined": [7, 8],
    }
    assert set(rows[rows["origin"] == "examined"]["weight"]) == {0.5}


def test_a_list_without_click_is_unexamined(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, THIRTY)
    blocks = {"skip_above": {}, "examined": {"weight": 1}, "unexamined": {"rate": 1}}
    rows = shop.examples(make_policy(negatives=blocks))
    assert positions_by_origin(rows) == {"unexamined": ALL}
    rows = shop.examples(make_policy(negatives={"skip_above": {}, "examined": {"weight": 1}}))
    assert rows.empty


def test_a_click_that_earns_nothing_was_seen(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [11, 12, 13, 14], clicked=[2])
    policy = make_policy(
        signals={"purchase": {"gain": 1}}, negatives={"skip_above": {}, "examined": {"weight": 1}}
    )
    rows = shop.examples(policy)
    assert positions_by_origin(rows) == {"skip_above": [1, 2], "examined": [3, 4]}
    assert list(rows["raw_label"]) == [0, 1, 0, 0]


def test_feedback_against_an_item_always_trains(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [11], purchase=1)
    policy = make_policy(
        signals={"click": {"gain": 1}, "purchase": {"gain": -1}}, negatives={"skip_above": {}}
    )
    rows = shop.examples(policy)
    assert rows[["label", "weight", "origin"]].to_numpy().tolist() == [[-1, 1, "shown"]]


def test_the_sample_keeps_the_mass_of_what_it_stands_for(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    for request_id in range(200):
        shop.show(request_id, THIRTY)
    rows = shop.examples(make_policy(negatives={"unexamined": {"rate": RATE}}))
    shown = 200 * 30
    # five standard deviations of a binomial count, each row standing for 1 / rate
    bound = 5 * (shown * RATE * (1 - RATE)) ** 0.5 / RATE
    assert rows["weight"].sum() == pytest.approx(shown, abs=bound)
    assert len(rows) < shown / 2
    constant = {"unexamined": {"rate": RATE, "weight": 0.5}}
    assert set(shop.examples(make_policy(negatives=constant))["weight"]) == {0.5}


def test_theta_needs_propensities_unless_the_policy_falls_back(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(1, [11, 12], clicked=[1])
    blocks: dict[str, Any] = {"examined": {}}
    with pytest.raises(ValueError, match=r"mine: negatives.examined.weight: theta needs"):
        shop.examples(make_policy(negatives=blocks))
    fall_back = {"on_refusal": {"fall_back_to": "none"}}
    rows = shop.examples(make_policy(negatives=blocks, debias=fall_back))
    assert list(rows["origin"]) == ["positive", "examined"]
    assert list(rows["weight"]) == [1, 1]


def test_validation_rows_are_made_alike(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, THIRTY, clicked=[3])
    policy = make_policy(negatives={"skip_above": {"weight": 2}})
    keys = ["group_id", "item_id", "position", "label", "weight", "origin", "f_price"]
    train = shop.examples(policy)[keys]
    # without a validation day of its own the fixture validates on the training day
    pd.testing.assert_frame_equal(train, shop.examples(policy, part="validate")[keys])
    assert len(train) == 3
