from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine, SqlError, quote_identifier, quote_literal, scan_parquet


@pytest.mark.parametrize("name", ["plain", 'with "quotes"', "select", "a; drop table x --"])
def test_any_name_survives_quoting(name: str) -> None:
    with Engine() as engine:
        engine.execute(f"create table t ({quote_identifier(name)} integer)")
        assert list(engine.schema("t")) == [name]


def test_any_text_survives_quoting() -> None:
    text = "it's; drop table x -- \\ \n"
    with Engine() as engine:
        assert engine.row(f"select {quote_literal(text)}") == (text,)


@pytest.mark.parametrize("name", ["", "a\x00b"])
def test_names_that_cannot_be_quoted_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a column or table name"):
        quote_identifier(name)


def test_a_refused_statement_says_what_it_was() -> None:
    with Engine() as engine, pytest.raises(SqlError, match="select missing_column"):
        engine.execute("select missing_column")


def test_memory_is_limited_and_work_spills_instead_of_failing() -> None:
    with Engine(memory_limit="200MB", threads=2) as engine:
        rows = engine.row(
            "select count(*) from (select md5(range::varchar) as k, count(*) "
            "from range(3000000) group by 1)"
        )
    assert rows == (3_000_000,)


def test_times_are_utc_whatever_the_machine_thinks() -> None:
    with Engine() as engine:
        assert engine.row("select (timestamptz '2026-10-01 23:30:00-02')::date::varchar") == (
            "2026-10-02",
        )


def test_a_table_can_be_registered_after_any_statement(tmp_path: Path) -> None:
    """An unfinished result would refuse it."""
    target = quote_literal(str(tmp_path / "rows.parquet"))
    with Engine() as engine:
        engine.execute(f"copy (select 1 as a) to {target} (format parquet)")
        engine.register("first", pd.DataFrame({"a": [2]}))
        assert engine.row("select a from first") == (2,)
        engine.register("second", pd.DataFrame({"a": [3]}))
        assert engine.row("select a from second") == (3,)


def test_arrow_tables_keep_the_order_in_which_rows_are_stored(tmp_path: Path) -> None:
    """Several row groups, read by several threads: what is trained on them depends on the order."""
    path = tmp_path / "rows.parquet"
    with Engine(threads=4) as engine:
        engine.execute(
            f"copy (select (range * 7919) % 600011 as place from range(600000) order by place) "
            f"to {quote_literal(str(path))} (format parquet)"
        )
        for _ in range(8):
            places = engine.arrow(f"from {scan_parquet([path])}").column("place").to_numpy()
            assert (np.diff(places) > 0).all()
