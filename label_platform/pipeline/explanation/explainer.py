"""Labels explained: log lines, fitted values and what is stored, brought together."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from label_platform.examples import SplitError
from label_platform.explain import (
    IN_TRAINING,
    CellDay,
    Curve,
    Explanation,
    Fitted,
    Frame,
    LogEvidence,
    Shown,
    explain_cell,
    explain_impression,
    mean_inverse,
)
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.explanation.frame import (
    drawn_rows,
    facts_of,
    listed_rows,
    notes_of,
)
from label_platform.pipeline.explanation.lines import LabelLines
from label_platform.pipeline.explanation.recorded import RecordedLabels
from label_platform.pipeline.label_statistics import as_of_if_immature, needs_statistics
from label_platform.pipeline.propensity_judgment import judgment_of
from label_platform.pipeline.steps import is_stale
from label_platform.policy import Policy, click_signal, used_signals

Row = Mapping[str, Any]
_STALE = (
    "{} are older than what they are made from, so a mismatch may be no mistake: "
    "`label-platform {}` builds them anew"
)


@dataclass(frozen=True)
class LabelExplainer:
    """Explains labels of one policy; many at a time read each file once.

    Attributes:
        context: the piece of work.
        policy: whose labels.
        with_lists: whether the lists of impressions are told, too, and what was drawn for queries.
    """

    context: Context
    policy: Policy
    with_lists: bool = True

    def impressions(self, targets: Collection[tuple[str, date]]) -> list[Explanation]:
        """The labels of some impressions, by id and day, at impression grain.

        An impression whose line is in no log file any more is left out.
        """
        lines = self._lines
        evidence = lines.evidence(lines.impressions(targets))
        recorded = self.recorded.of_impressions(targets)
        found = []
        for key in targets:
            shown = evidence.shown.get(key)
            if shown is None:
                continue
            day = key[1]
            frame = Frame(
                f"Label of impression {key[0]} by policy {self.policy.name}",
                self._facts(day),
                notes_of(lines, recorded[key].excluded),
                listed_rows(self.context, self.policy, shown) if self.with_lists else (),
                tuple(sorted(lines.raw.gone)),
            )
            fitted = self.fitted(day)
            explained = explain_impression(
                self.context.problem, self.policy, evidence, shown, fitted, recorded[key], frame
            )
            found.append(self._excused(explained, [day]))
        return found

    def cells(
        self, cells: Collection[tuple[Any, Any]], days: Sequence[date] | None = None
    ) -> list[Explanation]:
        """The labels of some queries' items, at query-item grain.

        Args:
            cells: query and item.
            days: what is added up; by default the training days, as in the training rows.
        """
        train = self.training_days
        chosen = [day for day in days or train if self._is_labelled(day)]
        lines = self._lines
        evidence = lines.evidence(lines.of_cells(cells, chosen))
        days_of = self._cell_days(cells, chosen, evidence)
        rows = self.recorded.training_cells(cells) if tuple(chosen) == train else {}
        with_drawn = self.with_lists and tuple(chosen) == train
        frame_facts = facts_of(self.context, self.policy, chosen)
        found = []
        for query, item in cells:
            parts = days_of[query, item]
            frame = Frame(
                f"Label of query {query} and item {item} by policy {self.policy.name}",
                frame_facts,
                (*notes_of(lines, _exclusion(parts)), *self._no_training_label(chosen, train)),
                drawn_rows(self.context, self.policy, query) if with_drawn else (),
                tuple(sorted(lines.raw.gone)),
            )
            explained = explain_cell(
                self.context.problem,
                self.policy,
                evidence,
                parts,
                rows.get((query, item)),
                frame,
                click_signal(self.context.problem),
            )
            found.append(self._excused(explained, chosen))
        return found

    def _cell_days(
        self, cells: Collection[tuple[Any, Any]], days: Sequence[date], evidence: LogEvidence
    ) -> dict[tuple[Any, Any], list[CellDay]]:
        """By query and item, the days on which it was shown or has a label."""
        shown: dict[tuple[Any, Any, date], list[Shown]] = defaultdict(list)
        for each in sorted(evidence.shown.values(), key=lambda each: each.shown_at):
            shown[each.query_id, each.item_id, each.shown_at.date()].append(each)
        stored = {day: self.recorded.cells(cells, day) for day in days}
        excluded = self.recorded.excluded({key for key in evidence.shown if key[1] in days})
        return {
            cell: [
                CellDay(
                    day,
                    shown[*cell, day],
                    self.fitted(day),
                    stored[day].get(cell),
                    {name: why for (name, on), why in excluded.items() if on == day},
                    self._decay(day, self.training_days),
                )
                for day in days
                if shown[*cell, day] or cell in stored[day]
            ]
            for cell in cells
        }

    @cached_property
    def training_days(self) -> tuple[date, ...]:
        """The days of the policy's last training rows; of a log too short for any, all days."""
        try:
            return self.context.split(self.recorded.examples_day or self.context.log_days[-1]).train
        except SplitError:
            return tuple(self.context.log_days)

    @cached_property
    def recorded(self) -> RecordedLabels:
        """What is stored of the policy."""
        return RecordedLabels(self.context, self.policy)

    @cached_property
    def _lines(self) -> LabelLines:
        return LabelLines(self.context, columns_of(self.context, [self.policy]))

    @property
    def changed_files(self) -> tuple[str, ...]:
        """Of the log files that were looked at, those that are not as they were ingested."""
        return tuple(sorted(self._lines.raw.changed))

    @cached_property
    def _fitted_by_day(self) -> dict[date, Fitted]:
        return {}

    def fitted(self, day: date) -> Fitted:
        """What a day's labels were computed with, beside the lines."""
        if day not in self._fitted_by_day:
            self._fitted_by_day[day] = self._read_fitted(day)
        return self._fitted_by_day[day]

    @cached_property
    def _facts_by_day(self) -> dict[date, dict[str, str]]:
        return {}

    def _facts(self, day: date) -> dict[str, str]:
        if day not in self._facts_by_day:
            self._facts_by_day[day] = facts_of(self.context, self.policy, [day])
        return self._facts_by_day[day]

    def _read_fitted(self, day: date) -> Fitted:
        lake, policy = self.context.lake, self.policy
        labels = lake.manifest(Partition("labels", day, policy.name))
        curve, statistics = None, []
        if labels is not None and labels.attributes.get("debiased"):
            wanted = policy.debias.estimator
            judgment_of(self.context, day, wanted)
            rows = self.recorded.rows(lake.scan("propensities", [day]))
            chosen = [
                row
                for row in rows
                if (row["chosen"] if wanted == "auto" else row["estimator"] == wanted)
            ]
            curve = Curve(chosen, self.context.problem.context)
        if needs_statistics(policy):
            statistics = self.recorded.rows(lake.scan("label_statistics", [day], policy.name))
        as_of = as_of_if_immature(self.context, policy, day)
        fitted = Fitted(curve, statistics, as_of)
        if curve is None or not policy.debias.self_normalise:
            return fitted
        return Fitted(curve, statistics, as_of, mean_inverse(policy, self._rewarded(day), fitted))

    def _rewarded(self, day: date) -> list[tuple[Shown, dict[str, float]]]:
        """A day's impressions with feedback: what a mean over the whole day is taken of."""
        names = used_signals(self.policy)
        some = " or ".join(f'"{name}" <> 0' for name in names)
        relation = self.context.lake.scan("impression_signals", [day])
        rows = self.recorded.rows(relation, f"excluded_reason is null and ({some})")
        return [
            (
                Shown(
                    str(row["impression_id"]),
                    row["request_id"],
                    row["query_id"],
                    None,
                    None,
                    row["item_id"],
                    row["position"],
                    row["shown_at"],
                    row,
                ),
                {name: row[name] for name in names},
            )
            for row in rows
        ]

    def _decay(self, day: date, train: Sequence[date]) -> float:
        if self.policy.decay is None or not train:
            return 1.0
        # days after the last training day count in full, as in the rows that validate
        age = max(timedelta(0), max(train) - day)
        return round(float(0.5 ** (age / self.policy.decay.half_life)), 9)

    @staticmethod
    def _no_training_label(chosen: Sequence[date], train: Sequence[date]) -> tuple[str, ...]:
        """A note where the days added up are not those that rankers learn from."""
        if not chosen or tuple(chosen) == tuple(train):
            return ()
        said = (
            f"added up are {chosen[0]} to {chosen[-1]}, the training days are {train[0]} to "
            f"{train[-1]}: the label over all days is no training label, it is stored nowhere"
        )
        return (said,)

    def _is_labelled(self, day: date) -> bool:
        partition = Partition("labels", day, self.policy.name)
        return self.context.lake.manifest(partition) is not None

    def _excused(self, explained: Explanation, days: Sequence[date]) -> Explanation:
        """The explanation, with a note where a mismatch is one of what is out of date."""
        if not explained.mismatches:
            return explained
        labels = [
            partition
            for day in days
            for partition in (
                Partition("impression_signals", day),
                Partition("labels", day, self.policy.name),
            )
        ]
        examples, day = [], self.recorded.examples_day
        if day and any(each.name.endswith(IN_TRAINING) for each in explained.mismatches):
            examples.append(Partition("examples", day, self.policy.name))
        notes = [
            _STALE.format(", ".join(map(str, stale[:3])), command)
            for command, partitions in (("labels", labels), ("examples", examples))
            if (stale := [each for each in partitions if self._is_stale(each)])
        ]
        return replace(explained, notes=(*explained.notes, *notes))

    def _is_stale(self, partition: Partition) -> bool:
        try:
            return is_stale(self.context, partition)
        except SplitError:  # training rows of days that the problem does not split any more
            return True


def _exclusion(parts: Sequence[CellDay]) -> str:
    """Why the first impression that does not count is excluded; empty where all count."""
    reasons = (part.excluded.get(each.impression_id, "") for part in parts for each in part.shown)
    return next(filter(None, reasons), "")


def columns_of(context: Context, policies: Sequence[Policy]) -> tuple[str, ...]:
    """The columns of impressions that policies' labels depend on."""
    names = set(context.problem.context)
    for policy in policies:
        names.update(name for segment in policy.segments for name in segment.when)
        if policy.watch_time is not None:
            names.add(policy.watch_time.duration)
    return tuple(sorted(names))
