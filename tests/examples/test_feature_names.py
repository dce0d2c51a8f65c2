"""Features whose names are those of steps on the way to training rows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from label_platform.examples import (
    JoinedTable,
    examples_sql,
    refused_draws_sql,
    with_feature_tables_sql,
)
from label_platform.policy import Policy

MakePolicy = Callable[..., Policy]
ITEMS = (1, 2, 3, 7, 8)
NAMES = (
    *("times", "chance", "uniform_chance", "draw", "number", "correction", "own_correction"),
    *("reason", "cell", "step", "feature_0", "mean_0", "sd_0", "distance", "shown", "first_number"),
    *("is_shown", "is_not_yet", "positive_id", "clicked_above", "gain_sum", "clicks", "share"),
)
POPULAR = {"per_positive": 2, "draw": "popularity"}
NEAR = {"hard": {"by": "features", "per_positive": 1, "weight": 0.5}}
BLOCKS: dict[str, dict[str, Any]] = {
    "uniform": {"random": {"per_positive": 2}, "near_duplicates": 0.01},
    "popularity": {"random": POPULAR | {"log_q": False}},
    "log_q": {"random": POPULAR | {"log_q": True}, "near_duplicates": 0.01},
    "hard": NEAR | {"near_duplicates": 0.01},
    "rank": {"hard": {"by": "rank", "per_positive": 1}, "skip_next": {"depth": 1, "weight": 0.5}},
}
CELLS = {
    "grain": "query_item",
    "debias": {"method": "coec"},
    "negatives": {"never_examined": {"below": 0.5, "rate": 1.0}},
}


@pytest.fixture
def shop(make_shop: Callable[..., Any]) -> Any:  # noqa: ANN401
    shop = make_shop(features=[], item_features=[])
    shop.stock([(item, date(2026, 9, 1), 0.0) for item in ITEMS])
    shop.show(100, [1, 2, 7], clicked=[1], query_id=1)
    shop.show(200, [2, 7, 3], clicked=[1], query_id=1)
    shop.show(300, [3, 8, 1, 2], clicked=[2], query_id=2)
    return shop


@pytest.mark.parametrize("block", [*BLOCKS, "cells"])
def test_names_of_features_change_nothing(
    shop: Any,  # noqa: ANN401
    make_policy: MakePolicy,
    block: str,
) -> None:
    """Rows, labels, weights and features are those of features of any other names."""
    policy = make_policy(**(CELLS if block == "cells" else {"negatives": BLOCKS[block]}))
    theta = shop.theta([1.0, 0.5, 0.25, 0.2]) if block == "cells" else None
    plain = replace(shop.relations(policy, theta), item_feature_columns=())
    made, refused = [], []
    for prefix in ("", "feature_called_"):
        names = tuple(f"{prefix}{name}" for name in NAMES)
        rows = pd.DataFrame({"key_": ITEMS, "from_": pd.Timestamp("2026-09-01", tz="UTC")})
        rows["known_"] = rows["from_"]
        for number, name in enumerate(names):
            rows[name] = rows["key_"] * 100.0 + number
        shop.engine.register("rows_of_items", rows)
        table = JoinedTable("alike", "item", "rows_of_items", names)
        relations = replace(
            plain,
            signals_train=with_feature_tables_sql(plain.signals_train, [table]),
            signals_validate=with_feature_tables_sql(plain.signals_validate, [table]),
            feature_columns=names,
            feature_tables=(table,),
        )
        found = shop.engine.frame(examples_sql(policy, shop.problem, relations))
        for number, name in enumerate(names):
            assert found[name].tolist() == (found["item_id"] * 100.0 + number).tolist()
        made.append(found.drop(columns=list(names)))
        draws = refused_draws_sql(policy, relations)
        refused.append(shop.engine.rows(draws) if draws else [])
    pd.testing.assert_frame_equal(*made)
    assert refused[0] == refused[1]
    wanted = {"uniform": "random", "popularity": "random", "log_q": "random", "cells": "cell"}
    assert wanted.get(block, "hard") in set(made[0]["origin"])
