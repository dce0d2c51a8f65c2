"""Skip-next, posterior weights and the limit per list, by hand."""

from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.examples.negatives import block_weight_sql
from label_platform.policy import Policy, load_policy, posterior_sql

MakePolicy = Callable[..., Policy]
TEN = range(101, 111)
POLICIES = Path(__file__).parents[2] / "policies"


def positions_by_origin(rows: pd.DataFrame) -> dict[str, list[int]]:
    return {
        str(origin): [int(position) for position in group]
        for origin, group in rows.groupby("origin")["position"]
    }


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        # between the clicks 3 and 6: 4 is next to a click, and 4 and 5 are above one
        ({"skip_next": {}}, {"positive": [3, 6], "skip_next": [4, 7]}),
        ({"skip_next": {"depth": 2}}, {"positive": [3, 6], "skip_next": [4, 5, 7, 8]}),
        # the last click's next rows alone are left where skip_above has what is above it
        (
            {"skip_above": {}, "skip_next": {"depth": 2}},
            {"positive": [3, 6], "skip_above": [1, 2, 4, 5], "skip_next": [7, 8]},
        ),
        (
            {
                "skip_above": {},
                "skip_next": {},
                "examined": {"depth": 3, "weight": 1},
                "unexamined": {"rate": 1},
            },
            {
                "positive": [3, 6],
                "skip_above": [1, 2, 4, 5],
                "skip_next": [7],
                "examined": [8, 9],
                "unexamined": [10],
            },
        ),
        (
            {"skip_next": {}, "examined": {"depth": 3, "weight": 1}},
            {"positive": [3, 6], "skip_next": [4, 7], "examined": [8, 9]},
        ),
    ],
)
def test_clicks_at_3_and_6_of_10(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    blocks: dict[str, Any],
    expected: dict[str, list[int]],
) -> None:
    shop.show(1, TEN, clicked=[3, 6])
    shop.show(2, TEN, clicked=[])  # no click of another list counts
    rows = shop.examples(make_policy(negatives=blocks))
    assert positions_by_origin(rows[rows["group_id"] == 1]) == expected
    assert set(rows[rows["group_id"] == 2]["origin"]) <= {"unexamined"}


def test_a_clicked_row_is_not_next_to_itself(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    """Clicks that earn nothing: 3 is right below a click, but was clicked."""
    shop.show(1, TEN, clicked=[2, 3])
    policy = make_policy(signals={"purchase": {"gain": 1}}, negatives={"skip_next": {"weight": 3}})
    rows = shop.examples(policy)
    assert rows[["position", "origin", "weight"]].to_numpy().tolist() == [[4, "skip_next", 3]]


def test_feedback_against_an_item_stays_out_of_skip_next(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(1, [11], clicked=[1])
    shop.shown[next(iter(shop.shown))].append(
        shop.shown[next(iter(shop.shown))][0]
        | {"item_id": 12, "position": 2, "click": 0}
        | {"purchase": 1}
    )
    policy = make_policy(
        signals={"click": {"gain": 1}, "purchase": {"gain": -1}}, negatives={"skip_next": {}}
    )
    assert list(shop.examples(policy)["origin"]) == ["positive", "shown"]


@pytest.mark.parametrize(
    ("theta", "gamma", "expected"),
    [
        ("0.5", "0.2", 0.5 * (1 - 0.2) / (1 - 0.5 * 0.2)),
        ("0.5", "0.0", 0.5),  # what is never relevant tells nothing of examination
        ("1.0", "0.9", 1.0),  # what was surely seen was seen
        ("0.5", "7.0", 0.5 * (1 - 0.999) / (1 - 0.5 * 0.999)),
        ("0.5", "-1.0", 0.5),
        ("1.2", "0.9", 1.0),  # an estimate above 1 counts as 1
        ("cast(null as double)", "0.9", 1.0),  # without propensities all counts as examined
    ],
)
def test_the_posterior_by_hand(
    shop: Any,  # noqa: ANN401
    theta: str,
    gamma: str,
    expected: float,
) -> None:
    ((found,),) = shop.engine.rows(f"select {posterior_sql(theta, gamma)}")
    assert found == pytest.approx(expected)


def test_examined_rows_wait_for_their_posterior_at_weight_1(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    """The posterior multiplies them once there is a prediction: theta must not do so before."""
    shop.show(1, TEN, clicked=[1])
    policy = make_policy(negatives={"examined": {"depth": 2, "weight": "posterior"}})
    rows = shop.examples(policy, shop.theta([1.0, 0.5, 0.25]))
    assert rows[["origin", "weight", "expected_examinations"]].to_numpy().tolist() == [
        ["positive", 1, 1],
        ["examined", 1, 0.5],
        ["examined", 1, 0.25],
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_posterior_is_how_often_an_unclicked_item_was_examined(
    shop: Any,  # noqa: ANN401
    seed: int,
) -> None:
    """Draws by the position-based model: 116,000 are unclicked, whose standard error is .0014."""
    query = f"""
        with draws as (
            select hash(range, {seed}) % 1000000 / 1e6 < 0.6 as examined,
                hash(range, {seed}, 'r') % 1000000 / 1e6 < 0.7 as relevant
            from range(200000)
        )
        select avg(cast(examined as int)) filter (not (examined and relevant)),
            {posterior_sql("0.6", "0.7")}
        from draws"""
    ((simulated, computed),) = shop.engine.rows(query)
    assert simulated == pytest.approx(computed, abs=4 * 0.0014)


def test_posterior_needs_propensities_unless_the_policy_falls_back(
    make_policy: MakePolicy,
) -> None:
    blocks = {"examined": {"weight": "posterior"}}
    with pytest.raises(ValueError, match=r"mine: negatives.examined.weight: posterior needs"):
        block_weight_sql(make_policy(negatives=blocks), has_examination=False)
    fall_back = make_policy(negatives=blocks, debias={"on_refusal": {"fall_back_to": "none"}})
    assert "then 1.0" in block_weight_sql(fall_back, has_examination=False)


def chance(key: object) -> str:
    return md5(f"at_most_per_list|{key}".encode(), usedforsecurity=False).hexdigest()


def test_a_list_keeps_its_surest_negatives(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, TEN, clicked=[2, 5])
    shop.show(2, TEN, clicked=[1])
    blocks: dict[str, Any] = {
        "skip_above": {},
        "skip_next": {},
        "examined": {"depth": 3, "weight": 0.5},
        "unexamined": {"rate": 1, "weight": 0.25},
    }
    everything = shop.examples(make_policy(negatives=blocks))
    rows = shop.examples(make_policy(negatives=blocks | {"at_most_per_list": 5}))
    # list 1: skip_above 1, 3, 4 and skip_next 6, and by chance one of examined 7 and 8
    examined = everything[(everything["group_id"] == 1) & (everything["origin"] == "examined")]
    assert list(examined["position"]) == [7, 8]
    by_chance = sorted(examined.itertuples(), key=lambda row: chance(row.impression_id))
    first = rows[rows["group_id"] == 1]
    assert sorted(first["position"]) == sorted([1, 2, 3, 4, 5, 6, by_chance[0].position])
    # list 2: skip_next 2, examined 3 and 4, two of the unexamined; each at its own weight
    second = rows[rows["group_id"] == 2]
    assert (
        list(second["origin"]) == ["positive", "skip_next", *["examined"] * 2] + ["unexamined"] * 2
    )
    assert list(second["weight"]) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_the_limit_holds_without_blocks_too(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, TEN, clicked=[4, 8])
    shop.show(2, TEN[:2], clicked=[])
    everything = shop.examples(make_policy())
    shown = everything[(everything["origin"] == "shown") & (everything["group_id"] == 1)]
    kept = sorted(shown["impression_id"], key=chance)[:3]
    policy = make_policy(negatives={"at_most_per_list": 3})
    for part in ("train", "validate"):
        rows = shop.examples(policy, part=part)
        first = rows[rows["group_id"] == 1]
        assert set(first[first["origin"] == "shown"]["impression_id"]) == set(kept)
        assert list(first[first["origin"] == "positive"]["position"]) == [4, 8]
        assert len(rows[rows["group_id"] == 2]) == 2


def test_feedback_against_items_is_never_cut(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, TEN, purchase=1)
    signals = {"click": {"gain": 1}, "purchase": {"gain": -1}}
    rows = shop.examples(make_policy(signals=signals, negatives={"at_most_per_list": 1}))
    assert list(rows["label"]) == [-1.0] * 10


def test_the_shipped_policy_with_every_block(shop: Any) -> None:  # noqa: ANN401
    shop.show(1, range(101, 131), clicked=[3, 6])
    policy = load_policy(POLICIES / "sure_negatives.yaml")
    rows = shop.examples(policy, shop.theta([1 / position for position in range(1, 31)]))
    found = positions_by_origin(rows)
    unexamined = found.pop("unexamined", [])
    # prices rise with the position: 2 and 4 are equally near to 3, and the one above is taken
    assert found == {
        "positive": [3, 6],
        "hard": [2, 5],
        "skip_above": [1, 4],
        "skip_next": [7],
        "examined": [8, 9],
    }
    assert len(unexamined) <= 8 - 7
    weights = dict(zip(rows["position"], rows["weight"], strict=True))
    assert [weights[position] for position in range(1, 10)] == pytest.approx(
        [1, 1, 1, 1, 1, 1, 0.8, 1 / 8, 1 / 9], abs=1e-6
    )
