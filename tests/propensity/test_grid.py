"""Positions as pages, rows and columns."""

from pathlib import Path

import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.problem import load_problem
from label_platform.propensity.grid import slot_name, slots, with_slots
from label_platform.propensity_settings import Grid
from label_platform.strict_yaml import ConfigurationError

PAGED = Grid(columns=3, rows=2)
ENDLESS = Grid(columns=4)


def test_slots_by_hand() -> None:
    # two rows of three on a page: 1 2 3 / 4 5 6, then 7 8 9 / 10 11 12 on page 2
    found = slots(range(1, 14), PAGED)
    assert list(found.columns) == ["page", "row", "column"]
    assert found["page"].tolist() == [1] * 6 + [2] * 6 + [3]
    assert found["row"].tolist() == [1, 1, 1, 2, 2, 2] * 2 + [1]
    assert found["column"].tolist() == [1, 2, 3] * 4 + [1]


def test_without_rows_there_is_one_page_without_end() -> None:
    found = slots([1, 4, 5, 401], ENDLESS)
    assert found.to_numpy().tolist() == [[1, 1, 1], [1, 1, 4], [1, 2, 1], [1, 101, 1]]


@pytest.mark.parametrize(("grid", "rows"), [(Grid(columns=1, rows=1), 1), (Grid(columns=1), None)])
def test_a_single_column(grid: Grid, rows: int | None) -> None:
    last = slots([7], grid).iloc[0]
    assert (last["page"], last["row"]) == ((7, 1) if rows else (1, 7))
    assert last["column"] == 1


def test_slots_follow_the_order_of_the_positions_and_need_none() -> None:
    shuffled = pd.Series([12, 1, 1], index=[5, 5, 2])
    assert slots(shuffled, PAGED).to_numpy().tolist() == [[2, 2, 3], [1, 1, 1], [1, 1, 1]]
    assert slots([], PAGED).shape == (0, 3)


@pytest.mark.parametrize(
    ("position", "grid", "name"),
    [
        (9, PAGED, "page 2, row 1, column 3"),
        (1, PAGED, "page 1, row 1, column 1"),
        (3, ENDLESS, "row 1, column 3"),
        (8, ENDLESS, "row 2, column 4"),
    ],
)
def test_a_slot_in_words(position: int, grid: Grid, name: str) -> None:
    assert slot_name(position, grid) == name


def test_there_is_no_position_0() -> None:
    with pytest.raises(ValueError, match="positions start at 1, found 0"):
        slots([2, 0], PAGED)


@pytest.mark.parametrize("grid", [None, PAGED, ENDLESS])
def test_sql_sees_integers_with_and_without_a_grid(grid: Grid | None) -> None:
    table = pd.DataFrame({"position": [9, 1]}, index=[3, 3])
    with Engine() as engine:
        engine.register("curves", with_slots(table, grid))
        kinds = engine.schema("curves")
        found = engine.rows("select page, grid_row, grid_column from curves order by position desc")
    assert [kinds[name] for name in ("page", "grid_row", "grid_column")] == ["INTEGER"] * 3
    if grid is None:
        assert [tuple(row) for row in found] == [(None, None, None)] * 2
    else:
        page = (2, 1, 3) if grid is PAGED else (1, 3, 1)
        assert [tuple(row) for row in found] == [page, (1, 1, 1)]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("{columns: 0, rows: 6}", r"line 6: propensity.grid.columns: .*greater than or equal to 1"),
        ("{columns: 4, rows: 0}", r"propensity.grid.rows: .*greater than or equal to 1"),
        ("{rows: 6}", r"propensity.grid.columns: .*required"),
        ("{columns: 4, row: 6}", r"propensity.grid.row: unknown key; did you mean 'rows'\?"),
    ],
)
def test_a_grid_that_cannot_be_is_named(tmp_path: Path, grid: str, words: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(
        "name: shop\n"
        "start_date: 2026-10-01\n"
        "logs: [{format: native, impressions: i/*.parquet, interactions: e/*.jsonl}]\n"
        "signals: {click: {window: 30m}}\n"
        "policies: {use: [raw_click]}\n"
        f"propensity: {{grid: {grid}}}\n"
    )
    with pytest.raises(ConfigurationError, match=words):
        load_problem(path)
