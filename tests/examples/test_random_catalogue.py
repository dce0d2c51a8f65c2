from collections.abc import Callable
from datetime import date
from hashlib import md5
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from label_platform.examples import refused_counts_sql, refused_draws_sql
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


def test_what_was_refused_and_why(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 4], clicked=[1], query_id=1)
    shop.show(200, [2, 5], clicked=[1], query_id=1)
    policy = make_policy(negatives={"random": {"per_positive": 100}})
    query = refused_draws_sql(policy, shop.relations(policy))
    assert query is not None
    assert [tuple(row) for row in shop.engine.rows(query)] == [
        ("train", 100, 1, "random", "shown in the list"),
        ("train", 100, 2, "random", "positive for the query"),
        ("train", 100, 3, "random", "near duplicate of a positive"),
        ("train", 100, 4, "random", "shown in the list"),
        ("train", 100, 6, "random", "not in the catalogue yet"),
        ("train", 200, 1, "random", "positive for the query"),
        ("train", 200, 2, "random", "shown in the list"),
        ("train", 200, 3, "random", "near duplicate of a positive"),
        ("train", 200, 5, "random", "shown in the list"),
        ("train", 200, 6, "random", "not in the catalogue yet"),
    ]
    shop.engine.execute(f"create table refused as {query}")
    counted = [
        ("train", "random", "near duplicate of a positive", 2),
        ("train", "random", "not in the catalogue yet", 2),
        ("train", "random", "positive for the query", 2),
        ("train", "random", "shown in the list", 4),
    ]
    for source in (query, "refused"):
        assert [tuple(row) for row in shop.engine.rows(refused_counts_sql(source))] == counted


def test_only_draws_that_were_looked_at_count_as_refused(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    """One item of three passes: draws after it are not looked at."""
    shop = make_shop(features=[])
    shop.stock([(item, LONG_AGO, float(item)) for item in (0, 1, 2)])
    refused: dict[int, list[int]] = {}
    for request_id in range(20):
        shop.show(request_id, [0, 1], clicked=[1], query_id=request_id)
        order = dict.fromkeys(draw(positive_id(request_id, 0), number) % 3 for number in range(4))
        looked_at = list(order)[: list(order).index(2)] if 2 in order else list(order)
        refused[request_id] = sorted(looked_at)
    policy = make_policy(negatives={"random": {}})
    query = refused_draws_sql(policy, shop.relations(policy))
    found = shop.engine.frame(query).groupby("group_id")["item_id"].apply(list).to_dict()
    assert found == {request: items for request, items in refused.items() if items}
    assert any(not items for items in refused.values())


@pytest.mark.parametrize(
    ("tolerance", "expected"),
    [(0, [2, 3, 4, 5]), (0.9, [3, 4, 5]), (1.5, [4, 5]), (2, [4]), (9, [])],
)
def test_near_duplicates_are_told_in_standard_deviations(
    make_shop: Callable[..., Any],
    make_policy: MakePolicy,
    tolerance: float,
    expected: list[int],
) -> None:
    shop = make_shop(features=[])
    values = {1: 0.0, 2: 1.0, 3: 1.6, 4: 9.0, 5: 2.4}
    shop.stock([(item, LONG_AGO, value) for item, value in values.items()])
    # shown: 0 and 2.4, so the standard deviation is 1.2; items 2, 3, 4, 5 are .83, 1.3, 7.5, 2 away
    shop.show(100, [1], clicked=[1], query_id=1)
    shop.show(200, [5], query_id=2)
    block = {"random": {"per_positive": 100}, "near_duplicates": tolerance}
    found = random_items(shop.examples(make_policy(negatives=block))).get(100, [])
    assert found == expected


def positive_id(request_id: int, item_id: int, position: int = 1) -> UUID:
    key = f"{request_id}|{item_id}|{position}".encode()
    return UUID(md5(key, usedforsecurity=False).hexdigest())


def draw(positive: UUID, number: int) -> int:
    key = f"random|{positive}|{number}".encode()
    return int(md5(key, usedforsecurity=False).hexdigest()[:15], 16)


@pytest.mark.parametrize("log_q", [True, False])
def test_draws_by_popularity_by_hand(
    make_shop: Callable[..., Any],
    make_policy: MakePolicy,
    log_q: bool,  # noqa: FBT001
) -> None:
    shop = make_shop(features=[])
    shop.stock([(item, LONG_AGO, float(item)) for item in (1, 2, 3, 4)])
    shop.show(100, [1], clicked=[1], query_id=1)
    shop.show(101, [1], clicked=[1], query_id=2)
    shop.show(200, [2], query_id=3)
    shop.show(300, [2, 3], query_id=3)
    shop.show(400, [2], query_id=3, excluded_reason="clicks_per_minute")  # no person saw it
    # shown 2, 2, 1 and 0 times: numbers 0-2 are item 1, 3-5 item 2, 6-7 item 3, and 8 item 4
    items = [1] * 3 + [2] * 3 + [3] * 2 + [4]
    drawn: dict[int, list[int]] = {}
    for request_id in (100, 101):
        numbers = [draw(positive_id(request_id, 1), number) % 9 for number in range(24)]
        drawn[request_id] = [items[number] for number in numbers if items[number] != 1][:6]
    weights = {item: (1 / 4) / (items.count(item) / 9) for item in (2, 3, 4)}
    together = [weights[item] for list_items in drawn.values() for item in list_items]
    mean = sum(together) / len(together)
    expected = [
        [request, item, 0.5 * list_items.count(item) * (weights[item] / mean if log_q else 1)]
        for request, list_items in drawn.items()
        for item in sorted(set(list_items))
    ]
    block = {"per_positive": 6, "weight": 0.5, "draw": "popularity", "log_q": log_q}
    rows = shop.examples(make_policy(negatives={"random": block}))
    found = rows[rows["origin"] == "random"][["group_id", "item_id", "weight"]]
    assert found[["group_id", "item_id"]].to_numpy().tolist() == [row[:2] for row in expected]
    assert list(found["weight"]) == pytest.approx([row[2] for row in expected], abs=1e-6)
    # an item that is drawn twice is one row that counts twice
    assert found["weight"].sum() == pytest.approx(0.5 * 2 * 6, abs=1e-5)
    assert len(found) < 2 * 6


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_corrected_draws_by_popularity_average_to_uniform_ones(
    make_shop: Callable[..., Any], make_policy: MakePolicy, seed: int
) -> None:
    shop = make_shop(features=[])
    count, draws = 12, 8
    shop.stock([(item, LONG_AGO, float(item)) for item in range(count)])
    for request_id in range(60):
        # each list has its own query and shows item 0, the only one that its guard refuses
        shop.show(1000 * seed + request_id, [0], clicked=[1], query_id=request_id)
    for item in range(count):
        for _ in range(60 // (item + 1)):
            shop.show(999_000, [item], query_id=999)
    block = {"per_positive": draws, "draw": "popularity"}
    rows = shop.examples(make_policy(negatives={"random": block}))
    random = rows[rows["origin"] == "random"]
    total = 60 * draws
    assert random["weight"].sum() == pytest.approx(total, rel=1e-5)
    shares = random.groupby("item_id")["weight"].sum() / total
    chances = {item: 60 // (item + 1) + 1 for item in range(1, count)}
    mass = sum(chances.values())
    for item, chance in chances.items():
        # of each draw: weight w with chance q, and w q = 1 / (count - 1)
        fair = 1 / (count - 1)
        error = ((fair * fair * mass / chance - fair**2) / total) ** 0.5
        assert shares.get(item, 0) == pytest.approx(fair, abs=4 * error)
    mean_of_items = (random["item_id"] * random["weight"]).sum() / total
    assert mean_of_items == pytest.approx(sum(range(1, count)) / (count - 1), abs=0.9)
    uncorrected = shop.examples(make_policy(negatives={"random": block | {"log_q": False}}))
    plain = uncorrected[uncorrected["origin"] == "random"]
    # without the correction the mean item is that of the chances, 3.7, far from 6
    expected = sum(item * chance for item, chance in chances.items()) / mass
    assert (plain["item_id"] * plain["weight"]).sum() / total == pytest.approx(expected, abs=0.7)


def test_the_limit_takes_random_items_before_unexamined_ones(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(100, [2, 1, 4], clicked=[2], query_id=1)
    blocks = {"skip_above": {}, "unexamined": {"rate": 1}, "random": {"per_positive": 100}}
    rows = shop.examples(make_policy(negatives=blocks | {"at_most_per_list": 4}))
    # items 5, 7 and 8 pass the guard
    assert sorted(rows["origin"]) == ["positive", *["random"] * 3, "skip_above"]
    rows = shop.examples(make_policy(negatives=blocks | {"at_most_per_list": 2}))
    kept = min(
        (5, 7, 8),
        key=lambda item: md5(
            f"at_most_per_list|100|{item}".encode(), usedforsecurity=False
        ).hexdigest(),
    )
    assert random_items(rows) == {100: [kept]}
