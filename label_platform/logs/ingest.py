"""Reads a problem's new log files into the lake, every record exactly once.

A batch is all files of one call. It counts from the moment in which the ledger is replaced by one
that has the counts of its files and the manifests that make its rows visible. A call that died
before that leaves nothing behind, and the next one reads the same files; one that died after it
is finished by the next call.
"""

from datetime import UTC, datetime

from filelock import Timeout

from label_platform.lake import Engine, Lake
from label_platform.logs.derivation import asked_signals
from label_platform.logs.ingestion import DAILY, Ingestion, OnFile
from label_platform.logs.ledger import Ledger, read_ledger
from label_platform.logs.open_ends import withdraw
from label_platform.logs.privacy import UserKeys
from label_platform.logs.problem_changes import require_same_problem
from label_platform.logs.publication import missing_days, publish
from label_platform.logs.report import IngestReport
from label_platform.logs.retention import expire, first_kept_day
from label_platform.logs.sources import log_files
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

_LOCK = "ingestion"


def ingest(
    problem: Problem,
    lake: Lake,
    engine: Engine,
    *,
    as_if: datetime | None = None,
    on_file: OnFile | None = None,
) -> IngestReport:
    """Read the log files that are new or have changed.

    Args:
        problem: whose logs.
        lake: where to.
        engine: does the work.
        as_if: the moment that counts as the time of ingestion, instead of the clock's.
        on_file: called with the counts of each file as soon as it has been read.

    Returns:
        What was read, also the files that could not be.

    Raises:
        ConfigurationError: a glob matches no file or no column, a secret is missing, or what
            was read before was read with other settings.
    """
    moment = moment_of(as_if)
    lake = Lake(lake.folder.parent, lake.folder.name)  # not a view that was pinned earlier
    files = log_files(problem)
    with lake.locked(_LOCK):
        ledger = read_ledger(lake.folder)
        UserKeys(problem).require_same(ledger.user_keys)
        require_same_problem(ledger, problem)
        if ledger.pending:
            show(lake, ledger)
        if expire(problem, lake, engine, ledger, moment):
            show(lake, ledger)
        asked = asked_signals(problem)
        changed = [file for file in files if not ledger.is_unchanged(file, asked)]
        ledger.require_same_settings(changed, files)
        if withdraw(lake, engine, ledger, changed):
            show(lake, ledger)
        if not changed and not missing_days(lake, first_kept_day(problem, moment), DAILY):
            return IngestReport((), (), len(files))
        batch = Ingestion(problem, lake, engine, ledger, moment)
        read = batch.read(changed, on_file or (lambda _: None))
        days = batch.write()
        show(lake, ledger)
    return IngestReport(read, days, len(files) - len(changed))


def collect_garbage(lake: Lake, delay_s: float = 3600.0) -> int:
    """Delete data files that nothing names; not while logs are read, whose files have no name yet.

    A batch that counts already, but whose manifests a crash left unwritten, is finished first.

    Args:
        lake: whose files.
        delay_s: the age from which a file without a name is garbage.

    Returns:
        The files deleted.
    """
    try:
        with lake.locked(_LOCK, timeout_s=0):
            ledger = read_ledger(lake.folder)
            if ledger.pending:
                show(lake, ledger)
            return lake.collect(delay_s)
    except Timeout:
        return 0


def moment_of(as_if: datetime | None) -> datetime:
    """The time of ingestion: the clock's, unless one is given.

    Raises:
        ConfigurationError: a time without a zone.
    """
    if as_if is not None and as_if.tzinfo is None:
        raise ConfigurationError(f"as_if: found {as_if} without a zone, expected one")
    return as_if or datetime.now(UTC)


def show(lake: Lake, ledger: Ledger) -> None:
    """Make visible what the ledger counts already."""
    publish(lake, ledger.pending)
    ledger.pending = {}
    ledger.save()
