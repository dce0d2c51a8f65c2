"""From when to when logs are, told from the first and the last records of each file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pyarrow import parquet

from label_platform.first_contact.guess.facts import first_and_last_day, load_statements
from label_platform.first_contact.guess.log_folder import kind_of
from label_platform.first_contact.guess.reading import EDGES, sample_file
from label_platform.first_contact.guess.samples import Sample
from label_platform.first_contact.guess.statements import FormatGuess
from label_platform.lake import Engine
from label_platform.logs.records import UnreadableFileError

MOST_EDGES = 100
"""Files whose ends are looked at; of more, the first and the last by name."""

STRAYED = timedelta(days=30)
"""An event so much earlier than all impressions belongs to none, and each day costs something."""


@dataclass(frozen=True)
class Days:
    """The UTC days of a log.

    Attributes:
        first: of any record that counts, but for events that strayed.
        last: of any record that counts, but for events that strayed.
        first_shown: of an impression.
        last_shown: of an impression.
        strayed_since: of events that are too old to belong to any impression, if there are some.
        is_sure: whether the ends of every file were looked at.
        looked_at: what was looked at, in words.
    """

    first: date
    last: date
    first_shown: date
    last_shown: date
    strayed_since: date | None
    is_sure: bool
    looked_at: str

    @property
    def shown(self) -> int:
        """How many days there are from the first impression to the last."""
        return (self.last_shown - self.first_shown).days + 1


class _Span:
    """The earliest and the latest day so far."""

    def __init__(self) -> None:
        self.days: list[date] = []

    def add(self, *days: date | None) -> None:
        self.days = [day for day in (*self.days, *days) if day is not None]
        self.days = [min(self.days), max(self.days)] if self.days else []


def find_days(
    engine: Engine,
    guess: FormatGuess,
    samples: Sequence[Sample],
    files: Sequence[Path],
    options: Mapping[str, Any],
    signals: Sequence[str],
    today: date,
) -> Days | None:
    """The days of a log, or None if no impression has a time.

    Args:
        engine: has the samples.
        guess: understands them.
        samples: what was read so far.
        files: all log files.
        options: the log source's options.
        signals: the events that count.
        today: times after tomorrow are nobody's.
    """
    latest = today + timedelta(days=1)
    shown, said = _Span(), _Span()
    sampled = {sample.path for sample in samples}
    rest = sorted(set(files) - sampled)
    half = MOST_EDGES // 2
    edges = rest if len(rest) <= MOST_EDGES else rest[:half] + rest[-half:]
    others = [each for file in edges if (each := _edge(engine, file)) is not None]
    for each in (*samples, *others):
        load_statements(engine, guess, [each], options)
        shown.add(*first_and_last_day(engine, "shown", latest))
        said.add(*first_and_last_day(engine, "said", latest, signals))
        of_parquet = _parquet_days(each, guess.clocks, latest)
        (shown if _has_lists(engine) else said).add(*of_parquet)
    for each in others:
        engine.execute(f"drop table {each.table}")
    if not shown.days:
        return None
    first, last = shown.days
    first_said, last_said = said.days or shown.days
    strayed = first_said < first - STRAYED
    seen = [*samples, *others]
    is_sure = len(seen) == len(files) and all(each.has_end for each in seen)
    words = "every record" if all(each.is_whole for each in seen) else "the first and last records"
    looked_at = f"{words} of {len(seen):,} of {len(files):,} files"
    return Days(
        first=first if strayed else min(first, first_said),
        last=min(max(last, last_said), last + STRAYED),
        first_shown=first,
        last_shown=last,
        strayed_since=first_said if strayed else None,
        is_sure=is_sure,
        looked_at=looked_at,
    )


def _edge(engine: Engine, path: Path) -> Sample | None:
    """A file that cannot be read has no days; ingestion will say what is wrong with it."""
    (number,) = engine.row("select count(*) from duckdb_tables()")
    try:
        return sample_file(engine, path, f"edge_{number}", EDGES)
    except UnreadableFileError:
        return None


def _has_lists(engine: Engine) -> bool:
    (count,) = engine.row("select count(*) from shown")
    return bool(count)


def _parquet_days(sample: Sample, clocks: Mapping[str, int], latest: date) -> list[date]:
    """The days of a Parquet file by its own statistics, without reading its rows."""
    if kind_of(sample.path) != ".parquet" or sample.is_whole:
        return []
    metadata = parquet.read_metadata(sample.path)
    found = []
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.path_in_schema in clocks and column.is_stats_set:
                per_ms = clocks[column.path_in_schema]
                found += [
                    _day(each, per_ms) for each in (column.statistics.min, column.statistics.max)
                ]
    return [day for day in found if day is not None and date(2000, 1, 1) <= day <= latest]


def _day(value: object, per_ms: int) -> date | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()
    if isinstance(value, int):
        try:
            return datetime.fromtimestamp(value / per_ms / 1000, tz=UTC).date()
        except (ValueError, OverflowError, OSError):
            return None
    return None
