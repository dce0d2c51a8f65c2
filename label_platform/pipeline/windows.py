"""How far attribution reaches: the days that an event may look back on, and back again."""

from datetime import date, timedelta
from math import ceil

from label_platform.lake import Partition, days_between
from label_platform.pipeline.context import Context
from label_platform.pipeline.model_variables import as_of
from label_platform.problem import Problem

_DAY = timedelta(days=1)


def window_days(problem: Problem) -> int:
    """Days that the longest attribution window reaches into, after the impression's own."""
    return ceil(problem.longest_window / _DAY)


def skew_days(problem: Problem) -> int:
    """Days before its impression's own that an event may stand in, clocks being what they are."""
    return ceil(problem.attribution.clock_skew / _DAY)


def event_days(context: Context) -> list[date]:
    """Every day with a partition of events; some may trail behind the last day of the log."""
    return [day for day in context.lake.days("interactions") if day <= _known_until(context)]


def has_events(context: Context, day: date) -> bool:
    """Whether there is a partition of a day's events."""
    known = day <= _known_until(context)
    return known and context.lake.manifest(Partition("interactions", day)) is not None


def days_looked_back_on(problem: Problem, event_day: date) -> list[date]:
    """The days whose impressions may have led to an event of a day."""
    return days_between(
        event_day - window_days(problem) * _DAY, event_day + skew_days(problem) * _DAY
    )


def days_led_to(problem: Problem, impression_day: date) -> list[date]:
    """The days whose events may belong to an impression of a day."""
    return days_between(
        impression_day - skew_days(problem) * _DAY, impression_day + window_days(problem) * _DAY
    )


def closed_signals(context: Context, impression_day: date) -> list[str]:
    """The signals whose window had passed for all of a day's impressions when the log ended."""
    passed = context.log_days[-1] - impression_day
    return sorted(
        name for name, signal in context.problem.signals.items() if signal.window <= passed
    )


def _known_until(context: Context) -> date:
    return date.fromisoformat(as_of(context)[:10])
