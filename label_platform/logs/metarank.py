"""Metarank's events: rankings, interactions, and items with their fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.json_records import (
    DOCUMENTS,
    read_nested_json,
    value,
    without_case_twins,
)
from label_platform.logs.native import read_records
from label_platform.logs.nested_values import (
    REQUEST_AS_QUERY,
    documents_with,
    given,
    redacted_without,
    snake_case,
)
from label_platform.logs.records import Column, LogFile, LogPattern, Records, Rows
from label_platform.problem import LogSource
from label_platform.strict_yaml import StrictModel


class MetarankOptions(StrictModel):
    """What Metarank leaves to each shop.

    Attributes:
        query_field: the field of a ranking that holds what was searched for.
    """

    query_field: str = Field(default="query", min_length=1)


class MetarankFormat:
    """JSON lines or arrays of events of all kinds, as Metarank imports them."""

    feedback: Mapping[str, str] = {}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        options_of(source, MetarankOptions)
        return stream_patterns(source)

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        if file.table == "items":
            yield from read_records(engine, file.path, wanted["items"])
            return
        options = options_of(file.source, MetarankOptions)
        records = documents_with("event", "ranking, interaction, item or user")
        # fields are pairs of name and value: no key tells what a person typed from what is harmless
        raw = redacted_without(wanted["impressions"].redacted, "fields")
        for _ in read_nested_json(engine, file.path, _STRUCTURE):
            rows = (
                _impressions(engine, options, wanted["impressions"]),
                _INTERACTIONS,
                _items(engine, wanted["items"]),
            )
            yield Records(records, raw, rows, user=f"{given('record.user')} ->> '$'")


_KEYS = (
    "event",
    "id",
    "timestamp",
    "user",
    "session",
    "ranking",
    "type",
    "item",
    "items",
    "fields",
)
_STRUCTURE: Mapping[str, Any] = dict.fromkeys(_KEYS, "JSON")
_FIELDS = '[{"name": "VARCHAR", "value": "JSON"}]'
_SHOWN = f'[{{"id": "JSON", "relevancy": "JSON", "fields": {_FIELDS}}}]'
RELEVANCY = "relevancy"
"""The score that older rankings give an item outside of its fields; a feature like those."""


def _said(kind: str) -> str:
    """The values of all events of a kind."""
    return f"""(
        select record_line, 0 as record_part, record.id as id, record.timestamp as moment,
            {given('record."user"')} as person,
            {given('record."session"')} as visit,
            {given("record.ranking")} as ranking,
            record."type" as action,
            record.item as item,
            from_json(record.fields, {quote_literal(_FIELDS)}) as fields,
            record.items as item_array
        from {DOCUMENTS}
        where record_refusal is null and (record.event ->> '$') = {quote_literal(kind)}
    )"""


# items that are no array are one that is refused; an empty array is a list that showed nothing
_RANKINGS = f"""(
    select * exclude (record_part, item), unnest(found) as thing,
        generate_subscripts(found, 1)::integer as record_part
    from (
        select *, coalesce(from_json(item_array, {quote_literal(_SHOWN)}), [null]) as found
        from {_said("ranking")}
    )
)"""


def _field(fields: str, name: str) -> str:
    """The value of a field as JSON: the first of that name."""
    return f"list_filter({fields}, lambda each: each.name = {quote_literal(name)})[1].value"


def _feature(leaf: str) -> Column:
    """A field as a feature; lists are none."""
    return Column(
        f"(case when left(({leaf})::varchar, 1) not in ('[', '{{') then ({leaf}) ->> '$' end)"
    )


def _impressions(engine: Engine, options: MetarankOptions, wanted: Wanted) -> Rows:
    names: tuple[str, ...] = ()
    if wanted.globs:
        names = _names(
            engine,
            f"""select unnest(fields).name as name from {_said("ranking")}
            union all select unnest(thing.fields).name from {_RANKINGS}
            union all select '{RELEVANCY}' from {_RANKINGS} where thing.relevancy is not null""",
        )
    features = {}
    for name in without_case_twins([name for name in names if wanted.is_feature(name)]):
        leaves = [_field("thing.fields", name), _field("fields", name)]
        leaves += ["thing.relevancy"] if name == RELEVANCY else []
        features[name] = _feature(f"coalesce({', '.join(leaves)})")
    query = value(f"({given(_field('fields', options.query_field))})")
    unknown = f"{quote_literal(REQUEST_AS_QUERY)} || {value('id').sql}"
    columns = {
        "request_id": value("id"),
        "query_id": Column(f"case when {query.sql} is null then {unknown} end"),
        "query_text": query,
        "user_id": value("person"),
        "session_id": value("visit"),
        "item_id": value("thing.id"),
        "position": Column("record_part", "INTEGER"),
        "shown_at": value("moment"),
    }
    return Rows("impressions", columns | features, _RANKINGS, names)


_INTERACTIONS = Rows(
    "interactions",
    {
        "request_id": value("ranking"),
        "user_id": value("person"),
        "session_id": value("visit"),
        "item_id": value("item"),
        "signal": Column(snake_case(value("action").sql), not_scalar=value("action").not_scalar),
        "occurred_at": value("moment"),
    },
    _said("interaction"),
)


def _items(engine: Engine, wanted: Wanted) -> Rows:
    said = _said("item")
    names: tuple[str, ...] = ()
    if wanted.globs:
        names = _names(engine, f"select unnest(fields).name as name from {said}")
    features = [name for name in without_case_twins(list(names)) if wanted.is_feature(name)]
    columns = {
        "item_id": value("item"),
        "valid_from": value("moment"),
        "title": _feature(_field("fields", "title")),
    }
    columns |= {name: _feature(_field("fields", name)) for name in features}
    return Rows("items", columns, said, names)


def _names(engine: Engine, query: str) -> tuple[str, ...]:
    """The names of all fields of a block, sorted."""
    return tuple(
        name
        for (name,) in engine.rows(
            f"select distinct name from ({query}) where name <> '' order by name"
        )
    )
