"""An id that comes again, around midnight or days later, stops nothing and counts rightly."""

from pathlib import Path

import pytest

from tests.pipeline.test_returns import Shop, event, shown

BEFORE, AFTER = "2026-10-02T23:59:59+00:00", "2026-10-03T00:00:02+00:00"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_event_and_an_impression_sent_again_over_midnight_count_once(shop: Shop) -> None:
    shop.write("imp", *(shown("a", 2) | {"shown_at": at} for at in (BEFORE, AFTER)))
    click = event("click", 2, request_id="a", interaction_id="e1")
    shop.write("events", *(click | {"occurred_at": at} for at in (BEFORE, AFTER)))
    shop.build()
    assert shop.rows("impression_signals", "day(shown_at), click") == [(2, 1)]
    assert shop.rows("matched_interactions", "day(occurred_at)") == [(2,)]


def test_ids_that_come_again_three_days_later_are_of_other_records(shop: Shop) -> None:
    """Only the impression of the 4th is bought from, and that once; both are clicked."""
    shop.write("imp", shown("a", 1), shown("a", 4))
    clicks = [
        event("click", on, 10, request_id="a", interaction_id="e1", occurred_at=f"{day}T10:00:05Z")
        for on, day in ((1, "2026-10-01"), (4, "2026-10-04"))
    ]
    bought = event("purchase", 4, request_id="a", interaction_id="e2")
    shop.write("events", *clicks, bought)
    shop.build()
    found = shop.rows("impression_signals", "day(shown_at), click, purchase")
    assert found == [(1, 1, 0), (4, 1, 1)]
    matched = shop.rows("matched_interactions", "signal, day(impression_day)")
    assert matched == [("click", 1), ("click", 4), ("purchase", 4)]
    assert shop.orphans() == []
