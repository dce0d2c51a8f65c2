"""One batch of log files: read into the engine, then written, then counted, all of it or none."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

from label_platform.lake import Engine, Lake, Partition, quote_identifier, quote_literal
from label_platform.logs.batch import TABLES, Lines, fresh
from label_platform.logs.contract import REJECTED_LAYOUT, Table
from label_platform.logs.derivation import asked_signals
from label_platform.logs.features import check_globs
from label_platform.logs.judging import Rules
from label_platform.logs.ledger import Ledger, fingerprint, name_of_key
from label_platform.logs.privacy import UserKeys, with_user_keys
from label_platform.logs.problem_changes import note_problem
from label_platform.logs.publication import Publication
from label_platform.logs.quarantine import remaining
from label_platform.logs.records import LogFile, UnreadableFileError
from label_platform.logs.report import FileCounts
from label_platform.logs.retention import first_kept_day
from label_platform.logs.staging import Staging
from label_platform.problem import Problem

OnFile = Callable[[FileCounts], None]
DAILY: tuple[Table, ...] = ("impressions", "interactions")


class Ingestion:
    """All files of one call, read first and then written.

    Args:
        problem: whose logs they are.
        lake: where to.
        engine: does the work.
        ledger: what was read before.
        moment: the time of ingestion.

    Raises:
        ConfigurationError: a secret is missing, or another than that of the lake.
    """

    def __init__(
        self, problem: Problem, lake: Lake, engine: Engine, ledger: Ledger, moment: datetime
    ) -> None:
        self._lake, self._engine, self._ledger = lake, engine, ledger
        self._problem = problem
        keys = UserKeys(problem)
        keys.require_same(ledger.user_keys)
        ledger.user_keys = keys.fingerprint
        keys.prepare_ids(engine)
        rules = Rules(problem.ids, problem.start_date, problem.end_date, moment)
        asked = asked_signals(problem)
        self._staging = Staging(engine, lake, problem, rules, asked, keys, ledger.features)
        self._read: list[tuple[LogFile, dict[str, Any], FileCounts]] = []

    def read(self, files: list[LogFile], on_file: OnFile) -> tuple[FileCounts, ...]:
        """Collect what is new in the files; a file that cannot be read does not stop the others."""
        report = []
        for file in files:
            try:
                counts = self.read_whole(file)
            except UnreadableFileError as error:
                counts = FileCounts(file.name, 0, 0, 0, 0, 0, (), refusal=str(error))
            report.append(counts)
            on_file(counts)
        for table, names in self._staging.names.items():
            globs = self._staging.wanted[table].globs
            key = {"impressions": "features", "items": "item_features"}[table]
            check_globs(key, globs, names | self._ledger.features[table].keys())
        return tuple(report)

    def read_whole(self, file: LogFile) -> FileCounts:
        """Collect what is new in a file.

        Raises:
            UnreadableFileError: nothing of it was kept.
        """
        with ThreadPoolExecutor(max_workers=1) as thread:  # the engine leaves it some time
            found = thread.submit(fingerprint, file)
            counts = self._staging.add(file)
        self._read.append((file, found.result(), counts))
        return counts

    def read_again(self, file: LogFile, lines: Lines) -> FileCounts:
        """Collect what is now accepted of a file's refused records.

        Args:
            file: which.
            lines: the records' lines, each with a text that was refused there.

        Raises:
            UnreadableFileError: the file cannot be read any more.
        """
        return self._staging.add(file, lines=lines)

    def write(self, released: Mapping[str, list[int]] | None = None) -> tuple[date, ...]:
        """Write the collected records, and note in one step that they count from now on.

        Args:
            released: per file the lines whose records leave the quarantine.

        Returns:
            The days that get something new.
        """
        staging = self._staging
        layouts = {table: staging.layout(table) for table in TABLES}
        publication = Publication(self._engine, self._lake)
        queries: dict[Partition, str] = {}
        for table, columns in (layouts | {"rejected_records": REJECTED_LAYOUT}).items():
            queries |= self._queries(table, columns)
        left = remaining(self._engine, self._lake, released or {}, self._read_anew())
        for partition, query in left.items():
            new = queries.pop(partition, "")
            publication.replace(partition, f"({query}) union all by name ({new})" if new else query)
        publication.add_all(queries)
        daily = {table: layouts[table] for table in DAILY}
        first = first_kept_day(self._problem, staging.rules.ingested_at)
        publication.add_empty_days(first, daily)
        for file, found, counts in self._read:
            self._ledger.record(file, found, counts, staging.rules.ingested_at, staging.asked)
            note_problem(self._ledger, file, self._problem)
        self._ledger.pending = publication.manifests
        self._ledger.save()
        return publication.days

    def _read_anew(self) -> set[str]:
        """The files whose refused records are all known once more, from each table they feed."""
        read = {file.ledger_key for file, _, _ in self._read}
        names = {file.name for file, _, _ in self._read}
        elsewhere = {name_of_key(key) for key in self._ledger.files.keys() - read}
        return names - elsewhere

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
