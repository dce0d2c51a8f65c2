"""Algolia Insights: view, click and conversion events, alone or in batches.

A batch is ``{"events": [...]}``, as it is sent to the events endpoint; its events are records.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import RejectionReason, Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.json_records import BLOCK, DOCUMENTS, read_nested_json, value
from label_platform.logs.native import read_records
from label_platform.logs.nested_values import (
    KEYS_PATTERN,
    REQUEST_AS_QUERY,
    at_keys,
    counterpart,
    documents_with,
    elements,
    first_given,
    given,
    one_at_least,
    revenue,
    snake_case,
    with_keys,
    with_twin_ids,
)
from label_platform.logs.privacy import redacted_json
from label_platform.logs.records import Column, LogFile, LogPattern, Records, Rows, broken
from label_platform.problem import LogSource
from label_platform.strict_yaml import StrictModel


class AlgoliaOptions(StrictModel):
    """What Insights events do not say themselves.

    Attributes:
        query: where a team's own events keep the text that was searched for, as keys with dots
            between them; Algolia's have no such key.
    """

    query: str | None = Field(default=None, pattern=KEYS_PATTERN)


class AlgoliaFormat:
    """JSON lines, arrays, or one document, of events and batches in any mixture."""

    feedback: Mapping[str, str] = {}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        _structure(options_of(source, AlgoliaOptions))
        return stream_patterns(source)

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        if file.table == "items":
            yield from read_records(engine, file.path, wanted["items"])
            return
        options = options_of(file.source, AlgoliaOptions)
        records = documents_with("eventType", "view, click or conversion")
        for _ in read_nested_json(engine, file.path, _structure(options), _EVENTS, several=True):
            yield Records(
                records,
                redacted_json("text", wanted["impressions"].redacted),
                tuple(_rows(options)),
                user=f"{_USER} ->> '$'",
            )


_KEYS = (
    "eventType",
    "eventSubtype",
    "index",
    "userToken",
    "authenticatedUserToken",
    "timestamp",
    "queryID",
    "objectIDs",
    "positions",
    "objectData",
    "filters",
)
_USER = first_given("record.authenticatedUserToken", "record.userToken")

_NO_BATCH = broken(RejectionReason.WRONG_TYPE, "events: found no array, expected one of events")
# Only what could be a batch is parsed to find out.
_EVENTS = f"""
    select line, place, event as text,
        coalesce(broken, case when kind <> 'ARRAY' then {quote_literal(_NO_BATCH)} end) as broken
    from (
        select line, broken, kind,
            unnest(case when kind = 'ARRAY' then events else [text] end) as event,
            unnest(case when kind = 'ARRAY' then range(len(events)) else [0] end) as place
        from (
            select line, text, broken, json_type(events) as kind,
                (events -> '$[*]')::varchar[] as events
            from (
                select line, text, broken,
                    case when broken is null and contains(text, '"events"') and json_valid(text)
                        then text::json -> '$.events' end as events
                from {BLOCK}
            )
        )
    )"""


def _structure(options: AlgoliaOptions) -> dict[str, Any]:
    structure = dict.fromkeys(_KEYS, "JSON")
    return with_keys(structure, options.query, "query") if options.query else structure


def _rows(options: AlgoliaOptions) -> Iterator[Rows]:
    query_text = at_keys(options.query) if options.query else "null::json"
    said = f"""(
        select *, unnest(items) as item, generate_subscripts(items, 1)::integer as record_part
        from (
            select record_line, record.filters as filters, record.objectIDs as objects,
                record.eventType ->> '$' as kind,
                record.eventSubtype ->> '$' as subtype,
                {given("record.queryID")} as list,
                {_USER} as person,
                record."index" as surface,
                record.timestamp as moment,
                {one_at_least(elements("record.objectIDs"))} as items,
                record.positions as positions,
                record.objectData as data,
                {query_text} as query_text
            from {DOCUMENTS}
            where record_refusal is null and coalesce(record.eventType ->> '$', '') <> ''
        )
    )"""
    # views beside any search are no lists, and views of filters show no items
    is_shown = "kind = 'view' and list is not null"
    is_of_filters = "objects is null and filters is not null"
    yield Rows(
        "impressions",
        _impression_columns(),
        f"""(
            select *, coalesce({_PLACE}, to_json(record_part)) as position
            from {said} where {is_shown} and not ({is_of_filters})
        )""",
    )
    events = f"""(
        select *, {_PLACE} as position, coalesce({given("(datum -> '$.queryID')")}, list) as request
        from (
            select *, {_DATUM} as datum from {said}
            where not ({is_shown}) and not ({is_of_filters})
        )
    )"""
    known_by = [f"{each} ->> '$'" for each in ("request", "item", "person", "surface", "moment")]
    known_by += [f"{each}::varchar" for each in ("kind", "subtype", "position", "datum")]
    yield Rows("interactions", _interaction_columns(), with_twin_ids(events, *known_by))


_PLACE = counterpart("positions", "positions", "items", "objectIDs", "record_part")
_DATUM = counterpart("data", "objectData", "items", "objectIDs", "record_part")
_IS_PURCHASE = "kind = 'conversion' and subtype = 'purchase'"


def _impression_columns() -> dict[str, Column]:
    text = value("query_text").sql
    unknown = f"{quote_literal(REQUEST_AS_QUERY)} || {value('list').sql}"
    return {
        "request_id": value("list"),
        "query_id": Column(f"case when coalesce({text}, '') = '' then {unknown} end"),
        "query_text": value("query_text"),
        "user_id": value("person"),
        "item_id": value("item"),
        "position": value("position"),
        "shown_at": value("moment"),
        "surface": value("surface"),
    }


def _interaction_columns() -> dict[str, Column]:
    subtypes = (
        "case subtype when 'addToCart' then 'add_to_cart' when 'purchase' then 'purchase'"
        " else 'conversion' end"
    )
    bought = revenue("(datum -> '$.price')", "(datum -> '$.quantity')")
    # objectData of another length than objectIDs is a text: nobody can say which price is whose
    amount = f"case when json_type(datum) = 'VARCHAR' then datum ->> '$' else {bought} end"
    signal = f"case when kind = 'conversion' then {subtypes} else {snake_case('kind')} end"
    return {
        "interaction_id": Column("interaction_id"),
        "request_id": value("request"),
        "user_id": value("person"),
        "surface": value("surface"),
        "item_id": value("item"),
        "position": value("position"),
        "signal": Column(signal),
        "value": Column(f"case when {_IS_PURCHASE} then {amount} end"),
        "occurred_at": value("moment"),
    }
