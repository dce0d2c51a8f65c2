"""Reads a problem's new log files into the lake, every record exactly once.

A batch is all files of one call. It counts from the moment in which the ledger is replaced by one
that has the counts of its files and the manifests that make its rows visible. A call that died
before that leaves nothing behind, and the next one reads the same files; one that died after it
is finished by the next call.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from label_platform.lake import Engine, Lake, Partition, quote_identifier, quote_literal
from label_platform.logs.batch import TABLES, fresh
from label_platform.logs.contract import REJECTED_LAYOUT, Table
from label_platform.logs.derivation import asked_signals
from label_platform.logs.features import check_globs
from label_platform.logs.judging import Rules
from label_platform.logs.ledger import Ledger, fingerprint, read_ledger
from label_platform.logs.privacy import UserKeys, with_user_keys
from label_platform.logs.publication import Publication, missing_days, publish
from label_platform.logs.records import LogFile, UnreadableFileError
from label_platform.logs.report import FileCounts, IngestReport
from label_platform.logs.sources import log_files
from label_platform.logs.staging import Staging
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

OnFile = Callable[[FileCounts], None]
_DAILY: tuple[Table, ...] = ("impressions", "interactions")


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
        ConfigurationError: a glob matches no file or no column, or a secret is missing.
    """
    if as_if is not None and as_if.tzinfo is None:
        raise ConfigurationError(f"as_if: found {as_if} without a zone, expected one")
    lake = Lake(lake.folder.parent, lake.folder.name)  # not a view that was pinned earlier
    files = log_files(problem)
    with lake.locked("ingestion"):
        ledger = read_ledger(lake.folder)
        if ledger.pending:
            _show(lake, ledger)
        asked = asked_signals(problem)
        changed = [file for file in files if not ledger.is_unchanged(file, asked)]
        if not changed and not missing_days(lake, problem.start_date, _DAILY):
            return IngestReport((), (), len(files))
        batch = _Batch(problem, lake, engine, ledger, as_if or datetime.now(UTC))
        read = batch.read(changed, on_file or (lambda _: None))
        days = batch.write()
        _show(lake, ledger)
    return IngestReport(read, days, len(files) - len(changed))


def _show(lake: Lake, ledger: Ledger) -> None:
    """Make visible what the ledger counts already."""
    publish(lake, ledger.pending)
    ledger.pending = {}
    ledger.save()


class _Batch:
    """All files of one call, read first and then written."""

    def __init__(
        self, problem: Problem, lake: Lake, engine: Engine, ledger: Ledger, moment: datetime
    ) -> None:
        self._lake, self._engine, self._ledger = lake, engine, ledger
        self._problem = problem
        keys = UserKeys(problem)
        if ledger.user_keys not in {"", keys.fingerprint}:
            raise ConfigurationError(
                f"problem {problem.name}: user_ids: the user keys in the lake were made with "
                "another secret or setting; new ones would not match them"
            )
        ledger.user_keys = keys.fingerprint
        rules = Rules(problem.ids, problem.start_date, problem.end_date, moment)
        asked = asked_signals(problem)
        self._staging = Staging(engine, lake, problem, rules, asked, keys, ledger.features)
        self._read: list[tuple[LogFile, dict[str, Any], FileCounts]] = []

    def read(self, files: list[LogFile], on_file: OnFile) -> tuple[FileCounts, ...]:
        """Collect what is new in the files; a file that cannot be read does not stop the others."""
        report = []
        for file in files:
            found = fingerprint(file)
            try:
                counts = self._staging.add(file)
            except UnreadableFileError as error:
                counts = FileCounts(file.name, 0, 0, 0, 0, 0, (), refusal=str(error))
            else:
                self._read.append((file, found, counts))
            report.append(counts)
            on_file(counts)
        for table, names in self._staging.names.items():
            globs = self._staging.wanted[table].globs
            key = {"impressions": "features", "items": "item_features"}[table]
            check_globs(key, globs, names | self._ledger.features[table].keys())
        return tuple(report)

    def write(self) -> tuple[date, ...]:
        """Write the collected records, and note in one step that they count from now on.

        Returns:
            The days that get something new.
        """
        staging = self._staging
        layouts = {table: staging.layout(table) for table in TABLES}
        publication = Publication(self._engine, self._lake)
        queries: dict[Partition, str] = {}
        for table, columns in (layouts | {"rejected_records": REJECTED_LAYOUT}).items():
            queries |= self._queries(table, columns)
        publication.add_all(queries)
        daily = {table: layouts[table] for table in _DAILY}
        publication.add_empty_days(self._problem.start_date, daily)
        for file, found, counts in self._read:
            self._ledger.record(file, found, counts, staging.rules.ingested_at, staging.asked)
        self._ledger.pending = publication.manifests
        self._ledger.save()
        return publication.days

    def _queries(self, table: str, columns: dict[str, str]) -> dict[Partition, str]:
        """The query of each partition that gets new rows of a table."""
        source = fresh(table)
        if "user_key" in columns:
            source = with_user_keys(source, self._staging.user_keys)
        kept = ", ".join(map(quote_identifier, columns))
        days = self._engine.rows(f"select distinct day from {fresh(table)} order by day")
        return {
            Partition(table, day): f"select {kept} from {source}"
            f" where day = {quote_literal(day.isoformat())}::date"
            for (day,) in days
        }
