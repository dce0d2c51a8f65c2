"""SQL that reads a value of any source type as the type the contract asks for.

Every expression is null where the value cannot be read, and never an error: one bad value is one
bad record.
"""

from label_platform.lake import quote_literal
from label_platform.logs.contract import FieldKind, IdKind
from label_platform.logs.records import Column

_INTEGERS = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER"}
EARLIEST_MS, LATEST_MS = -(10**13), 10**14
"""Epoch milliseconds that the engine turns into a timestamp without an overflow."""

_ZONE = r"'(Z|UTC|[+-]\d\d(:?\d\d)?)$'"


def is_integer(kind: str) -> bool:
    """Whether an SQL type holds whole numbers."""
    return kind in _INTEGERS


def is_float(kind: str) -> bool:
    """Whether an SQL type holds numbers with a fraction."""
    return kind in {"FLOAT", "DOUBLE"} or kind.startswith("DECIMAL")


def is_number(kind: str) -> bool:
    """Whether an SQL type can be a numeric feature."""
    return is_integer(kind) or is_float(kind) or kind == "BOOLEAN"


def is_text(kind: str) -> bool:
    """Whether an SQL type holds text, or values that are text to everyone but the engine."""
    return kind in {"VARCHAR", "UUID"} or kind.startswith("ENUM")


def as_input(column: Column, *, keep_nan: bool) -> str:
    """A value with the source's ways of saying "absent" turned into null.

    pandas writes an absent number as NaN, which is not absence where a value is asked for.
    """
    if column.type in {"FLOAT", "DOUBLE"} and not keep_nan:
        return f"case when not isnan({column.sql}) then {column.sql} end"
    if column.type == "VARCHAR":
        return f"nullif({column.sql}, '')"
    return f"{column.sql}::varchar" if is_text(column.type) else column.sql


def typed(value: str, source: Column, kind: FieldKind, ids: IdKind, zone: str | None) -> str:
    """The expression of a value as its contract type, null where it cannot be read so.

    Args:
        value: the expression of what :func:`as_input` made of it.
        source: where it comes from.
        kind: what the contract asks for.
        ids: the problem's kind of ids.
        zone: the zone of times that name none, if the problem says one.
    """
    if kind == "moment":
        return _moment(value, source.type, zone)
    if kind == "flag":
        return _flag(value, source.type)
    read = {
        "id": _integer(value, source.type, "BIGINT")
        if ids == "integer"
        else _text(value, source.type),
        "text": _text(value, source.type),
        "rank": _integer(value, source.type, "INTEGER"),
        "probability": number(value, source.type),
        "value": number(value, source.type),
    }[kind]
    return f"case when not ({source.not_scalar}) then {read} end" if source.not_scalar else read


def _text(value: str, kind: str) -> str:
    if is_text(kind):
        return value
    if is_integer(kind):
        return f"{value}::varchar"
    return f"{_integer(value, kind, 'BIGINT')}::varchar" if is_float(kind) else "null::varchar"


def _integer(value: str, kind: str, target: str) -> str:
    if is_integer(kind):
        return value if kind == target else f"try_cast({value} as {target})"
    if is_float(kind):
        return f"case when {value} = round({value}) then try_cast({value} as {target}) end"
    if is_text(kind):
        # a cast of '1.5' rounds; '12.0', which pandas writes for a whole number, is one
        whole = f"try_cast({value} as double) = try_cast({value} as {target})"
        plain = f"regexp_full_match({value}, '-?[0-9]+')"
        return (
            f"case when {plain} then try_cast({value} as {target})"
            f" when {whole} then try_cast({value} as {target}) end"
        )
    return f"null::{target}"


def number(value: str, kind: str) -> str:
    """The expression of a value as a DOUBLE; true and false are 1 and 0."""
    if is_integer(kind) or is_float(kind) or kind == "BOOLEAN":
        return f"{value}::double"
    if is_text(kind):
        return (
            f"coalesce(try_cast({value} as double),"
            f" case lower({value}) when 'true' then 1 when 'false' then 0 end)"
        )
    return "null::double"


def _flag(value: str, kind: str) -> str:
    if kind == "BOOLEAN":
        return value
    if is_integer(kind):
        return f"case {value} when 1 then true when 0 then false end"
    return f"try_cast({value} as boolean)" if is_text(kind) else "null::boolean"


def _moment(value: str, kind: str, zone: str | None) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return value
    if kind.startswith("TIMESTAMP"):
        return _in_zone(f"{value}::timestamp", zone or "UTC")
    if is_text(kind):
        # digits are milliseconds; a date alone is not a moment
        milliseconds = _milliseconds(f"try_cast({value} as bigint)")
        read = f"try_cast({value} as timestamptz)"
        if zone is not None:
            naive = _in_zone(f"try_cast({value} as timestamp)", zone)
            read = f"case when {_names_zone(value)} then {read} else {naive} end"
        return f"case when contains({value}, ':') then {read} else {milliseconds} end"
    if is_integer(kind) or is_float(kind):
        return _milliseconds(_integer(value, kind, "BIGINT"))
    return "null::timestamptz"


def _in_zone(value: str, zone: str) -> str:
    return f"timezone({quote_literal(zone)}, {value})"


def _names_zone(value: str) -> str:
    return f"(ends_with({value}, 'Z') or regexp_matches({value}, {_ZONE}))"


def _milliseconds(value: str) -> str:
    bounded = f"{value} between {EARLIEST_MS} and {LATEST_MS}"
    return f"case when {bounded} then epoch_ms({value})::timestamptz end"


def lacks_zone(value: str, kind: str, zone: str | None) -> str:
    """A condition: the value is a date and time, or a date, in a zone that nobody knows."""
    if kind == "DATE":
        return f"{value} is not null"
    if not is_text(kind):
        return "false"
    naive = f"try_cast({value} as timestamp) is not null"
    if zone is not None:  # then only a date alone lacks anything
        return f"not contains({value}, ':') and try_cast({value} as bigint) is null and {naive}"
    return (
        f"case when {value} is null or ends_with({value}, 'Z') then false"
        f" when try_cast({value} as bigint) is not null then false"
        f" when contains({value}, ':') and regexp_matches({value}, {_ZONE}) then false"
        f" else {naive} end"
    )
