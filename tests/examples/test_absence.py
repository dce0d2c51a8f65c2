"""Features that random rows lack and shown ones have, counted by hand."""

from collections.abc import Iterator

import pandas as pd
import pytest

from label_platform.examples import ExampleRelations, JoinedTable, absence_sql, absences
from label_platform.lake import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


RELATIONS = ExampleRelations(
    *("labels", "labels", "signals", "signals"),
    feature_columns=("age", "clicks", "colour"),
    item_feature_columns=("price",),
    text_columns=frozenset({"colour"}),
    feature_tables=(
        JoinedTable("people", "user", "rows", ("age",)),
        JoinedTable("counts", "item", "rows", ("clicks", "colour")),
    ),
)


def test_shares_by_hand(engine: Engine) -> None:
    """Of four random rows and two shown ones; the validation row and the user's age do not count"""
    rows = pd.DataFrame(
        {
            "part": ["train"] * 6 + ["validate"],
            "origin": ["random"] * 4 + ["positive", "shown", "shown"],
            "price": [1.0, None, 3.0, 4.0, None, 6.0, None],
            "clicks": [None, None, None, 4.0, 5.0, 6.0, None],
            "colour": [None, "red", "red", "nan", "red", "red", None],
            "age": [None] * 4 + [1.0] * 3,
        }
    )
    engine.register("plain", rows)
    # a number that is none is missing too
    examples = "(select * replace (coalesce(clicks, 'nan'::double) as clicks) from plain)"
    found = list(absences(RELATIONS, engine.row(absence_sql(examples, RELATIONS))))
    assert [(each.source, each.column, each.random, each.shown) for each in found] == [
        ("item_features", "price", 1 / 4, 1 / 2),
        ("feature_tables.counts", "clicks", 3 / 4, 0 / 2),
        ("feature_tables.counts", "colour", 1 / 4, 0 / 2),
    ]
    assert [each.gives_away for each in found] == [False, True, False]


@pytest.mark.parametrize(
    ("random", "shown", "gives_away"),
    [
        (51, 9, True),
        (50, 9, False),
        (51, 10, False),
        (100, 0, True),
        (100, 100, False),
        (0, 0, False),
        (9, 51, True),  # the other way round it tells as much
        (0, 40, False),
    ],
)
def test_the_rule(engine: Engine, random: int, shown: int, gives_away: bool) -> None:  # noqa: FBT001
    hundred = range(100)
    rows = pd.DataFrame(
        {
            "part": "train",
            "origin": ["random"] * 100 + ["shown"] * 100,
            "price": [None if row < random else 1.0 for row in hundred]
            + [None if row < shown else 1.0 for row in hundred],
        }
    ).assign(price=lambda frame: frame["price"].astype(float))
    engine.register("plain", rows)
    relations = ExampleRelations("l", "l", "s", "s", item_feature_columns=("price",))
    [found] = absences(relations, engine.row(absence_sql("plain", relations)))
    assert found.gives_away == gives_away


def test_without_random_rows_nothing_is_told(engine: Engine) -> None:
    rows = pd.DataFrame({"part": ["train"], "origin": ["shown"], "price": [1.0]})
    engine.register("plain", rows)
    relations = ExampleRelations("l", "l", "s", "s", item_feature_columns=("price",))
    assert not list(absences(relations, engine.row(absence_sql("plain", relations))))
