"""The SQL engine: an in-memory DuckDB that reads and writes Parquet and owns nothing on disk.

A ``.duckdb`` file would lock out every other process, readers included; in memory, any number of
processes work on the same lake at once.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pandas as pd
import pyarrow as pa

from label_platform.lake.spill import SpillFolder
from label_platform.strict_yaml import ConfigurationError

_MEMORY_VARIABLE = "LABEL_PLATFORM_MEMORY_LIMIT"
_BESIDE_THE_ENGINE = 512 * 1024**2
"""What Python, a log's blocks and the engine's uncounted buffers take: bytes."""
_UNITS = {"bytes": 0, "byte": 0, "KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4, "PiB": 5}
ENGINE_VERSION = f"duckdb-{'.'.join(duckdb.__version__.split('.')[:2])}"
"""Tags content hashes: the engine's row hash may change between its versions."""


class SqlError(RuntimeError):
    """A statement that the engine refused, with the statement's beginning."""


def quote_identifier(name: str) -> str:
    """A column or table name as SQL, safe whatever characters it holds.

    Raises:
        ValueError: the name is empty or holds a NUL byte.
    """
    if not name or "\x00" in name:
        raise ValueError(f"{name!r} cannot be a column or table name")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """A text value as an SQL literal.

    Raises:
        ValueError: the text holds a NUL byte.
    """
    if "\x00" in value:
        raise ValueError(f"{value!r} holds a NUL byte")
    return "'" + value.replace("'", "''") + "'"


class Engine:
    """One in-memory DuckDB connection with bounded memory, no network and UTC as its time zone.

    Args:
        memory_limit: the most memory that a process takes for SQL and for reading logs; what
            outgrows it goes to disk. By default the environment's ``LABEL_PLATFORM_MEMORY_LIMIT``,
            else 4GB.
        threads: worker threads; by default every core.

    Attributes:
        memory_limit: in bytes.

    Raises:
        ConfigurationError: the memory limit is none.
    """

    def __init__(self, memory_limit: str | None = None, threads: int | None = None) -> None:
        limit = memory_limit or os.environ.get(_MEMORY_VARIABLE, "4GB")
        self._spill = SpillFolder()
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": limit,
            "temp_directory": str(self._spill.path),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            # in memory there is nothing to write back, but tables are rewritten as if there were
            "checkpoint_threshold": "1TB",
        }
        if threads is not None:
            settings["threads"] = threads
        try:
            self._connection = duckdb.connect(":memory:", config=settings)
        except duckdb.Error as error:
            self._spill.remove()
            raise ConfigurationError(
                f"memory limit (the environment's {_MEMORY_VARIABLE}): found {limit!r}, expected a"
                f" number and its unit, such as 4GB: {error}"
            ) from error
        self.memory_limit = _bytes(self.row("select current_setting('memory_limit')")[0])
        own = max(self.memory_limit - _BESIDE_THE_ENGINE, self.memory_limit // 2)
        self.execute(f"set memory_limit = '{own}B'")
        self._set_up()

    @contextmanager
    def sibling(self) -> Iterator["Engine"]:
        """A second connection to the same tables, for a second thread; temp tables stay apart."""
        other = object.__new__(Engine)
        other._spill = self._spill
        other._connection = self._connection.cursor()
        other.memory_limit = self.memory_limit
        other._set_up()
        try:
            yield other
        finally:
            other._connection.close()

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Run statements on one thread each, for callers that keep every core busy themselves."""
        (threads,) = self.row("select current_setting('threads')")
        self.execute("set threads = 1")
        try:
            yield
        finally:
            self.execute(f"set threads = {threads}")

    def _set_up(self) -> None:
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set enable_progress_bar = false")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine's memory and its spill folder."""
        self._connection.close()
        self._spill.remove()

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> None:
        """Run a statement whose result nobody reads."""
        # an unfinished result would keep register() from working
        self._run(sql, parameters).complete()

    def rows(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._run(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """The only row of a query.

        Raises:
            SqlError: the query gave no row.
        """
        found = self.rows(sql, parameters)
        if not found:
            raise SqlError(f"no row came back from: {sql[:400]}")
        return found[0]

    def frame(self, sql: str, parameters: Sequence[Any] | None = None) -> pd.DataFrame:
        """A query's result as a data frame."""
        return self._run(sql, parameters).df()

    def arrow(self, sql: str) -> pa.Table:
        """A query's result as an Arrow table; without an order by, rows come as they are stored.

        Threads that read a file's row groups would else hand them over in any order, and what is
        trained on them depends on it.
        """
        self._connection.execute("set preserve_insertion_order = true")
        try:
            with _named(sql):
                return self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.execute("set preserve_insertion_order = false")

    def schema(self, relation: str) -> dict[str, str]:
        """Column names and SQL types of a relation: a table's name or a parenthesised query."""
        return {name: kind for name, kind, *_ in self.rows(f"describe select * from {relation}")}

    def register(self, name: str, table: pa.Table | pd.DataFrame) -> None:
        """Make an in-memory table readable under a name."""
        self._connection.register(name, table)

    def create_view(self, name: str, relation: str) -> None:
        """(Re)define a view over a relation: a table's name, a scan or a parenthesised query."""
        self.execute(f"create or replace temp view {quote_identifier(name)} as from {relation}")

    def _run(self, sql: str, parameters: Sequence[Any] | None) -> duckdb.DuckDBPyConnection:
        with _named(sql):
            return self._connection.execute(sql, parameters)


@contextmanager
def _named(sql: str) -> Iterator[None]:
    """Errors of the engine with the statement that they come from."""
    try:
        yield
    except duckdb.Error as error:
        raise SqlError(f"{error}\nin: {sql.strip()[:2000]}") from error
    except UnicodeDecodeError as error:
        # the engine quotes values in its messages, and may cut them within a letter
        message = error.object.decode(errors="replace")
        raise SqlError(f"{message}\nin: {sql.strip()[:2000]}") from error


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9.]+) ?(\w+)", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"found a memory limit of {text!r}, expected such as 3.7 GiB")
    return int(float(match[1]) * 1024 ** _UNITS[match[2]])


def scan_parquet(files: Sequence[Path]) -> str:
    """The SQL relation over these Parquet files, columns matched by name."""
    names = ", ".join(quote_literal(str(file)) for file in files)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
