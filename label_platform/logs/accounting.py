"""Where the records of a file went: records = accepted + ignored + rejected + duplicates.

A record is accepted if any of its rows is new, a duplicate if it has rows and none is new, and
ignored if it says nothing that was asked for.
"""

from datetime import date

from label_platform.lake import Engine
from label_platform.logs.batch import RECORDS, REPEATED, TABLES, fresh, name_of, of_file, tables_of
from label_platform.logs.report import FileCounts


def counts_of(engine: Engine, name: str, file: int) -> FileCounts:
    """The counts of a file that has been read.

    Args:
        engine: has the batch.
        name: the file, as people know it.
        file: the batch's number of the file.
    """
    of_several = engine.rows(f"select 1 from {RECORDS} where {of_file(file)} limit 1")
    counted = _of_several_rows(engine, file) if of_several else _of_single_rows(engine, file)
    records, rejected, ignored, duplicates = counted
    rows = {table: _rows_by_day(engine, table, file) for table in TABLES}
    return FileCounts(
        source=name,
        records=records,
        accepted=records - rejected - ignored - duplicates,
        ignored=ignored,
        rejected=rejected,
        duplicates=duplicates,
        days=tuple(sorted({day for by_day in rows.values() for day in by_day})),
        rows={table: by_day for table, by_day in rows.items() if by_day},
    )


def _of_single_rows(engine: Engine, file: int) -> tuple[int, int, int, int]:
    """Records, rejected, ignored and duplicates where every record is a row.

    Events within impressions' own records are in a table of their own and are no records.
    """
    first = next(iter(tables_of(engine, file)), None)
    if first is None:
        return 0, 0, 0, 0
    records, rejected, ignored = engine.row(
        f"""select count(*), count(record_verdict),
            count(*) filter (record_verdict is null and ignored)
        from {name_of(first)} where {of_file(file)}"""
    )
    (duplicates,) = engine.row(
        f"select count(*) from {REPEATED} where {of_file(file)} and table_name = '{first}'"
    )
    return records, rejected, ignored, duplicates


def _of_several_rows(engine: Engine, file: int) -> tuple[int, int, int, int]:
    rows = " union all ".join(
        f"select record_line, not ignored as said, not ignored and repeated is null as is_new"
        f" from {name_of(table)} left join (select record_file, record_line, record_part,"
        f" true as repeated from {REPEATED} where table_name = '{table}')"
        f" using (record_file, record_line, record_part) where {of_file(file)}"
        for table in TABLES
    )
    records, rejected, accepted, duplicates = engine.row(
        f"""select count(*), count(record_verdict), count(*) filter (is_new),
            count(*) filter (said and not is_new)
        from (from {RECORDS} where {of_file(file)})
        left join (select record_line, bool_or(said) as said, bool_or(is_new) as is_new
            from ({rows}) group by record_line) using (record_line)"""
    )
    return records, rejected, records - rejected - accepted - duplicates, duplicates


def _rows_by_day(engine: Engine, table: str, file: int) -> dict[date, int]:
    found = engine.rows(
        f"select day, count(*) from {fresh(table)} where {of_file(file)} group by day order by day"
    )
    return dict(found)
