"""Which impression each event belongs to, told from the lines again, one event at a time.

An event that names its list belongs to an impression of its item in that list; one that does not,
to an impression of its item by its user, or in its session. Of several the best is taken: one
within the signal's window before all others, then the one in the event's own session, then the
last touch or the first. An event that takes another back goes where that one went.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from label_platform.explain.evidence import Event, Shown
from label_platform.problem import Problem

BEFORE, OUTSIDE, NOWHERE, NOTHING = (
    "before_impression",
    "outside_window",
    "no_impression",
    "nothing_to_reverse",
)


@dataclass(frozen=True)
class Attributed:
    """An event and where it belongs.

    Attributes:
        event: the event.
        impression: the best impression for it; None where there is none at all.
        delay_s: from the impression to the event, as the clocks say.
        reason: why it does not count for that impression; empty where it does.
        takes_back: of a return and its like, the event that it was attributed by.
        is_late: whether it came too long after that one to take it back.
    """

    event: Event
    impression: Shown | None
    delay_s: float | None = None
    reason: str = ""
    takes_back: Event | None = None
    is_late: bool = False

    @property
    def counts(self) -> bool:
        """Whether it belongs to its impression."""
        return not self.reason


@dataclass(frozen=True)
class Reversal:
    """An event that takes back a signal, and how long after that signal's event it may."""

    signal: str
    by: str
    window: timedelta


def reversals_of(problem: Problem) -> list[Reversal]:
    """What takes what back in a problem.

    A reversing event has the window of the signal it reverses, unless it is itself a signal.
    """
    return [
        Reversal(name, signal.reversed_by, problem.signals.get(signal.reversed_by, signal).window)
        for name, signal in problem.signals.items()
        if signal.reversed_by is not None
    ]


def attribute(
    problem: Problem, shown: Iterable[Shown], events: Iterable[Event]
) -> list[Attributed]:
    """Where each event belongs.

    Args:
        problem: signals, windows and rules.
        shown: all impressions that could matter, each once.
        events: all events that could matter, each once.

    Returns:
        One entry per event of the problem's signals and of what reverses them, by time.
    """
    reversals = reversals_of(problem)
    reversing = {reversal.by for reversal in reversals}
    by_item: dict[Any, list[Shown]] = defaultdict(list)
    for each in shown:
        by_item[each.item_id].append(each)
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.event_id))
    matched = [
        _match(problem, event, by_item[event.item_id])
        for event in ordered
        if event.signal in problem.signals and event.signal not in reversing
    ]
    matched_by_item: dict[Any, list[Attributed]] = defaultdict(list)
    for found in matched:
        matched_by_item[found.event.item_id].append(found)
    back = [
        _take_back(reversals, event, matched_by_item[event.item_id])
        for event in ordered
        if event.signal in reversing
    ]
    return sorted([*matched, *back], key=lambda each: (each.event.occurred_at, each.event.event_id))


def _match(problem: Problem, event: Event, shown: Sequence[Shown]) -> Attributed:
    """The best impression of an event's item."""
    candidates = [each for each in shown if _could_belong(event, each)]
    if not candidates:
        return Attributed(event, None, reason=NOWHERE)
    skew = problem.attribution.clock_skew
    window = problem.signals[event.signal].window

    def reason(each: Shown) -> str:
        delay = event.occurred_at - each.shown_at
        return BEFORE if delay < -skew else OUTSIDE if delay > window else ""

    def preference(each: Shown) -> tuple[Any, ...]:
        why, at = reason(each), each.shown_at.timestamp()
        same_position = event.position is not None and event.position == each.position
        early = at if why == BEFORE or problem.attribution.touch == "first" else -at
        return (
            {"": 0, OUTSIDE: 1, BEFORE: 2}[why],
            not (event.request_id is not None and same_position),
            event.session is None or event.session != each.session,
            early,
            not same_position,
            each.position,
            each.impression_id,
        )

    best = min(candidates, key=preference)
    return Attributed(event, best, _seconds(best.shown_at, event.occurred_at), reason(best))


def _could_belong(event: Event, shown: Shown) -> bool:
    if event.request_id is not None:
        return bool(event.request_id == shown.request_id)
    both_known = event.surface is not None and shown.surface is not None
    if both_known and event.surface != shown.surface:
        return False
    same_user = event.user is not None and event.user == shown.user
    return same_user or (event.session is not None and event.session == shown.session)


def _take_back(
    reversals: Sequence[Reversal], event: Event, matched: Sequence[Attributed]
) -> Attributed:
    """The latest event that this one may take back, and its impression."""
    candidates = [
        (each, reversal)
        for reversal in reversals
        for each in matched
        if reversal.by == event.signal
        and reversal.signal == each.event.signal
        and event.occurred_at >= each.event.occurred_at
        and _same_list_or_person(event, each)
    ]
    if not candidates:
        return Attributed(event, None, reason=NOTHING)

    def late(each: Attributed, reversal: Reversal) -> bool:
        return event.occurred_at - each.event.occurred_at > reversal.window

    def preference(pair: tuple[Attributed, Reversal]) -> tuple[Any, ...]:
        each, _reversal = pair
        return (
            late(*pair),
            -each.event.occurred_at.timestamp(),
            each.event.signal,
            each.event.event_id,
        )

    found, reversal = min(candidates, key=preference)
    shown, is_late = found.impression, late(found, reversal)
    return Attributed(
        event,
        shown,
        _seconds(shown.shown_at, event.occurred_at) if shown else None,
        OUTSIDE if is_late else found.reason,
        found.event,
        is_late,
    )


def _same_list_or_person(event: Event, earlier: Attributed) -> bool:
    shown = earlier.impression
    if event.request_id is not None:
        named = earlier.event.request_id
        in_list = shown.request_id if named is None and shown is not None else named
        return bool(event.request_id == in_list)
    users = {earlier.event.user, shown.user if shown else None}
    sessions = {earlier.event.session, shown.session if shown else None}
    return (event.user is not None and event.user in users) or (
        event.session is not None and event.session in sessions
    )


def taken_back(
    problem: Problem, attributed: Iterable[Attributed]
) -> Mapping[tuple[str, datetime], Event]:
    """The events of one impression that others take back, by id and time, and by which.

    Each takes back the latest event before it that nothing has taken back yet.
    """
    counting = [each.event for each in attributed if each.counts]
    found: dict[tuple[str, datetime], Event] = {}
    for reversal in reversals_of(problem):
        open_events: list[Event] = []
        steps = [event for event in counting if event.signal in {reversal.signal, reversal.by}]
        # at the same moment, what is taken back comes before what takes it back
        steps.sort(
            key=lambda event: (event.occurred_at, event.signal != reversal.signal, event.event_id)
        )
        for event in steps:
            if event.signal == reversal.signal:
                open_events.append(event)
            elif open_events:
                gone = open_events.pop()
                found[gone.event_id, gone.occurred_at] = event
    return found


def signal_values(problem: Problem, attributed: Sequence[Attributed]) -> dict[str, float]:
    """By signal, the largest value that counts for one impression; 0 where nothing came.

    A signal that describes another counts only where that other one came.
    """
    gone = taken_back(problem, attributed)
    largest: dict[str, float] = {}
    for each in attributed:
        event = each.event
        if each.counts and (event.event_id, event.occurred_at) not in gone:
            largest[event.signal] = max(event.value, largest.get(event.signal, event.value))
    values = {}
    for name, signal in problem.signals.items():
        described = signal.of is None or largest.get(signal.of, 0.0) > 0
        values[name] = largest.get(name, 0.0) if described else 0.0
    return values


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()
