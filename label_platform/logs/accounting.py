"""Where the records of a file went: records = accepted + ignored + rejected + duplicates.

A record is accepted if any of its rows is new, a duplicate if it has rows and none is new, and
ignored if it says nothing that was asked for.
"""

from collections.abc import Mapping
from datetime import date

from label_platform.lake import Engine
from label_platform.logs.batch import RECORDS, REPEATED, TABLES, fresh, name_of, of_file, tables_of
from label_platform.logs.contract import Table
from label_platform.logs.report import FileCounts


class MiscountError(RuntimeError):
    """Records of a file that are neither accepted nor ignored, rejected or duplicates; or twice."""


def counts_of(engine: Engine, name: str, file: int, cut: int) -> FileCounts:
    """The counts of a file that has been read, each counted by itself.

    Args:
        engine: has the batch.
        name: the file, as people know it.
        file: the batch's number of the file.
        cut: how many records were cut out of the file.

    Raises:
        MiscountError: the counts are not those of the records that were cut.
    """
    rows = {table: _rows_by_day(engine, table, file) for table in TABLES}
    of_several = engine.rows(f"select 1 from {RECORDS} where {of_file(file)} limit 1")
    ended = _of_several_rows(engine, file) if of_several else _of_single_rows(engine, file, rows)
    accepted, ignored, rejected, duplicates = ended
    if sum(ended) != cut:
        raise MiscountError(
            f"{name}: found {accepted} records accepted, {ignored} ignored, {rejected} rejected "
            f"and {duplicates} duplicates, {sum(ended)} in all, expected the {cut} that were read"
        )
    return FileCounts(
        source=name,
        records=cut,
        accepted=accepted,
        ignored=ignored,
        rejected=rejected,
        duplicates=duplicates,
        days=tuple(sorted({day for by_day in rows.values() for day in by_day})),
        rows={table: by_day for table, by_day in rows.items() if by_day},
    )


def _of_single_rows(
    engine: Engine, file: int, rows: Mapping[Table, Mapping[date, int]]
) -> tuple[int, int, int, int]:
    """Accepted, ignored, rejected and duplicates where every record is a row.

    Events within impressions' own records are in a table of their own and are no records.
    """
    first = next(iter(tables_of(engine, file)), None)
    if first is None:
        return 0, 0, 0, 0
    rejected, ignored = engine.row(
        f"""select count(record_verdict), count(*) filter (record_verdict is null and ignored)
        from {name_of(first)} where {of_file(file)}"""
    )
    (duplicates,) = engine.row(
        f"select count(*) from {REPEATED} where {of_file(file)} and table_name = '{first}'"
    )
    return sum(rows[first].values()), ignored, rejected, duplicates


def _of_several_rows(engine: Engine, file: int) -> tuple[int, int, int, int]:
    """Accepted, ignored, rejected and duplicates where a record is several rows, or none."""
    rows = " union all ".join(
        f"select record_line, not ignored as said, not ignored and repeated is null as is_new"
        f" from {name_of(table)} left join (select record_file, record_line, record_part,"
        f" true as repeated from {REPEATED} where table_name = '{table}')"
        f" using (record_file, record_line, record_part) where {of_file(file)}"
        for table in TABLES
    )
    accepted, ignored, rejected, duplicates = engine.row(
        f"""select count(*) filter (is_new),
            count(*) filter (record_verdict is null and not coalesce(said, false)),
            count(record_verdict),
            count(*) filter (said and not is_new)
        from (from {RECORDS} where {of_file(file)})
        left join (select record_line, bool_or(said) as said, bool_or(is_new) as is_new
            from ({rows}) group by record_line) using (record_line)"""
    )
    return accepted, ignored, rejected, duplicates


def _rows_by_day(engine: Engine, table: str, file: int) -> dict[date, int]:
    found = engine.rows(
        f"select day, count(*) from {fresh(table)} where {of_file(file)} group by day order by day"
    )
    return dict(found)
