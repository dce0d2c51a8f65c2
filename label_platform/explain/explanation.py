"""One label explained: what it was made of, how it was computed, and whether that is what is kept.

Text, JSON and HTML are renderings of this one structure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from label_platform.explain.evidence import Shown
from label_platform.explain.label import Computed
from label_platform.explain.steps import Comparison, Step


@dataclass(frozen=True)
class EventFate:
    """One event, and what became of it.

    Attributes:
        event_id: its id.
        signal: what was done.
        value: how much.
        occurred_at: when, ISO 8601.
        place: file and line.
        counts: whether the label knows of it.
        fate: why it counts or does not, in words.
    """

    event_id: str
    signal: str
    value: float
    occurred_at: str
    place: str
    counts: bool
    fate: str

    @property
    def moment(self) -> str:
        """When, in UTC, as people read it."""
        return self.occurred_at[:19].replace("T", " ")

    def as_json(self) -> dict[str, Any]:
        """The event for programs."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class ExplainedImpression:
    """One impression, its events, its arithmetic.

    Attributes:
        shown: its line.
        events: all that could belong to it, by time.
        values: by signal.
        excluded: why its session does not count; empty where it does.
        computed: what came out.
        repeats: other lines that say the same.
        comparisons: with what is stored of it, at impression grain.
    """

    shown: Shown
    events: tuple[EventFate, ...]
    values: Mapping[str, float]
    excluded: str
    computed: Computed
    repeats: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The impression for programs."""
        shown = self.shown
        return {
            "impression_id": shown.impression_id,
            "request_id": shown.request_id,
            "query_id": shown.query_id,
            "item_id": shown.item_id,
            "position": shown.position,
            "shown_at": shown.shown_at.isoformat(),
            "columns": {name: value for name, value in shown.columns.items() if value is not None},
            "place": str(shown.place),
            "repeats": list(self.repeats),
            "excluded": self.excluded or None,
            "events": [event.as_json() for event in self.events],
            "signals": dict(self.values),
            "steps": [step.as_json() for step in self.computed.steps],
            "is_clipped": self.computed.is_clipped,
            "result": dict(self.computed.numbers),
            "comparisons": [each.as_json() for each in self.comparisons],
        }


@dataclass(frozen=True)
class ListRow:
    """One row of the impression's list, and whether it trains.

    Attributes:
        position: from 1; None of an item that was drawn.
        item_id: what was shown, or drawn.
        label: as stored; None where the row has none.
        origin: why it trains: positive, skip_above, examined, ..., or why it was refused; empty
            where it does not train.
        weight: in training; None where it does not train.
    """

    position: int | None
    item_id: Any
    label: float | None
    origin: str
    weight: float | None

    def as_json(self) -> dict[str, Any]:
        """The row for programs."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Explanation:
    """One label.

    Attributes:
        title: which label.
        facts: policy, versions, days, propensities' verdict and the like, in words.
        impressions: what it is made of; one at impression grain.
        steps: the arithmetic over all impressions.
        comparisons: what is stored beside what was computed again.
        listed: the impression's list in the training rows; of a cell, what was drawn for its query.
        notes: what a reader should know: files that changed, rules taken as recorded.
        gone: log files that would tell and are not there any more, or cannot be read; with any,
            it is not known what follows from the lines.
    """

    title: str
    facts: Mapping[str, str]
    impressions: tuple[ExplainedImpression, ...]
    steps: tuple[Step, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    listed: tuple[ListRow, ...] = ()
    notes: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def listed_title(self) -> str:
        """What the rows of ``listed`` are, for people."""
        shown = any(row.position is not None for row in self.listed)
        return "The list in training" if shown else "Drawn from the catalogue for the query"

    @property
    def all_comparisons(self) -> tuple[Comparison, ...]:
        """Those of the label and of its impressions."""
        own = [each for shown in self.impressions for each in shown.comparisons]
        return (*own, *self.comparisons)

    @property
    def mismatches(self) -> tuple[Comparison, ...]:
        """Where what is stored is not what was computed again."""
        return tuple(each for each in self.all_comparisons if each.differs)

    def as_json(self) -> dict[str, Any]:
        """The explanation for programs."""
        return {
            "title": self.title,
            "mismatch": bool(self.mismatches),
            "gone": list(self.gone),
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "impressions": [each.as_json() for each in self.impressions],
            "steps": [step.as_json() for step in self.steps],
            "comparisons": [each.as_json() for each in self.comparisons],
            "list": [row.as_json() for row in self.listed],
        }
