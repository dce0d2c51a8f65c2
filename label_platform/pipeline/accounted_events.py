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
    asked = ", ".join(map(quote_literal, asked_signals(context.problem)))
    limit = f"{quote_literal(context.as_of)}::timestamptz"
    (accepted,) = context.engine.row(
        f"select count(*) from {raw(context, 'interactions', (day,))}"
        f" where signal in ({asked}) and ingested_at <= {limit}"
    )
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


def events_are_accounted_for(
    context: Context, name: str, partitions: list[Partition]
) -> dg.AssetCheckResult:
    """Whether every accepted event of some days is attributed or orphaned, and only once."""
    counts = {partition.day: count_events(context, partition.day) for partition in partitions}
    wrong = {day: count for day, count in counts.items() if not count.are_balanced}
    lines = [f"{day}: {count}" for day, count in (wrong or counts).items()]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not wrong,
        metadata={str(day): str(count) for day, count in (wrong or counts).items()},
        description="; ".join(lines),
    )
