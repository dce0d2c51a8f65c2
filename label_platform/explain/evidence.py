"""What log lines say of impressions and events, each with the line that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, order=True)
class Place:
    """Where a record stands.

    Attributes:
        file: relative to the problem's logs folder.
        line: its place in the file, from 1; of a Parquet file, its row.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Shown:
    """One impression, as its line says it.

    Attributes:
        impression_id: made of request, item and position.
        request_id: the list.
        query_id: what was asked; None where only another record says it.
        user: the key of who asked; None where nobody says.
        session: as logged.
        item_id: what was shown.
        position: from 1.
        shown_at: when.
        columns: further columns by name: device, surface, context, features.
        place: the line.
    """

    impression_id: str
    request_id: Any
    query_id: Any
    user: str | None
    session: str | None
    item_id: Any
    position: int
    shown_at: datetime
    columns: Mapping[str, Any] = field(default_factory=dict)
    place: Place = field(default_factory=lambda: Place("", 0))

    @property
    def surface(self) -> str | None:
        """Where it was shown; None where nobody says."""
        return self.columns.get("surface")


@dataclass(frozen=True)
class Event:
    """One event, as its line says it.

    Attributes:
        event_id: its own, or made of what it says.
        request_id: the list that it names; None where it names none.
        user: the key of who did it.
        session: as logged.
        surface: where.
        item_id: to what.
        position: the one that it reports; it decides only between equals.
        signal: what was done.
        value: how much.
        occurred_at: when.
        place: the line.
    """

    event_id: str
    request_id: Any
    user: str | None
    session: str | None
    surface: str | None
    item_id: Any
    position: int | None
    signal: str
    value: float
    occurred_at: datetime
    place: Place = field(default_factory=lambda: Place("", 0))
