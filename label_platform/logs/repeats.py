"""Which rows of a file are not new: their key stands in an earlier row, file or batch."""

from collections.abc import Iterable
from datetime import date, timedelta

from label_platform.lake import Engine, Lake, Partition, quote_literal
from label_platform.logs.batch import IS_VALID, REPEATED, fresh, name_of, of_file
from label_platform.logs.contract import KEY_OF, MOMENT_OF, Table
from label_platform.logs.derivation import day_of
from label_platform.problem import Problem


def find_repeats(engine: Engine, lake: Lake, problem: Problem, table: Table, file: int) -> None:
    """Note a file's rows whose key was there before, on the same day or a neighbouring one.

    What is sent again around midnight has another day, and so another partition. Within a file the
    earliest row of a key is the first, in whichever line it stands.

    Args:
        engine: has the batch.
        lake: what was read before.
        problem: whose logs they are.
        table: the table of the rows.
        file: the batch's number of the file.
    """
    keys = KEY_OF[table]
    key = ", ".join(keys)
    same = " and ".join(f"again.{name} = known.{name}" for name in keys)
    valid = f"{name_of(table)} where {of_file(file)} and {IS_VALID}"
    place = "record_file, record_line, record_part"
    reach = _reach(table)
    twice = f"(select {key} from {valid} group by {key} having count(*) > 1)"
    moment = MOMENT_OF[table]
    found = f"""select {place}, false as is_known from (
            select {place}, day - lag(day) over (
                partition by {key} order by {moment}, record_line, record_part) as days_since
            from (select * from {valid}) as again semi join {twice} as known on {same})
        where days_since <= {reach}"""
    known = _known(engine, lake, problem, table, file)
    if known:
        found += f""" union all
            select {place}, again.day = known.day as is_known
            from (select {place}, {key}, day from {valid}) as again join ({known}) as known
            on {same} and known.day between again.day - {reach} and again.day + {reach}"""
    engine.execute(
        f"insert into {REPEATED} select '{table}', {place}, bool_or(is_known)"
        f" from ({found}) group by {place}"
    )


def _reach(table: Table) -> int:
    """How many days apart rows of one key are one row; the moment within a key decides its day."""
    return 0 if MOMENT_OF[table] in KEY_OF[table] else 1


def _known(engine: Engine, lake: Lake, problem: Problem, table: Table, file: int) -> str:
    """The keys around the file's days in earlier files of the batch and in the lake; or nothing."""
    keys = ", ".join(KEY_OF[table])
    source = name_of(table)
    found = engine.rows(f"select distinct day from {source} where {of_file(file)} and {IS_VALID}")
    days = _with_neighbours((day for (day,) in found), _reach(table))
    parts = []
    if days and engine.rows(f"select 1 from {source} where record_file < {file} limit 1"):
        listed = ", ".join(f"{quote_literal(day.isoformat())}::date" for day in days)
        # as in the lake, only rows that counted: it makes no difference how files are batched
        parts.append(
            f"select {keys}, day from {fresh(table)}"
            f" where record_file < {file} and day in ({listed})"
        )
    there = [day for day in days if lake.manifest(Partition(table, day)) is not None]
    if there:
        day = day_of(table, problem)
        parts.append(f"select {keys}, {day} as day from {lake.scan(table, there)}")
    return " union all ".join(parts)


def _with_neighbours(days: Iterable[date], reach: int) -> list[date]:
    around = range(-reach, reach + 1)
    return sorted({day + timedelta(days=n) for day in days for n in around})
