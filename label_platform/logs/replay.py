"""Reads refused records again, after a reader option, a mapping or the problem file was mended.

Only the refused records are read, out of the files that they came from: what the quarantine keeps
of them lacks what identifies people. What is accepted now leaves the quarantine, in the same step
in which it begins to count.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from label_platform.lake import Engine, Lake
from label_platform.logs.batch import Lines
from label_platform.logs.ingest import moment_of, show
from label_platform.logs.ingestion import Ingestion
from label_platform.logs.ledger import Ledger, read_ledger
from label_platform.logs.problem_changes import note_problem, require_same_problem
from label_platform.logs.quarantine import refused_records
from label_platform.logs.records import LogFile, UnreadableFileError
from label_platform.logs.report import FileCounts
from label_platform.logs.sources import log_files
from label_platform.problem import Problem


@dataclass(frozen=True)
class ReplayReport:
    """What became of refused records.

    Attributes:
        files: per file, and table that it feeds, the counts of its replayed records; rejected ones
            stay in quarantine.
        changed: per file how many of its lines are not what they were; ingestion reads those.
        unreadable: files of refused records that are gone or cannot be read, and why.
    """

    files: tuple[FileCounts, ...]
    changed: Mapping[str, int]
    unreadable: Mapping[str, str]


def replay(
    problem: Problem,
    lake: Lake,
    engine: Engine,
    *,
    source: str = "",
    reason: str = "",
    as_if: datetime | None = None,
) -> ReplayReport:
    """Read refused records again.

    Args:
        problem: whose logs, as the problem file is now.
        lake: where to.
        engine: does the work.
        source: only the records of this file.
        reason: only those that were refused for this reason.
        as_if: the moment that counts as the time of ingestion, instead of the clock's.

    Raises:
        ConfigurationError: no such file or reason in the quarantine, a glob matches no file, or a
            file has accepted records that were read with other settings.
    """
    lake = Lake(lake.folder.parent, lake.folder.name)
    files = log_files(problem)
    with lake.locked("ingestion"):
        ledger = read_ledger(lake.folder)
        require_same_problem(ledger, problem)
        if ledger.pending:
            show(lake, ledger)
        wanted: dict[str, set[tuple[int, str | None]]] = defaultdict(set)
        for record in refused_records(engine, lake, source=source, reason=reason):
            wanted[record.source].add((record.line, record.raw))
        if not wanted:
            return ReplayReport((), {}, {})
        ledger.require_same_settings([file for file in files if file.name in wanted], files)
        ingestion = Ingestion(problem, lake, engine, ledger, moment_of(as_if))
        batch = _Replay(problem, ingestion, ledger)
        for name, lines in wanted.items():
            batch.read(name, [file for file in files if file.name == name], lines)
        batch.ingestion.write(batch.released)
        show(lake, ledger)
    return ReplayReport(tuple(batch.counts), batch.changed, batch.unreadable)


@dataclass
class _Replay:
    """Collects what became of the refused records.

    Attributes:
        problem: whose logs.
        ingestion: reads them.
        ledger: notes it.
        counts: per file and table.
        released: per file the lines that leave the quarantine.
        changed: per file how many of its lines are not what they were.
        unreadable: files that cannot be read, and why.
    """

    problem: Problem
    ingestion: Ingestion
    ledger: Ledger
    counts: list[FileCounts] = field(default_factory=list)
    released: dict[str, list[int]] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, tables: list[LogFile], lines: Lines) -> None:
        """Read the wanted lines of a file, for each table that it feeds."""
        if not tables:
            self.unreadable[name] = "the problem's globs match it no more"
            return
        try:
            if any(self.ledger.needs_new_reading(table) for table in tables):
                # in another format the same record has another text
                self.counts += [self.ingestion.read_whole(table) for table in tables]
            else:
                self._read_lines(name, self._with_refused(tables), lines)
        except UnreadableFileError as error:
            self.unreadable[name] = str(error)

    def _with_refused(self, tables: list[LogFile]) -> list[LogFile]:
        """The quarantine does not say which of a file's tables refused a record."""
        files = self.ledger.files
        return [file for file in tables if files[file.ledger_key]["rejected"]] or tables

    def _read_lines(self, name: str, tables: list[LogFile], lines: Lines) -> None:
        read = [self.ingestion.read_again(table, lines) for table in tables]
        found = {line for counts in read for line in counts.lines}
        refused = {line for counts in read for line in counts.still_refused}
        self.counts += read
        self.released[name] = sorted(found - refused)
        missing = len({line for line, _ in lines} - found)
        if missing:
            self.changed[name] = missing
        for table, counts in zip(tables, read, strict=True):
            self.ledger.note_replay(table, counts)
            if counts.accepted:
                note_problem(self.ledger, table, self.problem)
