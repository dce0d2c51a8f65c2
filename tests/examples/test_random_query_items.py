"""Random items of the catalogue at grain query_item, by hand: for a query's rewarded cells."""

from collections.abc import Callable
from datetime import date
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from label_platform.examples import drawn_sql, refused_draws_sql
from label_platform.policy import Policy, load_policy
from label_platform.ranking import TrainingData

POLICIES = Path(__file__).parents[2] / "policies"
MakePolicy = Callable[..., Policy]
LONG_AGO, FIRST, SECOND = date(2026, 9, 1), date(2026, 10, 1), date(2026, 10, 2)
VALIDATE = date(2026, 10, 3)
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
EVERY = {"random": {"per_positive": 100}}
"""So many draws that every item is drawn: what is missing was refused."""


@pytest.fixture
def shop(make_shop: Callable[..., Any]) -> Any:  # noqa: ANN401
    shop = make_shop(features=[])
    shop.stock(STOCK)
    return shop


def of_cells(make_policy: MakePolicy, **changes: object) -> Policy:
    return make_policy(**({"grain": "query_item", "negatives": EVERY} | changes))


def random_items(rows: pd.DataFrame) -> dict[int, list[int]]:
    random = rows[rows["origin"] == "random"]
    return {
        int(str(group)): [int(item) for item in items]
        for group, items in random.groupby("group_id")["item_id"]
    }


def refused(shop: Any, policy: Policy) -> list[tuple[Any, ...]]:  # noqa: ANN401
    query = refused_draws_sql(policy, shop.relations(policy))
    assert query is not None
    return [tuple(row) for row in shop.engine.rows(query)]


def test_a_query_stands_for_the_list(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 4], clicked=[1], query_id=1)
    shop.show(200, [2], clicked=[1], query_id=1)
    shop.show(300, [7], clicked=[1], query_id=2)
    # no person saw item 5 for query 1, but it was shown: nothing says that it was not wanted
    shop.show(400, [5], query_id=1, excluded_reason="clicks_per_minute")
    shop.show(500, [2], query_id=3)
    policy = of_cells(make_policy)
    assert random_items(shop.examples(policy)) == {
        # not 1, 2, 4 and 5: some list of the query showed them; not 3: like 1; not 6: later
        1: [7, 8],
        2: [1, 2, 3, 4, 5, 8],
        # query 3 has no positive, and so gets none
    }
    assert refused(shop, policy) == [
        ("train", 1, 1, "random", "shown for the query"),
        ("train", 1, 2, "random", "shown for the query"),
        ("train", 1, 3, "random", "near duplicate of a positive"),
        ("train", 1, 4, "random", "shown for the query"),
        ("train", 1, 5, "random", "shown for the query"),
        ("train", 1, 6, "random", "not in the catalogue yet"),
        ("train", 2, 6, "random", "not in the catalogue yet"),
        ("train", 2, 7, "random", "shown for the query"),
    ]


def test_random_rows_of_cells_by_hand(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(100, [1, 2, 3, 4], clicked=[1], query_id=5, day=FIRST)
    shop.show(200, [5, 1], query_id=5, day=SECOND)  # the last impression of the cell (5, 1)
    shop.show(300, [7], clicked=[1], query_id=5, day=VALIDATE)
    policy = of_cells(make_policy, negatives={"random": {"per_positive": 100, "weight": 0.5}})
    rows = shop.examples(policy)
    random = rows[rows["origin"] == "random"]
    for column in ("impression_id", "position", "expected_examinations"):
        assert random[column].isna().all()
    # as on the second day: item 6 has come, and item 8 has changed. Item 7 is shown only later:
    # what validation days will reward, training days do not know
    keys = ["group_id", "query_id", "item_id", "label", "weight", "raw_label", "item_a"]
    assert random[keys].to_numpy().tolist() == [
        [5, 5, 6, 0, 0.5, 0, 0.6],
        [5, 5, 7, 0, 0.5, 0, 0.7],
        [5, 5, 8, 0, 0.5, 0, 0.9],
    ]
    assert random[["raw_weight", "impressions"]].to_numpy().tolist() == [[0, 0]] * 3
    # the cells stay what they are without the block: 1 click in 2 impressions of item 1
    cells = rows[rows["origin"] == "cell"]
    expected = [[1, 0.5, 1], [2, 0, 1], [3, 0, 1], [4, 0, 1], [5, 0, 1]]
    assert cells[["item_id", "label", "weight"]].to_numpy().tolist() == expected
    assert list(shop.examples(policy, part="validate")["origin"]) == ["cell"]


def test_a_reward_that_was_taken_back_draws_nothing(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    signals = {"click": {"gain": 1}, "purchase": {"gain": -1}}
    shop.show(100, [1], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [2], clicked=[1], query_id=2, day=FIRST)
    shop.show(300, [1], query_id=1, day=SECOND, purchase=1)
    assert list(random_items(shop.examples(of_cells(make_policy, signals=signals)))) == [2]


def draw(positive: str, number: int) -> int:
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
    # shown 2, 2, 1 and 0 times: numbers 0-2 are item 1, 3-5 item 2, 6-7 item 3, and 8 item 4
    items = [1] * 3 + [2] * 3 + [3] * 2 + [4]
    drawn: dict[int, list[int]] = {}
    for query in (1, 2):
        numbers = [draw(f"{query}|1", number) % 9 for number in range(24)]
        drawn[query] = [items[number] for number in numbers if items[number] != 1][:6]
    weights = {item: (1 / 4) / (items.count(item) / 9) for item in (2, 3, 4)}
    together = [weights[item] for of_query in drawn.values() for item in of_query]
    mean = sum(together) / len(together)
    expected = [
        [query, item, 0.5 * of_query.count(item) * (weights[item] / mean if log_q else 1)]
        for query, of_query in drawn.items()
        for item in sorted(set(of_query))
    ]
    block = {"per_positive": 6, "weight": 0.5, "draw": "popularity", "log_q": log_q}
    rows = shop.examples(of_cells(make_policy, negatives={"random": block}))
    found = rows[rows["origin"] == "random"][["group_id", "item_id", "weight"]]
    assert found[["group_id", "item_id"]].to_numpy().tolist() == [row[:2] for row in expected]
    assert list(found["weight"]) == pytest.approx([row[2] for row in expected], abs=1e-6)
    assert found["weight"].sum() == pytest.approx(0.5 * 2 * 6, abs=1e-5)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_cell_gets_its_number_whatever_the_order_of_rows(
    make_shop: Callable[..., Any], make_policy: MakePolicy, seed: int
) -> None:
    drawn = []
    for threads, turned in ((1, False), (2, True)):
        shop = make_shop(threads=threads, features=[])
        shop.stock([(item, LONG_AGO, float(item)) for item in range(1000)])
        for query in range(30):
            # two lists that reward the same cell are one cell, not two positives
            for again in (0, 1):
                shop.show(100 * query + again, [1, 2, 3], clicked=[1, 3], query_id=query + seed)
        if turned:
            shop.shown[FIRST].reverse()
        negatives = {"random": {"per_positive": 2}}
        drawn.append(random_items(shop.examples(of_cells(make_policy, negatives=negatives))))
    assert drawn[0] == drawn[1]
    assert {len(items) for items in drawn[0].values()} == {2 * 2}
    assert all(len(set(items)) == len(items) for items in drawn[0].values())


def test_a_doubly_robust_label_of_what_was_not_shown_is_all_prediction(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(100, [1, 2], clicked=[1], query_id=1)
    policy = of_cells(make_policy, debias={"method": "doubly_robust", "clip": 0.01})
    rows = shop.examples(policy, shop.theta([1.0, 0.5]))
    # of shown cells 1 - theta / max(theta, clip) = 0 is the prediction's
    shares = rows[["item_id", "origin", "prediction_share", "information"]]
    random = shares[shares["origin"] == "random"]
    assert sorted(random["item_id"]) == [4, 5, 7, 8]
    assert set(random["prediction_share"]) == {1}
    assert set(random["information"]) == {0}
    assert set(shares[shares["origin"] == "cell"]["prediction_share"]) == {0}


def is_sampled(query: int, item: int, rate: float) -> bool:
    digits = md5(f"never_examined|{query}|{item}".encode(), usedforsecurity=False).hexdigest()
    return int(digits[:8], 16) < rate * 2**32


@pytest.mark.parametrize("first_query", [1, 1001])
def test_the_shipped_policy_by_hand(make_shop: Callable[..., Any], first_query: int) -> None:
    shop = make_shop(features=[])
    queries = range(first_query, first_query + 12)
    # what lists show is 1, 2, 3 and 4, with a standard deviation above .8: a tenth of it makes 21,
    # .01 from the positive, its near duplicate, and no other item
    shop.stock([(item, LONG_AGO, float(item)) for item in range(1, 21)] + [(21, LONG_AGO, 1.01)])
    for query in queries:
        shop.show(query, [1, 2, 3], clicked=[1], query_id=query)
    for request_id in range(9000, 9030):
        shop.show(request_id, [4], query_id=999)  # 4 is popular elsewhere
    policy = load_policy(POLICIES / "coec_never_shown.yaml")
    rows = shop.examples(policy, shop.theta([0.8, 0.6, 0.02]))
    rows = rows[rows["group_id"] != 999]
    cells, random = (rows[rows["origin"] == origin] for origin in ("cell", "random"))
    # label 1 / .8 and 0; item 3 has .05, the clip, below .5: one in five, for five
    kept = [query for query in queries if is_sampled(query, 3, 0.2)]
    keys = ["group_id", "item_id", "label", "weight", "expected_examinations"]
    assert cells[keys].to_numpy().tolist() == [
        row
        for query in queries
        for row in (
            [query, 1, 1 / 0.8, 1, 0.8],
            [query, 2, 0, 1, 0.6],
            *([[query, 3, 0, 1 / 0.2, 0.05]] if query in kept else []),
        )
    ]
    assert 0 < len(kept) < 12
    # shown 12, 12, 12 and 30 times: numbers 0 to 12 are item 1, and so on; others have one number
    shown = {1: 12, 2: 12, 3: 12, 4: 30}
    items = [item for item in range(1, 22) for _ in range(shown.get(item, 0) + 1)]
    drawn = {}
    for query in queries:
        numbers = [draw(f"{query}|1", number) % len(items) for number in range(2 * 4)]
        drawn[query] = [item for item in map(items.__getitem__, numbers) if 3 < item < 21][:2]
    # log_q: (uniform chance) / (chance), and half an examination for a draw on average
    ratios = {item: (1 / 21) / (items.count(item) / len(items)) for item in range(4, 21)}
    mean = np.mean([ratios[item] for of_query in drawn.values() for item in of_query])
    weight = {
        (query, item): 0.5 * of_query.count(item) * ratios[item] / mean
        for query, of_query in drawn.items()
        for item in sorted(set(of_query))
    }
    assert random[["group_id", "item_id"]].to_numpy().tolist() == [list(key) for key in weight]
    assert set(random["label"]) == {0}
    assert list(random["weight"]) == pytest.approx(list(weight.values()), abs=1e-6)
    # the popular item, and others
    assert {item == 4 for _, item in weight} == {True, False}
    # the ranker weighs cells by their examinations, and draws as they are
    data = TrainingData.from_examples(rows, policy.rankers[0], ["item_a"])
    weight |= {(query, item): theta for query in queries for item, theta in ((1, 0.8), (2, 0.6))}
    weight |= {(query, 3): 0.05 / 0.2 for query in kept}
    assert data.weight.tolist() == pytest.approx([weight[key] for key in sorted(weight)], abs=1e-6)


def test_draws_are_looked_at_as_if_they_had_been_shown(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(100, [1], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [1], query_id=1, day=SECOND)
    policy = of_cells(make_policy)
    assert policy.negatives.random is not None
    relations = shop.relations(policy)
    drawn = shop.engine.rows(drawn_sql(policy, policy.negatives.random, relations))
    assert sorted(item for item, *_ in drawn) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {str(shown_at.date()) for _, shown_at, _ in drawn} == {str(SECOND)}
