"""The single SQL pass that types every record and gives the bad ones their first reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from label_platform.lake import quote_identifier, quote_literal
from label_platform.logs.contract import (
    FIELDS,
    MOMENT_OF,
    TYPE_OF,
    Field,
    IdKind,
    RejectionReason,
    Table,
    feedback_column,
    id_type,
)
from label_platform.logs.hidden_fields import QUERY_TEXT_FIELDS, REDACTED_FIELDS, is_one_of
from label_platform.logs.records import Column, Records, Rows
from label_platform.logs.value_sql import as_input, is_text, lacks_zone, number, typed

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_FLOAT_LIMIT = 3.4e38
_is_hidden = is_one_of((*REDACTED_FIELDS, *QUERY_TEXT_FIELDS))
_EXPECTED = {
    "text": "text",
    "rank": "a whole number from 1",
    "moment": "ISO 8601 with a zone, or epoch milliseconds",
    "flag": "true or false",
    "probability": "a number from 0 to 1",
    "value": "a finite number",
}

_ONE_OF: Mapping[Table, tuple[str, ...]] = {
    "impressions": ("query_id", "query_text"),
    # what a list led to, or somebody did: attribution finds the list
    "interactions": ("request_id", "user_id", "session_id"),
}


@dataclass(frozen=True)
class Rules:
    """What the problem and the moment of ingestion ask of a record.

    Attributes:
        ids: the problem's kind of ids.
        first: the problem's first day.
        last: its last day, if it has one.
        ingested_at: when the records were read.
        zone: the zone of times that name none; without it such records are refused.
    """

    ids: IdKind
    first: date
    last: date | None
    ingested_at: datetime
    zone: str | None = None


def judge(
    records: Records,
    rows: Rows,
    rules: Rules,
    features: Mapping[str, str],
    feedback: Sequence[str] = (),
) -> str:
    """The query that types the rows that records have in a table.

    Args:
        records: what was read.
        rows: their rows.
        rules: what is asked of them.
        features: feature columns of these rows and their types.
        feedback: columns of an impression that hold feedback.

    Returns:
        SQL with the columns record_line, record_part (of rows with their own relation), all the
        contract's keys, the features, record_verdict (null, or reason and detail) and, of a
        refused record that is one row, record_raw, its text.
    """
    inputs, outputs, kept, checks = [], [], [], []
    values = {field.name: field for field in FIELDS[rows.table]}
    values |= {feedback_column(name): Field(name, "value") for name in feedback}
    for name, field in values.items():
        column = rows.columns.get(field.name)
        given, value = _names(field.name)
        if column is None:
            absent = TYPE_OF.get(field.kind, id_type(rules.ids))
            kept.append(f"null::{absent} as {quote_identifier(name)}")
            checks += [_missing(field, "true")] if field.required else []
            continue
        inputs.append(f"{as_input(column, keep_nan=field.kind == 'value')} as {given}")
        outputs.append(f"{typed(given, column, field.kind, rules.ids, rules.zone)} as {value}")
        kept.append(f"{value} as {quote_identifier(name)}")
        checks += _checks(field, column, rules, rows.table)
    for name, kind in features.items():
        column = rows.columns[name]
        given, value = _names(name)
        inputs.append(f"{as_input(column, keep_nan=False)} as {given}")
        outputs.append(f"{_feature(given, column, kind)} as {value}")
        kept.append(f"{_finite(value, kind)} as {quote_identifier(name)}")
        checks += _feature_checks(name, column, kind)
    if rows.table in _ONE_OF:
        checks.append(_none_of(_ONE_OF[rows.table], rows.columns))
    return _select(records, rows, [inputs, outputs, kept, checks])


def _select(records: Records, rows: Rows, parts: list[list[str]]) -> str:
    inputs, outputs, kept, checks = parts
    relation = rows.relation or records.relation
    refused = [] if rows.relation else ["when record_refusal is not null then record_refusal"]
    part = "record_part, " if rows.relation else ""
    raw = "null::varchar" if rows.relation else records.raw
    verdict = "\n".join(["case", *refused, *checks, "when false then ''"])
    return f"""
        select record_line, {part}{", ".join(kept)}, record_verdict,
            case when record_verdict is not null then {raw} end as record_raw
        from (
            select *, {verdict} end as record_verdict
            from (
                select *{"".join(f", {column}" for column in outputs)}
                from (select *{"".join(f", {column}" for column in inputs)} from {relation})
            )
        )"""


def _names(name: str) -> tuple[str, str]:
    """The columns of a value as it was given and as it was read."""
    return quote_identifier(f"given {name}"), quote_identifier(f"value {name}")


def _when(condition: str, reason: RejectionReason, name: str, expected: str) -> str:
    given = _names(name)[0]
    found = "'a value (redacted)'" if _is_hidden(name) else _shown(f"{given}::varchar")
    start = quote_literal(f"{reason}|{name}: found ")
    return f"when {condition} then {start} || {found} || {quote_literal(f', expected {expected}')}"


def _shown(given: str) -> str:
    """SQL: a value that is no secret by its own name; within another, names may be secret again."""
    return f"""case ltrim({given})[1]
        when '{{' then 'an object (redacted)' when '[' then 'an array (redacted)'
        else '''' || left({given}, 80) || '''' end"""


def _missing(field: Field, condition: str) -> str:
    expected = _expected(field)
    detail = f"{RejectionReason.MISSING_KEY}|{field.name}: found nothing, expected {expected}"
    return f"when {condition} then {quote_literal(detail)}"


def _expected(field: Field, ids: IdKind = "string") -> str:
    if field.kind == "id":
        return "a whole number (the problem says ids: integer)" if ids == "integer" else "an id"
    return _EXPECTED[field.kind]


def _checks(field: Field, column: Column, rules: Rules, table: Table) -> list[str]:
    given, value = _names(field.name)
    checks = [_missing(field, f"{given} is null")] if field.required else []
    unread = f"{given} is not null and {value} is null"
    expected = _expected(field, rules.ids)
    reason = RejectionReason
    if field.kind == "moment":
        return checks + _moment_checks(field.name, column, rules, table)
    if typed(given, column, field.kind, rules.ids, rules.zone) != given:
        checks.append(_when(unread, reason.WRONG_TYPE, field.name, expected))
    if field.kind == "rank":
        checks.append(_when(f"{value} < 1", reason.POSITION_BELOW_ONE, field.name, expected))
    if field.kind == "probability":
        outside = f"not {value} between 0 and 1"
        checks.append(_when(outside, reason.PROBABILITY_OUT_OF_RANGE, field.name, expected))
    if field.kind == "value":
        checks.append(
            _when(f"not isfinite({value})", reason.VALUE_NOT_FINITE, field.name, expected)
        )
    return checks


def _moment_checks(name: str, column: Column, rules: Rules, table: Table) -> list[str]:
    given, value = _names(name)
    expected = _EXPECTED["moment"]
    latest = rules.ingested_at + timedelta(days=1)
    # a catalogue may have been valid forever; the moment of an impression or event is a clock's
    earliest = [f"{value} < {_moment(EARLIEST)}"] if table != "items" else []
    range_ = f"{EARLIEST:%Y-%m-%d} to one day after ingestion"
    reason = RejectionReason
    checks = [
        _when(
            lacks_zone(given, column.type, rules.zone),
            reason.TIMESTAMP_WITHOUT_ZONE,
            name,
            expected,
        ),
        _when(
            f"{given} is not null and {value} is null", reason.UNREADABLE_TIMESTAMP, name, expected
        ),
        _when(
            " or ".join([*earliest, f"{value} > {_moment(latest)}"]),
            reason.TIMESTAMP_OUT_OF_RANGE,
            name,
            range_,
        ),
    ]
    if name == MOMENT_OF[table] and table != "items":
        checks += _day_checks(name, rules)
    return checks


def _day_checks(name: str, rules: Rules) -> list[str]:
    value = _names(name)[1]
    reason = RejectionReason.OUTSIDE_PROBLEM_DAYS
    first = quote_literal(f"{rules.first} 00:00:00+00")
    checks = [
        _when(
            f"{value} < {first}::timestamptz",
            reason,
            name,
            f"the problem's start_date {rules.first} or later",
        )
    ]
    if rules.last is not None:
        after = quote_literal(f"{rules.last + timedelta(days=1)} 00:00:00+00")
        checks.append(
            _when(
                f"{value} >= {after}::timestamptz",
                reason,
                name,
                f"the problem's end_date {rules.last} or earlier",
            )
        )
    return checks


def _moment(moment: datetime) -> str:
    return f"{quote_literal(moment.isoformat())}::timestamptz"


def _none_of(names: tuple[str, ...], columns: Mapping[str, Column]) -> str:
    """Refuses a record that has none of some keys of which it needs one."""
    given = [name for name in names if name in columns]
    condition = " and ".join(f"{_names(name)[0]} is null" for name in given) or "true"
    first, *others = names
    detail = f"{first}: found nothing, expected an id, or the key {' or '.join(others)}"
    return f"when {condition} then {quote_literal(f'{RejectionReason.MISSING_KEY}|{detail}')}"


def _feature(given: str, column: Column, kind: str) -> str:
    if kind == "FLOAT":
        return number(given, column.type)
    return given if is_text(column.type) else f"{given}::varchar"


def _finite(value: str, kind: str) -> str:
    """NaN is how text formats write an absent number."""
    if kind != "FLOAT":
        return value
    return f"case when not isnan({value}) then try_cast({value} as float) end"


def _feature_checks(name: str, column: Column, kind: str) -> list[str]:
    if kind != "FLOAT":
        return []
    given, value = _names(name)
    reason = RejectionReason
    infinite = f"abs({value}) > {_FLOAT_LIMIT} and not isnan({value})"
    checks = [_when(infinite, reason.VALUE_NOT_FINITE, name, _EXPECTED["value"])]
    if is_text(column.type):
        unread = f"{given} is not null and {value} is null"
        expected = "a number, as in the files before"
        checks.append(_when(unread, reason.WRONG_TYPE, name, expected))
    return checks
