"""The BigQuery export of Google Analytics 4: one record per event, as JSON or Parquet.

The export knows no lists of results: what one event shows, per list that its items name, is one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from label_platform.lake import Engine, quote_literal
from label_platform.logs.content_ids import joined, peppered
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.json_records import DOCUMENTS, read_nested_json, value
from label_platform.logs.native import read_records
from label_platform.logs.nested_values import (
    REQUEST_AS_QUERY,
    documents_with,
    first_given,
    one_at_least,
    redacted_without,
    revenue,
    with_twin_ids,
)
from label_platform.logs.records import Column, LogFile, LogPattern, Records, Rows
from label_platform.problem import LogSource
from label_platform.strict_yaml import StrictModel


class Ga4Options(StrictModel):
    """What the export does not say itself.

    Attributes:
        first_index: the ``index`` that the site's code gives to the first item of a list.
    """

    first_index: Literal[0, 1] = 1


class Ga4Format:
    """JSON lines, JSON arrays or Parquet, as BigQuery extracts the tables ``events_*``."""

    feedback: Mapping[str, str] = {}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        options_of(source, Ga4Options)
        return stream_patterns(source)

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        if file.table == "items":
            yield from read_records(engine, file.path, wanted["items"])
            return
        rows = tuple(_rows(options_of(file.source, Ga4Options)))
        records = documents_with("event_name", "the name of an event")
        # sessions and what was searched for stand below event_params, as values without a name
        raw = redacted_without(wanted["impressions"].redacted, "event_params", "user_properties")
        for _ in read_nested_json(engine, file.path, _STRUCTURE):
            yield Records(records, raw, rows, user=f"{_USER} ->> '$'")


_STRUCTURE: Mapping[str, Any] = {
    **dict.fromkeys(
        ("event_timestamp", "event_name", "user_id", "user_pseudo_id", "event_params", "items"),
        "JSON",
    ),
    "device": {"category": "JSON"},
}
_USER = first_given("record.user_id", "record.user_pseudo_id")
# a user id can turn up within a session, the browser's is there all along
_BROWSER = first_given("record.user_pseudo_id", "record.user_id")
_PARAMETER_KINDS = ("string_value", "int_value", "double_value", "float_value")
_ITEM_KEYS = (
    "item_id",
    "item_name",
    "item_list_id",
    "item_list_name",
    "item_list_index",
    "index",
    "price",
    "quantity",
)


def _list_of(leaf: str, structure: str) -> str:
    """The values of a repeated field, typed.

    A table that was loaded from Parquet again has each list in a record list, and each of its
    elements in a record element.
    """
    found = f"to_json({leaf} -> '$.list[*].element')"
    bare = f"(case json_type({leaf}) when 'OBJECT' then {found} else {leaf} end)"
    return f"from_json({bare}, {quote_literal(structure)})"


def _structure_of(keys: tuple[str, ...], kind: str) -> str:
    return "{" + ", ".join(f'"{key}": "{kind}"' for key in keys) + "}"


def _parameter(name: str) -> str:
    """The value of an event parameter, as a struct of the kinds of values."""
    return f"list_filter(parameters, lambda each: each.key = {quote_literal(name)})[1].value"


def _of_any_kind(parameter: str) -> str:
    return first_given(*(f"{parameter}.{kind}" for kind in _PARAMETER_KINDS))


_PARAMETERS = f'[{{"key": "VARCHAR", "value": {_structure_of(_PARAMETER_KINDS, "JSON")}}}]'
_MICROSECONDS = "try_cast((record.event_timestamp ->> '$') as bigint)"
_EVENTS = f"""(
    select *, {_of_any_kind("session_value")} as session,
        {_of_any_kind("search_value")} as search_term,
        coalesce({_of_any_kind("list_id")}, {_of_any_kind("list_name")}) as event_list
    from (
        select *, {_parameter("ga_session_id")} as session_value,
            {_parameter("search_term")} as search_value,
            {_parameter("item_list_id")} as list_id,
            {_parameter("item_list_name")} as list_name
        from (select record_line,
            record.event_name ->> '$' as event,
            coalesce({_MICROSECONDS}::varchar, record.event_timestamp ->> '$') as microseconds,
            coalesce(to_json({_MICROSECONDS} // 1000), record.event_timestamp) as moment,
            {_USER} as person,
            {_BROWSER} as browser,
            record.device.category as device,
            record.items as item_array,
            {_list_of("record.items", f"[{_structure_of(_ITEM_KEYS, 'JSON')}]")} as items,
            {_list_of("record.event_params", _PARAMETERS)} as parameters
        from {DOCUMENTS}
        where record_refusal is null and coalesce(record.event_name ->> '$', '') <> '')
    )
)"""
_OWN_LIST = first_given("thing.item_list_id", "thing.item_list_name")
_NAMED_LISTS = (
    f"list_filter(list_transform(items, lambda thing: {_OWN_LIST}), lambda each: each is not null)"
)


def _items_of(events: str, items: str) -> str:
    """A relation of one row per item of some events."""
    return f"""(
        select *,
            {first_given("thing.item_id", "thing.item_name")} as item,
            {first_given("thing.item_list_index", "thing.index")} as index,
            coalesce({_OWN_LIST}, event_list) as list
        from (
            select *, unnest({items}) as thing,
                generate_subscripts({items}, 1)::integer as record_part
            from {events}
        )
    )"""


def _rows(options: Ga4Options) -> Iterator[Rows]:
    is_shown = "event = 'view_item_list'"
    # a list without items showed nothing; items that are no list are refused
    shown = _items_of(
        f"(select *, {_NAMED_LISTS}[1] as first_list from {_EVENTS} where {is_shown})",
        "(case when items is null and item_array is not null then [null] else items end)",
    )
    shown_together = peppered(joined(*_VISIT, "list ->> '$'", "microseconds"))
    yield Rows(
        "impressions",
        _impression_columns(options),
        f"""(select *, md5({shown_together}) as request
            from (select * replace (coalesce(list, first_list) as list) from {shown}))""",
    )
    others = _items_of(f"(select * from {_EVENTS} where not {is_shown})", one_at_least("items"))
    leaves = [f"{leaf} ->> '$'" for leaf in ("browser", "session", "item", "list", "index")]
    known_by = [*leaves, "event", "microseconds", revenue("thing.price", "thing.quantity")]
    yield Rows("interactions", _interaction_columns(options), with_twin_ids(others, *known_by))


_VISIT = ("browser ->> '$'", "session ->> '$'")
_SESSION = f"case when session is not null then md5({peppered(joined(*_VISIT))}) end"


def _impression_columns(options: Ga4Options) -> dict[str, Column]:
    index = _position(options)
    own = f"coalesce({value('list').sql}, {quote_literal(REQUEST_AS_QUERY)} || request)"
    return {
        "request_id": Column("request"),
        "query_id": Column(f"case when search_term is null then {own} end"),
        "query_text": value("search_term"),
        "user_id": value("person"),
        "session_id": Column(_SESSION),
        "item_id": value("item"),
        "position": Column(
            f"coalesce({index.sql}, record_part::varchar)", not_scalar=index.not_scalar
        ),
        "shown_at": value("moment"),
        "surface": value("list"),
        "device": value("device"),
    }


def _interaction_columns(options: Ga4Options) -> dict[str, Column]:
    bought = revenue("thing.price", "thing.quantity")
    return {
        "interaction_id": Column("interaction_id"),
        "user_id": value("person"),
        "session_id": Column(_SESSION),
        "surface": value("list"),
        "item_id": value("item"),
        "position": _position(options),
        "signal": Column(
            "case event when 'select_item' then 'click' when 'refund' then 'return' else event end"
        ),
        "value": Column(f"case when event in ('purchase', 'refund') then {bought} end"),
        "occurred_at": value("moment"),
    }


def _position(options: Ga4Options) -> Column:
    """The index as a position from 1; what is no whole number stays as it is, to be refused."""
    column = value("index")
    if options.first_index == 1:
        return column
    number = f"try_cast({column.sql} as double)"
    whole = f"{number} = floor({number}) and {number} between 0 and 1e9"
    moved = f"({number}::bigint + 1)::varchar"
    return Column(
        f"case when {whole} then {moved} else {column.sql} end", not_scalar=column.not_scalar
    )
