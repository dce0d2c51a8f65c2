"""Refused records are kept, each with its reason, until somebody mends what was wrong."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from label_platform.lake import Engine, Lake, Partition, quote_literal
from label_platform.logs.batch import RECORDS, REFUSED_AGAIN, TABLES, fresh, name_of, of_file
from label_platform.logs.judging import Rules
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest


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
    verdicts = " union all ".join(
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
        engine.execute(
            f"insert into {REFUSED_AGAIN} select {quote_literal(name)}, record_line, record_raw"
            f" from ({verdicts})"
        )
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
        from ({verdicts}) as refused{new}"""
    )


def _last_day(file: int) -> str:
    days = " union all ".join(
        f"select day, record_line from {fresh(table)} where {of_file(file)}"
        for table in ("impressions", "interactions")
    )
    return f"select max_by(day, record_line) from ({days})"


@dataclass(frozen=True)
class RefusedRecord:
    """One refused record.

    Attributes:
        source: its file, relative to the problem's logs folder.
        line: its place in the file, from 1.
        reason: one of :class:`RejectionReason`.
        detail: what was found and what was expected.
        raw: its text, without what identifies people.
    """

    source: str
    line: int
    reason: str
    detail: str
    raw: str | None


def refused_records(
    engine: Engine, lake: Lake, *, source: str = "", reason: str = "", limit: int | None = None
) -> list[RefusedRecord]:
    """The quarantine's records, by file and line.

    Args:
        engine: reads them.
        lake: has them.
        source: only those of this file.
        reason: only those refused for this reason.
        limit: at most so many.

    Raises:
        ConfigurationError: no such file, or reason, in the quarantine, unless it is empty.
    """
    days = lake.days("rejected_records")
    if not days:
        return []
    relation = lake.scan("rejected_records", days)
    if not engine.rows(f"select 1 from {relation} limit 1"):
        return []
    wanted = [
        f"{column} = {quote_literal(value)}"
        for column, value in (("source", source), ("reason", reason))
        if value and _require_known(engine, relation, column, value)
    ]
    where = f"where {' and '.join(wanted)}" if wanted else ""
    at_most = f"limit {limit}" if limit is not None else ""
    found = engine.rows(
        f"select source, line, reason, detail, raw from {relation} {where}"
        f" order by source, line, reason {at_most}"
    )
    return [RefusedRecord(*row) for row in found]


def _require_known(engine: Engine, relation: str, column: str, value: str) -> bool:
    known = [each for (each,) in engine.rows(f"select distinct {column} from {relation}")]
    if value not in known:
        raise ConfigurationError(
            f"{column}: the quarantine holds nothing of {value!r}; {nearest(value, known)}"
        )
    return True


def refusal_counts(engine: Engine, lake: Lake) -> list[tuple[str, str, int, str]]:
    """Per file and reason: how many records are in quarantine, and the detail of the first."""
    days = lake.days("rejected_records")
    if not days:
        return []
    found = engine.rows(
        f"""select source, reason, count(*), min_by(detail, line)
        from {lake.scan("rejected_records", days)} group by source, reason
        order by source, count(*) desc, reason"""
    )
    return [(source, reason, count, detail) for source, reason, count, detail in found]


def remaining(
    engine: Engine, lake: Lake, released: Mapping[str, list[int]], read_anew: Collection[str]
) -> dict[Partition, str]:
    """The quarantine's partitions that lose records, and what remains of each.

    Args:
        engine: gets a table of the released lines.
        lake: has the quarantine.
        released: lines per file.
        read_anew: files that were read as a whole: what was not refused again stands there no
            more, or is accepted now.
    """
    days = lake.days("rejected_records")
    if not days or not (released or read_anew):
        return {}
    pairs = [(source, line) for source, lines in released.items() for line in lines]
    _given(engine, "released", {"source": [s for s, _ in pairs], "line": [n for _, n in pairs]})
    _given(engine, "read_anew", {"source": [*read_anew], "line": [None] * len(read_anew)})
    queries = {}
    for day in days:
        relation = lake.scan("rejected_records", [day])
        goes = f"from {relation} as kept where {_GOES}"
        if engine.rows(f"select 1 {goes} limit 1"):
            queries[Partition("rejected_records", day)] = (
                f"from {relation} as kept where not ({_GOES})"
            )
    return queries


_GOES = f"""(
    exists (from ingest_released as gone where gone.source = kept.source and gone.line = kept.line)
    or exists (from ingest_read_anew as anew where anew.source = kept.source)
    and not exists (from {REFUSED_AGAIN} as again where again.source = kept.source
        and again.line = kept.line and again.raw is not distinct from kept.raw)
)"""


def _given(engine: Engine, name: str, lines: Mapping[str, list[Any]]) -> None:
    """A table of lines: the connections that write do not see what is only registered."""
    types = pa.schema([("source", pa.string()), ("line", pa.int64())])
    engine.register(f"given_{name}", pa.table(lines, schema=types))
    engine.execute(f"create or replace table ingest_{name} as from given_{name}")
