"""Every record that was cut out of a file is in one of four counts, or there is an error."""

from typing import TYPE_CHECKING

import pytest

from label_platform.lake import Engine
from label_platform.logs import batch
from label_platform.logs.accounting import MiscountError, counts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUT = {"item_id": "VARCHAR"}


@pytest.fixture
def engine() -> "Iterator[Engine]":
    """A batch of three impressions: one is new, one ignored, one refused."""
    with Engine() as engine:
        batch.create(engine, dict.fromkeys(batch.TABLES, LAYOUT))
        engine.execute(
            f"""insert into {batch.name_of("impressions")} values
            ('i1', 1, 1, 0, null, null, false, date '2026-10-01'),
            ('i2', 1, 2, 0, null, null, true, date '2026-10-01'),
            ('i3', 1, 3, 0, 'missing_key|position', '{{}}', false, null)"""
        )
        yield engine


def test_each_record_is_counted_once(engine: Engine) -> None:
    counts = counts_of(engine, "log.jsonl", 1, 3)
    kept = counts.records, counts.accepted, counts.ignored, counts.rejected, counts.duplicates
    assert kept == (3, 1, 1, 1, 0)


def test_a_record_that_was_cut_and_went_nowhere_is_an_error(engine: Engine) -> None:
    expected = (
        "log.jsonl: found 1 records accepted, 1 ignored, 1 rejected and 0 duplicates, 3 in all, "
        "expected the 4 that were read"
    )
    with pytest.raises(MiscountError, match=expected):
        counts_of(engine, "log.jsonl", 1, 4)


def test_a_row_that_is_a_duplicate_twice_is_an_error(engine: Engine) -> None:
    engine.execute(f"insert into {batch.REPEATED} values ('impressions', 1, 1, 0, true)")
    engine.execute(f"insert into {batch.REPEATED} values ('impressions', 1, 1, 0, true)")
    with pytest.raises(MiscountError, match="2 duplicates, 4 in all, expected the 3"):
        counts_of(engine, "log.jsonl", 1, 3)


def test_a_document_that_has_no_rows_is_ignored_not_lost(engine: Engine) -> None:
    engine.execute(f"insert into {batch.RECORDS} values (2, 1, null, null, null)")
    counts = counts_of(engine, "events.jsonl", 2, 1)
    assert (counts.records, counts.ignored) == (1, 1)
