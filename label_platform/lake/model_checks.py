"""The checks that a model's ``.yml`` states of its columns, run in one scan of the result."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from label_platform.lake.engine import Engine, quote_identifier, quote_literal
from label_platform.lake.sql_models import ModelError


@dataclass(frozen=True)
class Check:
    """One statement about a column; ``failing`` is SQL that counts the rows that break it."""

    name: str
    description: str
    failing: str


@dataclass(frozen=True)
class CheckResult:
    """What a check found."""

    name: str
    description: str
    failing_rows: int

    @property
    def passed(self) -> bool:
        """Whether no row broke it."""
        return self.failing_rows == 0


def checks_of(spec: dict[str, Any]) -> list[Check]:
    """The checks in a model's ``.yml`` entry.

    Raises:
        ModelError: a kind of check that is not known.
    """
    return [
        _check(column["name"], test)
        for column in spec.get("columns", ())
        for test in column.get("data_tests", ())
    ]


def run_checks(engine: Engine, relation: str, checks: list[Check]) -> list[CheckResult]:
    """Run checks on a relation, all in one scan."""
    if not checks:
        return []
    counts = engine.row(f"select {', '.join(check.failing for check in checks)} from {relation}")
    return [
        CheckResult(check.name, check.description, int(count or 0))
        for check, count in zip(checks, counts, strict=True)
    ]


def _check(column: str, test: str | dict[str, Any]) -> Check:
    kind, arguments = (test, {}) if isinstance(test, str) else next(iter(test.items()))
    given = arguments.get("arguments", arguments)
    quoted = quote_identifier(column)
    if kind == "not_null":
        wrong, words = f"count(*) filter (where {quoted} is null)", "is never null"
    elif kind == "unique":
        wrong, words = _repeated(quoted, given), "is unique"
        if "day_of" in given:
            words = f"is unique within the day of {given['day_of']}"
    elif kind == "accepted_values":
        values = ", ".join(quote_literal(str(value)) for value in given["values"])
        wrong = f"count(*) filter (where {quoted} not in ({values}))"
        words = f"is one of {given['values']}"
    elif kind == "accepted_range":
        bounds = list(_bounds(quoted, given))
        wrong = f"count(*) filter (where {' or '.join(bounds)})"
        words = f"lies within {given.get('min_value', '')} .. {given.get('max_value', '')}"
    else:
        raise ModelError(f"column {column}: unknown check {kind!r}")
    return Check(f"{column}_{kind}", f"{column} {words}", wrong)


def _repeated(quoted: str, given: dict[str, Any]) -> str:
    """Rows beyond the first of each value, or of each value and day of another column."""
    if "day_of" not in given:
        return f"count({quoted}) - count(distinct {quoted})"
    pair = f"({quoted}, cast({quote_identifier(given['day_of'])} as date))"
    return f"count({quoted}) - count(distinct {pair}) filter (where {quoted} is not null)"


def _bounds(quoted: str, given: dict[str, Any]) -> Iterator[str]:
    if "min_value" in given:
        yield f"{quoted} < {float(given['min_value'])}"
    if "max_value" in given:
        yield f"{quoted} > {float(given['max_value'])}"
