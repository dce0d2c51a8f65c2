import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.propensity import estimate_randomized, randomized_statistics_sql
from label_platform.propensity_settings import PropensityGates

ROWS = pd.DataFrame(
    [
        (1, 7, 1, "mobile", "a", True, 2, 10, 3),
        (2, 7, 1, "mobile", "b", True, 2, 5, 2),
        (1, 7, 1, "mobile", "a", False, 2, 100, 90),
        (1, 8, 2, "mobile", "a", True, 2, 10, 1),
        (1, 8, 2, "mobile", "a", True, 3, 4, 4),
        (1, 8, 1, "tv", "a", False, 1, 50, 9),
        (1, 8, 1, None, "a", True, 1, 6, 0),
    ],
    columns=[
        *("query_id", "item_id", "position", "device", "ranker_id"),
        *("randomized", "list_length", "impressions", "clicks"),
    ],
)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (
            ["device"],
            [
                ("mobile", 2, 1, 10 + 5, 3 + 2),
                ("mobile", 2, 2, 10, 1),
                ("mobile", 3, 2, 4, 4),
                ("tv", 1, 1, 0, 0),
                (None, 1, 1, 6, 0),
            ],
        ),
        ([], [(1, 1, 6, 0), (2, 1, 15, 5), (2, 2, 10, 1), (3, 2, 4, 4)]),
    ],
)
def test_randomised_rows_are_summed_and_the_others_count_zero(
    context: list[str], expected: list[tuple[object, ...]]
) -> None:
    with Engine() as engine:
        engine.register("position_statistics", ROWS)
        sql = randomized_statistics_sql("position_statistics", context)
        assert engine.rows(sql) == expected


def test_the_length_of_lists_may_be_a_context() -> None:
    with Engine() as engine:
        engine.register("position_statistics", ROWS)
        found = engine.frame(randomized_statistics_sql("position_statistics", ["list_length"]))
    assert set(found["list_length"]) == {"1", "2", "3"}
    assert set(found["length"]) == {1, 2, 3}
    curve = estimate_randomized(found, ["list_length"], PropensityGates())
    assert "list_length = 2: 6 clicks on 25 randomised impressions" in curve.reason


def test_context_columns_are_quoted_and_come_back_as_text() -> None:
    renamed = ROWS.assign(**{'odd " name': 3})
    with Engine() as engine:
        engine.register("position_statistics", renamed)
        sql = randomized_statistics_sql("(from position_statistics)", ['odd " name'])
        assert {row[0] for row in engine.rows(sql)} == {"3"}
        assert set(engine.schema(f"({sql})").values()) == {"VARCHAR", "BIGINT"}
