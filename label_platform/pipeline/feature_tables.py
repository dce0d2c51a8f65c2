"""Feature tables as files -> relations that impressions are joined to, looked at beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from label_platform.examples import (
    JoinedTable,
    with_feature_tables_sql,
    wrong_rows_sql,
)
from label_platform.lake import (
    Engine,
    SqlError,
    quote_identifier,
    quote_literal,
    recipe_hash,
    scan_parquet,
)
from label_platform.logs import UserKeys
from label_platform.logs.contract import is_named_by
from label_platform.pipeline.feature_leaks import refuse_leaks
from label_platform.problem import FeatureTable, Problem
from label_platform.strict_yaml import ConfigurationError, nearest

if TYPE_CHECKING:
    from label_platform.pipeline.context import Context

_KNOWN_AT = "known_at"
_MOMENT = "TIMESTAMP WITH TIME ZONE"
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "BOOLEAN",
)


@dataclass(frozen=True)
class FeatureTables:
    """The feature tables of a problem.

    Attributes:
        tables: in the problem file's order.
        version: of their definitions and files; empty without any.
    """

    tables: tuple[JoinedTable, ...] = ()
    version: str = ""

    @property
    def recipe(self) -> dict[str, str]:
        """What rows with their features are made from; nothing without any."""
        return {"feature_tables": self.version} if self.version else {}


def shown_with_features(context: "Context", days: Sequence[date]) -> str:
    """SQL of ``impression_signals`` of some days with the columns of all feature tables.

    Raises:
        FeatureLeakError: an impression would see what was only known after it.
        ConfigurationError: a table cannot be joined.
    """
    found = context.feature_tables
    signals = context.lake.scan("impression_signals", list(days))
    refuse_leaks(context, days)
    return with_feature_tables_sql(signals, found.tables)


def read_feature_tables(problem: Problem, engine: Engine) -> FeatureTables:
    """Find the files of a problem's feature tables and look at their columns and keys.

    Raises:
        ConfigurationError: no such file or column, or rows that cannot be told apart.
    """
    if not problem.feature_tables:
        return FeatureTables()
    tables, versions = [], {}
    for name, table in problem.feature_tables.items():
        key = f"{problem.name}: feature_tables.{name}"
        files = _files(problem, table, key)
        versions[name] = [
            table.model_dump(mode="json"),
            [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files],
        ]
        tables.append(_read(problem, engine, name, table, files))
    return FeatureTables(tuple(tables), recipe_hash(versions))


@dataclass(frozen=True)
class _Source:
    """A feature table's files, before their rows are looked at.

    Attributes:
        key: the problem file's key, for messages.
        name: of the table.
        table: how it is to be read.
        relation: SQL of its files.
        types: of all their columns.
    """

    key: str
    name: str
    table: FeatureTable
    relation: str
    types: dict[str, str]


def _read(
    problem: Problem, engine: Engine, name: str, table: FeatureTable, files: list[Path]
) -> JoinedTable:
    key = f"{problem.name}: feature_tables.{name}"
    relation = _scan(files)
    try:
        types = engine.schema(relation)
    except SqlError as error:
        raise ConfigurationError(f"{key}.path: {str(error).splitlines()[0]}") from error
    if table.known_at is None and types.get(_KNOWN_AT) == _MOMENT:
        table = table.model_copy(update={"known_at": _KNOWN_AT})
    source = _Source(key, name, table, relation, types)
    _check_times(source)
    columns = _columns(source)
    rows = _rows(problem, engine, source, columns)
    without_key, without_time, doubled = engine.row(wrong_rows_sql(rows))
    for wrong, what, wanted in (
        (without_key, f"no {table.key_column} of type {problem.ids}", "an id in every row"),
        (without_time, f"no {table.valid_from}", "the time from which each row holds"),
        (doubled, f"the {table.key_column} and {table.valid_from} of another", "one row for each"),
    ):
        if wrong:
            raise ConfigurationError(f"{key}: {wrong:,} rows with {what}, expected {wanted}")
    known = table.known_at is not None
    return JoinedTable(name, table.of, rows, columns, table.max_age, says_when_known=known)


def _files(problem: Problem, table: FeatureTable, key: str) -> list[Path]:
    pattern = problem.resolve(table.path)
    files = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    if not files:
        near = [each.name for each in pattern.parent.glob("*")] if pattern.parent.is_dir() else []
        raise ConfigurationError(
            f"{key}.path: found no file {pattern}; {nearest(pattern.name, near) if near else ''}"
        )
    endings = {file.suffix for file in files}
    if endings not in ({".parquet"}, {".csv"}):
        raise ConfigurationError(
            f"{key}.path: found files ending in {', '.join(sorted(endings))}, expected all "
            ".parquet or all .csv"
        )
    return files


def _scan(files: list[Path]) -> str:
    if files[0].suffix == ".parquet":
        return scan_parquet(files)
    names = ", ".join(quote_literal(str(file)) for file in files)
    return f"read_csv([{names}], header = true, union_by_name = true)"


def _check_times(source: _Source) -> None:
    table, types = source.table, source.types
    for setting, column, is_time in (
        ("key", table.key_column, False),
        ("valid_from", table.valid_from, True),
        ("known_at", table.known_at, True),
    ):
        if column is None:
            continue
        if column not in types:
            raise ConfigurationError(
                f"{source.key}.{setting}: found no column {column!r}; {nearest(column, types)}"
            )
        if is_time and types[column] != _MOMENT:
            raise ConfigurationError(
                f"{source.key}.{setting}: column {column!r} is of type {types[column]}, expected "
                "times with a zone, such as 2026-10-01T00:00:00Z"
            )


def _columns(source: _Source) -> tuple[str, ...]:
    table = source.table
    keys = {table.key_column, table.valid_from, table.known_at}
    offered = [name for name in source.types if name not in keys]
    for glob in table.columns:
        if not any(is_named_by(name, [glob]) for name in offered):
            raise ConfigurationError(
                f"{source.key}.columns: {glob!r} matches no column; {nearest(glob, offered)}"
            )
    chosen = []
    for name in sorted(name for name in offered if is_named_by(name, table.columns)):
        kind = source.types[name]
        if _is_text(kind) or kind.startswith(_NUMBERS):
            chosen.append(name)
        elif name in table.columns:  # a wildcard does not mean what cannot be a feature
            raise ConfigurationError(
                f"{source.key}.columns: column {name!r} is of type {kind}, expected numbers or text"
            )
    if not chosen:
        raise ConfigurationError(f"{source.key}.columns: found no column of numbers or text")
    return tuple(chosen)


def _rows(problem: Problem, engine: Engine, source: _Source, columns: tuple[str, ...]) -> str:
    """SQL of the rows as a ``JoinedTable`` wants them."""
    table = source.table
    kind = "bigint" if problem.ids == "integer" and table.of != "user" else "varchar"
    given = f"rows.{quote_identifier(table.key_column)}"
    key, join = f"try_cast({given} as {kind})", ""
    keys = _keep_user_keys(problem, engine, source) if table.of == "user" else None
    if keys is not None:
        key = "known.key"
        join = f" left join {keys} as known on cast({given} as varchar) = known.user_id"
    known = f"rows.{quote_identifier(table.known_at)}" if table.known_at else "null"
    features = ""
    for name in columns:
        kind = "varchar" if _is_text(source.types[name]) else "float"
        column = quote_identifier(name)
        features += f", cast(rows.{column} as {kind}) as {column}"
    return (
        f"(select {key} as key_, rows.{quote_identifier(table.valid_from)} as from_,"
        f" cast({known} as timestamptz) as known_{features}"
        f" from {source.relation} as rows{join})"
    )


def _is_text(kind: str) -> bool:
    return kind.startswith(("VARCHAR", "ENUM"))


def _keep_user_keys(problem: Problem, engine: Engine, source: _Source) -> str | None:
    """A table of the users' keys, as impressions have them; None where ids are public."""
    keys = UserKeys(problem)
    if keys.are_public:
        return None
    column = quote_identifier(source.table.key_column)
    found = engine.rows(f"select distinct cast({column} as varchar) from {source.relation} as rows")
    ids = [user for (user,) in found if user is not None]
    known = f"feature_table_{source.name}_users"
    engine.register(known, pa.table({"user_id": ids, "key": [keys.key(user) for user in ids]}))
    return quote_identifier(known)
