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
    # two requests without a query text are one, too
    same = " and ".join(f"again.{name} is not distinct from known.{name}" for name in keys)
    valid = f"(select * from {name_of(table)} where {of_file(file)} and {IS_VALID})"
    engine.execute(
        f"""insert into {REPEATED}
        select '{table}', record_file, record_line, record_part
        from {valid} as again
        join (select {key}, min((record_line, record_part)) as first_row from {valid}
            group by {key} having count(*) > 1) as known on {same}
        where (record_line, record_part) > first_row
        union
        select '{table}', record_file, record_line, record_part
        from {valid} as again
        semi join {_known(engine, lake, problem, table, file)} as known on {same}"""
    )


def _known(engine: Engine, lake: Lake, problem: Problem, table: Table, file: int) -> str:
    """The keys of the file's days in earlier files of the batch and in the lake."""
    keys = ", ".join(KEY_OF[table])
    source = name_of(table)
    found = engine.rows(f"select distinct day from {source} where {of_file(file)} and {IS_VALID}")
    days = [day for (day,) in found]
    listed = ", ".join(f"{quote_literal(day.isoformat())}::date" for day in days) or "null"
    known = (
        f"select {keys}, day from {source}"
        f" where record_file < {file} and {IS_VALID} and day in ({listed})"
    )
    there = [day for day in days if lake.manifest(Partition(table, day)) is not None]
    if there:
        day = day_of(table, problem)
        known += f" union all select {keys}, {day} as day from {lake.scan(table, there)}"
    return f"({known})"
