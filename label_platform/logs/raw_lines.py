"""Looks records up in the log files again, each with its file and line.

Lines are read and typed by the rules of ingestion; nothing is kept, and no table of the lake is
read. What was refused then is refused now. User ids stay what the line says.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from label_platform.lake import Engine, Lake, SqlError, quote_identifier, quote_literal
from label_platform.logs.contract import Table, Wanted, feedback_column
from label_platform.logs.derivation import asked_signals, derived_columns, event_id
from label_platform.logs.formats import feedback_of, format_of
from label_platform.logs.judging import Rules, judge
from label_platform.logs.ledger import Ledger, digest_of, name_of_key, read_ledger
from label_platform.logs.privacy import UserKeys
from label_platform.logs.records import LogFile, Records, Rows, UnreadableFileError
from label_platform.logs.sources import log_files
from label_platform.logs.tombstones import read_tombstones
from label_platform.problem import Problem

_TABLES: tuple[Table, ...] = ("impressions", "interactions", "items", "requests")
_VALUES = "raw_lines_wanted"


@dataclass(frozen=True)
class RawLine:
    """A record of a log file.

    Attributes:
        file: relative to the problem's logs folder.
        line: its place in the file, from 1.
        values: by column of the raw table; user_key is the user id as the line has it.
    """

    file: str
    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Wish:
    """Values that records are looked up by.

    Attributes:
        columns: of the raw table; impression_id and interaction_id are compared as text.
        rows: values of all of the columns; a record with any of these rows is found.
    """

    columns: tuple[str, ...]
    rows: AbstractSet[tuple[Any, ...]]


@dataclass
class RawLines:
    """The log files of a problem, to look records up in.

    Attributes:
        problem: whose.
        engine: reads them.
        ledger: knows which file has records of which day.
        columns: feature columns of impressions that are wanted too.
        changed: files that are not what they were when they were ingested.
        gone: files that are not there any more, or cannot be read, and why.
    """

    problem: Problem
    engine: Engine
    ledger: Ledger
    columns: tuple[str, ...] = ()
    changed: set[str] = field(default_factory=set)
    gone: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keys = UserKeys(self.problem)
        self._keys.prepare_ids(self.engine)
        self._tombstones = read_tombstones(self.ledger.path.parent, self._keys)
        files = {file.ledger_key: file for file in log_files(self.problem)}
        # those of one batch were read in the order of the globs
        places = {key: place for place, key in enumerate(files)}
        read = sorted(
            self.ledger.files,
            key=lambda key: (self.ledger.files[key]["ingested_at"], places.get(key, len(places))),
        )
        self._order = {key: number for number, key in enumerate(read)}
        self._files = files

    def find(self, table: Table, days: Collection[date], wanted: Sequence[Wish]) -> list[RawLine]:
        """The records of a table and some days that have wanted values.

        Args:
            table: impressions, interactions or requests.
            days: only files with records of these days are read.
            wanted: a record that fulfils any of them is found.
        """
        condition = self.condition(wanted)
        if not condition or not days:
            return []
        found: list[RawLine] = []
        for key in self._with_records(table, days):
            file = self._files.get(key)
            name = name_of_key(key)
            if file is None or not file.path.is_file():
                self.gone[name] = "it is not there any more"
                continue
            self._look_for_changes(file)
            try:
                found += self._of_file(file, table, condition)
            except UnreadableFileError as error:
                self.gone[name] = str(error)
        return [
            line
            for line in found
            if _day_of(table, line) in days and not self._is_erased(table, line)
        ]

    def _is_erased(self, table: Table, line: RawLine) -> bool:
        """Whether a line is of a user who was erased: the files may still have it."""
        stones, values = self._tombstones, line.values
        if not stones.stones:
            return False
        user, request, session = (values[name] for name in ("user_key", "request_id", "session_id"))
        if user is not None:
            return stones.of(self._keys.key(user)) is not None
        if request is not None:
            kind = stones.hash("request", str(request))
            return any(kind in stone.requests for stone in stones.stones)
        if table != "interactions" or session is None:
            return False
        kind = stones.hash("session", session)
        return any(kind in stone.sessions for stone in stones.stones)

    def condition(self, wanted: Sequence[Wish]) -> str:
        """SQL: a row of a raw table fulfils any of some wishes; empty where there are none."""
        conditions = []
        for number, wish in enumerate(each for each in wanted if each.rows):
            names = [f"c{place}" for place in range(len(wish.columns))]
            values = zip(*sorted(wish.rows, key=repr), strict=True)
            rows = pa.table(dict(zip(names, map(list, values), strict=True)))
            self.engine.register(f"{_VALUES}_{number}", rows)
            columns = ", ".join(map(_comparable, wish.columns))
            conditions.append(
                f"({columns}) in (select ({', '.join(names)}) from {_VALUES}_{number})"
                if len(names) > 1
                else f"{columns} in (select c0 from {_VALUES}_{number})"
            )
        return " or ".join(conditions)

    @property
    def order(self) -> dict[str, int]:
        """By file, its place among the files as they were read."""
        return {name_of_key(key): place for key, place in self._order.items()}

    def files_of(self, table: Table, days: Collection[date]) -> list[str]:
        """The files that gave a table records of some days, as the ledger names them."""
        return [name_of_key(key) for key in self._with_records(table, days)]

    def _with_records(self, table: Table, days: Collection[date]) -> list[str]:
        named = {day.isoformat() for day in days}
        return [
            key for key in self._order if named & set(self.ledger.files[key]["rows"].get(table, {}))
        ]

    def _look_for_changes(self, file: LogFile) -> None:
        known, state = self.ledger.files[file.ledger_key], file.path.stat()
        same_time = known["size"] == state.st_size and known["mtime_ns"] == state.st_mtime_ns
        if not same_time and known["xxh3_128"] != digest_of(file.path):
            self.changed.add(file.name)

    def _of_file(self, file: LogFile, table: Table, condition: str) -> Iterator[RawLine]:
        known = self.ledger.files[file.ledger_key]
        problem = self.problem
        rules = Rules(
            problem.ids,
            problem.start_date,
            problem.end_date,
            datetime.fromisoformat(known["ingested_at"]),
            file.source.time_zone,
        )
        wanted = {
            each: Wanted(each, self.columns if each == "impressions" else ()) for each in _TABLES
        }
        for records in format_of(file.source.format).read(self.engine, file, wanted):
            for name, block in records.blocks.items():
                self.engine.register(name, block)
            for row in self._rows(file, records, rules, table, condition):
                line = row.pop("record_line")
                yield RawLine(file.name, line, row)

    def _rows(
        self, file: LogFile, records: Records, rules: Rules, table: Table, condition: str
    ) -> list[dict[str, Any]]:
        """A block's rows of a table, at less cost if its records are what they look like."""
        quick = [replace(records, relation=records.quick)] if records.quick else []
        for attempt in quick:
            with suppress(SqlError):
                return self._read(file, attempt, rules, table, condition)
        return self._read(file, records, rules, table, condition)

    def _read(
        self, file: LogFile, records: Records, rules: Rules, table: Table, condition: str
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for query in self._queries(file, records, rules, table):
            found += self.engine.arrow(f"select * from ({query}) where {condition}").to_pylist()
        return found

    def _queries(
        self, file: LogFile, records: Records, rules: Rules, table: Table
    ) -> Iterator[str]:
        """SQL of a block's accepted rows of a table."""
        feedback = feedback_of(file)
        asked = {
            signal: column
            for signal, column in feedback.items()
            if signal in asked_signals(self.problem)
        }
        for rows in records.rows:
            judged = self._judged(records, rows, rules, tuple(feedback.values()))
            if rows.table == table:
                columns = self._columns(table, rules)
                features = [name for name in self._features(rows) if table == "impressions"]
                kept = ", ".join([*columns, *map(quote_identifier, features)])
                yield (
                    f"select * from (select record_line, {kept} from ({judged})) where not ignored"
                )
            elif (rows.table, table) == ("impressions", "interactions") and asked:
                yield from self._in_impressions(judged, asked, rows)

    def _in_impressions(self, judged: str, asked: Mapping[str, str], rows: Rows) -> Iterator[str]:
        """SQL of the events that stand in the impressions' own records, per signal."""
        for signal, column in asked.items():
            if column not in rows.columns:
                continue
            name, value = quote_literal(signal), quote_identifier(feedback_column(column))
            yield f"""select record_line, {event_id(name, value, "shown_at")} as interaction_id,
                request_id, user_key, session_id, surface, item_id, position, {name} as signal,
                {value} as value, shown_at as occurred_at, ingested_at
                from (select *, user_id as user_key from ({judged})) where {value} > 0"""

    def _judged(self, records: Records, rows: Rows, rules: Rules, feedback: tuple[str, ...]) -> str:
        """SQL of a block's rows of a table whose records were accepted as a whole."""
        inline = feedback if rows.table == "impressions" else ()
        judged = judge(records, rows, rules, self._features(rows), inline)
        accepted = f"select * from ({judged}) where record_verdict is null"
        if records.are_rows:
            return accepted
        refused = [f"select record_line from {records.relation} where record_refusal is not null"]
        for other in records.rows:
            inline = feedback if other.table == "impressions" else ()
            verdicts = judge(records, other, rules, {}, inline)
            refused.append(f"select record_line from ({verdicts}) where record_verdict is not null")
        return f"{accepted} and record_line not in ({' union all '.join(refused)})"

    def _features(self, rows: Rows) -> dict[str, str]:
        known = self.ledger.features.get(rows.table, {})
        given = rows.columns
        return {name: known[name] for name in self.columns if name in known and name in given}

    def _columns(self, table: Table, rules: Rules) -> list[str]:
        return derived_columns(table, self.problem, asked_signals(self.problem), rules.ingested_at)


def raw_lines(
    problem: Problem, engine: Engine, lake: Lake, columns: Sequence[str] = ()
) -> RawLines:
    """The log files of a problem, to look records up in.

    Args:
        problem: whose.
        engine: reads them.
        lake: has the ledger of what was read.
        columns: feature columns of impressions that are wanted too.

    Raises:
        ConfigurationError: a glob matches no file, or a secret is missing.
    """
    return RawLines(problem, engine, read_ledger(lake.folder), tuple(columns))


def _comparable(name: str) -> str:
    quoted = quote_identifier(name)
    return f"{quoted}::varchar" if name in {"impression_id", "interaction_id"} else quoted


def _day_of(table: Table, line: RawLine) -> date:
    moment: datetime = line.values[
        {"impressions": "shown_at", "interactions": "occurred_at"}.get(table, "asked_at")
    ]
    return moment.date()
