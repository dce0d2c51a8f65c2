"""Refused records are kept, each with its reason, until somebody mends what was wrong."""

from label_platform.lake import Engine, Lake, quote_literal
from label_platform.logs.batch import RECORDS, TABLES, fresh, name_of, of_file
from label_platform.logs.judging import Rules
from label_platform.problem import Problem


def quarantine(
    engine: Engine, lake: Lake, problem: Problem, rules: Rules, name: str, file: int
) -> None:
    """Keep a file's refused records, under the day of its last accepted one.

    A record that is there already, from an earlier state of the file, is not kept twice.

    Args:
        engine: has the batch.
        lake: the quarantine so far.
        problem: whose logs they are.
        rules: when they were read.
        name: the file, as people know it.
        file: the batch's number of the file.
    """
    refused = " union all ".join(
        f"select record_line, record_verdict, record_raw, {user} as user_key from {table}"
        f" where {of_file(file)} and record_verdict is not null"
        for table, user in [
            (RECORDS, "user_key"),
            *((name_of(each), "null" if each == "items" else "user_key") for each in TABLES),
        ]
    )
    new = ""
    known_days = lake.days("rejected_records")
    if known_days:
        known = lake.scan("rejected_records", known_days)
        new = (
            f" anti join (select line, raw from {known} where source = {quote_literal(name)})"
            " as known on known.line = refused.record_line"
            " and known.raw is not distinct from refused.record_raw"
        )
    engine.execute(
        f"""insert into {name_of("rejected_records")} by name
        select {quote_literal(name)} as source, record_line as line,
            split_part(record_verdict, '|', 1) as reason,
            substr(record_verdict, instr(record_verdict, '|') + 1) as detail,
            record_raw as raw, user_key,
            {quote_literal(rules.ingested_at.isoformat())}::timestamptz as ingested_at,
            coalesce(({_last_day(file)}), {quote_literal(problem.start_date.isoformat())}::date)
                as day
        from ({refused}) as refused{new}"""
    )


def _last_day(file: int) -> str:
    days = " union all ".join(
        f"select day, record_line from {fresh(table)} where {of_file(file)}"
        for table in ("impressions", "interactions")
    )
    return f"select max_by(day, record_line) from ({days})"
