"""What an ingestion did, file by file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class FileCounts:
    """Where the records of one file went: records = accepted + ignored + rejected + duplicates.

    Attributes:
        source: the file, relative to the problem's logs folder.
        records: records in the file.
        accepted: records that are new in the lake.
        ignored: events of a kind that the problem does not ask for.
        rejected: records in quarantine, each with its reason.
        duplicates: records that the lake, or an earlier line or file, already had.
        days: UTC days of the accepted records, ascending.
        rows: new rows per table and day.
        refusal: why the whole file could not be read; it is tried again the next time.
        lines: lines that were replayed; empty where the whole file was read.
        still_refused: those of them that were refused again when they were replayed.
        open_end: what came of a last record that may still go on: see :mod:`.open_ends`.
    """

    source: str
    records: int
    accepted: int
    ignored: int
    rejected: int
    duplicates: int
    days: tuple[date, ...]
    rows: Mapping[str, Mapping[date, int]] = field(default_factory=dict, compare=False)
    refusal: str = ""
    lines: tuple[int, ...] = ()
    still_refused: tuple[int, ...] = ()
    open_end: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class IngestReport:
    """What one ingestion did.

    Attributes:
        files: the files that were read, in the order in which they were read.
        days: days that got new records, or their first empty partition, ascending.
        unchanged: files that were read before and have not changed since.
    """

    files: tuple[FileCounts, ...]
    days: tuple[date, ...]
    unchanged: int

    @property
    def refused(self) -> tuple[FileCounts, ...]:
        """The files that could not be read."""
        return tuple(file for file in self.files if file.refusal)
