from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
LONG_AGO, FIRST, SECOND = date(2026, 9, 1), date(2026, 10, 1), date(2026, 10, 2)
STOCK = [
    (1, LONG_AGO, 0.1),
    (2, LONG_AGO, 0.2),
    (3, LONG_AGO, 0.1),  # a near duplicate of item 1
    (4, LONG_AGO, 0.4),
    (5, LONG_AGO, 0.5),
    (6, SECOND, 0.6),  # not in the catalogue on the first day
    (7, LONG_AGO, 0.7),
    (8, LONG_AGO, 0.8),
    (8, SECOND, 0.9),
]


@pytest.fixture
def shop(make_shop: Callable[..., Any]) -> Any:  # noqa: ANN401
    shop = make_shop(features=[])
    shop.stock(STOCK)
    return shop


def random_items(rows: pd.DataFrame) -> dict[int, list[int]]:
    random = rows[rows["origin"] == "random"]
    return {
        int(str(group)): [int(item) for item in items]
        for group, items in random.groupby("group_id")["item_id"]
    }


def test_the_guard(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 4], clicked=[1], query_id=1)
    shop.show(200, [2, 5], clicked=[1], query_id=1)
    shop.show(300, [7], clicked=[1], query_id=2)
    shop.show(400, [5], query_id=1)
    # so many draws that every item is drawn: what is missing was refused
    rows = shop.examples(make_policy(negatives={"random": {"per_positive": 100}}))
    assert random_items(rows) == {
        # not 1 and 4: shown; not 2: positive for the query in list 200; not 3: like 1; not 6: later
        100: [5, 7, 8],
        200: [4, 7, 8],
        # what is positive for another query is no reason to refuse it
        300: [1, 2, 3, 4, 5, 8],
        # list 400 has no positive, and so gets none
    }


def test_a_positive_stays_one_when_its_features_change(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    shop = make_shop(features=[])
    shop.stock([(1, LONG_AGO, 0.1), (2, LONG_AGO, 0.2), (2, SECOND, 0.3), (3, LONG_AGO, 0.4)])
    shop.show(100, [2], clicked=[1], day=FIRST)
    shop.show(200, [1], clicked=[1], day=SECOND)
    rows = shop.examples(make_policy(negatives={"random": {"per_positive": 100}}))
    # item 2 looks new on the second day, but it is what the query's first click was on
    assert random_items(rows) == {100: [3], 200: [3]}


def test_random_rows_by_hand(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 2, 3, 4, 5, 6], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [1, 2, 3, 4, 5, 7], clicked=[1], query_id=1, day=SECOND)
    policy = make_policy(negatives={"random": {"per_positive": 100, "weight": 0.5}})
    rows = shop.examples(policy)
    random = rows[rows["origin"] == "random"]
    assert random["impression_id"].isna().all()
    assert random["position"].isna().all()
    assert random["expected_examinations"].isna().all()
    # items as they were when the list was shown: item 8 changed on the second day
    keys = ["group_id", "query_id", "item_id", "label", "weight", "raw_label", "item_a"]
    assert random[keys].to_numpy().tolist() == [
        [100, 1, 7, 0, 0.5, 0, 0.7],
        [100, 1, 8, 0, 0.5, 0, 0.8],
        [200, 1, 6, 0, 0.5, 0, 0.6],
        [200, 1, 8, 0, 0.5, 0, 0.9],
    ]
    assert (random["raw_weight"] == 0).all()
    # all that was shown still trains, and validation has no random rows
    assert (rows["origin"] == "shown").sum() == 5 + 5
    assert "random" not in set(shop.examples(policy, part="validate")["origin"])


def test_each_positive_gets_its_number_of_different_items(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    drawn = []
    for threads, turned in ((1, False), (2, True)):
        shop = make_shop(threads=threads, features=[])
        shop.stock([(item, LONG_AGO, float(item)) for item in range(1000)])
        for request_id in range(50):
            shop.show(request_id, [1, 2, 3], clicked=[1, 3], query_id=request_id)
        if turned:
            shop.shown[FIRST].reverse()
        rows = shop.examples(make_policy(negatives={"random": {"per_positive": 2}}))
        drawn.append(random_items(rows))
    assert drawn[0] == drawn[1]
    assert {len(items) for items in drawn[0].values()} == {2 * 2}
    assert all(len(set(items)) == len(items) for items in drawn[0].values())
    # 200 uniform draws of 1000 items: lists do not all get the same ones
    assert len({item for items in drawn[0].values() for item in items}) > 150
