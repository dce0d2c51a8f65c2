"""Hard negatives by hand: nearest by features, nearest by rank, and the guard."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import refused_counts_sql, refused_draws_sql
from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
LONG_AGO, FIRST, VALIDATE = date(2026, 9, 1), date(2026, 10, 1), date(2026, 10, 3)


def hard(rows: pd.DataFrame, group: int = 1) -> list[int]:
    chosen = rows[(rows["origin"] == "hard") & (rows["group_id"] == group)]
    return [int(item) for item in chosen["item_id"]]


def refused(shop: Any, policy: Policy) -> list[tuple[Any, ...]]:  # noqa: ANN401
    query = refused_draws_sql(policy, shop.relations(policy))
    assert query is not None
    return [tuple(row) for row in shop.engine.rows(query)]


@pytest.mark.parametrize(
    ("clicked", "per_positive", "expected"),
    [
        ([4], 1, [3]),  # 3 and 5 are equally near: the one above
        ([4], 2, [3, 5]),
        ([4], 3, [2, 3, 5]),
        ([1], 2, [2, 3]),
        ([3, 4], 1, [2, 5]),
        ([2, 4], 1, [1, 3]),  # 3 is as near to 2 as 1 is, which is above
        ([1, 3], 1, [2]),  # both take 2, which is one row
        ([], 3, []),
    ],
)
def test_the_nearest_positions(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    clicked: list[int],
    per_positive: int,
    expected: list[int],
) -> None:
    shop.show(1, [1, 2, 3, 4, 5, 6], clicked=clicked)
    block = {"hard": {"by": "rank", "per_positive": per_positive, "weight": 2}}
    rows = shop.examples(make_policy(negatives=block))
    assert hard(rows) == expected
    # hard is a block: without others, only it and what was rewarded train
    assert len(rows) == len(expected) + len(clicked)
    assert set(rows[rows["origin"] == "hard"]["weight"]) <= {2}


def scored(shop: Any, scores: list[float | None], group: int = 1) -> None:  # noqa: ANN401
    """The logged scores of a list, from position 1 on."""
    rows = [row for row in shop.shown[FIRST] if row["request_id"] == group]
    for row, score in zip(rows, scores, strict=True):
        row["f_price"] = score


BY_SCORE = {"by": "score", "score": "f_price"}


@pytest.mark.parametrize(
    ("scores", "per_positive", "expected"),
    [
        # clicked: item 3 of score 4; the others are 5, .5, .25, 1 and 4 away
        ([9, 4.5, 4, 3.75, 3, 0], 1, [4]),
        ([9, 4.5, 4, 3.75, 3, 0], 3, [2, 4, 5]),
        # 4.5 and 3.5 are equally near: the one above, though it is further up than 4 is down
        ([4.5, 9, 4, 3.5, 0, 0], 1, [1]),
        # what is not known is not near, nor is what is no number, however many are asked for
        ([9, None, 4, float("nan"), float("inf"), 0], 9, [1, 6]),
        # nothing is near to a positive whose score is not known
        ([9, 4.5, None, 3.75, 3, 0], 9, []),
        # the smallest differences count: no scale is taken from other lists
        ([4e-12, 3e-12, 1e-12, 9e-12, 5e-12, 6e-12], 1, [2]),
    ],
)
def test_the_nearest_scores_of_the_logging_ranker(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    scores: list[float | None],
    per_positive: int,
    expected: list[int],
) -> None:
    shop.show(1, [1, 2, 3, 4, 5, 6], clicked=[3])
    scored(shop, scores)
    block = BY_SCORE | {"per_positive": per_positive}
    # several are unknown, so alike: the guard is for what is positive elsewhere
    rows = shop.examples(make_policy(negatives={"hard": block}))
    assert hard(rows) == expected


def test_scores_are_known_in_lists_in_random_order_too(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    """The order was drawn, the score was not."""
    shop.show(1, [1, 2, 3, 4], clicked=[2], randomized=True)
    scored(shop, [0, 4, 1, 3])
    assert hard(shop.examples(make_policy(negatives={"hard": BY_SCORE}))) == [4]


def test_ranks_of_lists_in_random_order_say_nothing(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
) -> None:
    shop.show(1, [1, 2, 3], clicked=[2], randomized=True)
    shop.show(2, [4, 5, 6], clicked=[2], query_id=2)
    shop.show(3, [7, 8, 9, 10], clicked=[2], query_id=3)
    # only some places of list 3 were drawn: 7 and 10 stand where the ranker put them, as 8 does
    for row in shop.shown[FIRST]:
        row["randomized"] = row["randomized"] or row["item_id"] == 9
    blocks = {"skip_above": {}, "hard": {"by": "rank", "per_positive": 9}}
    policy = make_policy(negatives=blocks)
    rows = shop.examples(policy)
    assert [hard(rows, group) for group in (1, 2, 3)] == [[], [4, 6], [7, 10]]
    # what is not hard is in its other block, and nothing is counted as refused
    first = rows[rows["group_id"] == 1]
    assert first[["item_id", "origin"]].to_numpy().tolist() == [[1, "skip_above"], [2, "positive"]]
    assert refused(shop, policy) == []
    # by features chance is no matter
    by_features = make_policy(negatives={"hard": {"by": "features"}})
    assert hard(shop.examples(by_features)) == [1]


def test_a_hard_row_leaves_its_block(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [1, 2, 3, 4, 5, 6], clicked=[3])
    blocks = {
        "skip_above": {"weight": 0.5},
        "hard": {"by": "rank", "per_positive": 2, "weight": 2},
        "unexamined": {"rate": 1},
    }
    rows = shop.examples(make_policy(negatives=blocks))
    assert rows[["item_id", "origin", "weight"]].to_numpy().tolist() == [
        [1, "skip_above", 0.5],
        [2, "hard", 2],
        [3, "positive", 1],
        [4, "hard", 2],
        [5, "unexamined", 1],
        [6, "unexamined", 1],
    ]


def test_the_least_distance_over_standardised_features(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    """Prices spread by hundreds, item_a by tenths: raw distances would only know the price."""
    shop = make_shop()
    shop.stock([(1, LONG_AGO, 0.0), (2, LONG_AGO, 0.9), (3, LONG_AGO, 0.1), (4, LONG_AGO, 0.5)])
    prices = {1: 100.0, 2: 110.0, 3: 200.0, 4: 400.0}
    shop.show(1, [1, 2, 3, 4], clicked=[1])
    for row in shop.shown[FIRST]:
        row["f_price"] = prices[row["item_id"]]
    features = pd.DataFrame({"price": list(prices.values()), "a": [0.0, 0.9, 0.1, 0.5]})
    z = (features - features.mean()) / features.std(ddof=0)
    distances = ((z - z.iloc[0]) ** 2).sum(axis=1)
    nearest = [int(item) + 1 for item in distances.sort_values().index[1:]]
    assert nearest == [3, 2, 4]
    for count in (1, 2, 3):
        rows = shop.examples(make_policy(negatives={"hard": {"per_positive": count}}))
        assert hard(rows) == sorted(nearest[:count])


def test_an_unknown_feature_counts_as_the_mean(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [1, 2, 3, 4], clicked=[1])
    prices = [20.0, 10.0, None, 30.0]  # the mean of what is known is 20
    for row, price in zip(shop.shown[FIRST], prices, strict=True):
        row["f_price"] = price
    assert hard(shop.examples(make_policy(negatives={"hard": {}}))) == [3]


def test_a_feature_that_never_varies_adds_nothing(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.stock([(item, LONG_AGO, 5.0) for item in (1, 2, 3)])
    shop.show(1, [1, 2, 3], clicked=[3])
    assert hard(shop.examples(make_policy(negatives={"hard": {}}))) == [2]


def test_the_guard_and_what_it_says(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    # f_price is 10 x the item: item 2 is positive in list 2, of the same query
    shop.show(1, [2, 1, 3, 4, 5], clicked=[2], query_id=1)
    shop.show(2, [2, 6], clicked=[1], query_id=1)
    shop.show(3, [3], clicked=[1], query_id=2)  # of another query: no reason to refuse item 3
    policy = make_policy(negatives={"hard": {"by": "rank"}})
    rows = shop.examples(policy)
    assert hard(rows) == [3]
    assert hard(rows, group=2) == [6]
    found = [row for row in refused(shop, policy) if row[0] == "train"]
    assert found == [("train", 1, 2, "hard", "positive for the query")]


@pytest.mark.parametrize(
    ("tolerance", "expected", "reasons"),
    [(0, [2], []), (0.5, [3], [2]), (1.1, [4], [2, 3]), (100, [], [2, 3, 4])],
)
def test_near_duplicates_are_told_in_standard_deviations(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    tolerance: float,
    expected: list[int],
    reasons: list[int],
) -> None:
    shop.show(1, [1, 2, 3, 4], clicked=[1])
    # mean 2.5; standard deviation sqrt((6.25 + 2.25 + .25 + 12.25) / 4) = 2.291
    for row, price in zip(shop.shown[FIRST], [0.0, 1.0, 2.0, 6.0], strict=True):
        row["f_price"] = price
    policy = make_policy(negatives={"hard": {}, "near_duplicates": tolerance})
    # 1 / 2.291 = .436, 2 / 2.291 = .873, 6 / 2.291 = 2.62
    assert hard(shop.examples(policy)) == expected
    found = [row[2:] for row in refused(shop, policy) if row[0] == "train"]
    assert found == [(item, "hard", "near duplicate of a positive") for item in reasons]


def test_the_same_features_under_another_id(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [1, 2, 3], clicked=[1])
    for row, price in zip(shop.shown[FIRST], [7.0, 7.0, 9.0], strict=True):
        row["f_price"] = price
    policy = make_policy(negatives={"hard": {"by": "rank"}})
    assert hard(shop.examples(policy)) == [3]
    query = refused_draws_sql(policy, shop.relations(policy))
    assert query is not None
    counted = shop.engine.rows(refused_counts_sql(query))
    assert counted[0] == ("train", "hard", "near duplicate of a positive", 1)


def test_validation_days_are_guarded_by_both(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [1, 9], clicked=[1])
    shop.show(2, [2, 1, 3], clicked=[1], day=VALIDATE)
    shop.show(3, [3, 4], clicked=[1], day=VALIDATE)
    policy = make_policy(negatives={"hard": {"by": "rank", "per_positive": 9}})
    rows = shop.examples(policy, part="validate")
    # list 2 has item 1, positive on a training day, and item 3, positive in list 3
    assert hard(rows, group=2) == []
    assert hard(rows, group=3) == [4]
    assert hard(shop.examples(policy)) == [9]


def test_rows_come_alike_whatever_their_order(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    found = []
    for threads, turned in ((1, False), (2, True)):
        shop = make_shop(threads=threads)
        for request_id in range(40):
            items = [(request_id * 7 + step * 3) % 20 for step in range(6)]
            shop.show(request_id, items, clicked=[1 + request_id % 6], query_id=request_id % 9)
        if turned:
            shop.shown[FIRST].reverse()
        policy = make_policy(negatives={"hard": {"per_positive": 2}, "near_duplicates": 0.2})
        rows = shop.examples(policy)
        found.append((rows, refused(shop, policy)))
    pd.testing.assert_frame_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    assert (found[0][0]["origin"] == "hard").sum() > 20


def test_hard_by_features_without_features(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.problem = shop.problem.model_copy(update={"features": ()})
    shop.show(1, [1, 2], clicked=[1])
    with pytest.raises(ValueError, match=r"negatives.hard.by: features needs features"):
        shop.examples(make_policy(negatives={"hard": {}}))
    with pytest.raises(ValueError, match=r"hard.score: no feature 'f_price' is logged"):
        shop.examples(make_policy(negatives={"hard": BY_SCORE}))
    # by rank none are needed, and without features nothing is known to be alike
    rows = shop.examples(make_policy(negatives={"hard": {"by": "rank"}}))
    assert hard(rows) == [2]


def test_without_a_guarded_block_nothing_is_refused(shop: Any, make_policy: MakePolicy) -> None:  # noqa: ANN401
    shop.show(1, [1, 2], clicked=[1])
    policy = make_policy(negatives={"skip_above": {}})
    assert refused_draws_sql(policy, shop.relations(policy)) is None
