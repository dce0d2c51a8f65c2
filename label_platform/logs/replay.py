"""Reads refused records again, after a reader option, a mapping or the problem file was mended.

Only the refused records are read, out of the files that they came from: what the quarantine keeps
of them lacks what identifies people. What is accepted now leaves the quarantine, in the same step
in which it begins to count.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from label_platform.lake import Engine, Lake
from label_platform.logs.ingest import moment_of, show
from label_platform.logs.ingestion import Ingestion
from label_platform.logs.ledger import Ledger, read_ledger
from label_platform.logs.quarantine import refused_records
from label_platform.logs.records import LogFile, UnreadableFileError
from label_platform.logs.report import FileCounts
from label_platform.logs.sources import log_files
from label_platform.problem import Problem

Lines = Mapping[int, str | None]


@dataclass(frozen=True)
class ReplayReport:
    """What became of refused records.

    Attributes:
        files: per file the counts of its replayed records; rejected ones stay in quarantine.
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
    files = {file.name: file for file in log_files(problem)}
    with lake.locked("ingestion"):
        ledger = read_ledger(lake.folder)
        if ledger.pending:
            show(lake, ledger)
        wanted: dict[str, dict[int, str | None]] = defaultdict(dict)
        for record in refused_records(engine, lake, source=source, reason=reason):
            wanted[record.source][record.line] = record.raw
        if not wanted:
            return ReplayReport((), {}, {})
        ingestion = Ingestion(problem, lake, engine, ledger, moment_of(as_if))
        report, released = _read(ingestion, ledger, files, wanted)
        ingestion.write(released)
        show(lake, ledger)
    return report


def _read(
    ingestion: Ingestion,
    ledger: Ledger,
    files: Mapping[str, LogFile],
    wanted: Mapping[str, Lines],
) -> tuple[ReplayReport, dict[str, list[int]]]:
    """Read the wanted lines of each file; returns also the lines that leave the quarantine."""
    read, released, changed, unreadable = [], {}, {}, {}
    for name, lines in wanted.items():
        if name not in files:
            unreadable[name] = "the problem's globs match it no more"
            continue
        ledger.require_same_settings(files[name])
        try:
            counts = ingestion.read_again(files[name], lines)
        except UnreadableFileError as error:
            unreadable[name] = str(error)
            continue
        read.append(counts)
        found = {*counts.lines}
        changed[name] = len(lines) - len(found)
        released[name] = sorted(found.difference(counts.still_refused))
        ledger.note_replay(files[name], counts)
    changed = {name: count for name, count in changed.items() if count}
    return ReplayReport(tuple(read), changed, unreadable), released
