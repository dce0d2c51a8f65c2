"""Builds as of some time: from what was known then, into a view of the lake of its own."""

from datetime import UTC, date, datetime, time, timedelta

from label_platform.lake import Engine, Lake, MissingPartitionError, View, quote_literal
from label_platform.strict_yaml import ConfigurationError

NO_LIMIT = "9999-12-31 00:00:00+00"
"""The time of a build that takes whatever was ingested."""

RAW_TABLES = ("impressions", "interactions", "requests", "items", "rejected_records")


def view_of(moment: datetime) -> View:
    """The view that is built as of a moment."""
    utc = moment.astimezone(UTC)
    fraction = f".{utc.microsecond:06}" if utc.microsecond else ""
    folder = f"as_of={utc:%Y%m%dT%H%M%S}{fraction}Z"
    return View(folder, utc.isoformat(), frozenset(RAW_TABLES))


def end_of(day: date) -> datetime:
    """The moment at which a log day has ended."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def known_days(engine: Engine, lake: Lake, moment: datetime) -> list[date]:
    """The log days that had ended by a moment, up to the last one with impressions known then.

    A day that had ended, and of which nothing had arrived, was not a log day then either.

    Raises:
        MissingPartitionError: nothing was ingested to this day.
        ConfigurationError: no log day had ended, or nothing was known.
    """
    days = lake.days("impressions")
    if not days:
        raise MissingPartitionError("no impressions were ingested yet")
    limit = f"{quote_literal(moment.isoformat())}::timestamptz"
    earliest, last_known = engine.row(
        "select epoch_us(min(ingested_at)), "
        f"cast(max(shown_at) filter (where ingested_at <= {limit}) as date) "
        f"from {lake.scan('impressions', days)}"
    )
    known = [day for day in days if end_of(day) <= moment and last_known and day <= last_known]
    if not known:
        since = (
            f"the earliest ingested_at of an impression is {_iso(earliest)}, "
            if earliest is not None
            else ""
        )
        raise ConfigurationError(
            f"as of {moment.astimezone(UTC).isoformat()} no day of the log was known; "
            f"{since}and the first log day ended at {end_of(days[0]).isoformat()}"
        )
    return known


def _iso(microseconds: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)).isoformat()
