"""User Behavior Insights (OpenSearch UBI) 1.0 to 1.3: events and queries, in one file or several.

The official JSON schemas validate nothing here: they refuse actions that everybody logs.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from label_platform.lake import Engine, quote_literal
from label_platform.logs.contract import Table, Wanted
from label_platform.logs.format_options import options_of, stream_patterns
from label_platform.logs.json_records import BLOCK, DOCUMENTS, read_nested_json, value
from label_platform.logs.native import read_records
from label_platform.logs.nested_values import REQUEST_AS_QUERY
from label_platform.logs.privacy import redacted_json
from label_platform.logs.records import Column, LogFile, LogPattern, Records, Rows
from label_platform.problem import LogSource
from label_platform.strict_yaml import ConfigurationError, StrictModel, nearest

_BASES = "0, 1, or a mapping from applications to 0 or 1"
_RENAMED_ACTIONS = {"click_through": "click"}
_LARGEST_ORDINAL = 10**9


def _bases(given: object) -> object:
    """One base for all applications is the default of a mapping without any."""
    bases = given if isinstance(given, dict) else {"default": given}
    if not all(type(base) is int and base in {0, 1} for base in bases.values()):
        raise ValueError(f"expected {_BASES}")
    return bases


class UbiOptions(StrictModel):
    """What UBI files do not say themselves.

    Attributes:
        impressions: whether a list's items come from impression events, or from the
            ``query_response_hit_ids`` of its query; then impression events are ignored.
        impression_actions: the actions that say that an item was shown.
        first_ordinal: the ordinal of a list's first item, by application; ``default`` stands for
            the applications that are not named.
        actions: signals of actions that bear another name.
        randomized: where ``query_attributes`` say that a list was in random order, as keys
            with dots between them.
    """

    impressions: Literal["events", "hits"] = "events"
    impression_actions: tuple[str, ...] = ("impression",)
    first_ordinal: Annotated[dict[str, int], BeforeValidator(_bases)] = Field(
        default={"default": 1}
    )
    actions: dict[str, str] = Field(default={})
    randomized: str | None = None


class UbiFormat:
    """JSON lines, arrays, and OpenSearch dumps, of events and queries in any mixture."""

    feedback: Mapping[str, str] = {}

    def patterns(self, source: LogSource) -> Iterator[LogPattern]:
        """The globs of a log source."""
        options_of(source, UbiOptions)
        return stream_patterns(source)

    def read(
        self, engine: Engine, file: LogFile, wanted: Mapping[Table, Wanted]
    ) -> Iterator[Records]:
        """The records of a file, in blocks."""
        if file.table == "items":
            yield from read_records(engine, file.path, wanted["items"])
            return
        options = options_of(file.source, UbiOptions)
        for _ in read_nested_json(engine, file.path, _STRUCTURE, _SOURCES):
            _require_known_applications(engine, file, options)
            yield Records(
                DOCUMENTS,
                redacted_json("text", wanted["impressions"].redacted),
                tuple(_rows(options)),
                f"{_USER} ->> '$'",
            )


_STRUCTURE: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "application",
            "action_name",
            "query_id",
            "session_id",
            "client_id",
            "user_id",
            "user_query",
            "timestamp",
            "query_attributes",
            "query_response_id",
            "query_response_hit_ids",
        ),
        "JSON",
    ),
    "event_attributes": {
        "session_id": "JSON",
        "browser": "JSON",
        "object": {"object_id": "JSON", "internal_id": "JSON"},
        "position": {"ordinal": "JSON"},
    },
}

# A dump's action lines are no records, and some dumps wrap each document in _source. Few lines are
# either, so a look at the text saves parsing all others once more.
_SOURCES = f"""
    select line, coalesce(source, text) as text, broken
    from (
        select line, text, broken,
            case when contains(text, '"_source"') then try(text::json -> '$._source')::varchar end
                as source
        from {BLOCK}
        where broken is not null
            or not regexp_matches(left(text, 40), '^\\s*\\{{\\s*"(index|create)"')
            or not coalesce(try(json_keys(text)) in (['index'], ['create']), false)
    )"""


def _first(*leaves: str) -> str:
    """The first leaf that is neither absent nor empty text: clients write "" for nobody."""
    *others, last = leaves
    cases = "".join(f" when coalesce({leaf} ->> '$', '') <> '' then {leaf}" for leaf in others)
    return f"(case{cases} else {last} end)"


_ATTRIBUTES = "record.event_attributes"
_ORDINAL = f"{_ATTRIBUTES}.position.ordinal"
_USER = _first("record.user_id", "record.client_id")
_ITEM = _first(f"{_ATTRIBUTES}.object.object_id", f"{_ATTRIBUTES}.object.internal_id")
_QUERY_KEYS = ("user_query", "query_attributes", "query_response_id", "query_response_hit_ids")
_IS_QUERY = (
    f"coalesce(record.action_name ->> '$', '') = '' and {_ITEM} is null and {_ORDINAL} is null"
    f" and coalesce({', '.join(f'record.{key}' for key in _QUERY_KEYS)}) is not null"
)
_SAID = f"""
    select record_line, 0 as record_part,
        {_IS_QUERY} as is_query,
        record.application as application,
        record.action_name as action,
        record.query_id as request,
        record.user_query as query_text,
        {_USER} as person,
        {_first("record.session_id", f"{_ATTRIBUTES}.session_id")} as session,
        record.timestamp as moment,
        {_ITEM} as item,
        coalesce({_ORDINAL} -> '$.index', {_ORDINAL}) as ordinal,
        {_ATTRIBUTES}.browser as browser,
        record.query_attributes as query_attributes,
        record.query_response_hit_ids as hits
    from {DOCUMENTS}
    where record_refusal is null"""


def _rows(options: UbiOptions) -> Iterator[Rows]:
    shown = ", ".join(map(quote_literal, options.impression_actions)) or "null"
    is_impression = f"not is_query and coalesce((action ->> '$') in ({shown}), false)"
    is_other = f"not is_query and not coalesce((action ->> '$') in ({shown}), false)"
    position = _position(options.first_ordinal)
    if options.impressions == "events":
        impressions = _impression_columns() | {"position": position}
        impressions["user_agent"] = value("browser")
        yield Rows("impressions", impressions, f"(select * from ({_SAID}) where {is_impression})")
    else:
        impressions = _impression_columns() | {"position": Column("record_part", "INTEGER")}
        impressions |= _randomized(options)
        yield Rows("impressions", impressions, _HITS)
    yield Rows(
        "interactions",
        {
            "request_id": value("request"),
            "user_id": value("person"),
            "session_id": value("session"),
            "surface": value("application"),
            "item_id": value("item"),
            "position": position,
            "signal": _signal(options),
            "occurred_at": value("moment"),
        },
        f"(select * from ({_SAID}) where {is_other})",
    )
    yield Rows(
        "requests",
        {
            "request_id": value("request"),
            "asked_at": value("moment"),
            "query_text": value("query_text"),
            "user_id": value("person"),
            "session_id": value("session"),
            **_randomized(options),
        },
        # before 1.2 queries had no time: then nobody can say to which day they belong
        f"(select * from ({_SAID}) where is_query and coalesce(moment ->> '$', '') <> ''"
        " and coalesce(request ->> '$', '') <> '')",
    )


# A search engine writes an array of one as the bare value.
_HITS = f"""(
    select * exclude (item, record_part, found), unnest(found) as item,
        generate_subscripts(found, 1)::integer as record_part
    from (
        select *, case when json_type(hits) = 'ARRAY' then hits -> '$[*]' else [hits] end as found
        from ({_SAID}) where is_query and hits is not null
    )
)"""


def _impression_columns() -> dict[str, Column]:
    text = value("query_text").sql
    unknown = f"{quote_literal(REQUEST_AS_QUERY)} || {value('request').sql}"
    return {
        "request_id": value("request"),
        "query_id": Column(f"case when coalesce({text}, '') = '' then {unknown} end"),
        "query_text": value("query_text"),
        "user_id": value("person"),
        "session_id": value("session"),
        "item_id": value("item"),
        "shown_at": value("moment"),
        "surface": value("application"),
    }


def _position(bases: Mapping[str, int]) -> Column:
    """The ordinal as a position from 1; what is no whole number stays as it is, to be refused."""
    column = value("ordinal")
    zero_based = [name for name, base in bases.items() if base == 0 and name != "default"]
    named = ", ".join(quote_literal(name) for name in bases if name != "default") or "null"
    zero = ", ".join(map(quote_literal, zero_based)) or "null"
    is_zero_based = f"coalesce((application ->> '$') in ({zero}), false)"
    if bases.get("default") == 0:
        is_zero_based += f" or not coalesce((application ->> '$') in ({named}), false)"
    number = f"try_cast({column.sql} as double)"
    whole = f"{number} = floor({number}) and {number} between 0 and {_LARGEST_ORDINAL}"
    moved = f"(try_cast({number} as bigint) + 1)::varchar"
    sql = f"case when ({is_zero_based}) and {whole} then {moved} else {column.sql} end"
    return Column(sql, "VARCHAR", column.not_scalar)


def _signal(options: UbiOptions) -> Column:
    column = value("action")
    renamed = _RENAMED_ACTIONS | options.actions
    cases = " ".join(
        f"when {quote_literal(action)} then {quote_literal(signal)}"
        for action, signal in renamed.items()
    )
    sql = f"case {column.sql} {cases} else {column.sql} end"
    return Column(sql, "VARCHAR", column.not_scalar)


def _randomized(options: UbiOptions) -> dict[str, Column]:
    if options.randomized is None:
        return {}
    keys = [key.replace("\\", "\\\\").replace('"', '\\"') for key in options.randomized.split(".")]
    path = quote_literal("$" + "".join(f'."{key}"' for key in keys))
    return {"randomized": Column(f"(query_attributes ->> {path})")}


def _require_known_applications(engine: Engine, file: LogFile, options: UbiOptions) -> None:
    """Refuse an application whose first ordinal nobody has said: positions would be off by one."""
    bases = options.first_ordinal
    if "default" in bases:
        return
    known = ", ".join(map(quote_literal, bases)) or "null"
    found = engine.rows(
        f"select distinct application ->> '$' from ({_SAID})"
        f" where ordinal is not null and not coalesce((application ->> '$') in ({known}), false)"
        " order by 1 limit 1"
    )
    for (name,) in found:
        raise ConfigurationError(
            f"options: first_ordinal: {file.name}: found the application {name!r}, expected a key"
            f" of its own or default; {nearest(name or '', bases)}"
        )
