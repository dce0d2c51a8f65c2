"""Reads a problem's new log files into the lake, every record exactly once.

A batch is all files of one call. Before the first of its data files becomes visible, the ledger
names the batch as pending; its last step replaces the ledger once more, with the counts of its
files. A batch that died in between is taken out of the lake by the next call, which then reads
the same files again.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from label_platform.lake import Engine, Lake, Partition, quote_identifier, quote_literal
from label_platform.logs.contract import REJECTED_LAYOUT, Table
from label_platform.logs.derivation import asked_signals
from label_platform.logs.features import check_globs
from label_platform.logs.formats import FORMATS
from label_platform.logs.judging import Rules
from label_platform.logs.ledger import Ledger, fingerprint, read_ledger
from label_platform.logs.privacy import UserKeys
from label_platform.logs.publication import (
    add_to_partition,
    missing_days,
    publish_empty_days,
    remove_batch,
)
from label_platform.logs.records import LogFile, UnreadableFileError
from label_platform.logs.report import FileCounts, IngestReport
from label_platform.logs.sources import log_files
from label_platform.logs.staging import Staging, fresh
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
    files = log_files(problem, FORMATS)
    with lake.locked("ingestion"):
        ledger = read_ledger(lake.folder)
        if ledger.pending:
            remove_batch(engine, lake, ledger.pending)
        asked = asked_signals(problem)
        changed = [file for file in files if not ledger.is_unchanged(file, asked)]
        if (
            not changed
            and not ledger.pending
            and not missing_days(lake, problem.start_date, _DAILY)
        ):
            return IngestReport((), (), len(files))
        batch = _Batch(problem, lake, engine, ledger, as_if or datetime.now(UTC))
        read = batch.read(changed, on_file or (lambda _: None))
        days = batch.publish()
        batch.finish()
    return IngestReport(read, days, len(files) - len(changed))


class _Batch:
    """All files of one call, read first and then published."""

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
        self._name = uuid.uuid4().hex
        rules = Rules(problem.ids, problem.start_date, problem.end_date, moment)
        asked = asked_signals(problem)
        self._staging = Staging(engine, lake, problem, rules, asked, keys, ledger.features)
        self._read: list[tuple[LogFile, dict[str, Any], FileCounts]] = []

    def read(self, files: list[LogFile], on_file: OnFile) -> tuple[FileCounts, ...]:
        """Collect what is new in the files; a file that cannot be read does not stop the others."""
        report = []
        for file in files:
            found = fingerprint(file)
            read_before = file.ledger_key in self._ledger.files
            try:
                counts = self._staging.add(file, FORMATS[file.format], read_before=read_before)
            except UnreadableFileError as error:
                counts = FileCounts(file.source, 0, 0, 0, 0, 0, (), refusal=str(error))
            else:
                self._read.append((file, found, counts))
            report.append(counts)
            on_file(counts)
        for table, names in self._staging.names.items():
            globs = self._staging.wanted(table).globs
            key = {"impressions": "features", "items": "item_features"}[table]
            check_globs(key, globs, names | self._ledger.features[table].keys())
        return tuple(report)

    def publish(self) -> tuple[date, ...]:
        """Make the collected records visible, and the days on which nothing happened."""
        self._ledger.pending = self._name
        self._ledger.save()
        staging = self._staging
        layouts = {table: staging.layout(table) for table in (*_DAILY, "items")}
        days: set[date] = set()
        for table, columns in (layouts | {"rejected_records": REJECTED_LAYOUT}).items():
            touched = self._publish_table(table, columns)
            days.update(touched if table != "rejected_records" else ())
        daily = {table: layouts[table] for table in _DAILY}
        days.update(
            publish_empty_days(
                self._engine, self._lake, self._problem.start_date, daily, self._name
            )
        )
        return tuple(sorted(days))

    def _publish_table(self, table: str, columns: dict[str, str]) -> list[date]:
        source = fresh(table)
        kept = ", ".join(map(quote_identifier, columns))
        days = [
            day for (day,) in self._engine.rows(f"select distinct day from {source} order by day")
        ]
        for day in days:
            query = (
                f"select {kept} from {source} where day = {quote_literal(day.isoformat())}::date"
            )
            add_to_partition(self._engine, self._lake, Partition(table, day), query, self._name)
        return days

    def finish(self) -> None:
        """Note in one step that the batch is complete."""
        for file, found, counts in self._read:
            self._ledger.record(
                file, found, counts, self._staging.rules.ingested_at, self._staging.asked
            )
        self._ledger.pending = ""
        self._ledger.save()
