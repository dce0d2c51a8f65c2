"""What is drawn for an old day counts less, as the day does."""

from collections.abc import Callable
from datetime import date
from hashlib import md5
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import examples_sql
from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
LONG_AGO, FIRST, SECOND = date(2026, 9, 1), date(2026, 10, 1), date(2026, 10, 2)


def decayed(shop: Any, policy: Policy, first: float) -> pd.DataFrame:  # noqa: ANN401
    """The random rows where the first day counts by a share, and the second in full."""
    relations: Any = shop.relations(policy)
    days = " union all ".join(
        f"select *, {decay} as decay from {shop.lake.scan('labels', [day], policy.name)}"
        for day, decay in ((FIRST, first), (SECOND, 1.0))
    )
    changed = {"labels_train": f"({days})", "labels_validate": f"({days})"}
    relations = type(relations)(**{**relations.__dict__, **changed})
    rows: pd.DataFrame = shop.engine.frame(examples_sql(policy, shop.problem, relations))
    return rows[rows["origin"] == "random"]


@pytest.mark.parametrize(
    ("grain", "expected"),
    [
        ("impression", {(100, 7): 0.25 * 0.5, (200, 6): 1.0 * 0.5}),
        ("query_item", {(1, 6): 0.25 * 0.5, (2, 7): 1.0 * 0.5}),
    ],
)
def test_draws_for_old_days_count_less(
    make_shop: Callable[..., Any],
    make_policy: MakePolicy,
    grain: str,
    expected: dict[tuple[int, int], float],
) -> None:
    shop = make_shop(features=[])
    shop.stock([(item, LONG_AGO, float(item)) for item in (1, 2, 6, 7)])
    shop.show(100, [1, 2, 6 if grain == "impression" else 7], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [1, 2, 7 if grain == "impression" else 6], clicked=[1], query_id=2, day=SECOND)
    policy = make_policy(
        grain=grain,
        negatives={"random": {"per_positive": 100, "weight": 0.5}},
        decay={"half_life": "12h"},
    )
    random = decayed(shop, policy, 0.5**2)
    found = zip(random["group_id"], random["item_id"], random["weight"], strict=True)
    assert {(int(group), int(item)): weight for group, item, weight in found} == expected


def test_a_cell_is_as_old_as_its_last_day(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    shop = make_shop(features=[])
    shop.stock([(item, LONG_AGO, float(item)) for item in (1, 2, 6)])
    shop.show(100, [1, 2], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [1, 2], clicked=[1], query_id=1, day=SECOND)
    policy = make_policy(
        grain="query_item",
        negatives={"random": {"per_positive": 100, "weight": 0.5}},
        decay={"half_life": "12h"},
    )
    random = decayed(shop, policy, 0.5**2)
    assert random[["item_id", "weight"]].to_numpy().tolist() == [[6, 1.0 * 0.5]]


def test_popular_draws_decay_one_by_one(
    make_shop: Callable[..., Any], make_policy: MakePolicy
) -> None:
    shop = make_shop(features=[])
    shop.stock([(item, LONG_AGO, float(item)) for item in (1, 2, 3)])
    shop.show(100, [1], clicked=[1], query_id=1, day=FIRST)
    shop.show(200, [2], clicked=[1], query_id=1, day=SECOND)
    policy = make_policy(
        grain="query_item",
        negatives={"random": {"per_positive": 3, "draw": "popularity", "log_q": False}},
        decay={"half_life": "1d"},
    )
    random = decayed(shop, policy, 0.5)
    # item 3 alone is not positive; chances are (1 + 1) : (1 + 1) : (0 + 1), so 4 of 0 to 4 is its
    passed = [
        min(3, sum(_number(f"1|{item}", each) % 5 == 4 for each in range(3 * 4))) for item in (1, 2)
    ]
    assert min(passed) > 0
    assert random[["group_id", "item_id", "weight"]].to_numpy().tolist() == [
        [1, 3, passed[0] * 0.5 + passed[1] * 1.0]
    ]


def _number(positive: str, draw: int) -> int:
    return int(
        md5(f"random|{positive}|{draw}".encode(), usedforsecurity=False).hexdigest()[:15], 16
    )
