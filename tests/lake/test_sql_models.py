from pathlib import Path

import pytest

from label_platform.lake import (
    Engine,
    ModelError,
    checks_of,
    create_models,
    load_models,
    run_checks,
)


def write(folder: Path, name: str, sql: str) -> None:
    (folder / f"{name}.sql").write_text(sql)
    (folder / f"{name}.yml").write_text(
        f"models: [{{name: {name}, config: {{materialized: view}}}}]"
    )


def test_models_run_in_the_order_of_their_references(tmp_path: Path) -> None:
    write(tmp_path, "a_last", "select x + 1 as x from {{ ref('b_middle') }}")
    write(tmp_path, "b_middle", "select x * 2 as x from {{ ref('c_first') }}")
    write(tmp_path, "c_first", "select x + {{ var('n') }} as x from {{ source('lake', 't') }}")
    with Engine() as engine:
        create_models(
            engine,
            ["a_last"],
            variables={"n": 3},
            sources={"t": "(select 4 as x)"},
            models=load_models(tmp_path),
        )
        assert engine.row("from a_last") == ((4 + 3) * 2 + 1,)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select {{ var('missing') }}", "var 'missing' is not among"),
        ("from {{ source('lake', 'missing') }}", "source 'missing' is not among"),
        ("from {{ ref('missing') }}", "no model is named 'missing'"),
        ("from {{ undefined_name }}", "undefined_name"),
        ("{% for %}", "broken.sql"),
    ],
)
def test_a_broken_model_is_named(tmp_path: Path, sql: str, words: str) -> None:
    write(tmp_path, "broken", sql)
    with Engine() as engine, pytest.raises(ModelError, match=words):
        create_models(engine, ["broken"], variables={}, sources={}, models=load_models(tmp_path))


def test_a_model_without_description_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lonely.sql").write_text("select 1")
    with pytest.raises(ModelError, match=r"expected lonely\.yml beside it"):
        load_models(tmp_path)


def test_checks_count_the_rows_that_break_them() -> None:
    spec = {
        "columns": [
            {"name": "id", "data_tests": ["not_null", "unique"]},
            {"name": "kind", "data_tests": [{"accepted_values": {"arguments": {"values": ["a"]}}}]},
            {
                "name": "n",
                "data_tests": [{"accepted_range": {"arguments": {"min_value": 1, "max_value": 2}}}],
            },
        ]
    }
    rows = "(values (1, 'a', 1), (1, 'b', 0), (null, null, 3)) as t(id, kind, n)"
    with Engine() as engine:
        results = run_checks(engine, rows, checks_of(spec))
    assert {result.name: result.failing_rows for result in results} == {
        "id_not_null": 1,
        "id_unique": 1,
        "kind_accepted_values": 1,
        "n_accepted_range": 2,
    }
    assert not any(result.passed for result in results)


def test_a_value_may_be_unique_within_its_day() -> None:
    unique = {"unique": {"arguments": {"day_of": "moment"}}}
    rows = """(values (1, timestamp '2026-10-01 10:00'), (1, timestamp '2026-10-01 23:00'),
        (1, timestamp '2026-10-02 10:00'), (2, timestamp '2026-10-01 10:00'),
        (null, timestamp '2026-10-01 10:00')) as t(id, moment)"""
    with Engine() as engine:
        [found] = run_checks(
            engine, rows, checks_of({"columns": [{"name": "id", "data_tests": [unique]}]})
        )
    assert (found.name, found.failing_rows) == ("id_unique", 1)


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(ModelError, match="unknown check 'shiny'"):
        checks_of({"columns": [{"name": "a", "data_tests": ["shiny"]}]})
