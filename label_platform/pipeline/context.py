"""What every build step needs: the problem, its policies, its tables, an engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path

from label_platform.evaluation import SideCache
from label_platform.examples import Split, SplitError, split_days
from label_platform.lake import Engine, Lake, Manifest, MissingPartitionError, Partition
from label_platform.pipeline.as_of import NO_LIMIT, end_of, known_days
from label_platform.pipeline.feature_tables import FeatureTables, read_feature_tables
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import Policy, load_policies, longest_window
from label_platform.problem import Problem, load_problem


@dataclass(frozen=True)
class Project:
    """A problem, its active policies and where its tables lie.

    Attributes:
        problem: the problem file, checked.
        policies: its active label policies, checked against it.
        workspace: where everything built lies.
        path: the problem file, to read it again.
        as_of: build from what was ingested up to here, beside the live tables; None for those.
        named: all policies that the problem names, of which this work may be on a few: days are
            split and propensities estimated for all of them alike. Empty if they are the same.
        fitted_sides: what this process has fitted already: policies with the same rows have the
            same baseline.
        checked_days: versions of feature tables and of a day's impressions in which this process
            has found no leak.
    """

    problem: Problem
    policies: tuple[Policy, ...]
    workspace: Workspace
    path: Path = field(default=Path(), compare=False)
    as_of: datetime | None = None
    named: tuple[Policy, ...] = ()
    fitted_sides: SideCache = field(default_factory=SideCache, compare=False, repr=False)
    checked_days: set[tuple[str, str]] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def load(cls, path: Path, workspace: Workspace, logs: Path | None = None) -> "Project":
        """Read a problem file and the policies it uses.

        Raises:
            ConfigurationError: names file and key of whatever does not fit.
        """
        problem = load_problem(path, logs)
        policies = tuple(load_policies(problem))
        return cls(problem, policies, workspace, path, named=policies)

    def policy(self, name: str) -> Policy:
        """An active policy by its name."""
        return next(policy for policy in self.policies if policy.name == name)

    @contextmanager
    def open(self, run_id: str = "") -> Iterator["Context"]:
        """A context for one piece of work: one engine, one state of all tables."""
        with Engine() as engine:
            lake = self.workspace.lake(self.problem.name, self.as_of).pinned()
            yield Context(self, engine, lake, run_id)


@dataclass(frozen=True)
class Context:
    """One piece of work on a project.

    Attributes:
        project: the problem and its policies.
        engine: does the work.
        lake: a view that keeps the state of each table as it first saw it.
        run_id: Dagster's run that this is part of; empty outside of one.
    """

    project: Project
    engine: Engine
    lake: Lake
    run_id: str = ""

    @property
    def problem(self) -> Problem:
        """The problem file."""
        return self.project.problem

    @property
    def as_of(self) -> str:
        """What was ingested later than this is left out, in SQL's way of writing a time."""
        moment = self.project.as_of
        return moment.astimezone(UTC).isoformat() if moment else NO_LIMIT

    @property
    def as_of_tag(self) -> dict[str, str]:
        """What tells MLflow's runs of a build as of some time from the live ones."""
        return {"as_of": self.as_of} if self.project.as_of else {}

    @cached_property
    def log_days(self) -> list[date]:
        """Every day that ingestion has published, and that was known at the time of ``as_of``.

        Raises:
            MissingPartitionError: nothing was ingested.
            ConfigurationError: nothing was known at the time of ``as_of``.
        """
        if self.project.as_of is not None:
            return known_days(self.engine, self.lake, self.project.as_of)
        days = self.lake.days("impressions")
        if not days:
            raise MissingPartitionError(f"{self.problem.name}: no impressions were ingested yet")
        return days

    @cached_property
    def event_days(self) -> list[date]:
        """Every day with impressions or feedback; feedback trails behind the last impressions."""
        days = self.lake.days("interactions")
        if self.project.as_of is not None:
            moment = self.project.as_of
            days = [day for day in days if datetime.combine(day, time(), UTC) < moment]
        return sorted({*self.log_days, *days})

    @cached_property
    def later_event_days(self) -> list[date]:
        """The ended days after the last impressions on which feedback came nevertheless."""
        return [
            day
            for day in self.event_days
            if self.log_days[-1] < day <= self.last_ended_day
            and self.require(Partition("interactions", day)).rows
        ]

    @cached_property
    def known_until(self) -> datetime:
        """The end of what is known: feedback counts also on days after the last impressions."""
        last_day = [*self.log_days, *self.later_event_days][-1]
        return self.project.as_of or end_of(last_day)

    @property
    def last_ended_day(self) -> date:
        """The last day of a closed log, of another one yesterday: today's feedback still comes."""
        return self.problem.end_date or datetime.now(tz=UTC).date() - timedelta(days=1)

    @cached_property
    def item_days(self) -> list[date]:
        """The days of the items table; items do not say when they were ingested."""
        days = self.lake.days("items")
        if self.project.as_of is None:
            return days
        return [day for day in days if day <= self.log_days[-1]]

    @cached_property
    def feature_tables(self) -> FeatureTables:
        """The problem's feature tables.

        Raises:
            ConfigurationError: a table cannot be joined.
        """
        return read_feature_tables(self.problem, self.engine)

    def split(self, as_of_day: date) -> Split:
        """The train, validate and evaluate days of what is known at the end of a day."""
        named = self.project.named or self.project.policies
        windows = [longest_window(policy, self.problem) for policy in named]
        return split_days(self.problem, windows, self.log_days[0], as_of_day)

    def last_training_day(self, as_of_day: date) -> date:
        """The last day that rankers learn from at the end of a day.

        A log too short to train on has labels all the same: for their curve, all of it counts.
        """
        try:
            return self.split(as_of_day).train[-1]
        except SplitError:
            return as_of_day

    def require(self, partition: Partition) -> Manifest:
        """A partition's manifest.

        Raises:
            MissingPartitionError: it was never built.
        """
        manifest = self.lake.manifest(partition)
        if manifest is None:
            raise MissingPartitionError(f"{partition}: not built yet")
        return manifest

    def content(self, table: str, day: date, policy: str = "") -> str:
        """The content hash of a partition, for the recipes of what is made from it."""
        return self.require(Partition(table, day, policy)).content_hash

    def contents(self, table: str, days: tuple[date, ...], policy: str = "") -> dict[str, str]:
        """The content hashes of several days; days that were never built are left out."""
        found = {day: self.lake.manifest(Partition(table, day, policy)) for day in days}
        return {str(day): manifest.content_hash for day, manifest in found.items() if manifest}
