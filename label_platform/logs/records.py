"""Records of a log file as SQL relations, whatever the file's format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from label_platform.logs.contract import RejectionReason, Table
from label_platform.problem import LogSource


class UnreadableFileError(RuntimeError):
    """A whole log file that cannot be read: corrupt, truncated, or of no known kind."""


@dataclass(frozen=True)
class LogPattern:
    """A glob of a log source.

    Attributes:
        key: its key in the problem file.
        pattern: the glob, relative to the problem's logs folder.
        table: the table that its files belong to; None for a stream of all kinds of records.
        optional: whether it may match no file.
        without: a file name that belongs to another table, even if the glob matches it.
    """

    key: str
    pattern: str
    table: Table | None = None
    optional: bool = False
    without: str = ""


@dataclass(frozen=True)
class LogFile:
    """One file that a problem's globs matched.

    Attributes:
        path: where it lies.
        name: its path relative to the problem's logs folder, as people and the ledger know it.
        table: the table its records belong to; None for a stream of all kinds of records.
        source: the log source that it belongs to, with the format and its options.
    """

    path: Path
    name: str
    table: Table | None
    source: LogSource

    @property
    def ledger_key(self) -> str:
        """Under what the ledger knows the file: one file may feed two tables."""
        return f"{self.table or 'stream'}:{self.name}"


@dataclass(frozen=True)
class Column:
    """A value of a row.

    Attributes:
        sql: the expression that reads it, null where it is absent.
        type: the expression's SQL type.
        not_scalar: a condition under which the value is no text and no number (a JSON object,
            array or boolean), or empty where that cannot be.
    """

    sql: str
    type: str = "VARCHAR"
    not_scalar: str = ""


@dataclass(frozen=True)
class Rows:
    """What the records of a block say about one table.

    Attributes:
        table: the table.
        columns: the values under the contract's keys, and the features.
        relation: has ``record_line`` and what the columns read, for each record none, one or
            several rows; empty where every record is one row, and the records' own relation
            has it all.
        names: all column names of the file, also those nobody asked for.
        typed: whether the format itself says what is a number and what is text.
    """

    table: Table
    columns: Mapping[str, Column]
    relation: str = ""
    names: tuple[str, ...] = ()
    typed: bool = False


@dataclass(frozen=True)
class OpenEnd:
    """The end of a file whose last record may still go on: nothing says that it is whole.

    Attributes:
        line: the first line of what may still change.
        size: how many bytes of the file were read.
    """

    line: int
    size: int


@dataclass(frozen=True)
class Records:
    """A block of records of one file, in SQL. A record counts as a whole, with all its rows.

    Attributes:
        relation: one row per record, with the columns ``record_line`` (its place in the file,
            from 1) and ``record_refusal`` (null, or what :func:`broken` gives for a record that
            has no values to speak of).
        quick: the same relation at less cost, which fails where a record is not what it looks
            like; empty where there is nothing of the kind.
        raw: the expression of the record's text, identifying fields redacted.
        rows: what the records say, per table; a single entry without a relation of its own where
            every record is one row.
        blocks: what the relation reads that is not in the engine yet, by name: whoever runs the
            relation registers it, on whatever connection.
        open_end: where the file's last record may be half a one that would pass for a whole one.
        user: the expression of the user id; only where the rows have relations of their own.
    """

    relation: str
    raw: str
    rows: tuple[Rows, ...] = field(default=())
    user: str = "null::varchar"
    blocks: Mapping[str, pa.Table] = field(default_factory=dict)
    quick: str = ""
    open_end: OpenEnd | None = None

    @property
    def are_rows(self) -> bool:
        """Whether every record is one row."""
        return len(self.rows) == 1 and not self.rows[0].relation


def broken(reason: RejectionReason, detail: str) -> str:
    """A refusal as one text: reason and detail."""
    return f"{reason}|{detail}"
