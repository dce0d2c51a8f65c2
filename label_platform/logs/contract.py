"""The record contract: what a log record holds, and every reason for which one is refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from fnmatch import fnmatchcase
from typing import Literal

from label_platform.logs.hidden_fields import REDACTED_FIELDS, is_one_of

Table = Literal["impressions", "interactions", "items", "requests"]
IdKind = Literal["integer", "string"]


class RejectionReason(StrEnum):
    """Why a record was refused; a record gets the first that applies, in this order.

    Attributes:
        NOT_JSON: a line of a JSON lines file that no JSON parser reads.
        NOT_AN_OBJECT: valid JSON, but not an object of keys and values.
        INVALID_UTF8: bytes that are no UTF-8 text.
        NUL_BYTE: a NUL byte, or its escape, which no text of people's holds.
        RECORD_TOO_LARGE: one record of more than 1 MiB.
        NESTED_TOO_DEEPLY: JSON whose objects and arrays stand in each other over 100 levels deep.
        UNCLOSED_QUOTE: a CSV record whose quotation mark is never closed.
        BROKEN_ARRAY: a piece of a JSON array that is no element of it.
        WRONG_COLUMN_COUNT: a CSV record with more or fewer fields than the header names.
        MISSING_KEY: a required key is absent, null or empty.
        WRONG_TYPE: a value that cannot be what its key asks for.
        POSITION_BELOW_ONE: positions count from 1.
        UNREADABLE_TIMESTAMP: neither ISO 8601 nor epoch milliseconds.
        TIMESTAMP_WITHOUT_ZONE: a time of day that could be any of 24 hours.
        TIMESTAMP_OUT_OF_RANGE: before the year 2000, or a day or more after it was read: most
            often epoch seconds or microseconds where milliseconds are expected.
        OUTSIDE_PROBLEM_DAYS: before the problem's start_date or after its end_date.
        PROBABILITY_OUT_OF_RANGE: outside 0 to 1.
        VALUE_NOT_FINITE: infinite, or not a number.
    """

    NOT_JSON = auto()
    NOT_AN_OBJECT = auto()
    INVALID_UTF8 = auto()
    NUL_BYTE = auto()
    RECORD_TOO_LARGE = auto()
    NESTED_TOO_DEEPLY = auto()
    BROKEN_ARRAY = auto()
    UNCLOSED_QUOTE = auto()
    WRONG_COLUMN_COUNT = auto()
    MISSING_KEY = auto()
    WRONG_TYPE = auto()
    POSITION_BELOW_ONE = auto()
    UNREADABLE_TIMESTAMP = auto()
    TIMESTAMP_WITHOUT_ZONE = auto()
    TIMESTAMP_OUT_OF_RANGE = auto()
    OUTSIDE_PROBLEM_DAYS = auto()
    PROBABILITY_OUT_OF_RANGE = auto()
    VALUE_NOT_FINITE = auto()


FieldKind = Literal["id", "text", "rank", "moment", "flag", "probability", "value"]


@dataclass(frozen=True)
class Field:
    """One key of a record.

    Attributes:
        name: the key.
        kind: what its value must be.
        required: whether the record is refused without it.
    """

    name: str
    kind: FieldKind
    required: bool = False


FIELDS: Mapping[Table, tuple[Field, ...]] = {
    "impressions": (
        Field("request_id", "id", required=True),
        Field("query_id", "id"),
        Field("query_text", "text"),
        Field("user_id", "text"),
        Field("session_id", "text"),
        Field("item_id", "id", required=True),
        Field("position", "rank", required=True),
        Field("shown_at", "moment", required=True),
        Field("surface", "text"),
        Field("device", "text"),
        Field("user_agent", "text"),
        Field("ranker_id", "text"),
        Field("randomized", "flag"),
        Field("logging_probability", "probability"),
        Field("ingested_at", "moment"),
    ),
    "interactions": (
        Field("interaction_id", "text"),
        Field("request_id", "id"),
        Field("user_id", "text"),
        Field("session_id", "text"),
        Field("surface", "text"),
        Field("item_id", "id", required=True),
        Field("position", "rank"),
        Field("signal", "text", required=True),
        Field("value", "value"),
        Field("occurred_at", "moment", required=True),
        Field("ingested_at", "moment"),
    ),
    "items": (
        Field("item_id", "id", required=True),
        Field("valid_from", "moment"),
        Field("title", "text"),
    ),
    "requests": (
        Field("request_id", "id", required=True),
        Field("asked_at", "moment", required=True),
        Field("query_id", "id"),
        Field("query_text", "text"),
        Field("user_id", "text"),
        Field("session_id", "text"),
        Field("randomized", "flag"),
        Field("ingested_at", "moment"),
    ),
}
"""The keys of each kind of record. A request is what some formats log of a list apart from its
impressions; it fills in what these do not say themselves."""

MOMENT_OF: Mapping[Table, str] = {
    "impressions": "shown_at",
    "interactions": "occurred_at",
    "items": "valid_from",
    "requests": "asked_at",
}
"""The column whose UTC day decides the partition."""

KEY_OF: Mapping[Table, tuple[str, ...]] = {
    "impressions": ("impression_id",),
    "interactions": ("interaction_id",),
    "items": ("item_id", "valid_from"),
    "requests": ("request_id", "asked_at"),
}
"""Two records of one day or of neighbouring days with the same key are one, sent twice."""

TYPE_OF: Mapping[FieldKind, str] = {
    "text": "VARCHAR",
    "rank": "INTEGER",
    "moment": "TIMESTAMP WITH TIME ZONE",
    "flag": "BOOLEAN",
    "probability": "DOUBLE",
    "value": "DOUBLE",
}
"""The SQL type of each kind of value but ids, whose type the problem chooses."""

MOMENT_TYPE = TYPE_OF["moment"]
_RESERVED = frozenset(
    {field.name for fields in FIELDS.values() for field in fields}
    | {"impression_id", "user_key", "day", "list_length"}
    | {"first_clicked_position", "last_clicked_position"}
    | {"asked_at", "excluded_reason"}
    | {"record_line", "record_refusal", "record_verdict", "record_raw"}
)


def feedback_column(column: str) -> str:
    """The name under which a record keeps feedback that stands in the impression itself."""
    return f"feedback {column}"


def id_type(ids: IdKind) -> str:
    """The SQL type of request, query and item ids."""
    return "BIGINT" if ids == "integer" else "VARCHAR"


def layout(table: Table, ids: IdKind, features: Mapping[str, str]) -> dict[str, str]:
    """The columns of a raw table and their SQL types.

    Args:
        table: which table.
        ids: the problem's kind of ids.
        features: feature columns and their types.
    """
    key = id_type(ids)
    if table == "impressions":
        return {
            "impression_id": "UUID",
            "request_id": key,
            "query_id": key,
            "query_text": "VARCHAR",
            "user_key": "VARCHAR",
            "session_id": "VARCHAR",
            "item_id": key,
            "position": "INTEGER",
            "shown_at": MOMENT_TYPE,
            "surface": "VARCHAR",
            "device": "VARCHAR",
            "user_agent": "VARCHAR",
            "ranker_id": "VARCHAR",
            "randomized": "BOOLEAN",
            "logging_probability": "DOUBLE",
            **features,
            "ingested_at": MOMENT_TYPE,
        }
    if table == "interactions":
        return {
            "interaction_id": "UUID",
            "request_id": key,
            "user_key": "VARCHAR",
            "session_id": "VARCHAR",
            "surface": "VARCHAR",
            "item_id": key,
            "position": "INTEGER",
            "signal": "VARCHAR",
            "value": "DOUBLE",
            "occurred_at": MOMENT_TYPE,
            "ingested_at": MOMENT_TYPE,
        }
    if table == "requests":
        return {
            "request_id": key,
            "asked_at": MOMENT_TYPE,
            "query_id": key,
            "query_text": "VARCHAR",
            "user_key": "VARCHAR",
            "session_id": "VARCHAR",
            "randomized": "BOOLEAN",
            "ingested_at": MOMENT_TYPE,
        }
    return {"item_id": key, "valid_from": MOMENT_TYPE, "title": "VARCHAR", **features}


REJECTED_LAYOUT = {
    "source": "VARCHAR",
    "line": "BIGINT",
    "reason": "VARCHAR",
    "detail": "VARCHAR",
    "raw": "VARCHAR",
    "user_key": "VARCHAR",
    "ingested_at": MOMENT_TYPE,
}


@dataclass(frozen=True)
class Wanted:
    """What is read out of a file of one table.

    Attributes:
        table: the table.
        globs: which further columns are features.
        redacted: keys whose values are not kept with the text of a refused record.
    """

    table: Table
    globs: tuple[str, ...] = ()
    redacted: tuple[str, ...] = REDACTED_FIELDS

    @property
    def fields(self) -> tuple[str, ...]:
        """The keys of the contract."""
        return tuple(field.name for field in FIELDS[self.table])

    def is_feature(self, name: str) -> bool:
        """Whether a column is a feature; keys of the contract never are."""
        return name.lower() not in _RESERVED and is_named_by(name, self.globs, self.redacted)


def is_named_by(name: str, globs: Iterable[str], hidden: Iterable[str] = REDACTED_FIELDS) -> bool:
    """Whether features' patterns name a column.

    A wildcard never names what tells people apart: features are stored as the logs have them. Who
    names such a column in full means it.

    Args:
        name: the column.
        globs: the patterns.
        hidden: the names of columns that only their full name means.
    """
    given = tuple(globs)
    is_hidden = is_one_of(hidden)(name)
    return name in given or (not is_hidden and any(fnmatchcase(name, glob) for glob in given))
