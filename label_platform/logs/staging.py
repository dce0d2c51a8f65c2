"""Collects the records of a batch in the engine, each once, before anything is published.

Every file is read into a stage of its own. What is new there goes to the batch's tables, which
the engine spills to disk when they outgrow its memory.
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

_STAGE = "ingest_stage"
_REPEATED = "ingest_repeated"
_STAGE_COLUMNS = {
    "record_line": "BIGINT",
    "record_verdict": "VARCHAR",
    "record_raw": "VARCHAR",
    "ignored": "BOOLEAN",
    "day": "DATE",
}
_FRESH = (
    f"(select * from {_STAGE} where record_verdict is null and not ignored"
    f" and record_line not in (select record_line from {_REPEATED}))"
)


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
        for table in KEY_OF:
            self.features.setdefault(table, {})
            self._create(batch_table(table), self.layout(table) | {"day": "DATE"})
        self._create(batch_table("rejected_records"), REJECTED_LAYOUT | {"day": "DATE"})

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
        feedback = format_.feedback if file.table == "impressions" else {}
        self._read(file, format_, feedback)
        self._find_repeated(file.table)
        if file.table == "impressions":
            self.user_keys.apply(self.engine, _STAGE)
        self._insert(file.table, _FRESH)
        for signal, column in feedback.items():
            if signal in self.asked:
                self._insert("interactions", self._events(signal, column))
        counts = self._counts(file)
        self._quarantine(file, read_before=read_before)
        return counts

    def _create(self, name: str, columns: Mapping[str, str]) -> None:
        typed = ", ".join(f"{quote_identifier(column)} {kind}" for column, kind in columns.items())
        self.engine.execute(f"create or replace temp table {name} ({typed})")

    def _read(self, file: LogFile, format_: LogFormat, feedback: Mapping[str, str]) -> None:
        wanted = self.wanted(file.table)
        extra = {feedback_column(column): "DOUBLE" for column in feedback.values()}
        self._create(_STAGE, _STAGE_COLUMNS | self.layout(file.table) | extra)
        for records in format_.read(self.engine, file, wanted):
            features = self._features(file.table, records, wanted)
            judged = judge(records, file.table, self.rules, features, tuple(feedback.values()))
            derived = self._derived(file.table, judged, extra, features)
            try:
                self.engine.execute(f"insert into {_STAGE} by name {derived}")
            except SqlError:
                _require_readable(self.engine, records)
                raise

    def _features(self, table: Table, records: Records, wanted: Wanted) -> dict[str, str]:
        """The features of a block and their types; new ones become columns."""
        known = self.features[table]
        if wanted.globs:
            self.names.setdefault(table, set()).update(records.names)
        for name, kind in new_feature_types(self.engine, records, wanted, known).items():
            known[name] = kind
            for target in (_STAGE, batch_table(table)):
                self.engine.execute(
                    f"alter table {target} add column {quote_identifier(name)} {kind}"
                )
        return {name: known[name] for name in records.columns if name in known}

    def _derived(
        self, table: Table, judged: str, extra: Mapping[str, str], features: Mapping[str, str]
    ) -> str:
        """Records with their ids, defaults and day."""
        kept = [*map(quote_identifier, [*features, *extra])]
        ingested = f"{quote_literal(self.rules.ingested_at.isoformat())}::timestamptz"
        derived = {
            "impressions": lambda: impression_columns(self.problem, ingested),
            "interactions": lambda: interaction_columns(self.asked, ingested),
            "items": lambda: item_columns(self.problem),
        }[table]()
        columns = ", ".join([*derived, *kept])
        return f"select record_line, record_verdict, record_raw, {columns} from ({judged})"

    def _find_repeated(self, table: Table) -> None:
        """Note the lines whose key stands in an earlier line, file or batch, for the same day."""
        key = ", ".join([*KEY_OF[table], "day"])
        valid = f"(select * from {_STAGE} where record_verdict is null and not ignored)"
        self.engine.execute(
            f"""create or replace temp table {_REPEATED} as
            select record_line
            from {valid} as again
            join (select {key}, min(record_line) as first_line from {valid}
                group by {key} having count(*) > 1) using ({key})
            where record_line > first_line
            union
            select record_line
            from {valid} as again
            semi join {self._known(table)} using ({key})"""
        )

    def _known(self, table: Table) -> str:
        """The keys of the stage's days in this batch and in the lake."""
        keys = ", ".join(KEY_OF[table])
        found = self.engine.rows(f"select distinct day from {_STAGE} where record_verdict is null")
        days = [day for (day,) in found]
        listed = ", ".join(f"{quote_literal(day.isoformat())}::date" for day in days)
        known = f"select {keys}, day from {batch_table(table)} where day in ({listed or 'null'})"
        there = [day for day in days if self.lake.manifest(Partition(table, day)) is not None]
        if there:
            day = day_of(table, self.problem)
            known += f" union all select {keys}, {day} as day from {self.lake.scan(table, there)}"
        return f"({known})"

    def _insert(self, table: Table, relation: str) -> None:
        columns = ", ".join(map(quote_identifier, [*self.layout(table), "day"]))
        self.engine.execute(
            f"insert into {batch_table(table)} by name select {columns} from {relation}"
        )

    def _events(self, signal: str, column: str) -> str:
        """The interactions that stand in the impressions' own records."""
        value = quote_identifier(feedback_column(column))
        name = quote_literal(signal)
        return f"""(
            select {event_id(name, value, "shown_at")} as interaction_id, request_id, item_id,
                position, {name} as signal, {value} as value, shown_at as occurred_at,
                ingested_at, day
            from {_FRESH} where {value} > 0
        )"""

    def _counts(self, file: LogFile) -> FileCounts:
        records, rejected, ignored, duplicates = self.engine.row(
            f"""select count(*), count(record_verdict),
                count(*) filter (record_verdict is null and ignored),
                (select count(*) from {_REPEATED})
            from {_STAGE}"""
        )
        days = self.engine.rows(f"select distinct day from {_FRESH} order by day")
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
        self.engine.execute(
            f"""insert into {batch_table("rejected_records")} by name
            select {source} as source, record_line as line,
                split_part(record_verdict, '|', 1) as reason,
                substr(record_verdict, instr(record_verdict, '|') + 1) as detail,
                record_raw as raw, {ingested}::timestamptz as ingested_at,
                coalesce((select max_by(day, record_line) from {_FRESH}), {first}) as day
            from {_STAGE} as refused{new}
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
