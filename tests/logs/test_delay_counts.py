"""Delays counted in attributed tables, against hand-made rows."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from label_platform.lake import Engine
from label_platform.logs.delay_counts import DelayTables, arrival_lags, count_delays
from label_platform.logs.delays import DelayCounts

HOUR, DAY = 3600, 86400
END = datetime(2026, 10, 4, tzinfo=UTC)

IMPRESSIONS = """(values
    ('clicked',   timestamptz '2026-10-01 12:00:00+00', null),
    ('bought',    timestamptz '2026-10-01 18:00:00+00', null),
    ('nothing',   timestamptz '2026-10-01 20:00:00+00', null),
    ('late',      timestamptz '2026-10-03 12:00:00+00', null),
    ('bot',       timestamptz '2026-10-03 12:00:00+00', 'bot_session'),
    ('too_young', timestamptz '2026-10-04 00:00:00+00', null)
) as rows (impression_id, shown_at, excluded_reason)"""

MATCHED = """(values
    ('clicked',   'click',    10.4,  null),
    ('clicked',   'click',    9.6,   null),
    ('clicked',   'click',    -5.0,  'before_impression'),
    ('bought',    'click',    -0.5,  null),
    ('bought',    'purchase', 50000.0, 'outside_window'),
    ('late',      'purchase', 46800.0, null),
    ('bot',       'click',    1.0,   null),
    ('too_young', 'click',    1.0,   null),
    (null,        'click',    null,  'no_impression')
) as rows (impression_id, signal, delay_s, orphan_reason)"""


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def shown(counts: DelayCounts) -> tuple[dict[int, int], dict[int, int]]:
    """Events by delay, and impressions without one by the time they were followed."""
    return (
        dict(zip(counts.delay_s.tolist(), counts.events.tolist(), strict=True)),
        dict(zip(counts.followed_s.tolist(), counts.waiting.tolist(), strict=True)),
    )


def test_first_events_and_all_impressions_count(engine: Engine) -> None:
    """Matching looks one day back, so that the first day is followed until October 2 ended.

    An event before its impression within the clock's skew counts as at once. The purchase after
    the end of what is known (12 h of October 3 are left, it took 13) has not happened.
    """
    tables = DelayTables(f"(from {MATCHED})", f"(from {IMPRESSIONS})", END, look_back_days=1)
    found = count_delays(engine, tables, ["click", "purchase", "add_to_cart"])
    assert shown(found["click"]) == ({10: 1, 0: 1}, {28 * HOUR: 1, 12 * HOUR: 1})
    assert shown(found["purchase"]) == ({50000: 1}, {36 * HOUR: 1, 28 * HOUR: 1, 12 * HOUR: 1})
    assert shown(found["add_to_cart"]) == (
        {},
        {36 * HOUR: 1, 30 * HOUR: 1, 28 * HOUR: 1, 12 * HOUR: 1},
    )


def test_an_impression_is_followed_to_the_end_of_the_log(engine: Engine) -> None:
    tables = DelayTables(f"(from {MATCHED})", f"(from {IMPRESSIONS})", END, look_back_days=7)
    found = count_delays(engine, tables, ["add_to_cart"])["add_to_cart"]
    assert found.followed_s.tolist() == [12 * HOUR, 52 * HOUR, 54 * HOUR, 60 * HOUR]


def test_a_large_log_is_counted_by_the_second(engine: Engine) -> None:
    """Two million impressions, one every 43 ms: a day has 86,400 distinct seconds."""
    n = 2_000_000
    impressions = (
        f"(select range as impression_id, timestamptz '2026-10-03 00:00:00+00' "
        f"+ to_microseconds(range * 43200) as shown_at, null as excluded_reason from range({n}))"
    )
    matched = (
        "(select range * 10 as impression_id, 'click' as signal, range % 60 as delay_s, "
        f"null as orphan_reason from range({n // 10}))"
    )
    tables = DelayTables(matched, impressions, END, look_back_days=1)
    found = count_delays(engine, tables, ["click"])["click"]
    assert found.delay_s.tolist() == list(range(60))
    assert len(found.followed_s) <= DAY + 1
    assert found.events.sum() + found.waiting.sum() == n
    assert np.all(np.diff(found.followed_s) > 0)


def test_the_lag_is_from_the_event_to_its_ingestion(engine: Engine) -> None:
    """Lags of 0, 1, ... 100 s; an event of another signal is not among them."""
    moment = "timestamptz '2026-10-01 12:00:00+00'"
    matched = (
        f"(select 'click' as signal, {moment} as occurred_at, "
        f"{moment} + to_seconds(range) as ingested_at from range(101) "
        f"union all select 'purchase', {moment}, {moment} + interval 3 day)"
    )
    assert arrival_lags(engine, matched) == {
        "click": (50.0, 90.0, 99.0),
        "purchase": (3 * DAY, 3 * DAY, 3 * DAY),
    }
