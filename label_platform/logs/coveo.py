"""Coveo usage analytics: searches, clicks and custom events, told apart by their keys."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.json_records import DOCUMENTS, read_nested_json, value
from label_platform.logs.native import read_records
from label_platform.logs.nested_values import (
    KEYS_PATTERN,
    REQUEST_AS_QUERY,
    at_keys,
    elements,
    first_given,
    snake_case,
    with_keys,
)
from label_platform.logs.privacy import redacted_json
from label_platform.logs.records import Column, LogFile, LogPattern, Records, Rows
from label_platform.problem import LogSource
from label_platform.strict_yaml import ConfigurationError, StrictModel


class CoveoOptions(StrictModel):
    """What differs from export to export.

    Attributes:
        timestamp: the key of the events' time, with dots between keys where it lies deeper.
    """

    timestamp: str = Field(pattern=KEYS_PATTERN)


class CoveoFormat:
    """JSON lines or arrays of search, click and custom events, in one file or in several."""

    feedback: Mapping[str, str] = {}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        try:
            options = options_of(source, CoveoOptions)
        except ConfigurationError as error:
            if "timestamp" in source.options:
                raise
            expected = "it names the key of the events' time, such as timestamp, datetime or time"
            raise ConfigurationError(f"{error}; {expected}") from error
        _structure(options)
        return stream_patterns(source)

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        if file.table == "items":
            yield from read_records(engine, file.path, wanted["items"])
            return
        options = options_of(file.source, CoveoOptions)
        for _ in read_nested_json(engine, file.path, _structure(options)):
            yield Records(
                DOCUMENTS,
                redacted_json("text", wanted["impressions"].redacted),
                tuple(_rows(options)),
                user=f"{_USER} ->> '$'",
            )


_KEYS = (
    "searchQueryUid",
    "queryText",
    "queryPipeline",
    "results",
    "documentUri",
    "documentUriHash",
    "documentPosition",
    "eventType",
    "eventValue",
    "lastSearchQueryUid",
    "customData",
    "visitorId",
    "clientId",
    "username",
    "visitId",
    "userAgent",
    "originLevel1",
)
# the name of whoever did not log in is the same for all
_NAMED = "(case when lower(record.username ->> '$') <> 'anonymous' then record.username end)"
_USER = first_given("record.visitorId", "record.clientId", _NAMED)


def _custom_leaf(*names: str) -> str:
    """A value of the event's own data, whose keys some exports have in lower case."""
    found = [f"(record.customData -> {quote_literal(f'$.{name}')})" for name in names]
    return first_given(*found)


_CONTENT_KEY = _custom_leaf("contentIDKey", "contentIdKey", "contentidkey")
_CONTENT = _custom_leaf("contentIDValue", "contentIdValue", "contentidvalue")
# Other content ids, such as permanentid, do not tell which of the results they are.
_CUSTOM_DOCUMENT = first_given(
    "record.documentUriHash",
    _custom_leaf("documentUriHash", "documenturihash"),
    f"(case when ltrim(lower({_CONTENT_KEY} ->> '$'), '@') = 'urihash' then {_CONTENT} end)",
)
_IS_CUSTOM = f"{first_given('record.eventType', 'record.eventValue')} is not null"
_DOCUMENT = first_given("record.documentUriHash", "record.documentUri")
_IS_CLICK = f"coalesce({_DOCUMENT}, {first_given('record.documentPosition')}) is not null"


def _structure(options: CoveoOptions) -> dict[str, Any]:
    return with_keys(dict.fromkeys(_KEYS, "JSON"), options.timestamp, "timestamp")


def _rows(options: CoveoOptions) -> Iterator[Rows]:
    said = f"""(
        select record_line, 0 as record_part, {at_keys(options.timestamp)} as moment,
            case when {_IS_CUSTOM} then 'custom' when {_IS_CLICK} then 'click' else 'search' end
                as kind,
            record.searchQueryUid as list,
            record.queryText as query_text,
            record.queryPipeline as pipeline,
            case when record.results is not null then {elements("record.results")} end as results,
            {_DOCUMENT} as document,
            {_CUSTOM_DOCUMENT} as custom_document,
            record.documentPosition as rank,
            record.eventValue as event_value,
            {first_given("record.lastSearchQueryUid", "record.searchQueryUid")} as last_list,
            {_USER} as person,
            record.visitId as visit,
            record.userAgent as agent,
            record.originLevel1 as hub
        from {DOCUMENTS}
        where record_refusal is null
    )"""
    item = first_given("(result -> '$.documentUriHash')", "(result -> '$.documentUri')")
    shown = f"""(
        select *, {item} as item
        from (
            select * exclude (record_part), unnest(results) as result,
                generate_subscripts(results, 1)::integer as record_part
            from {said} where kind = 'search'
        )
    )"""
    yield Rows("impressions", _impression_columns(), shown)
    click = {"request_id": value("list"), "item_id": value("document"), "position": value("rank")}
    click["signal"] = Column("'click'")
    yield Rows("interactions", click | _WHOSE, f"(select * from {said} where kind = 'click')")
    event = value("event_value")
    custom = {"request_id": value("last_list"), "item_id": value("custom_document")}
    custom["signal"] = Column(snake_case(event.sql), not_scalar=event.not_scalar)
    is_custom = "kind = 'custom' and custom_document is not null"
    yield Rows("interactions", custom | _WHOSE, f"(select * from {said} where {is_custom})")


_WHOSE = {
    "user_id": value("person"),
    "session_id": value("visit"),
    "surface": value("hub"),
    "occurred_at": value("moment"),
}


def _impression_columns() -> dict[str, Column]:
    text = value("query_text").sql
    unknown = f"{quote_literal(REQUEST_AS_QUERY)} || {value('list').sql}"
    return {
        "request_id": value("list"),
        "query_id": Column(f"case when coalesce({text}, '') = '' then {unknown} end"),
        "query_text": value("query_text"),
        "user_id": value("person"),
        "session_id": value("visit"),
        "item_id": value("item"),
        "position": Column("record_part", "INTEGER"),
        "shown_at": value("moment"),
        "surface": value("hub"),
        "user_agent": value("agent"),
        "ranker_id": value("pipeline"),
    }
