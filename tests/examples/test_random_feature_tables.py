"""Random items of the catalogue beside feature tables: what they would have had in the list."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import (
    ExampleRelations,
    JoinedTable,
    drawn_sql,
    examples_sql,
    leaks_sql,
    refused_draws_sql,
    with_feature_tables_sql,
)
from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
LONG_AGO, FIRST, SECOND = date(2026, 9, 1), date(2026, 10, 1), date(2026, 10, 2)
EVERYTHING: dict[str, Any] = {"random": {"per_positive": 100}}
"""So many draws that every item is drawn."""
PRICES = [
    # item, from, known, price
    (1, "2026-09-01 00:00", "2026-09-01 00:00", 10.0),
    (2, "2026-09-01 00:00", "2026-09-01 00:00", 20.0),
    (3, "2026-09-01 00:00", "2026-09-01 00:00", 10.0),  # as item 1, the positive
    (7, "2026-09-01 00:00", "2026-09-01 00:00", 70.0),
    (7, "2026-10-01 12:00", "2026-10-01 12:00", 71.0),  # from the very moment of the first list
    (7, "2026-10-01 12:01", "2026-10-01 12:01", 72.0),
    (8, "2026-10-01 12:01", "2026-10-01 12:02", 80.0),  # after the first list
]
CLICKS = [
    (1, "2026-10-01 00:00", "2026-10-01 00:00", 5.0),
    (1, "2026-10-02 00:00", "2026-10-02 00:00", 6.0),
    (2, "2026-10-01 00:00", "2026-10-01 00:00", 9.0),
]
AGES = [
    ("u1", "2026-09-30 00:00", "2026-09-30 00:00", 30.0),
    ("u2", "2026-09-30 00:00", "2026-09-30 00:00", 40.0),
]


def rows_of(versions: list[tuple[Any, str, str, float]], name: str) -> pd.DataFrame:
    rows = pd.DataFrame(versions, columns=["key_", "from_", "known_", name])
    return rows.assign(
        from_=pd.to_datetime(rows["from_"], utc=True),
        known_=pd.to_datetime(rows["known_"], utc=True),
    )


@pytest.fixture
def shop(make_shop: Callable[..., Any]) -> Any:  # noqa: ANN401
    shop = make_shop(features=[], item_features=[])
    shop.stock([(item, LONG_AGO, 0.0) for item in (1, 2, 3, 7, 8)] + [(6, SECOND, 0.0)])
    for name, versions in (("price", PRICES), ("clicks", CLICKS), ("age", AGES)):
        shop.engine.register(f"{name}_rows", rows_of(versions, name))
    return shop


TABLES = (
    JoinedTable("prices", "item", "price_rows", ("price",), says_when_known=True),
    JoinedTable("queries", "query", "clicks_rows", ("clicks",)),
    JoinedTable("people", "user", "age_rows", ("age",), max_age=timedelta(days=2)),
)
NAMES = tuple(name for table in TABLES for name in table.columns)


def relations(shop: Any, policy: Policy, *item_features: str) -> ExampleRelations:  # noqa: ANN401
    plain = shop.relations(policy)
    return replace(
        plain,
        signals_train=with_feature_tables_sql(plain.signals_train, TABLES),
        signals_validate=with_feature_tables_sql(plain.signals_validate, TABLES),
        feature_columns=NAMES,
        item_feature_columns=item_features,
        feature_tables=TABLES,
    )


def random_rows(shop: Any, policy: Policy) -> list[list[Any]]:  # noqa: ANN401
    found = shop.engine.frame(examples_sql(policy, shop.problem, relations(shop, policy)))
    assert list(found.columns[-3:]) == list(NAMES)
    random = found[(found["part"] == "train") & (found["origin"] == "random")]
    chosen = random[["group_id", "item_id", *NAMES]]
    return [
        [None if pd.isna(value) else value for value in row] for row in chosen.to_numpy().tolist()
    ]


def test_features_of_random_items_by_hand(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 2], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [1, 2], clicked=[1], query_id=1, day=SECOND, user_key="u2")
    shop.show(300, [1, 2], clicked=[1], query_id=2, day=SECOND, user_key="u3")
    # shown at noon: of the first day at the moment of the price 71, a minute before 72 and 80
    assert random_rows(shop, make_policy(negatives=EVERYTHING)) == [
        # item 3 is like the positive in all that is known of items; item 6 comes on the second day
        [100, 7, 71, 5, 30],
        [100, 8, None, 5, 30],
        # of the second day's users one is older than two days, of the other nothing is known
        [200, 6, None, 6, None],
        [200, 7, 72, 6, None],
        [200, 8, 80, 6, None],
        [300, 6, None, 9, None],
        [300, 7, 72, 9, None],
        [300, 8, 80, 9, None],
    ]


def test_random_items_of_cells_see_what_the_last_impression_saw(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(100, [1, 2], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [2, 1], query_id=1, day=SECOND, user_key="u2")  # of item 1 the last
    shop.show(300, [2], clicked=[1], query_id=2, day=FIRST)
    policy = make_policy(grain="query_item", negatives=EVERYTHING)
    assert random_rows(shop, policy) == [
        # item 3 is like item 1; of the second day's user the row is older than two days
        [1, 6, None, 6, None],
        [1, 7, 72, 6, None],
        [1, 8, 80, 6, None],
        # of query 2 item 2 is positive, which no other is like, and item 6 has not come yet
        [2, 1, 10, 9, 30],
        [2, 3, 10, 9, 30],
        [2, 7, 71, 9, 30],
        [2, 8, None, 9, 30],
    ]


def test_shown_and_random_items_see_the_same(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    """Each item that a list shows is random in the other list of the same moment and query."""
    shop.show(100, [1, 7], clicked=[1], query_id=1)
    shop.show(200, [2, 8], clicked=[1], query_id=1, user_key="u2")
    policy = make_policy(negatives=EVERYTHING)
    rows = shop.engine.frame(examples_sql(policy, shop.problem, relations(shop, policy)))
    rows = rows[rows["part"] == "train"].set_index(["group_id", "item_id"])
    for item, shown, other in ((7, 100, 200), (8, 200, 100)):
        assert (rows.loc[(shown, item), "origin"], rows.loc[(other, item), "origin"]) == (
            "shown",
            "random",
        )
        same = rows.loc[[(shown, item), (other, item)], ["price", "clicks"]]
        assert same.drop_duplicates().shape == (1, 2)
        # users are those of the list that an item is in
        assert rows.loc[(shown, item), "age"] != rows.loc[(other, item), "age"]


def test_the_guard_knows_items_by_their_tables(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 2], clicked=[1], query_id=1, day=FIRST)
    for tolerance, near in ((0, [3]), (0.5, [3]), (100, [3, 7])):
        policy = make_policy(negatives=EVERYTHING | {"near_duplicates": tolerance})
        query = refused_draws_sql(policy, relations(shop, policy))
        refused = shop.engine.frame(query)
        of = refused[refused["reason"] == "near duplicate of a positive"]
        # an item without a price counts as one of the mean price, which is far from 10 and 20
        assert [item for item in of["item_id"] if item != 8] == near
        later = refused[refused["reason"] == "not in the catalogue yet"]
        assert list(later["item_id"]) == [6]


def test_columns_of_both_sources_stand_side_by_side(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 2], clicked=[1], query_id=1)
    policy = make_policy(negatives=EVERYTHING)
    found = shop.engine.frame(examples_sql(policy, shop.problem, relations(shop, policy, "item_a")))
    random = found[found["origin"] == "random"].set_index("item_id")
    assert random.loc[7, ["price", "item_a"]].tolist() == [71.0, 0.0]


@pytest.mark.parametrize(("known", "leaks"), [("12:00", 0), ("12:01", 1), ("13:00", 1)])
def test_what_was_known_later_is_seen_in_draws(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    known: str,
    leaks: int,
) -> None:
    """Item 7 is never shown: nothing but its draws tells that its row came too early."""
    shop.show(100, [1, 2], clicked=[1], query_id=1)
    versions = [(7, "2026-10-01 12:00", f"2026-10-01 {known}", 71.0)]
    shop.engine.register("price_rows", rows_of(versions, "price"))
    policy = make_policy(negatives=EVERYTHING)
    made = relations(shop, policy)
    block = policy.negatives.random
    assert block is not None
    drawn = shop.engine.frame(leaks_sql(drawn_sql(policy, block, made), TABLES[0])).iloc[0]
    assert (drawn["impressions"], drawn["leaks"]) == (1, leaks)
    shown = shop.engine.frame(leaks_sql(made.signals_train, TABLES[0])).iloc[0]
    assert shown["leaks"] == 0


@pytest.mark.parametrize("kind", ["uniform", "popularity"])
def test_items_of_later_are_not_looked_at_as_draws(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    kind: str,
) -> None:
    """Item 6 comes on the second day: of the first day's list no row of it is made."""
    shop.show(100, [1, 2], clicked=[1], query_id=1)
    versions = [(6, "2026-10-01 00:00", "2026-10-02 00:00", 60.0)]
    shop.engine.register("price_rows", rows_of(versions, "price"))
    policy = make_policy(negatives={"random": {"per_positive": 100, "draw": kind}})
    made = relations(shop, policy)
    block = policy.negatives.random
    assert block is not None
    drawn = shop.engine.frame(leaks_sql(drawn_sql(policy, block, made), TABLES[0])).iloc[0]
    assert (drawn["impressions"], drawn["leaks"]) == (0, 0)
    items = shop.engine.frame(
        f"select distinct item_id from {drawn_sql(policy, block, made)} as drawn"
    )
    assert sorted(items["item_id"]) == [1, 2, 3, 7, 8]
