"""What is stored of a policy's labels: labels, training rows, exclusions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from label_platform.explain import Recorded, TrainingRow
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.labels import require_grain
from label_platform.policy import Policy

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RecordedLabels:
    """Reads what is stored.

    Attributes:
        context: the piece of work.
        policy: whose labels.
    """

    context: Context
    policy: Policy

    @cached_property
    def examples_day(self) -> date | None:
        """The day of the policy's last training rows; None where there are none."""
        days = self.context.lake.days("examples", self.policy.name)
        return days[-1] if days else None

    def of_impressions(
        self, targets: Collection[tuple[str, date]]
    ) -> dict[tuple[str, date], Recorded]:
        """What is kept of some impressions, by id and day.

        Raises:
            ConfigurationError: the labels were built at another grain.
        """
        lake, policy = self.context.lake, self.policy
        excluded = self.excluded(targets)
        training = self._training_impressions(targets)
        found = {}
        for day in {day for _name, day in targets}:
            require_grain(self.context, policy, day)
            names = [name for name, on in targets if on == day]
            rows = self.rows(
                lake.scan("labels", [day], policy.name),
                f"impression_id::varchar in ({_listed(names)})",
            )
            labels = {str(row["impression_id"]): row for row in rows}
            for name in names:
                found[name, day] = Recorded(
                    labels.get(name), excluded.get((name, day), ""), training.get((name, day))
                )
        return found

    def excluded(self, targets: Collection[tuple[str, date]]) -> dict[tuple[str, date], str]:
        """Why impressions do not count: that is told by whole sessions, so it is not told anew."""
        found: dict[tuple[str, date], str] = {}
        for day in {day for _name, day in targets}:
            names = [name for name, on in targets if on == day]
            rows = self.rows(
                self.context.lake.scan("impression_signals", [day]),
                f"excluded_reason is not null and impression_id::varchar in ({_listed(names)})",
            )
            found |= {(str(row["impression_id"]), day): row["excluded_reason"] for row in rows}
        return found

    def cells(self, cells: Collection[tuple[Any, Any]], day: date) -> dict[tuple[Any, Any], Row]:
        """The rows of a day's labels of some queries' items.

        Raises:
            ConfigurationError: the labels were built at another grain.
        """
        require_grain(self.context, self.policy, day)
        items = _listed(sorted({str(item) for _query, item in cells}))
        rows = self.rows(
            self.context.lake.scan("labels", [day], self.policy.name),
            f"item_id::varchar in ({items})",
        )
        return {(row["query_id"], row["item_id"]): row for row in rows}

    def training_cells(
        self, cells: Collection[tuple[Any, Any]]
    ) -> dict[tuple[Any, Any], TrainingRow]:
        """The training rows of some queries' items."""
        items = _listed(sorted({str(item) for _query, item in cells}))
        rows = self._training_rows(f"part = 'train' and item_id::varchar in ({items})")
        return {(row.row["query_id"], row.row["item_id"]): row for row in rows}

    def _training_impressions(
        self, targets: Collection[tuple[str, date]]
    ) -> dict[tuple[str, date], TrainingRow]:
        """Rows by id; an id that comes again on another day is told apart by nothing here."""
        names = dict(targets)
        if len(names) < len(targets):
            return {}
        rows = self._training_rows(f"impression_id::varchar in ({_listed(list(names))})")
        by_id = {str(row.row["impression_id"]): row for row in rows}
        return {(name, names[name]): row for name, row in by_id.items()}

    def _training_rows(self, condition: str) -> list[TrainingRow]:
        day = self.examples_day
        if day is None:
            return []
        lake, policy = self.context.lake, self.policy
        fits = self.context.require(Partition("examples", day, policy.name)).attributes
        rows = self.rows(lake.scan("examples", [day], policy.name), condition)
        return [TrainingRow(row, fits.get("fitted", {})) for row in rows]

    def rows(self, relation: str, condition: str = "true") -> list[dict[str, Any]]:
        """Rows of a relation, by column."""
        query = f"select * from {relation} where {condition}"
        rows: list[dict[str, Any]] = self.context.engine.arrow(query).to_pylist()
        return rows


def _listed(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values) or "null"
