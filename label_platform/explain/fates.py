"""What became of each event that could belong to an impression, in words."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, TypeVar

from label_platform.explain.attribution import (
    BEFORE,
    NOTHING,
    NOWHERE,
    Attributed,
    attribute,
    signal_values,
    taken_back,
)
from label_platform.explain.evidence import Event, Shown
from label_platform.explain.explanation import EventFate
from label_platform.explain.repeats import without_repeats
from label_platform.problem import Problem

NOT_BUILT = "day_not_built"
ImpressionKey = tuple[str, date]
Key = TypeVar("Key")
Value = TypeVar("Value")


def key_of(shown: Shown) -> ImpressionKey:
    """What tells an impression apart: an id is unique within its day only."""
    return shown.impression_id, shown.shown_at.date()


@dataclass(frozen=True)
class LogEvidence:
    """The lines that could matter, with those that repeat others taken out.

    Attributes:
        shown: impressions by their key.
        attributed: every event and where it belongs.
        belonging: those by their impression's key, also where they do not count.
        repeated_events: lines that repeat an event, by its id.
        repeated_shown: lines that repeat an impression, by its key.
        event_days: the days whose events count; None: all.
    """

    shown: Mapping[ImpressionKey, Shown]
    attributed: Sequence[Attributed]
    belonging: Mapping[ImpressionKey, list[Attributed]]
    repeated_events: Mapping[str, list[Event]] = field(default_factory=dict)
    repeated_shown: Mapping[ImpressionKey, list[Shown]] = field(default_factory=dict)
    event_days: Collection[date] | None = None

    @cached_property
    def by_item(self) -> Mapping[Any, list[Attributed]]:
        """The events by their items."""
        return _grouped((each.event.item_id, each) for each in self.attributed)

    def without(self, problem: Problem, event_id: str) -> "LogEvidence":
        """The same lines, attributed as if an event had not come."""
        left = [each.event for each in self.attributed if each.event.event_id != event_id]
        return gather(problem, self.shown.values(), left, order={}, event_days=self.event_days)

    def values(self, problem: Problem, shown: Shown) -> dict[str, float]:
        """By signal, what counts for an impression."""
        return signal_values(problem, self.belonging.get(key_of(shown), []))


def gather(
    problem: Problem,
    shown: Iterable[Shown],
    events: Iterable[Event],
    *,
    order: Mapping[str, int],
    event_days: Collection[date] | None = None,
) -> LogEvidence:
    """Attribute the events of some lines.

    Args:
        problem: its rules.
        shown: lines of impressions.
        events: lines of events.
        order: of the files, as they were read.
        event_days: the days whose events were matched when labels were built; None: all.
    """

    def place(line: Shown | Event) -> tuple[Any, ...]:
        moment = line.shown_at if isinstance(line, Shown) else line.occurred_at
        return order.get(line.place.file, 0), moment, line.place.line

    kept_shown, again_shown = without_repeats(shown, key_of, place)
    kept, again = without_repeats(
        events, lambda event: (event.event_id, event.occurred_at.date()), place
    )
    attributed = [
        each
        if event_days is None or each.event.occurred_at.date() in event_days
        else replace(each, reason=NOT_BUILT)
        for each in attribute(problem, kept_shown, kept)
    ]
    return LogEvidence(
        {key_of(each): each for each in kept_shown},
        attributed,
        _grouped((key_of(e.impression), e) for e in attributed if e.impression is not None),
        _grouped((first.event_id, event) for event, first in again),
        _grouped((key_of(first), line) for line, first in again_shown),
        event_days,
    )


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    found: dict[Key, list[Value]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return found


@dataclass(frozen=True)
class Wording:
    """Tells fates.

    Attributes:
        problem: windows and rules.
        evidence: all events.
        gains: the signals that the policy reads.
    """

    problem: Problem
    evidence: LogEvidence
    gains: Collection[str]

    def fates(self, shown: Shown) -> tuple[EventFate, ...]:
        """All events that could belong to an impression, by time."""
        own = self.evidence.belonging.get(key_of(shown), [])
        told = []
        for each in own:
            told.append(self._fate(each.event, *self._of(each, own)))
            told += [
                self._fate(line, f"repeats {each.event.place}: counted once", counts=False)
                for line in self.evidence.repeated_events.get(each.event.event_id, [])
            ]
        told += [
            self._fate(each.event, self._elsewhere(each), counts=False)
            for each in self.evidence.by_item.get(shown.item_id, [])
            if self._could_be_meant(each, shown)
        ]
        return tuple(sorted(told, key=lambda fate: (fate.occurred_at, not fate.counts)))

    def fate_of(self, each: Attributed) -> EventFate:
        """What became of one event."""
        if each.impression is None:
            return self._fate(each.event, self._elsewhere(each), counts=False)
        own = self.evidence.belonging.get(key_of(each.impression), [])
        return self._fate(each.event, *self._of(each, own))

    def _fate(self, event: Event, fate: str, counts: bool) -> EventFate:  # noqa: FBT001
        return EventFate(
            event.event_id,
            event.signal,
            event.value,
            event.occurred_at.isoformat(),
            str(event.place),
            counts,
            fate,
        )

    def _of(self, each: Attributed, own: Sequence[Attributed]) -> tuple[str, bool]:
        """The fate of one of an impression's own events, and whether it counts."""
        if each.reason:
            return self._why_not(each), False
        gone = taken_back(self.problem, own)
        if each.takes_back is not None:
            taken = [
                f"{other.event.signal} at {other.event.place}"
                for other in own
                if gone.get((other.event.event_id, other.event.occurred_at)) == each.event
            ]
            if taken:
                return f"takes back {', '.join(taken)}", True
            # one that is a signal itself counts as that
            return "nothing was left to take back", each.event.signal in self.problem.signals
        back = gone.get((each.event.event_id, each.event.occurred_at))
        if back is not None:
            return f"taken back by {back.signal} at {back.place}", False
        note = "" if each.event.signal in self.gains else "; the policy gives it no worth"
        return f"counts: {seconds(each.delay_s or 0.0)} after the impression{note}", True

    def _why_not(self, each: Attributed) -> str:
        """Why an event does not count for the impression that fits it best."""
        delay_s = each.delay_s or 0.0
        if each.reason == NOT_BUILT:
            return "its day was not matched when the label was built"
        if each.takes_back is not None:
            if each.is_late:
                return f"outside the window in which it takes back {each.takes_back.place}"
            return f"what it takes back, {each.takes_back.place}, does not count itself"
        if each.reason == BEFORE:
            return f"before the impression, by {seconds(-delay_s)}"
        limit = self.problem.signals[each.event.signal].window.total_seconds()
        return (
            f"outside the window: {seconds(delay_s)} after the impression, at most {seconds(limit)}"
        )

    def _elsewhere(self, each: Attributed) -> str:
        if each.reason == NOTHING:
            return "there is nothing that it takes back"
        if each.reason == NOWHERE or each.impression is None:
            return "there is no impression that it could belong to"
        other = each.impression
        return f"belongs to impression {other.impression_id} of list {other.request_id}"

    def _could_be_meant(self, each: Attributed, shown: Shown) -> bool:
        """Whether an event of somebody's own on the same item went elsewhere."""
        event, best = each.event, each.impression
        if best is not None and key_of(best) == key_of(shown):
            return False
        if event.request_id is not None:
            return bool(event.request_id == shown.request_id)
        same_user = event.user is not None and event.user == shown.user
        return same_user or (event.session is not None and event.session == shown.session)


def seconds(delay_s: float) -> str:
    """A delay as people say it."""
    if delay_s < 120:
        return f"{delay_s:.1f} s"
    if delay_s < 7200:
        return f"{delay_s / 60:.1f} min"
    if delay_s < 2 * 86_400:
        return f"{delay_s / 3600:.1f} h"
    return f"{delay_s / 86_400:.1f} d"
