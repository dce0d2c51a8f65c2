"""Finds the label that somebody names by ids, or says how to find it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from label_platform.explain import Explanation
from label_platform.lake import Partition, quote_literal
from label_platform.logs import raw_lines
from label_platform.pipeline.context import Context
from label_platform.pipeline.explanation.explainer import LabelExplainer
from label_platform.policy import Policy
from label_platform.strict_yaml import ConfigurationError, nearest

_LISTED = 20
_ORDER = "those with most events first, the latest of them first"
_SUGGESTED = 3


@dataclass(frozen=True)
class ImpressionList:
    """Impressions to choose from.

    Attributes:
        rows: the first of them: id, time, list, item, position, number of events.
        found: how many there are.
        notes: what to know before choosing.
    """

    rows: Sequence[Mapping[str, Any]]
    found: int
    notes: tuple[str, ...] = ()

    @property
    def extent(self) -> str:
        """How many are listed, in which order, in words."""
        return f"{len(self.rows)} of {self.found}, {_ORDER}"

    def as_json(self) -> dict[str, Any]:
        """The list for programs."""
        return {
            "listed": len(self.rows),
            "found": self.found,
            "order": _ORDER,
            "notes": list(self.notes),
            "impressions": [dict(row) for row in self.rows],
        }


@dataclass(frozen=True)
class LabelSearch:
    """Finds labels.

    Attributes:
        context: the piece of work.
        policy_name: as somebody wrote it; None where nobody did.
        days: first and last day to look at.
    """

    context: Context
    policy_name: str | None
    days: tuple[date, date]

    def explain(
        self, impression: str | None, query: str | None, item: str | None
    ) -> Explanation | ImpressionList:
        """The explanation of a label, or impressions to choose from.

        Args:
            impression: its id.
            query: an id; at impression grain lists impressions.
            item: an id.

        Raises:
            ConfigurationError: too little or too much is named, or nothing is found under these
                names.
        """
        if impression is not None:
            if query is not None or item is not None:
                raise ConfigurationError(
                    "--impression names one label: expected it without --query and --item"
                )
            return self._of_impression(self._policy(), impression)
        if query is None:
            raise ConfigurationError(
                "expected --impression ID, or --query Q to list impressions, or --query Q --item I "
                "for a policy of grain query_item"
            )
        notes: tuple[str, ...] = ()
        if self.policy_name is not None:
            policy = self._policy()
            if item is not None and policy.grain == "query_item":
                return self._of_cell(policy, query, item)
            if policy.grain == "impression":
                said = (
                    f"the grain of {policy.name} is impression: each of these has a label of its "
                    "own, name one by --impression"
                )
                notes = (said,)
        return replace(self._impressions_of(query, item), notes=notes)

    def _policy(self) -> Policy:
        known = [policy.name for policy in self.context.project.policies]
        if self.policy_name is None:
            raise ConfigurationError(f"--policy: expected one of {', '.join(known)}")
        if self.policy_name not in known:
            raise ConfigurationError(
                f"--policy: {self.policy_name!r} is not active; {nearest(self.policy_name, known)}"
            )
        return self.context.project.policy(self.policy_name)

    def _of_impression(self, policy: Policy, impression: str) -> Explanation:
        key, day = self._day_of(impression)
        if policy.grain == "query_item":
            query, item = self.context.engine.row(
                f"select query_id, item_id from {self._scan('impressions', [day])}"
                f" where impression_id = {quote_literal(key)}::uuid"
            )
            return self._of_cell(policy, str(query), str(item), (key, day))
        self._require_labels(policy, [day])
        found = LabelExplainer(self.context, policy).impressions([(key, day)])
        if not found:
            raise ConfigurationError(
                f"impression {key} was ingested, but its line is in no log file any more: of "
                f"{day}, the files {self._files_of(day)} were read"
            )
        return found[0]

    def _of_cell(
        self, policy: Policy, query: str, item: str, named: tuple[str, date] | None = None
    ) -> Explanation:
        """A query's item, or what is wrong; ``named``: the impression by which it was named."""
        explainer = LabelExplainer(self.context, policy)
        days = [day for day in self._labelled(policy) if self._is_wanted(day)]
        if self.days == (date.min, date.max):
            days = [day for day in days if day in explainer.training_days]
        cell = self._typed("--query", query), self._typed("--item", item)
        if not days:
            raise ConfigurationError(self._no_labels(policy))
        explained = explainer.cells([cell], days)[0]
        elsewhere = self._of_no_training_day(policy, days, named)
        # where a label is stored, or files that would tell are gone, nobody can say "not shown"
        if explained.impressions or explained.comparisons or explained.gone:
            notes = (*explained.notes, elsewhere) if elsewhere else explained.notes
            return replace(explained, notes=notes)
        changed = "".join(
            f"; {name} has changed since it was ingested" for name in explainer.changed_files
        )
        raise ConfigurationError(
            elsewhere
            or f"item {item} was not shown for query {query} from {days[0]} to {days[-1]}; "
            f"{self._items_of(query, days) or 'the query was not asked then'}{changed}"
        )

    def _of_no_training_day(
        self, policy: Policy, days: Sequence[date], named: tuple[str, date] | None
    ) -> str:
        """What to know where the impression that was named is of none of the days added up."""
        if named is None or named[1] in days:
            return ""
        key, day = named
        if day not in self._labelled(policy):
            return f"impression {key} was shown on {day}: {self._no_labels(policy)}"
        return (
            f"impression {key} was shown on {day}, which is no training day of {policy.name}: "
            f"those are {days[0]} to {days[-1]}; --days {day}..{day} explains the label of that day"
        )

    def _day_of(self, impression: str) -> tuple[str, date]:
        try:
            key = str(UUID(impression))
        except ValueError as error:
            raise ConfigurationError(
                f"--impression: {impression!r} is no id of an impression: expected 32 hex digits. "
                f"{self._some()}"
            ) from error
        days = self._chosen_days()
        found = self.context.engine.rows(
            f"select cast(shown_at as date) from {self._scan('impressions', days)}"
            f" where impression_id = {quote_literal(key)}::uuid order by 1 desc"
        )
        if not found:
            raise ConfigurationError(
                f"--impression: no impression {key} from {days[0]} to {days[-1]}. {self._some()}"
            )
        return key, found[0][0]

    def _some(self) -> str:
        """A few ids, and how to find more."""
        day = self.context.log_days[-1]
        rows = self.context.engine.rows(
            f"select impression_id, query_id from {self._scan('impressions', [day])}"
            f" order by request_id, position limit {_SUGGESTED}"
        )
        ids = ", ".join(str(name) for name, _query in rows)
        query = f", as for {rows[0][1]}" if rows else ""
        return f"Some are {ids}; --query Q lists those of a query{query}"

    def _impressions_of(self, query: str, item: str | None) -> ImpressionList:
        """Impressions of a query, those with most events first."""
        engine = self.context.engine
        days = self._chosen_days()
        relation = self._scan("impressions", days)
        condition = f"query_id::varchar = {quote_literal(query)}"
        if item is not None:
            condition += f" and item_id::varchar = {quote_literal(item)}"
        rows: list[dict[str, Any]] = engine.arrow(
            f"""select impression_id::varchar as impression,
                strftime(shown_at, '%Y-%m-%d %H:%M:%S') as shown_at, request_id as list,
                item_id as item, position, coalesce(events, 0) as events
            from {relation} left join ({self._events_of(days)}) using (impression_id)
            where {condition} order by events desc nulls last, shown_at desc, position
            limit {_LISTED}"""
        ).to_pylist()
        if rows:
            (found,) = engine.row(f"select count(*) from {relation} where {condition}")
            return ImpressionList(rows, found)
        asked = engine.rows(
            f"select query_id from {relation} group by query_id order by count(*) desc, query_id "
            "limit 5"
        )
        span = f"from {days[0]} to {days[-1]}"
        if item is not None and (items := self._items_of(query, days)):
            raise ConfigurationError(
                f"--item: item {item} was not shown for query {query} {span}; {items}"
            )
        raise ConfigurationError(
            f"--query: no impression of query {query} {span}; "
            f"the queries asked most are {', '.join(str(name) for (name,) in asked)}"
        )

    def _events_of(self, days: Sequence[date]) -> str:
        """SQL of how many events impressions of some days have."""
        matched = [
            day
            for day in self.context.event_days
            if self.context.lake.manifest(Partition("matched_interactions", day))
        ]
        if not matched or not days:
            return "select null::uuid as impression_id, 0 as events"
        return (
            "select impression_id, count(*) as events from "
            f"{self.context.lake.scan('matched_interactions', matched)}"
            " where orphan_reason is null group by impression_id"
        )

    def _items_of(self, query: str, days: Sequence[date]) -> str:
        """The items shown most for a query, in words; empty where it was not asked."""
        rows = self.context.engine.rows(
            f"select item_id from {self._scan('impressions', days)} where query_id::varchar = "
            f"{quote_literal(query)} group by item_id order by count(*) desc, item_id limit 5"
        )
        if not rows:
            return ""
        return f"shown most for it were {', '.join(str(name) for (name,) in rows)}"

    def _require_labels(self, policy: Policy, days: Sequence[date]) -> None:
        missing = [day for day in days if day not in self._labelled(policy)]
        if missing:
            raise ConfigurationError(
                f"the impression was shown on {missing[0]}: {self._no_labels(policy)}"
            )

    def _no_labels(self, policy: Policy) -> str:
        built = self._labelled(policy)
        known = f"{built[0]} to {built[-1]}" if built else "no day"
        return f"labels of {policy.name} are built for {known}; `label-platform labels` builds them"

    def _labelled(self, policy: Policy) -> list[date]:
        return self.context.lake.days("labels", policy.name)

    def _chosen_days(self) -> list[date]:
        built = self.context.log_days
        days = [day for day in built if self._is_wanted(day)]
        if not days:
            raise ConfigurationError(
                f"--days: found {self.days[0]} to {self.days[1]}, but impressions are built for "
                f"{built[0]} to {built[-1]}"
            )
        return days

    def _is_wanted(self, day: date) -> bool:
        return self.days[0] <= day <= self.days[1]

    def _scan(self, table: str, days: Sequence[date]) -> str:
        there = [day for day in days if self.context.lake.manifest(Partition(table, day))]
        return self.context.lake.scan(table, there)

    def _typed(self, option: str, name: str) -> Any:  # noqa: ANN401 - the problem chooses the type
        if self.context.problem.ids != "integer":
            return name
        try:
            return int(name)
        except ValueError as error:
            raise ConfigurationError(
                f"{option}: found {name!r}, expected a whole number (the problem says ids: integer)"
            ) from error

    def _files_of(self, day: date) -> str:
        lines = raw_lines(self.context.problem, self.context.engine, self.context.lake)
        return ", ".join(lines.files_of("impressions", [day]))
