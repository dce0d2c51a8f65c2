"""Collects the records of a batch in the engine, before anything is published.

Every row of a file goes into the batch's tables, with its file, its record's line and its verdict;
the engine spills them to disk when they outgrow its memory. A record counts as a whole: where one
of its rows is refused, all are.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from label_platform.lake import Engine, Lake, SqlError, quote_identifier, quote_literal
from label_platform.logs import batch
from label_platform.logs.accounting import counts_of
from label_platform.logs.block_writers import BlockWriters
from label_platform.logs.contract import (
    Table,
    Wanted,
    feedback_column,
    layout,
)
from label_platform.logs.derivation import derived_columns, event_id
from label_platform.logs.features import new_feature_types, refuse_feedback, without_feedback
from label_platform.logs.formats import feedback_of, format_of
from label_platform.logs.hidden_fields import QUERY_TEXT_FIELDS, REDACTED_FIELDS
from label_platform.logs.judging import Rules, judge
from label_platform.logs.open_ends import note_of
from label_platform.logs.privacy import UserKeys, hide_query_texts
from label_platform.logs.quarantine import quarantine
from label_platform.logs.records import LogFile, Records, Rows, UnreadableFileError
from label_platform.logs.repeats import find_repeats
from label_platform.logs.report import FileCounts
from label_platform.logs.retention import ignore_expired
from label_platform.logs.tombstones import read_tombstones
from label_platform.problem import Problem


@dataclass
class Staging:
    """The records of one batch.

    Attributes:
        engine: holds them.
        lake: what is there already.
        problem: whose logs they are.
        rules: what is asked of a record.
        asked: the signals that the problem asks for.
        user_keys: makes keys of user ids.
        features: feature columns and types per table; grows as files are read.
        names: all column names that were seen in files with features, per table.
        wanted: what is read of each table.
    """

    engine: Engine
    lake: Lake
    problem: Problem
    rules: Rules
    asked: tuple[str, ...]
    user_keys: UserKeys
    features: dict[str, dict[str, str]]
    names: dict[Table, set[str]] = field(default_factory=dict)
    wanted: dict[Table, Wanted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._file = 0
        self._tombstones = read_tombstones(self.lake.folder, self.user_keys)
        for table in batch.TABLES:
            self.features.setdefault(table, {})
        batch.create(self.engine, {table: self.layout(table) for table in batch.TABLES})
        globs = {"impressions": self.problem.features, "items": self.problem.item_features}
        hidden: tuple[str, ...] = REDACTED_FIELDS
        if self.problem.query_text.keep != "all":
            hidden += QUERY_TEXT_FIELDS
        self.wanted = {table: Wanted(table, globs.get(table, ()), hidden) for table in batch.TABLES}

    def layout(self, table: Table) -> dict[str, str]:
        """The columns of a raw table, as far as its features are known."""
        return layout(table, self.problem.ids, self.features[table])

    def add(self, file: LogFile, *, lines: batch.Lines | None = None) -> FileCounts:
        """Read a file and keep what is new in it.

        Args:
            file: which.
            lines: the only records to read, refused ones and their texts; by default all.

        Raises:
            UnreadableFileError: nothing of the file was kept.
            ConfigurationError: a feature is what came of an impression.
        """
        refuse_feedback(self.problem.features, feedback_of(file), file.source.format)
        self._file += 1
        cut, end = 0, None
        if lines is not None:
            batch.start_lines(self.engine)
        rules = replace(self.rules, zone=file.source.time_zone)
        try:
            with BlockWriters(self.engine) as writers:
                for records in format_of(file.source.format).read(self.engine, file, self.wanted):
                    cut += self._add_block(writers, records, lines, rules, feedback_of(file))
                    end = end or records.open_end
        except UnreadableFileError:
            batch.forget(self.engine, self._file)
            raise
        self._find_what_is_new(file)
        counts = counts_of(self.engine, file.name, self._file, cut)
        if end:
            counts = replace(counts, open_end=note_of(self.engine, self._file, end))
        if lines is not None:
            return replace(
                counts,
                lines=tuple(batch.same_lines(self.engine)),
                still_refused=tuple(batch.refused_lines(self.engine, self._file)),
            )
        quarantine(self.engine, self.lake, self.problem, self.rules, file.name, self._file)
        return counts

    def _add_block(
        self,
        writers: BlockWriters,
        records: Records,
        lines: batch.Lines | None,
        rules: Rules,
        feedback: Mapping[str, str],
    ) -> int:
        """Start to collect a block; what does not go into the engine's shared tables waits.

        Returns:
            How many records the block has.
        """
        writers.register(records)
        if lines is not None:
            records = batch.only_lines(self.engine, records, lines)
        features = [
            self._features(
                without_feedback(rows, feedback.values()), rows.relation or records.relation
            )
            for rows in records.rows
        ]
        attempts = [
            [
                self._insert(replace(records, relation=relation), rows, rules, known, feedback)
                for rows, known in zip(records.rows, features, strict=True)
            ]
            for relation in (records.quick, records.relation)
            if relation
        ]
        number = self._file

        def write(engine: Engine) -> None:
            _run_first(engine, records, attempts)
            if not records.are_rows:
                batch.settle(engine, records, number)

        if records.blocks and lines is None:
            writers.submit(records, write)
            return sum(block.num_rows for block in records.blocks.values())
        write(self.engine)
        count: int = self.engine.row(f"select count(*) from {records.relation}")[0]
        return count

    def _insert(
        self,
        records: Records,
        rows: Rows,
        rules: Rules,
        features: Mapping[str, str],
        feedback: Mapping[str, str],
    ) -> str:
        """The statement that collects a block's rows of one table."""
        inline = tuple(feedback.values()) if rows.table == "impressions" else ()
        extra = [feedback_column(column) for column in inline]
        batch.add_columns(self.engine, rows.table, dict.fromkeys(extra, "DOUBLE"))
        judged = judge(records, rows, rules, features, inline)
        derived = derived_columns(rows.table, self.problem, self.asked, self.rules.ingested_at)
        columns = ", ".join([*derived, *map(quote_identifier, [*features, *extra])])
        part = "record_part" if rows.relation else "0 as record_part"
        return f"""insert into {batch.name_of(rows.table)} by name
            select * replace (case when not ignored then record_verdict end as record_verdict,
                case when not ignored then record_raw end as record_raw)
            from (select {self._file} as record_file, record_line, {part}, record_verdict,
                record_raw,
                {columns} from ({judged}))"""

    def _features(self, rows: Rows, relation: str) -> dict[str, str]:
        """The features of a block and their types; new ones become columns."""
        known = self.features[rows.table]
        wanted = self.wanted[rows.table]
        if wanted.globs:
            self.names.setdefault(rows.table, set()).update(rows.names or rows.columns)
        new = new_feature_types(self.engine, rows, relation, wanted, known)
        batch.add_columns(self.engine, rows.table, new)
        known |= new
        return {name: known[name] for name in rows.columns if name in known}

    def _find_what_is_new(self, file: LogFile) -> None:
        with ThreadPoolExecutor(max_workers=1) as thread, self.engine.sibling() as engine:
            keys = thread.submit(self.user_keys.find, engine, batch.of_file(self._file))
            if self._tombstones.stones:
                keys.result()
            self._mark_what_is_new(file)
            keys.result()

    def _mark_what_is_new(self, file: LogFile) -> None:
        self._tombstones.ignore(self.engine, self._file)
        ignore_expired(self.engine, self.problem, self.rules.ingested_at, self._file)
        hide_query_texts(self.engine, self.problem, self.user_keys, self._file)
        self._find_repeats("impressions")
        feedback = feedback_of(file)
        for number, (signal, column) in enumerate(feedback.items(), start=1):
            if signal in self.asked:
                # a part of its own, and none that the record's own events have
                self._add_events(signal, column, f"-(record_part * {len(feedback)} + {number})")
        self._find_repeats("interactions", "items", "requests")

    def _find_repeats(self, *tables: Table) -> None:
        for table in batch.tables_of(self.engine, self._file):
            if table in tables:
                find_repeats(self.engine, self.lake, self.problem, table, self._file)

    def _add_events(self, signal: str, column: str, part: str) -> None:
        """The interactions that stand in the impressions' own records.

        Also of impressions that are known: the signal may not have been asked for then. An event
        that is known as well has the same id again.
        """
        name = quote_literal(signal)
        value = quote_identifier(feedback_column(column))
        source = batch.first_of_each(self._file)
        if value.strip('"') not in self.engine.schema(batch.name_of("impressions")):
            return
        self.engine.execute(
            f"""insert into {batch.name_of("interactions")} by name
            select record_file, record_line, {part} as record_part, false as ignored, day,
                {event_id(name, value, "shown_at")} as interaction_id, request_id, user_key,
                session_id, surface, item_id, position, {name} as signal, {value} as value,
                shown_at as occurred_at, ingested_at
            from (select *, user_key as user_id from {source})
            where {value} > 0"""
        )


def _run_first(engine: Engine, records: Records, attempts: list[list[str]]) -> None:
    """Run the first of several attempts that succeeds; only the last may fail."""
    *attempts, last = attempts
    for statements in attempts:
        with suppress(SqlError):
            for statement in statements:
                engine.execute(statement)
            return
    try:
        for statement in last:
            engine.execute(statement)
    except SqlError:
        _require_readable(engine, records)
        raise


def _require_readable(engine: Engine, records: Records) -> None:
    """Tell a file that the engine cannot decode from a statement that is wrong."""
    columns = {column.sql for rows in records.rows for column in rows.columns.values()}
    values = ", ".join(["record_line", *(sorted(columns) if records.are_rows else ())])
    try:
        engine.rows(f"select max(hash({values})) from {records.relation}")
    except SqlError as error:
        raise UnreadableFileError(str(error).split("\n", maxsplit=1)[0]) from error
