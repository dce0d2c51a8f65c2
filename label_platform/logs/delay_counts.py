"""Counts of impressions by the delay of their first event, from the attributed tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from label_platform.lake import Engine, quote_literal
from label_platform.logs.delays import PERCENTILES, Counts, DelayCounts


@dataclass(frozen=True)
class DelayTables:
    """What delays are counted in.

    Attributes:
        matched: every event, with the impression it belongs to: ``matched_interactions``.
        impressions: every impression, with the reason if it is left out: ``impression_signals``.
        end: what happened until here is known.
        look_back_days: events were matched to impressions of their own day and so many before it.
    """

    matched: str
    impressions: str
    end: datetime
    look_back_days: int


def count_delays(
    engine: Engine, tables: DelayTables, signals: Iterable[str]
) -> dict[str, DelayCounts]:
    """Counts per signal.

    An impression is followed until the end of what is known, and no longer than its events are
    looked for. An event outside its signal's window is one like the others here. Impressions that
    are left out for their session (bots) do not count.
    """
    engine.create_view("followed_impressions", f"({_followed_sql(tables)})")
    engine.execute(f"create or replace temp table first_events as {_first_events_sql(tables)}")
    followed_s, impressions = _columns(
        engine,
        "select followed_s, count(*) from followed_impressions group by followed_s order by all",
    )
    counts = {}
    for signal in signals:
        of_signal = f"from first_events where signal = {quote_literal(signal)}"
        delay_s, events = _columns(
            engine, f"select delay_s, count(*) {of_signal} group by delay_s order by all"
        )
        ended_s, ended = _columns(
            engine, f"select followed_s, count(*) {of_signal} group by followed_s order by all"
        )
        waiting = impressions.copy()
        waiting[np.searchsorted(followed_s, ended_s)] -= ended
        still = waiting > 0
        counts[signal] = DelayCounts(delay_s, events, followed_s[still], waiting[still])
    return counts


def arrival_lags(engine: Engine, matched: str) -> dict[str, tuple[float, ...]]:
    """Seconds between an event and its ingestion, per signal: the 50th, 90th and 99th percentile.

    What has not arrived yet is not among them.
    """
    shares = ", ".join(str(percent / 100) for percent in PERCENTILES)
    rows = engine.rows(
        "select signal, quantile_cont(epoch_ms(ingested_at) - epoch_ms(occurred_at), "
        f"[{shares}]) from {matched} group by signal"
    )
    return {signal: tuple(value / 1000 for value in lags) for signal, lags in rows}


def _followed_sql(tables: DelayTables) -> str:
    end = f"{quote_literal(tables.end.isoformat())}::timestamptz"
    last_match = f"date_trunc('day', shown_at) + interval {tables.look_back_days + 1} day"
    return (
        "select impression_id, "
        f"round(epoch(least({end}, {last_match})) - epoch(shown_at))::bigint as followed_s "
        f"from {tables.impressions} where excluded_reason is null and shown_at < {end}"
    )


def _first_events_sql(tables: DelayTables) -> str:
    return (
        "select signal, min(round(greatest(delay_s, 0)))::bigint as delay_s, "
        "any_value(followed_s) as followed_s "
        f"from {tables.matched} inner join followed_impressions using (impression_id) "
        "where orphan_reason is null or orphan_reason = 'outside_window' "
        "group by signal, impression_id having min(round(greatest(delay_s, 0))) <= "
        "any_value(followed_s)"
    )


def _columns(engine: Engine, query: str) -> tuple[Counts, Counts]:
    table = engine.arrow(query)
    first, second = (column.to_numpy().astype(np.int64) for column in table.columns)
    return first, second
