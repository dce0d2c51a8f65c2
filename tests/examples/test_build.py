from collections.abc import Callable
from datetime import date
from hashlib import md5
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import ExampleRelations, examples_sql, origin_counts_sql
from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
COEC = {
    "grain": "query_item",
    "debias": {"method": "coec"},
    "rankers": [{"objective": "pointwise", "position": "debias_only"}],
}
FIRST, SECOND, VALIDATE = date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)
COLUMNS = (
    "part group_id query_id item_id impression_id position label weight raw_label raw_weight "
    "impressions expected_examinations origin f_price item_a"
)


def row(rows: pd.DataFrame, item_id: int) -> pd.Series:
    return rows[rows["item_id"] == item_id].iloc[0]


def test_impression_rows_by_hand(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.stock([(11, date(2026, 9, 1), 0.1), (11, SECOND, 0.2), (12, SECOND, 0.3)])
    shop.show(7, [11, 12], clicked=[2], day=FIRST)
    shop.show(8, [11], clicked=[1], day=SECOND)
    shop.show(9, [12], day=SECOND, excluded_reason="clicks_per_minute")
    shop.show(5, [12], day=VALIDATE)
    ips = make_policy(
        debias={"method": "ips"}, rankers=[{"objective": "pointwise", "position": "debias_only"}]
    )
    rows = shop.examples(ips, shop.theta([1.0, 0.5]))
    assert list(rows.columns) == COLUMNS.split()
    # item 12 was not in the catalogue yet when list 7 showed it
    assert rows.drop(columns=["part", "impression_id"]).fillna(-1).to_numpy().tolist() == [
        [7, 1, 11, 1, 0, 1, 0, 1, 1, 1.0, "shown", 110, 0.1],
        [7, 1, 12, 2, 1 / 0.5, 1, 1, 1, 1, 0.5, "positive", 120, -1],
        [8, 1, 11, 1, 1, 1, 1, 1, 1, 1.0, "positive", 110, 0.2],
    ]
    validate = shop.examples(ips, shop.theta([1.0, 0.5]), part="validate")
    assert validate[["group_id", "item_id", "label", "item_a"]].to_numpy().tolist() == [
        [5, 12, 0, 0.3]
    ]


def test_an_item_is_valid_from_the_very_moment(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.stock([(11, FIRST, 0.1), (11, SECOND, 0.2)])
    shop.show(1, [11], day=FIRST, shown_at=f"{SECOND} 00:00:00+00")
    shop.show(2, [11], day=FIRST, shown_at=f"{FIRST} 23:59:59.999+00")
    assert shop.examples(make_policy())["item_a"].tolist() == [0.2, 0.1]


def test_cells_add_up_days_and_divide_once(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.stock([(11, date(2026, 9, 1), 0.1), (11, SECOND, 0.2), (12, SECOND, 0.3)])
    shop.show(1, [11, 12], clicked=[1], day=FIRST)
    shop.show(2, [12, 11], clicked=[2], day=SECOND, f_price=5.0)
    shop.show(3, [11], day=SECOND, shown_at=f"{SECOND} 13:00:00+00", f_price=6.0)
    bot = {
        "excluded_reason": "clicks_per_minute",
        "shown_at": f"{SECOND} 14:00:00+00",
        "f_price": 7.0,
    }
    shop.show(4, [11], clicked=[1], day=SECOND, **bot)
    shop.show(5, [11], clicked=[1], day=VALIDATE, query_id=2)
    policy = make_policy(**COEC)
    theta = shop.theta([1.0, 0.4])
    rows = shop.examples(policy, theta)
    assert list(rows.columns) == COLUMNS.split()
    assert list(rows["item_id"]) == [11, 12]
    assert rows["impression_id"].isna().all()
    assert rows["position"].isna().all()
    cell = row(rows, 11)
    assert cell["expected_examinations"] == pytest.approx(1.0 + 0.4 + 1.0)
    assert cell["label"] == pytest.approx((1 + 1 + 0) / (1.0 + 0.4 + 1.0), abs=1e-6)
    assert cell["raw_label"] == pytest.approx((1 + 1 + 0) / 3, abs=1e-6)
    assert cell[["raw_weight", "impressions", "weight", "group_id"]].tolist() == [3, 3, 1, 1]
    # the last impression that no bot saw, and the item as it then was
    assert cell[["f_price", "item_a"]].tolist() == [6.0, 0.2]
    assert row(rows, 12)[["label", "raw_label", "f_price"]].tolist() == [0, 0, 5.0]
    validate = shop.examples(policy, theta, part="validate")
    assert validate[["group_id", "item_id", "label"]].to_numpy().tolist() == [[2, 11, 1]]


def test_features_of_a_tie_come_from_one_impression(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    """Lists shown at the same time: the largest impression id decides, whatever the row order."""
    for request_id in range(20):
        shop.show(request_id, [11], f_price=float(request_id))
    last = max(
        range(20),
        key=lambda number: md5(f"{number}|11|1".encode(), usedforsecurity=False).hexdigest(),
    )
    rows = shop.examples(make_policy(grain="query_item"))
    assert rows[["impressions", "f_price"]].to_numpy().tolist() == [[20, last]]
    shop.shown[FIRST].reverse()
    assert shop.examples(make_policy(grain="query_item"))["f_price"].tolist() == [last]


def test_without_debiasing_a_cells_label_is_its_click_rate(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(1, [11, 12], clicked=[1])
    shop.show(2, [12, 11])
    rows = shop.examples(make_policy(grain="query_item"))
    assert row(rows, 11)[["label", "raw_label", "expected_examinations"]].tolist() == [
        1 / 2,
        1 / 2,
        2,
    ]


def test_never_examined_cells_are_sampled_with_their_mass(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    items = range(1, 101)
    shop.show(1, items, clicked=[50])
    theta = shop.theta([1 / position for position in items])
    block = {"never_examined": {"rate": 0.25, "below": 0.1}}
    rows = shop.examples(make_policy(**COEC, negatives=block), theta)

    def is_sampled(item_id: int) -> bool:
        key = f"never_examined|1|{item_id}".encode()
        return int(md5(key, usedforsecurity=False).hexdigest()[:8], 16) < 0.25 * 2**32

    # expected examinations 1/k: those at 10 and above are not below .1; item 50 has a gain
    sampled = [item for item in items if item > 10 and item != 50 and is_sampled(item)]
    assert 0 < len(sampled) < 50
    weights = dict(zip(rows["item_id"], rows["weight"], strict=True))
    kept = dict.fromkeys([*range(1, 11), 50], 1.0)
    assert weights == kept | dict.fromkeys(sampled, 1 / 0.25)


@pytest.mark.parametrize("grain", ["impression", "query_item"])
def test_examples_come_in_one_order_whatever_that_of_the_rows(
    make_shop: Callable[..., Any], make_policy: MakePolicy, grain: str
) -> None:
    frames = []
    for threads, turned in ((1, False), (2, True)):
        shop = make_shop(threads=threads)
        shop.stock([(item, FIRST, item / 10) for item in range(20)])
        for request_id in range(60):
            items = [(request_id * 7 + step) % 20 for step in range(6)]
            day = (FIRST, SECOND, VALIDATE)[request_id % 3]
            shop.show(request_id, items, clicked=[request_id % 6], day=day, query_id=request_id % 4)
        if turned:
            for rows in shop.shown.values():
                rows.reverse()
        policy = make_policy(grain=grain)
        frames.append(shop.engine.frame(examples_sql(policy, shop.problem, shop.relations(policy))))
    pd.testing.assert_frame_equal(*frames)
    order = frames[0][["part", "group_id", "position", "item_id"]].fillna(0)
    assert order.to_numpy().tolist() == sorted(order.to_numpy().tolist())
    assert set(frames[0]["part"]) == {"train", "validate"}


def test_counts_per_origin(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [11, 12, 13], clicked=[2])
    policy = make_policy(negatives={"skip_above": {"weight": 0.5}})
    shop.engine.register("examples", shop.examples(policy))
    assert shop.engine.rows(origin_counts_sql("examples")) == [
        ("train", "positive", 1, 1.0, 1 / 2, 1.0 / 1.5),
        ("train", "skip_above", 1, 0.5, 1 / 2, 0.5 / 1.5),
    ]


def test_item_features_without_items_are_an_error(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    nothing = ExampleRelations("l", "l", "s", "s", item_feature_columns=("item_a",))
    with pytest.raises(ValueError, match=r"\(item_a\), but there is no items table"):
        examples_sql(make_policy(), shop.problem, nothing)
    random = make_policy(negatives={"random": {}})
    without = ExampleRelations("l", "l", "s", "s")
    with pytest.raises(ValueError, match=r"negatives.random needs the items table"):
        examples_sql(random, shop.problem, without)
