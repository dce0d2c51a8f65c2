"""The engine's tables of one batch: rows of each raw table, and records that are several rows."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pyarrow as pa

from label_platform.lake import Engine, quote_identifier
from label_platform.logs.contract import REJECTED_LAYOUT, Table
from label_platform.logs.records import Records

TABLES: tuple[Table, ...] = ("impressions", "interactions", "items", "requests")
RECORDS = "ingest_batch_records"
REPEATED = "ingest_repeated"
USER_KEYS = "ingest_user_keys"
SAME_LINES = "ingest_same_lines"
REFUSED_AGAIN = "ingest_refused_again"
Lines = Collection[tuple[int, str | None]]
IS_VALID = "record_verdict is null and not ignored"

_ROW_COLUMNS = {
    "record_file": "INTEGER",
    "record_line": "BIGINT",
    "record_part": "INTEGER",
    "record_verdict": "VARCHAR",
    "record_raw": "VARCHAR",
    "ignored": "BOOLEAN",
    "day": "DATE",
}
_RECORD_COLUMNS = {
    "record_file": "INTEGER",
    "record_line": "BIGINT",
    "record_verdict": "VARCHAR",
    "record_raw": "VARCHAR",
    "user_key": "VARCHAR",
}
_REFUSED_COLUMNS = {"source": "VARCHAR", "line": "BIGINT", "raw": "VARCHAR"}
_REPEATED_COLUMNS = {
    "table_name": "VARCHAR",
    "record_file": "INTEGER",
    "record_line": "BIGINT",
    "record_part": "INTEGER",
    # whether an earlier file or batch has the row's key on the same day
    "is_known": "BOOLEAN",
}


def name_of(table: str) -> str:
    """The engine's table that collects a batch's rows of a lake table."""
    return f"ingest_batch_{table}"


def create(engine: Engine, layouts: Mapping[Table, Mapping[str, str]]) -> None:
    """Make the batch's tables, empty.

    Args:
        engine: where to.
        layouts: the columns of each raw table.
    """
    for table, columns in layouts.items():
        _create(engine, name_of(table), {**columns, **_ROW_COLUMNS})
    _create(engine, name_of("rejected_records"), {**REJECTED_LAYOUT, "day": "DATE"})
    _create(engine, RECORDS, _RECORD_COLUMNS)
    _create(engine, REPEATED, _REPEATED_COLUMNS)
    _create(engine, REFUSED_AGAIN, _REFUSED_COLUMNS)
    _create(engine, USER_KEYS, {"user_id": "VARCHAR", "key": "VARCHAR"})


def add_columns(engine: Engine, table: Table, columns: Mapping[str, str]) -> None:
    """Give a raw table's rows further columns, where they have them not yet."""
    for name, kind in columns.items():
        engine.execute(
            f"alter table {name_of(table)} add column if not exists {quote_identifier(name)} {kind}"
        )


def only_lines(engine: Engine, records: Records, lines: Lines) -> Records:
    """The records on some lines whose texts are what they were.

    Args:
        engine: gets a table of the lines.
        records: a block of records.
        lines: the wanted lines and their texts, identifying fields redacted.
    """
    numbers, texts = zip(*lines, strict=True)
    wanted = pa.table({"record_line": pa.array(numbers, pa.int64()), "raw": texts})
    engine.register("ingest_wanted_lines", wanted)
    engine.execute(
        f"""insert into {SAME_LINES}
        select record_line from (select record_line, {records.raw} as raw
            from {records.relation} semi join ingest_wanted_lines using (record_line)) as found
        join ingest_wanted_lines as wanted using (record_line)
        where found.raw is not distinct from wanted.raw"""
    )

    def only(relation: str) -> str:
        return f"(select * from {relation} semi join {SAME_LINES} using (record_line))"

    rows = tuple(
        replace(each, relation=only(each.relation)) if each.relation else each
        for each in records.rows
    )
    return replace(records, relation=only(records.relation), quick="", rows=rows)


def start_lines(engine: Engine) -> None:
    """Begin with the wanted lines of another file."""
    _create(engine, SAME_LINES, {"record_line": "BIGINT"})


def same_lines(engine: Engine) -> list[int]:
    """The wanted lines of a file whose texts are what they were."""
    return [line for (line,) in engine.rows(f"select record_line from {SAME_LINES}")]


def refused_lines(engine: Engine, file: int) -> list[int]:
    """The lines of a file whose records are refused."""
    found = " union ".join(
        f"select record_line from {name} where {of_file(file)} and record_verdict is not null"
        for name in (*map(name_of, TABLES), RECORDS)
    )
    return [line for (line,) in engine.rows(found)]


def of_file(file: int) -> str:
    """A condition: the row is of the batch's file of that number."""
    return f"record_file = {file}"


def tables_of(engine: Engine, file: int) -> list[Table]:
    """The tables of which a file has rows."""
    return [
        table
        for table in TABLES
        if engine.rows(f"select 1 from {name_of(table)} where {of_file(file)} limit 1")
    ]


def forget(engine: Engine, file: int) -> None:
    """Take back all that was read from a file."""
    for name in (*map(name_of, TABLES), RECORDS):
        engine.execute(f"delete from {name} where {of_file(file)}")


def settle(engine: Engine, records: Records, file: int) -> None:
    """Note what became of a block's records that are several rows, or none.

    Args:
        engine: has the block and its rows.
        records: the block.
        file: the batch's number of its file.
    """
    tables = list(dict.fromkeys(name_of(rows.table) for rows in records.rows))
    verdicts = "".join(
        f"select record_line, record_verdict from {name}"
        f" where {of_file(file)} and record_verdict is not null union all "
        for name in tables
    )
    engine.execute(
        f"""create or replace temp table ingest_refused as
        select record_line, min(record_verdict) as record_verdict
        from ({verdicts}
            select record_line, record_refusal from {records.relation}
            where record_refusal is not null)
        group by record_line"""
    )
    engine.execute(
        f"""insert into {RECORDS}
        select {file}, record_line, record_verdict,
            case when record_verdict is not null then {records.raw} end,
            case when record_verdict is not null then {records.user} end
        from {records.relation} left join ingest_refused using (record_line)"""
    )
    for name in tables:
        engine.execute(
            f"delete from {name} where {of_file(file)}"
            " and record_line in (select record_line from ingest_refused)"
        )


def fresh(table: str) -> str:
    """The relation of a batch's rows that are new."""
    if table == "rejected_records":
        return name_of(table)
    return (
        f"(select * from {name_of(table)}"
        f" anti join (from {REPEATED} where table_name = '{table}')"
        f" using (record_file, record_line, record_part) where {IS_VALID})"
    )


def first_of_each(file: int) -> str:
    """The relation of a file's impressions, each once, also those that were known before.

    One that is known of a neighbouring day is not among them: what counts is what that day's says.
    """
    # only repeats need a look at what is the first of its kind: most files have few
    return f"""(
        select * from {fresh("impressions")} where {of_file(file)}
        union all by name
        select repeat.* from {name_of("impressions")} as repeat
        semi join (from {REPEATED} where table_name = 'impressions' and is_known)
            using (record_file, record_line, record_part)
        where {of_file(file)} and {IS_VALID}
        qualify row_number() over (
            partition by repeat.impression_id, repeat.day
            order by repeat.shown_at, repeat.record_line, repeat.record_part) = 1
    )"""


def _create(engine: Engine, name: str, columns: Mapping[str, str]) -> None:
    typed = ", ".join(f"{quote_identifier(column)} {kind}" for column, kind in columns.items())
    # not a temporary table: those are not seen by the connections that write in parallel
    engine.execute(f"create or replace table {name} ({typed})")
