"""Which rows of a file are not new: their key stands in an earlier row, file or batch."""

from label_platform.lake import Engine, Lake, Partition, quote_literal
from label_platform.logs.batch import IS_VALID, REPEATED, name_of, of_file
from label_platform.logs.contract import KEY_OF, Table
from label_platform.logs.derivation import day_of
from label_platform.problem import Problem


def find_repeats(engine: Engine, lake: Lake, problem: Problem, table: Table, file: int) -> None:
    """Note a file's rows whose key was there before, on the same day.

    Args:
        engine: has the batch.
        lake: what was read before.
        problem: whose logs they are.
        table: the table of the rows.
        file: the batch's number of the file.
    """
    keys = [*KEY_OF[table], "day"]
    key = ", ".join(keys)
    same = " and ".join(f"again.{name} = known.{name}" for name in keys)
    valid = f"{name_of(table)} where {of_file(file)} and {IS_VALID}"
    place = "record_file, record_line, record_part"
    twice = f"(select {key} from {valid} group by {key} having count(*) > 1)"
    known = _known(engine, lake, problem, table, file)
    repeated = [
        f"""select '{table}', {place} from (
            select {place}, row_number() over (
                partition by {key} order by record_line, record_part) as occurrence
            from (select {place}, {key} from {valid}) as again
            semi join {twice} as known on {same})
        where occurrence > 1"""
    ]
    if known:
        repeated.append(
            f"select '{table}', {place} from (select {place}, {key} from {valid}) as again"
            f" semi join ({known}) as known on {same}"
        )
    engine.execute(f"insert into {REPEATED} {' union '.join(repeated)}")


def _known(engine: Engine, lake: Lake, problem: Problem, table: Table, file: int) -> str:
    """The keys of the file's days in earlier files of the batch and in the lake; or nothing."""
    keys = ", ".join(KEY_OF[table])
    source = name_of(table)
    found = engine.rows(f"select distinct day from {source} where {of_file(file)} and {IS_VALID}")
    days = [day for (day,) in found]
    parts = []
    if engine.rows(f"select 1 from {source} where record_file < {file} limit 1"):
        listed = ", ".join(f"{quote_literal(day.isoformat())}::date" for day in days) or "null"
        parts.append(
            f"select {keys}, day from {source}"
            f" where record_file < {file} and {IS_VALID} and day in ({listed})"
        )
    there = [day for day in days if lake.manifest(Partition(table, day)) is not None]
    if there:
        day = day_of(table, problem)
        parts.append(f"select {keys}, {day} as day from {lake.scan(table, there)}")
    return " union all ".join(parts)
