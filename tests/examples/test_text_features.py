"""Text among the features that likeness is told by."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import (
    ExampleRelations,
    JoinedTable,
    examples_sql,
    refused_draws_sql,
    with_feature_tables_sql,
)
from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
LIKE_THE_POSITIVE = "near duplicate of a positive"
ITEMS = (
    # item, colour, price; the positive is item 1
    (1, "red", 10.0),
    (2, "red", 20.0),
    (3, "red", 10.0),
    (4, "blue", 10.0),
    (5, None, 10.0),
    (6, "12", 10.0),  # text, though it reads as a number
    (7, "red", 10.1),
)


def relations_of(shop: Any, policy: Policy, names: tuple[str, ...]) -> ExampleRelations:  # noqa: ANN401
    rows = pd.DataFrame(ITEMS, columns=["key_", "colour", "price"])
    rows["from_"] = rows["known_"] = pd.Timestamp("2026-09-01", tz="UTC")
    shop.engine.register("rows_of_items", rows)
    table = JoinedTable("paint", "item", "rows_of_items", names)
    plain = shop.relations(policy)
    return replace(
        plain,
        signals_train=with_feature_tables_sql(plain.signals_train, [table]),
        signals_validate=with_feature_tables_sql(plain.signals_validate, [table]),
        feature_columns=names,
        item_feature_columns=(),
        text_columns=frozenset({"colour"}),
        feature_tables=(table,),
    )


@pytest.fixture
def shop(make_shop: Callable[..., Any]) -> Any:  # noqa: ANN401
    shop = make_shop(features=[], item_features=[])
    shop.stock([(item, date(2026, 9, 1), 0.0) for item, *_ in ITEMS])
    return shop


@pytest.mark.parametrize(
    ("names", "tolerance", "alike"),
    [
        (("colour", "price"), 0, [3]),
        (("colour", "price"), 0.5, [3, 7]),
        (("price", "colour"), 0.5, [3, 7]),
        (("colour", "price"), 100, [3, 7]),  # item 2 was shown; no distance makes blue of red
        (("colour",), 0.5, [3, 7]),
    ],
)
def test_random_items_of_another_text_are_no_duplicates(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    names: tuple[str, ...],
    tolerance: float,
    alike: list[int],
) -> None:
    shop.show(100, [1, 2], clicked=[1])
    block = {"random": {"per_positive": 100}, "near_duplicates": tolerance}
    policy = make_policy(negatives=block)
    relations = relations_of(shop, policy, names)
    refused = shop.engine.frame(refused_draws_sql(policy, relations))
    found = refused[refused["reason"] == LIKE_THE_POSITIVE]
    assert sorted(found["item_id"]) == alike
    rows = shop.engine.frame(examples_sql(policy, shop.problem, relations))
    random = rows[rows["origin"] == "random"]
    assert sorted(random["item_id"]) == sorted({3, 4, 5, 6, 7} - set(alike))


@pytest.mark.parametrize(
    ("shown", "nearest"),
    [
        # prices 10, 10, 20: mean 40/3, variance 200/9, so item 2 is (10^2) / (200/9) = 4.5 away
        ([1, 4, 2], 4),
        # prices 10, 10.1, 20 and another colour: item 7 is a hair away, item 4 one deviation
        ([1, 4, 7, 2], 7),
    ],
)
def test_another_text_is_one_standard_deviation_away(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    shown: list[int],
    nearest: int,
) -> None:
    shop.show(100, shown, clicked=[1])
    policy = make_policy(negatives={"hard": {"per_positive": 1}})
    made = relations_of(shop, policy, ("colour", "price"))
    rows = shop.engine.frame(examples_sql(policy, shop.problem, made))
    rows = rows[rows["part"] == "train"]
    assert rows[rows["origin"] == "hard"]["item_id"].tolist() == [nearest]


@pytest.mark.parametrize(("price", "nearest"), [(1.6, 2), (1.7, 4)])
def test_a_text_weighs_what_a_deviation_does(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    price: float,
    nearest: int,
) -> None:
    """Prices 0, p, 0 and 4: item 2 is p / deviation away in price, item 4 one in colour."""
    shop.show(100, [1, 2, 4, 7], clicked=[1])
    policy = make_policy(negatives={"hard": {"per_positive": 1}})
    made = relations_of(shop, policy, ("colour", "price"))
    prices = pd.Series([0.0, price, 0.0, 4.0])
    assert (price / prices.std(ddof=0) < 1) == (nearest == 2)
    rows = pd.DataFrame(
        {
            "key_": [1, 2, 4, 7],
            "colour": ["red", "red", "blue", "red"],
            "price": prices,
            "from_": pd.Timestamp("2026-09-01", tz="UTC"),
        }
    )
    shop.engine.register("rows_of_items", rows.assign(known_=rows["from_"]))
    found = shop.engine.frame(examples_sql(policy, shop.problem, made))
    hard = found[(found["part"] == "train") & (found["origin"] == "hard")]
    assert hard["item_id"].tolist() == [nearest]
