"""What the samples of one format say: lists, events, people, days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.statements import FormatGuess
from label_platform.lake import Engine

EARLIEST = "timestamptz '2000-01-01 00:00:00+00'"
_MOST_DEVICES = 20


@dataclass(frozen=True)
class Facts:
    """Counts over the sampled records.

    Attributes:
        impressions: items shown.
        lists: lists that they were shown in.
        shuffled: lists that were in random order.
        unshuffled: lists of which the log says that they were not.
        signals: events about an item, by name, the most frequent first.
        integer_ids: whether all ids of lists, queries and items are whole numbers.
        has_users: whether any record names a user.
        naive: records whose time names no zone.
        timed: records with a time.
        devices: the distinct devices, if they are few.
    """

    impressions: int
    lists: int
    shuffled: int
    unshuffled: int
    signals: Mapping[str, int]
    integer_ids: bool
    has_users: bool
    naive: int
    timed: int
    devices: tuple[str, ...]


def load_statements(
    engine: Engine, guess: FormatGuess, samples: Sequence[Sample], options: Mapping[str, Any]
) -> None:
    """(Re)make the engine's tables ``shown`` and ``said`` from samples."""
    statements = [guess.statements(sample, options) for sample in samples]
    for table, columns in _COLUMNS.items():
        queries = [getattr(each, table) for each in statements]
        nothing = ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())
        union = " union all by name ".join(
            [f"select {nothing} where false", *(query for query in queries if query)]
        )
        engine.execute(f"create or replace temp table {table} as {union}")


_TEXTS = ("request", "item", "person")
_TIMES = {"moment": "timestamptz", "naive": "boolean"}
_COLUMNS = {
    "shown": {
        **dict.fromkeys((*_TEXTS, "query", "device"), "varchar"),
        "shuffled": "boolean",
        **_TIMES,
    },
    "said": {**dict.fromkeys((*_TEXTS, "signal"), "varchar"), **_TIMES},
}


def read_facts(engine: Engine) -> Facts:
    """The counts over the tables ``shown`` and ``said``."""
    impressions, lists, shuffled, unshuffled = engine.row(
        "select count(*), count(distinct request),"
        " count(distinct request) filter (shuffled), count(distinct request) filter (not shuffled)"
        " from shown"
    )
    both = (
        "(select request, query, item, person, moment, naive from shown"
        " union all by name select request, item, person, moment, naive from said)"
    )
    is_integer = "regexp_full_match({0}, '-?[0-9]{{1,18}}')"
    integers = " and ".join(
        f"coalesce(bool_and({is_integer.format(name)}), true)"
        for name in ("request", "query", "item")
    )
    integer_ids, persons, naive, timed = engine.row(
        f"select {integers}, count(person), count(*) filter (naive and moment is not null),"
        f" count(moment) from {both}"
    )
    devices = engine.rows(
        "select device from shown where device is not null group by device"
        f" order by count(*) desc, device limit {_MOST_DEVICES + 1}"
    )
    return Facts(
        impressions=impressions,
        lists=lists,
        shuffled=shuffled,
        unshuffled=unshuffled,
        signals=_signals(engine),
        integer_ids=integer_ids,
        has_users=persons > 0,
        naive=naive,
        timed=timed,
        devices=tuple(name for (name,) in devices),
    )


def _signals(engine: Engine) -> dict[str, int]:
    return dict(
        engine.rows(
            "select signal, count(*) from said where signal <> '' and item is not null"
            " group by signal order by count(*) desc, signal"
        )
    )


def first_and_last_day(
    engine: Engine, table: str, latest: date, signals: Sequence[str] | None = None
) -> tuple[date | None, date | None]:
    """The UTC days of the earliest and latest record; clocks that are far off do not count.

    Args:
        engine: has the table.
        table: ``shown`` or ``said``.
        latest: the last day that can be true.
        signals: which events count, if not all.
    """
    first, last = engine.row(
        f"select min(moment)::date, max(moment)::date from {table}"
        f" where moment >= {EARLIEST} and moment::date <= ?"
        + (" and list_contains(?, signal)" if signals is not None else ""),
        [latest, *([list(signals)] if signals is not None else [])],
    )
    return first, last
