"""Collects the records of a batch in the engine, before anything is published.

Every record of a file goes into the batch's tables, with its file, line and verdict; the engine
spills them to disk when they outgrow its memory. What is new among them is known file by file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from label_platform.lake import Engine, Lake, Partition, SqlError, quote_identifier, quote_literal
from label_platform.logs.contract import (
    KEY_OF,
    REJECTED_LAYOUT,
    Table,
    Wanted,
    feedback_column,
    layout,
)
from label_platform.logs.derivation import (
    day_of,
    event_id,
    impression_columns,
    interaction_columns,
    item_columns,
)
from label_platform.logs.features import new_feature_types
from label_platform.logs.formats import LogFormat
from label_platform.logs.judging import Rules, judge
from label_platform.logs.privacy import UserKeys
from label_platform.logs.records import LogFile, Records, UnreadableFileError
from label_platform.logs.report import FileCounts
from label_platform.problem import Problem

_REPEATED = "ingest_repeated"
_RECORD_COLUMNS = {
    "record_file": "INTEGER",
    "record_line": "BIGINT",
    "record_verdict": "VARCHAR",
    "record_raw": "VARCHAR",
    "ignored": "BOOLEAN",
    "day": "DATE",
}
_IS_VALID = "record_verdict is null and not ignored"


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
    """

    engine: Engine
    lake: Lake
    problem: Problem
    rules: Rules
    asked: tuple[str, ...]
    user_keys: UserKeys
    features: dict[str, dict[str, str]]
    names: dict[Table, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._file = 0
        for table in KEY_OF:
            self.features.setdefault(table, {})
            self._create(batch_table(table), self.layout(table) | _RECORD_COLUMNS)
        self._create(batch_table("rejected_records"), REJECTED_LAYOUT | {"day": "DATE"})
        self._create(_REPEATED, {"record_file": "INTEGER", "record_line": "BIGINT"})

    def layout(self, table: Table) -> dict[str, str]:
        """The columns of a raw table, as far as its features are known."""
        return layout(table, self.problem.ids, self.features[table])

    def wanted(self, table: Table) -> Wanted:
        """What is read out of a file."""
        globs = {"impressions": self.problem.features, "items": self.problem.item_features}
        return Wanted(table, globs.get(table, ()))

    def add(self, file: LogFile, format_: LogFormat, *, read_before: bool) -> FileCounts:
        """Read a file and keep what is new in it.

        Args:
            file: which.
            format_: its reader.
            read_before: whether an earlier state of the file was read.

        Raises:
            UnreadableFileError: nothing of the file was kept.
        """
        self._file += 1
        feedback = format_.feedback if file.table == "impressions" else {}
        try:
            self._read(file, format_, feedback)
        except UnreadableFileError:
            self.engine.execute(f"delete from {batch_table(file.table)} where {self._of_file}")
            raise
        self._find_repeated(file.table)
        if file.table != "items":
            self.user_keys.apply(self.engine, batch_table(file.table), self._of_file)
        for signal, column in feedback.items():
            if signal in self.asked:
                self._add_events(signal, column)
        counts = self._counts(file)
        self._quarantine(file, read_before=read_before)
        return counts

    @property
    def _of_file(self) -> str:
        return f"record_file = {self._file}"

    def _fresh_in_file(self, table: Table) -> str:
        return f"(select * from {fresh(table)} where {self._of_file})"

    def _create(self, name: str, columns: Mapping[str, str]) -> None:
        typed = ", ".join(f"{quote_identifier(column)} {kind}" for column, kind in columns.items())
        self.engine.execute(f"create or replace temp table {name} ({typed})")

    def _read(self, file: LogFile, format_: LogFormat, feedback: Mapping[str, str]) -> None:
        wanted = self.wanted(file.table)
        target = batch_table(file.table)
        extra = [feedback_column(column) for column in feedback.values()]
        self._add_columns(target, dict.fromkeys(extra, "DOUBLE"))
        for records in format_.read(self.engine, file, wanted):
            features = self._features(file.table, records, wanted)
            judged = judge(records, file.table, self.rules, features, tuple(feedback.values()))
            derived = self._derived(file.table, judged, [*features, *extra])
            try:
                self.engine.execute(f"insert into {target} by name {derived}")
            except SqlError:
                _require_readable(self.engine, records)
                raise

    def _add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        for name, kind in columns.items():
            self.engine.execute(
                f"alter table {table} add column if not exists {quote_identifier(name)} {kind}"
            )

    def _features(self, table: Table, records: Records, wanted: Wanted) -> dict[str, str]:
        """The features of a block and their types; new ones become columns."""
        known = self.features[table]
        if wanted.globs:
            self.names.setdefault(table, set()).update(records.names)
        new = new_feature_types(self.engine, records, wanted, known)
        self._add_columns(batch_table(table), new)
        known |= new
        return {name: known[name] for name in records.columns if name in known}

    def _derived(self, table: Table, judged: str, extra: list[str]) -> str:
        """Records with their ids, defaults and day."""
        ingested = f"{quote_literal(self.rules.ingested_at.isoformat())}::timestamptz"
        derived = {
            "impressions": lambda: impression_columns(self.problem, ingested),
            "interactions": lambda: interaction_columns(self.asked, ingested),
            "items": lambda: item_columns(self.problem),
        }[table]()
        columns = ", ".join([*derived, *map(quote_identifier, extra)])
        return (
            f"select {self._file} as record_file, record_line, record_verdict, record_raw,"
            f" {columns} from ({judged})"
        )

    def _find_repeated(self, table: Table) -> None:
        """Note the lines whose key stands in an earlier line, file or batch, for the same day."""
        key = ", ".join([*KEY_OF[table], "day"])
        valid = f"(select * from {batch_table(table)} where {self._of_file} and {_IS_VALID})"
        self.engine.execute(
            f"""insert into {_REPEATED}
            select record_file, record_line
            from {valid} as again
            join (select {key}, min(record_line) as first_line from {valid}
                group by {key} having count(*) > 1) using ({key})
            where record_line > first_line
            union
            select record_file, record_line
            from {valid} as again
            semi join {self._known(table)} using ({key})"""
        )

    def _known(self, table: Table) -> str:
        """The keys of the file's days in earlier files of the batch and in the lake."""
        keys = ", ".join(KEY_OF[table])
        source = batch_table(table)
        found = self.engine.rows(
            f"select distinct day from {source} where {self._of_file} and {_IS_VALID}"
        )
        days = [day for (day,) in found]
        listed = ", ".join(f"{quote_literal(day.isoformat())}::date" for day in days) or "null"
        known = (
            f"select {keys}, day from {source}"
            f" where record_file < {self._file} and {_IS_VALID} and day in ({listed})"
        )
        there = [day for day in days if self.lake.manifest(Partition(table, day)) is not None]
        if there:
            day = day_of(table, self.problem)
            known += f" union all select {keys}, {day} as day from {self.lake.scan(table, there)}"
        return f"({known})"

    def _add_events(self, signal: str, column: str) -> None:
        """The interactions that stand in the impressions' own records."""
        value = quote_identifier(feedback_column(column))
        name = quote_literal(signal)
        self.engine.execute(
            f"""insert into {batch_table("interactions")} by name
            select record_file, record_line, false as ignored, day,
                {event_id(name, value, "shown_at")} as interaction_id, request_id, user_key,
                session_id, surface, item_id, position, {name} as signal, {value} as value, shown_at as occurred_at, ingested_at
            from (select *, user_key as user_id from {self._fresh_in_file("impressions")})
            where {value} > 0"""
        )

    def _counts(self, file: LogFile) -> FileCounts:
        records, rejected, ignored, duplicates = self.engine.row(
            f"""select count(*), count(record_verdict),
                count(*) filter (record_verdict is null and ignored),
                (select count(*) from {_REPEATED} where {self._of_file})
            from {batch_table(file.table)} where {self._of_file}"""
        )
        days = self.engine.rows(
            f"select distinct day from {self._fresh_in_file(file.table)} order by day"
        )
        return FileCounts(
            source=file.source,
            records=records,
            accepted=records - rejected - ignored - duplicates,
            ignored=ignored,
            rejected=rejected,
            duplicates=duplicates,
            days=tuple(day for (day,) in days),
        )

    def _quarantine(self, file: LogFile, *, read_before: bool) -> None:
        """Keep the refused records, under the day of the file's last accepted record."""
        first = f"{quote_literal(self.problem.start_date.isoformat())}::date"
        source = quote_literal(file.source)
        ingested = quote_literal(self.rules.ingested_at.isoformat())
        known_days = self.lake.days("rejected_records") if read_before else []
        new = ""
        if known_days:
            known = self.lake.scan("rejected_records", known_days)
            new = (
                f" anti join (select line, raw from {known} where source = {source}) as known"
                " on known.line = refused.record_line"
                " and known.raw is not distinct from refused.record_raw"
            )
        last_day = f"select max_by(day, record_line) from {self._fresh_in_file(file.table)}"
        self.engine.execute(
            f"""insert into {batch_table("rejected_records")} by name
            select {source} as source, record_line as line,
                split_part(record_verdict, '|', 1) as reason,
                substr(record_verdict, instr(record_verdict, '|') + 1) as detail,
                record_raw as raw, {ingested}::timestamptz as ingested_at,
                coalesce(({last_day}), {first}) as day
            from (select * from {batch_table(file.table)} where {self._of_file}) as refused{new}
            where record_verdict is not null"""
        )


def _require_readable(engine: Engine, records: Records) -> None:
    """Tell a file that the engine cannot decode from a statement that is wrong."""
    values = ", ".join(["record_line", *(column.sql for column in records.columns.values())])
    try:
        engine.rows(f"select max(hash({values})) from {records.relation}")
    except SqlError as error:
        raise UnreadableFileError(str(error).split("\n", maxsplit=1)[0]) from error


def batch_table(table: str) -> str:
    """The engine's table that collects a batch's records of a lake table."""
    return f"ingest_batch_{table}"


def fresh(table: str) -> str:
    """The relation of a batch's records that are to be published."""
    if table == "rejected_records":
        return batch_table(table)
    return (
        f"(select * from {batch_table(table)}"
        f" anti join {_REPEATED} using (record_file, record_line) where {_IS_VALID})"
    )
