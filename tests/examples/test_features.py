import re
from datetime import date
from typing import Any

import pytest

from label_platform.examples import (
    FeatureColumns,
    JoinedTable,
    require_logged_score,
    resolve_features,
)
from label_platform.policy import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

SIGNAL_COLUMNS = [
    "impression_id",
    "position",
    "device",
    "f_price",
    "f_age",
    "purchase",
    "purchase_delay_s",
    "list_length",
    "last_clicked_position",
    "excluded_reason",
]
ITEM_COLUMNS = ["item_id", "valid_from", "title", "item_rating", "item_brand"]


def problem(**globs: list[str]) -> Problem:
    content: dict[str, Any] = {
        "name": "shop",
        "start_date": date(2026, 10, 1),
        "logs": [{"format": "native", "impressions": "i", "interactions": "e"}],
        "signals": {"purchase": {"window": "3d"}},
        "policies": {"use": ["raw_click"]},
    }
    return Problem.model_validate(content | globs)


@pytest.mark.parametrize(
    ("globs", "impression", "item"),
    [
        ({"features": ["f_*"], "item_features": ["item_*"]}, ("f_age", "f_price"), None),
        ({"features": ["f_price"], "item_features": ["*rating"]}, ("f_price",), ("item_rating",)),
        # neither keys nor position nor the outcome itself, whatever a glob matches
        ({"features": ["*"], "item_features": ["*"]}, ("f_age", "f_price"), None),
        ({"features": ["f_*", "f_price"]}, ("f_age", "f_price"), ()),
        ({}, (), ()),
    ],
)
def test_globs_meet_columns_that_can_be_features(
    globs: dict[str, list[str]], impression: tuple[str, ...], item: tuple[str, ...] | None
) -> None:
    found = resolve_features(problem(**globs), SIGNAL_COLUMNS, ITEM_COLUMNS)
    every_item = ("item_brand", "item_rating")
    assert found == FeatureColumns(impression, every_item if item is None else item)


@pytest.mark.parametrize(
    ("globs", "message"),
    [
        (
            {"features": ["f_prise"]},
            (
                "shop: features: 'f_prise' matches no feature column; did you mean 'f_price'? "
                "valid: f_age, f_price"
            ),
        ),
        (
            {"features": ["purchase"]},
            (
                "shop: features: 'purchase' matches no feature column; did you mean 'f_price'? "
                "valid: f_age, f_price"
            ),
        ),
        (
            {"item_features": ["itm_*"]},
            (
                "shop: item_features: 'itm_*' matches no feature column; did you mean "
                "'item_brand'? valid: item_brand, item_rating"
            ),
        ),
    ],
)
def test_a_glob_that_matches_nothing_names_the_nearest(
    globs: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        resolve_features(problem(**globs), SIGNAL_COLUMNS, ITEM_COLUMNS)


def test_names_that_are_taken_are_told_together() -> None:
    features = problem(features=["f_*", "weight"], item_features=["f_*", "item_*"])
    with pytest.raises(ConfigurationError) as refusal:
        resolve_features(features, [*SIGNAL_COLUMNS, "weight"], [*ITEM_COLUMNS, "f_price"])
    assert str(refusal.value).splitlines() == [
        "shop: features: 'weight' is a name that the platform uses itself; rename it",
        "shop: item_features: 'f_price' is logged with the impression too; rename one",
    ]
    with pytest.raises(ConfigurationError, match=r"item_features: 'item_\*' matches .* are none"):
        resolve_features(problem(item_features=["item_*"]), SIGNAL_COLUMNS, [])


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("f_price", True),  # logged, though no glob names it
        ("F_Price", True),  # columns are the same in capitals
        ("Weight", True),
        ("prediction", True),
        ("_own_draw", True),
        ("draw", False),
        ("clicks", False),
        ("platform_web", False),
    ],
)
def test_names_of_a_tables_columns(name: str, is_taken: bool) -> None:  # noqa: FBT001
    table = JoinedTable("more", "item", "rows", (name,))
    if not is_taken:
        found = resolve_features(problem(), SIGNAL_COLUMNS, ITEM_COLUMNS, [table])
        assert found.joined == (name,)
        return
    words = f"shop: feature_tables.more: the name '{name}' is taken, by the platform, a signal"
    with pytest.raises(ConfigurationError, match=words):
        resolve_features(problem(), SIGNAL_COLUMNS, ITEM_COLUMNS, [table])


def by_score(score: str) -> Policy:
    content = {
        "name": "mine",
        "grain": "impression",
        "signals": {"purchase": {"gain": 1.0}},
        "negatives": {"hard": {"by": "score", "score": score}},
        "rankers": [{"objective": "pointwise"}],
    }
    return Policy.model_validate(content)


@pytest.mark.parametrize("score", ["f_bm52", "f_brand", "item_rating", "t_clicks"])
def test_the_logging_rankers_score_is_a_number_that_logs_have(score: str) -> None:
    """None is one that nobody logged, a text, a feature of items, one of a feature table."""
    columns = FeatureColumns(("f_bm25", "f_brand", "f_price"), ("item_rating",), ("t_clicks",))
    require_logged_score(by_score("f_bm25"), columns, ["f_brand"])
    with pytest.raises(ConfigurationError) as refusal:
        require_logged_score(by_score(score), columns, ["f_brand"])
    told = f"negatives.hard.score: {score!r} is none of the numbers that the logs have for each"
    assert told in str(refusal.value)
    assert str(refusal.value).endswith("valid: f_bm25, f_price")
    if score == "f_bm52":
        assert "did you mean 'f_bm25'?" in str(refusal.value)
    with pytest.raises(ConfigurationError, match="for each impression; there are none"):
        require_logged_score(by_score(score), FeatureColumns((), ("item_rating",)), [])
