"""Attributed + orphaned = accepted events, each counted where the others have no part in it.

Accepted events are counted in the raw table; attributed ones are those that days of
``impression_signals`` say they have made signals of; orphans are rows of their own table.
"""

from dataclasses import dataclass
from datetime import date

import dagster as dg

from label_platform.lake import Partition, quote_literal
from label_platform.logs.derivation import asked_signals
from label_platform.pipeline.attribution import ATTRIBUTED, MATCHED
from label_platform.pipeline.context import Context
from label_platform.pipeline.matching import BY_DAY, raw


@dataclass(frozen=True)
class EventCounts:
    """What became of the events of one day.

    Attributes:
        accepted: events in the log that the problem asks for.
        attributed: events that became signals of an impression.
        orphaned: events that count for no impression.
        waiting: events of impressions whose day was not built since they were matched; none, once
            everything is up to date.
    """

    accepted: int
    attributed: int
    orphaned: int
    waiting: int

    @property
    def are_balanced(self) -> bool:
        """Whether no event was lost or counted twice."""
        return self.attributed + self.waiting + self.orphaned == self.accepted

    def __str__(self) -> str:
        waiting = f", {self.waiting} waiting" if self.waiting else ""
        return (
            f"{self.accepted} accepted, {self.attributed} attributed, {self.orphaned} orphaned"
            f"{waiting}"
        )


def count_events(context: Context, day: date) -> EventCounts:
    """What became of the events of a day."""
    accepted = _accepted(context, (day,)).get(day, 0)
    matched = context.require(Partition("matched_interactions", day)).attributes[BY_DAY]
    attributed = waiting = 0
    for impression_day, part in matched.items():
        signals = Partition("impression_signals", date.fromisoformat(impression_day))
        manifest = context.lake.manifest(signals)
        attributes = manifest.attributes if manifest else {}
        if attributes.get(MATCHED, {}).get(str(day)) == part["hash"]:
            attributed += attributes[ATTRIBUTED].get(str(day), 0)
        else:
            waiting += part["rows"]
    orphaned = context.require(Partition("orphaned_interactions", day)).rows
    return EventCounts(accepted, attributed, orphaned, waiting)


def events_left_out(context: Context, day: date) -> dict[date, EventCounts]:
    """The accepted events of later days that nobody has matched, if nothing is to come after a day.

    The raw table says which days there are: a day that the plan forgot is found here. Before the
    last impressions, later days may be outside of what is built.
    """
    if day < context.log_days[-1]:
        return {}
    later = [each for each in context.event_days if day < each <= context.last_ended_day]
    left_out = tuple(
        each
        for each in later
        if context.lake.manifest(Partition("matched_interactions", each)) is None
    )
    return {
        each: EventCounts(accepted, attributed=0, orphaned=0, waiting=0)
        for each, accepted in _accepted(context, left_out).items()
    }


def _accepted(context: Context, days: tuple[date, ...]) -> dict[date, int]:
    """The events of the raw table that the problem asks for, by day."""
    asked = ", ".join(map(quote_literal, asked_signals(context.problem)))
    limit = f"{quote_literal(context.as_of)}::timestamptz"
    return dict(
        context.engine.rows(
            f"select cast(occurred_at as date), count(*) from {raw(context, 'interactions', days)}"
            f" where signal in ({asked}) and ingested_at <= {limit} group by 1 order by 1"
        )
    )


def events_are_accounted_for(
    context: Context, name: str, partitions: list[Partition]
) -> dg.AssetCheckResult:
    """Whether every accepted event of some days is attributed or orphaned, and only once."""
    counts = {partition.day: count_events(context, partition.day) for partition in partitions}
    counts |= events_left_out(context, max(counts))
    wrong = {day: count for day, count in counts.items() if not count.are_balanced}
    lines = [f"{day}: {count}" for day, count in (wrong or counts).items()]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not wrong,
        metadata={str(day): str(count) for day, count in (wrong or counts).items()},
        description="; ".join(lines),
    )
