"""Records of a log file as an SQL relation, whatever the file's format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from label_platform.logs.contract import RejectionReason, Table


class UnreadableFileError(RuntimeError):
    """A whole log file that cannot be read: corrupt, truncated, or of no known kind."""


@dataclass(frozen=True)
class LogPattern:
    """A glob of a log source.

    Attributes:
        table: the table that its files belong to.
        key: its key in the problem file.
        pattern: the glob, relative to the problem's logs folder.
        optional: whether it may match no file.
        without: a file name that belongs to another table, even if the glob matches it.
    """

    table: Table
    key: str
    pattern: str
    optional: bool = False
    without: str = ""


@dataclass(frozen=True)
class LogFile:
    """One file that a problem's globs matched.

    Attributes:
        path: where it lies.
        source: its path relative to the problem's logs folder, as people and the ledger know it.
        table: the table its records belong to.
        format: the log format that reads it.
    """

    path: Path
    source: str
    table: Table
    format: str

    @property
    def ledger_key(self) -> str:
        """Under what the ledger knows the file: one file may feed two tables."""
        return f"{self.table}:{self.source}"


@dataclass(frozen=True)
class Column:
    """A value of the record.

    Attributes:
        sql: the expression that reads it, null where it is absent.
        type: the expression's SQL type.
        not_scalar: a condition under which the value is no text and no number (a JSON object,
            array or boolean), or empty where that cannot be.
    """

    sql: str
    type: str
    not_scalar: str = ""


@dataclass(frozen=True)
class Records:
    """Some or all records of one file, in SQL.

    Attributes:
        relation: has the columns ``record_line`` (place in the file, from 1) and
            ``record_refusal`` (null, or what :func:`broken` gives for a record that has no
            columns to speak of).
        columns: the values that can be read from a record.
        names: all column names of the file, also those nobody asked for.
        raw: the expression of the record's text, identifying fields redacted.
        typed: whether the format itself says what is a number and what is text.
    """

    relation: str
    columns: Mapping[str, Column]
    names: tuple[str, ...]
    raw: str
    typed: bool = False


def broken(reason: RejectionReason, detail: str) -> str:
    """A refusal as one text: reason and detail."""
    return f"{reason}|{detail}"
