"""From an event to the labels that it touched, and what each would be without it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from label_platform.explain import (
    EventFate,
    LogEvidence,
    Shown,
    Wording,
    computed_label,
    key_of,
    number,
)
from label_platform.lake import Partition, quote_literal
from label_platform.pipeline.context import Context
from label_platform.pipeline.explanation.explainer import LabelExplainer, columns_of
from label_platform.pipeline.explanation.frame import notes_of
from label_platform.pipeline.explanation.lines import LabelLines
from label_platform.policy import Policy, click_signal, used_signals
from label_platform.strict_yaml import ConfigurationError, nearest

_OF_CLICKS = (
    "a click also counts in the statistics of the examination curve, decides which rows of its "
    "list train as negatives, and may make its session one of a program"
)


@dataclass(frozen=True)
class TouchedLabel:
    """One label.

    Attributes:
        policy: whose.
        label: impression, or query and item and day, in words.
        numbers: by name, with the event and without it.
        note: why there are no numbers.
    """

    policy: str
    label: str
    numbers: dict[str, tuple[float | None, float | None]]
    note: str = ""

    @property
    def changed(self) -> bool:
        """Whether the label would be another one."""
        return any(now != without for now, without in self.numbers.values())


@dataclass(frozen=True)
class Touched:
    """What an event touched.

    Attributes:
        event: the event and its fate.
        shown: the impression that it belongs to; None where it belongs to none.
        labels: those of the impression.
        notes: what else it touched.
        unread: log files that its lines may stand in and that are gone or have changed; with any,
            what it touched is not known.
    """

    event: EventFate
    shown: Shown | None
    labels: tuple[TouchedLabel, ...]
    notes: tuple[str, ...]
    unread: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether all lines that decide the answer are as they were ingested."""
        return not self.unread

    def as_json(self) -> dict[str, Any]:
        """The answer for programs."""
        shown = self.shown
        return {
            "known": self.is_known,
            "unread": list(self.unread),
            "event": self.event.as_json(),
            "impression": shown.impression_id if shown else None,
            "place": str(shown.place) if shown else None,
            "labels": [
                {
                    "policy": each.policy,
                    "label": each.label,
                    "changed": each.changed,
                    "numbers": {
                        name: {"with": now, "without": without}
                        for name, (now, without) in each.numbers.items()
                    },
                    "note": each.note,
                }
                for each in self.labels
            ],
            "notes": list(self.notes),
        }

    def as_text_lines(self) -> list[str]:
        """The answer for a terminal; last, whether it can be relied on."""
        event = self.event
        return [
            f"Event {event.event_id}",
            f"  {event.signal} {number(event.value)} at {event.moment} UTC",
            f"  {event.place}",
            f"  {event.fate}",
            *self._impression(),
            *(line for each in self.labels for line in self._label(each)),
            *(f"  note: {note}" for note in self.notes),
            *([f"NOT KNOWN: {self._why_unknown()}"] if self.unread else []),
        ]

    def _why_unknown(self) -> str:
        return (
            f"{', '.join(self.unread)}: gone or changed since it was ingested, so what the event "
            "touched when labels were built may be more, less or something else"
        )

    def _impression(self) -> Iterator[str]:
        if self.shown is not None:
            shown = self.shown
            yield (
                f"  impression {shown.impression_id}: query {shown.query_id}, item {shown.item_id} "
                f"at position {shown.position} of list {shown.request_id}"
            )
            yield f"  {shown.place}"

    @staticmethod
    def _label(each: TouchedLabel) -> Iterator[str]:
        is_same = each.numbers and not each.changed
        yield f"{each.policy}: {each.label}" + (": not changed by it" if is_same else "")
        for name, (now, without) in each.numbers.items():
            yield f"  {name:<22} {number(now):>10}   without the event {number(without):>10}"
        if each.note:
            yield f"  {each.note}"


def touched_by(context: Context, event: str, policy_name: str | None) -> Touched:
    """The labels that an event touched.

    Args:
        context: the piece of work.
        event: the event's id, as `labels explain` shows it.
        policy_name: only labels of this policy.

    Raises:
        ConfigurationError: no such event or policy, or its line is in no file any more.
    """
    policies = _policies(context, policy_name)
    event_id, days = _days_of(context, event)
    lines = LabelLines(context, columns_of(context, policies))
    evidence = lines.around_event(event_id, days)
    found = next((each for each in evidence.attributed if each.event.event_id == event_id), None)
    if found is None:
        names = ", ".join(lines.raw.files_of("interactions", days))
        raise ConfigurationError(
            f"event {event_id} was ingested, but its line is not in {names} any more"
        )
    shown = found.impression if found.counts else None
    used = {name for policy in policies for name in used_signals(policy)}
    fate = Wording(context.problem, evidence, used).fate_of(found)
    labels = []
    for policy in policies if shown else ():
        try:
            labels.append(_of_policy(context, policy, evidence, shown, event_id))
        except ConfigurationError as error:
            if policy_name is not None:
                raise
            # one policy's labels cannot be made as its file says: those of the others can
            labels.append(TouchedLabel(policy.name, "not known", {}, str(error)))
    notes = notes_of(lines, "")
    if shown is not None and found.event.signal == click_signal(context.problem):
        notes += (_OF_CLICKS,)
    unread = tuple(sorted({*lines.raw.gone, *lines.raw.changed}))
    if unread and found.impression is None:
        fate = replace(fate, fate=f"where it belongs is not known without {', '.join(unread)}")
    return Touched(fate, found.impression, tuple(labels), notes, unread)


def _policies(context: Context, name: str | None) -> list[Policy]:
    known = [policy.name for policy in context.project.policies]
    if name is None:
        return list(context.project.policies)
    if name not in known:
        raise ConfigurationError(f"--policy: {name!r} is not active; {nearest(name, known)}")
    return [context.project.policy(name)]


def _days_of(context: Context, event: str) -> tuple[str, list[date]]:
    try:
        key = str(UUID(event))
    except ValueError as error:
        raise ConfigurationError(
            f"--event: {event!r} is no id of an event: expected 32 hex digits, as `label-platform "
            "labels explain` shows them"
        ) from error
    days = [
        day for day in context.event_days if context.lake.manifest(Partition("interactions", day))
    ]
    rows = context.engine.rows(
        f"select distinct cast(occurred_at as date) from {context.lake.scan('interactions', days)}"
        f" where interaction_id = {quote_literal(key)}::uuid order by 1"
    )
    if not rows:
        raise ConfigurationError(
            f"--event: no event {key} from {days[0]} to {days[-1]}; "
            "`label-platform labels explain` shows the ids of a label's events"
        )
    return key, [day for (day,) in rows]


def _of_policy(
    context: Context, policy: Policy, evidence: LogEvidence, shown: Shown | None, event_id: str
) -> TouchedLabel:
    """The policy's label with the event and without it."""
    if shown is None:
        raise ValueError("an event that belongs to no impression touches no label")
    day = shown.shown_at.date()
    name = f"impression {shown.impression_id}"
    if policy.grain == "query_item":
        name = f"query {shown.query_id} and item {shown.item_id}, the part of this impression"
    if context.lake.manifest(Partition("labels", day, policy.name)) is None:
        return TouchedLabel(policy.name, name, {}, f"its labels of {day} are not built")
    explainer = LabelExplainer(context, policy)
    excluded = explainer.recorded.excluded([key_of(shown)])
    if excluded:
        why = next(iter(excluded.values()))
        return TouchedLabel(policy.name, name, {}, f"it has no label: excluded, {why}")
    fitted, problem = explainer.fitted(day), context.problem
    now, without = (
        computed_label(policy, shown, each.values(problem, shown), fitted).numbers
        for each in (evidence, evidence.without(problem, event_id))
    )
    return TouchedLabel(
        policy.name, name, {each: (now.get(each), without.get(each)) for each in now}
    )
