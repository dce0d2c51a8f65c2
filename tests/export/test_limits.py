"""What would go wrong in a program that reads the files is said before it happens."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from label_platform.export import TARGETS, Facts, findings, gather_facts, parse_scale
from label_platform.lake import Engine
from label_platform.strict_yaml import ConfigurationError

FINE = Facts(
    rows=1000,
    groups=100,
    largest_group=10,
    lowest=0.0,
    highest=2.5,
    weights=1,
    groups_of_mixed_weights=0,
    repeated_items=0,
    ids_with_spaces=0,
    missing={},
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def said(
    to: str,
    *,
    ranks: bool = True,
    scale: str | None = None,
    left_out: tuple[str, ...] = (),
    **changes: object,
) -> list[tuple[str, str]]:
    target = TARGETS[to]
    chosen = parse_scale(scale or (target.ranking_scale if ranks else target.scale))
    facts = replace(FINE, **changes)  # type: ignore[arg-type] # a test's own changes
    return [
        (each.level, each.text) for each in findings(target, facts, chosen, left_out, ranks=ranks)
    ]


@pytest.mark.parametrize("to", ["lightgbm", "xgboost", "svmrank", "parquet"])
def test_what_a_program_can_read_is_not_warned_of(to: str) -> None:
    assert said(to) == []
    assert said(to, ranks=False) == []


@pytest.mark.parametrize("to", list(TARGETS))
def test_nothing_to_learn_from_is_an_error(to: str) -> None:
    assert ("error", "constant labels: 2.5 in all 1,000 rows") in said(to, lowest=2.5)
    assert ("error", "there are no rows with weight") in said(to, rows=0)


@pytest.mark.parametrize(
    ("to", "changes", "level", "words"),
    [
        ("lightgbm", {"largest_group": 10_001}, "error", "more than 10,000 rows, the largest"),
        ("lightgbm", {"scale": "as_is"}, "error", "takes whole labels"),
        ("lightgbm", {"scale": "as_is", "lowest": -1.0}, "error", "labels of 0 or more"),
        ("xgboost", {"scale": "as_is", "lowest": -1.0}, "error", "labels of 0 or more"),
        ("xgboost", {"groups_of_mixed_weights": 7}, "warning", "in 7 of 100 groups rows differ"),
        ("svmrank", {"weights": 3}, "warning", "knows no weights: the 3 different ones"),
        ("svmrank", {"missing": {"a": 4, "b": 9}}, "warning", "most of all b in 9 of 1,000 rows"),
        ("ranklib", {"missing": {"a": 4}}, "warning", "takes a missing value for 0"),
        ("ranklib", {"scale": "as_is"}, "error", "whole grades from 0 on"),
        ("ranklib", {"scale": "levels"}, "error", "overflows above 31; found levels"),
        ("ranklib", {}, "warning", "labels become 5 grades"),
        ("trec", {"ids_with_spaces": 2}, "error", "2 rows have such ids"),
        ("trec", {"repeated_items": 3}, "warning", "the highest grade counts"),
        ("svmrank", {"left_out": ("brand", "hue")}, "warning", "2 features are text and are left"),
        ("ranklib", {"left_out": ("brand",)}, "warning", "and are left out: brand"),
        ("xgboost", {"left_out": ("id",)}, "warning", "text of more than 10,000 values and are"),
        ("lightgbm", {"largest_group": 1}, "warning", "there is nothing to rank"),
    ],
)
def test_each_limit_is_named(to: str, changes: dict[str, object], level: str, words: str) -> None:
    found = said(to, **changes)  # type: ignore[arg-type] # a test's own changes
    assert any(of == level and words in text for of, text in found), found


def test_facts_are_counted(engine: Engine) -> None:
    rows = pd.DataFrame(
        {
            "group_id": ["a", "a", "a", "b b", "b b", "c"],
            "item_id": ["1", "2", "2", "1", "2", "9"],
            "label": [0.0, 1.5, -2.0, 0.0, 0.0, 0.0],
            "weight": [1.0, 1.0, 1.0, 1.0, 2.0, 3.0],
            "x": [1.0, np.nan, None, 4.0, 5.0, 6.0],
            "y": [1, 2, 3, 4, 5, 6],
        }
    )
    engine.register("rows_", rows)
    assert gather_facts(engine, "rows_", ("x", "y")) == Facts(
        rows=6,
        groups=3,
        largest_group=3,
        lowest=-2.0,
        highest=1.5,
        weights=3,
        groups_of_mixed_weights=1,
        repeated_items=1,
        ids_with_spaces=2,
        missing={"x": 2},
    )


@pytest.mark.parametrize("text", ["level", "grades", "grades:1", "grades:101", "grades:x", ""])
def test_other_scales_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected as_is, levels, or grades:2"):
        parse_scale(text)
