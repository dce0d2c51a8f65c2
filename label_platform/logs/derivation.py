"""What follows from a record: its id, its defaults, its day, and whether anybody asked for it."""

from datetime import datetime

from label_platform.lake import quote_literal
from label_platform.logs.content_ids import joined, peppered
from label_platform.logs.contract import MOMENT_OF, Table
from label_platform.problem import Problem


def day_of(table: Table, problem: Problem) -> str:
    """The expression of a record's partition."""
    day = f"{MOMENT_OF[table]}::date"
    first = f"{quote_literal(problem.start_date.isoformat())}::date"
    return f"greatest({day}, {first})" if table == "items" else day


def derived_columns(
    table: Table, problem: Problem, asked: tuple[str, ...], ingested_at: datetime
) -> list[str]:
    """The columns of a row and its stage, in SQL over what judging gives.

    Args:
        table: the row's table.
        problem: whose ids and days they are.
        asked: the signals that the problem asks for; others are ignored.
        ingested_at: the moment of ingestion.
    """
    ingested = f"{quote_literal(ingested_at.isoformat())}::timestamptz"
    if table == "impressions":
        return _impression_columns(problem, ingested)
    if table == "interactions":
        return _interaction_columns(asked, ingested)
    return _item_columns(problem) if table == "items" else _request_columns(problem, ingested)


def _impression_columns(problem: Problem, ingested: str) -> list[str]:
    return [
        f"md5({joined('request_id', 'item_id', 'position')})::uuid as impression_id",
        "request_id",
        f"coalesce(query_id, {_id_of_text(problem)}) as query_id",
        "query_text",
        "user_id as user_key",
        "session_id, item_id, position, shown_at, surface, device, user_agent, ranker_id",
        "coalesce(randomized, false) as randomized",
        "logging_probability",
        f"coalesce(ingested_at, {ingested}) as ingested_at",
        "false as ignored",
        f"{day_of('impressions', problem)} as day",
    ]


def _interaction_columns(asked: tuple[str, ...], ingested: str) -> list[str]:
    signals = ", ".join(map(quote_literal, asked))
    given = "md5_number(interaction_id)::uuid"
    derived = event_id("signal", "coalesce(value, 1)", "occurred_at")
    return [
        f"case when interaction_id is null then {derived} else {given} end as interaction_id",
        "request_id, user_id as user_key, session_id, surface, item_id, position, signal",
        "coalesce(value, 1) as value",
        "occurred_at",
        f"coalesce(ingested_at, {ingested}) as ingested_at",
        f"coalesce(signal not in ({signals}), false) as ignored",
        "occurred_at::date as day",
    ]


def _item_columns(problem: Problem) -> list[str]:
    # without a date, an item is as old as the log
    first = f"{quote_literal(f'{problem.start_date} 00:00:00+00')}::timestamptz"
    return [
        "item_id",
        f"coalesce(valid_from, {first}) as valid_from",
        "title",
        "false as ignored",
        f"greatest(coalesce(valid_from, {first}), {first})::date as day",
    ]


def _request_columns(problem: Problem, ingested: str) -> list[str]:
    return [
        "request_id, asked_at",
        f"coalesce(query_id, {_id_of_text(problem)}) as query_id",
        "query_text, user_id as user_key, session_id, randomized",
        f"coalesce(ingested_at, {ingested}) as ingested_at",
        "false as ignored",
        "asked_at::date as day",
    ]


def _id_of_text(problem: Problem) -> str:
    """The id of a query that has only its text."""
    text = f"md5({peppered('query_text')})"
    return f"('0x' || left({text}, 15))::bigint" if problem.ids == "integer" else text


def event_id(signal: str, value: str, moment: str) -> str:
    """The id of an event without one, from its content: sent again, it is the same event."""
    # an event that names its list is known by it; only one that does not, by whose it is
    who = peppered(joined("user_id", "session_id", "surface"))
    whose = f"case when request_id is null then {who} end"
    # short texts are one block of the digest, and twice as fast
    when = f"to_base(greatest(epoch_us({moment}), 0), 36)"
    said = joined("request_id", "item_id", signal, value, when, "position", whose)
    return f"md5_number({said})::uuid"


def asked_signals(problem: Problem) -> tuple[str, ...]:
    """The signals that a problem asks for, and the events that take them back."""
    reversals = {signal.reversed_by for signal in problem.signals.values() if signal.reversed_by}
    return tuple(sorted({*problem.signals, *reversals}))
