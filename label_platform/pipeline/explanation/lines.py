"""The log lines that some impressions' labels rest on, found in the files themselves.

The lake's tables of impressions say where to look; what a line says is read from the line.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from typing import Any

from label_platform.explain import Event, LogEvidence, Place, Shown, gather, reversals_of
from label_platform.lake import Partition
from label_platform.logs import RawLine, RawLines, UserKeys, Wish, raw_lines
from label_platform.pipeline.context import Context
from label_platform.pipeline.matching import days_after, days_before

_ROUNDS = 3
_OF_SHOWN = ("device", "surface", "user_agent", "ranker_id", "randomized")


@dataclass
class LabelLines:
    """Looks lines up.

    Attributes:
        context: the piece of work.
        columns: feature columns of impressions that the policy reads.
        raw: the log files.
    """

    context: Context
    columns: tuple[str, ...]
    raw: RawLines = field(init=False)

    def __post_init__(self) -> None:
        context = self.context
        self.raw = raw_lines(context.problem, context.engine, context.lake, self.columns)
        self._keys = UserKeys(context.problem)

    def impressions(self, targets: Collection[tuple[str, date]]) -> list[RawLine]:
        """The lines of some impressions, by id and day; also those that repeat them."""
        wish = Wish(("impression_id",), {(name,) for name, _day in targets})
        return self.raw.find("impressions", {day for _name, day in targets}, [wish])

    def of_cells(self, cells: Collection[tuple[Any, Any]], days: Collection[date]) -> list[RawLine]:
        """The lines of all impressions of some queries and items on some days."""
        queries = {(query,) for query, _item in cells}
        asked = self._requests(days, Wish(("query_id",), queries))
        items_of: dict[Any, set[Any]] = {}
        for query, item in cells:
            items_of.setdefault(query, set()).add(item)
        lists = {
            (line.values["request_id"], item)
            for line in asked
            for item in items_of[line.values["query_id"]]
        }
        wishes = [Wish(("query_id", "item_id"), set(cells)), Wish(("request_id", "item_id"), lists)]
        return self.raw.find("impressions", days, wishes)

    def around_event(self, event_id: str, days: Collection[date]) -> LogEvidence:
        """All that decides what an event belongs to, attributed.

        Args:
            event_id: its id.
            days: on which an event of this id occurred.
        """
        lines = self.raw.find("interactions", days, [Wish(("interaction_id",), {(event_id,)})])
        before = {each for day in days for each in days_before(self.context, day)}
        return self.evidence(self._competing([], lines, before), lines)

    def evidence(self, targets: Sequence[RawLine], events: Sequence[RawLine] = ()) -> LogEvidence:
        """All that decides which events belong to some impressions, attributed.

        Args:
            targets: the lines of the impressions.
            events: lines of further events.
        """
        days = {line.values["shown_at"].date() for line in targets}
        known = {_key(line): line for line in [*events, *self._events(targets, days)]}
        events = list(known.values())
        shown = self._competing(targets, events, days)
        requests = self._requests(
            _around(days), Wish(("request_id",), {(each.values["request_id"],) for each in targets})
        )
        lake = self.context.lake
        built = {
            day
            for day in {line.values["occurred_at"].date() for line in events}
            if lake.manifest(Partition("matched_interactions", day)) is not None
        }
        return gather(
            self.context.problem,
            [self._shown(line, requests) for line in shown],
            map(self._event, events),
            order=self.raw.order,
            event_days=built,
        )

    def _events(self, targets: Iterable[RawLine], days: Collection[date]) -> list[RawLine]:
        """Events on the items of impressions, of their lists and of whoever is linked to those."""
        known: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
        found: dict[tuple[str, int, str], RawLine] = {}
        lines: list[RawLine] = list(targets)
        for _round in range(_ROUNDS):
            wishes = []
            for name in ("request_id", "user_key", "session_id"):
                rows = _values(lines, name, "item_id") - known.get((name,), set())
                known.setdefault((name,), set()).update(rows)
                # the list's own lines are all there after the first round
                if rows and not (name == "request_id" and _round):
                    wishes.append(Wish((name, "item_id"), rows))
            if not wishes:
                break
            new = self.raw.find("interactions", self._event_days(days), wishes)
            lines = [line for line in new if _key(line) not in found]
            found |= {_key(line): line for line in lines}
        return list(found.values())

    def _competing(
        self, targets: Sequence[RawLine], events: Sequence[RawLine], days: Collection[date]
    ) -> list[RawLine]:
        """The impressions that the events could belong to."""
        without_list = [line for line in events if line.values["request_id"] is None]
        named = _values(events, "request_id", "item_id") | _values(targets, "request_id", "item_id")
        where = self._days_of_lists({request for request, _item in named}, days)
        wishes = [Wish(("request_id", "item_id"), named)]
        if without_list:
            reversing = {each.by for each in reversals_of(self.context.problem)}
            where |= self._shown_days(days)
            linked = without_list
            if any(line.values["signal"] in reversing for line in without_list):
                linked = list(events)
            wishes += [
                Wish((name, "item_id"), _values(linked, name, "item_id"))
                for name in ("user_key", "session_id")
            ]
        found = {_key(line): line for line in targets}
        found |= {_key(line): line for line in self.raw.find("impressions", where, wishes)}
        return list(found.values())

    def _days_of_lists(self, requests: set[Any], days: Collection[date]) -> set[date]:
        """The days on which lists were shown: an id may come again on another one."""
        lake, engine = self.context.lake, self.context.engine
        there = [
            day for day in self._shown_days(days) if lake.manifest(Partition("impressions", day))
        ]
        if not there or not requests:
            return set(days)
        wish = Wish(("request_id",), {(request,) for request in requests})
        relation = lake.scan("impressions", sorted(there))
        condition = self.raw.condition([wish])
        found = engine.rows(
            f"select distinct cast(shown_at as date) from {relation} where {condition}"
        )
        return set(days) | {day for (day,) in found}

    def _event_days(self, days: Collection[date]) -> set[date]:
        return {each for day in days for each in days_after(self.context, day)}

    def _shown_days(self, days: Collection[date]) -> set[date]:
        return {
            each for day in self._event_days(days) for each in days_before(self.context, day)
        } | set(days)

    def _requests(self, days: Collection[date], wish: Wish) -> list[RawLine]:
        """What is said of lists apart from their impressions, the record that counts last."""
        found = self.raw.find("requests", days, [wish])
        return sorted(
            found,
            key=lambda line: (
                line.values["query_text"] is not None,
                line.values["asked_at"],
                line.values["query_text"] or "",
            ),
        )

    def _shown(self, line: RawLine, requests: Sequence[RawLine]) -> Shown:
        values = line.values
        asked: dict[str, Any] = {}
        for each in requests:
            if each.values["request_id"] == values["request_id"]:
                asked = dict(each.values)
        query = values["query_id"]
        # what the problem does not keep of texts is not shown of them either
        named = ("query_text",) if self.context.problem.query_text.keep == "all" else ()
        if values["query_text"] is None and asked.get("query_id") is not None:
            query = asked["query_id"]
        return Shown(
            impression_id=str(values["impression_id"]),
            request_id=values["request_id"],
            query_id=query,
            user=self._user(values["user_key"]),
            session=values["session_id"],
            item_id=values["item_id"],
            position=values["position"],
            shown_at=values["shown_at"].astimezone(UTC),
            columns={name: values.get(name) for name in (*_OF_SHOWN, *named, *self.columns)},
            place=Place(line.file, line.line),
        )

    def _event(self, line: RawLine) -> Event:
        values = line.values
        return Event(
            event_id=str(values["interaction_id"]),
            request_id=values["request_id"],
            user=self._user(values["user_key"]),
            session=values["session_id"],
            surface=values["surface"],
            item_id=values["item_id"],
            position=values["position"],
            signal=values["signal"],
            value=values["value"],
            occurred_at=values["occurred_at"].astimezone(UTC),
            place=Place(line.file, line.line),
        )

    def _user(self, user: str | None) -> str | None:
        return None if user is None else self._keys.key(user)


def _values(lines: Iterable[RawLine], *names: str) -> set[tuple[Any, ...]]:
    """The values that lines have of some columns, where they have all of them."""
    found = (tuple(line.values[name] for name in names) for line in lines)
    return {row for row in found if None not in row}


def _key(line: RawLine) -> tuple[str, int, str]:
    """One line may hold several rows."""
    values = line.values
    return line.file, line.line, str(values.get("interaction_id") or values.get("impression_id"))


def _around(days: Collection[date]) -> set[date]:
    return {day + timedelta(days=n) for day in days for n in (-1, 0, 1)}
