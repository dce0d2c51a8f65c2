"""One run from the command line: simulated logs where there are none, progress, what came out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from label_platform.lake import Partition
from label_platform.logs.simulators import (
    ProductSearchSettings,
    ShortVideoSettings,
    SimulationSummary,
    simulate_product_search,
    simulate_short_video,
)
from label_platform.pipeline import terminal
from label_platform.pipeline.comparison_page import existing_page
from label_platform.pipeline.context import Project
from label_platform.pipeline.policy_warnings import (
    print_policy_warnings,
    print_unseen_values,
    require_comparable,
)
from label_platform.pipeline.run import RunSummary, instance_of, run_chain
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import Policy
from label_platform.strict_yaml import ConfigurationError, nearest
from label_platform.tracking import TrackingStore

SIMULATED = "product_search"
SIMULATED_VIDEOS = "short_video"
DEMONSTRATION = ProductSearchSettings(lists_per_day=3000, n_queries=1500, n_unseen_queries=500)
"""Large enough to tell the policies apart, small enough for a first run of a minute."""
DEMONSTRATION_OF_VIDEOS = ShortVideoSettings(
    lists_per_day=1500, n_segments=400, n_unseen_segments=200
)
"""The same for a feed."""


@dataclass(frozen=True)
class Outcome:
    """What a run left behind, for the terminal and for programs.

    Attributes:
        summary: what was built, and what failed.
        comparison: the comparison's rows; empty before the comparison.
        page: the comparison's page; None before the comparison.
        as_of: what was ingested later was left out; None in a live build.
        noted: what the comparison's build noted; nothing before the comparison.
    """

    summary: RunSummary
    comparison: pd.DataFrame
    page: Path | None = None
    as_of: datetime | None = None
    noted: Mapping[str, Any] = field(default_factory=dict)

    def exit_code(self, *, allow_refused: bool) -> int:
        """0 if all went well; files that could not be read are a failure, refused policies too.

        Args:
            allow_refused: refused policies are none.
        """
        refused = self.summary.refused and not allow_refused
        return 1 if self.summary.broken or self._not_read or refused else 0

    @property
    def _not_read(self) -> dict[str, str]:
        report = self.summary.report
        return {file.source: file.refusal for file in report.refused} if report else {}

    def as_json(self) -> dict[str, Any]:
        """The outcome for programs."""
        return {
            "as_of": self.as_of.astimezone(UTC).isoformat() if self.as_of else None,
            "built": self.summary.built,
            "unchanged": self.summary.unchanged,
            "refused": self.summary.refused,
            "failed": self.summary.broken,
            "not_read": self._not_read,
            "seconds": {name: round(value, 2) for name, value in self.summary.seconds.items()},
            "comparison": self.comparison.to_dict(orient="records"),
            "page": str(self.page) if self.page else None,
        }


@dataclass(frozen=True)
class Session:
    """A problem opened for one run.

    Attributes:
        project: the problem and the policies to build.
        days: first and last log day to look at.
        console: where people read.
    """

    project: Project
    days: tuple[date, date]
    console: Console

    @classmethod
    def start(
        cls,
        problem: Path | None,
        logs: Path | None,
        policies: str | None,
        days: tuple[date, date],
        console: Console,
        *,
        as_of: datetime | None = None,
    ) -> Self:
        """Open a problem; without one, simulated product search.

        A problem whose logs lie where this workspace keeps simulated ones has them simulated.

        Raises:
            ConfigurationError: whatever does not fit in files or options, or the workspace cannot
                be written.
        """
        workspace = Workspace.from_environment()
        path = problem or workspace.problems / f"{SIMULATED}.yaml"
        project = replace(Project.load(path, workspace, logs), as_of=as_of)
        workspace.make()
        if policies is not None:
            project = replace(project, policies=_chosen(project, policies.split(",")))
        print_policy_warnings(console, project.policies, project.problem)
        session = cls(project, days, console)
        if logs is None and as_of is None and (problem is None or session.shall_be_simulated()):
            session.simulate_if_absent()
        return session

    def shall_be_simulated(self) -> bool:
        """Whether the problem is a simulated one and its logs lie among this workspace's."""
        problem = self.project.problem
        own = self.project.workspace.folder / "simulated" / problem.name / "logs"
        simulated = problem.name in {SIMULATED, SIMULATED_VIDEOS} and problem.truth is not None
        return simulated and problem.resolve(".").resolve() == own.resolve()

    def simulate_if_absent(self) -> None:
        """Write simulated logs where the problem file expects logs and none lie."""
        logs = self.project.problem.resolve(".").resolve()
        if logs.exists():
            return
        with self.console.status("simulating logs ..."):
            summary, settings = self._simulate(logs.parent)
        self.console.print(
            f"simulated {summary.impressions:,} impressions and "
            f"{sum(summary.interactions.values()):,} events in {settings.days} days "
            f"({settings.logger} logger, "
            f"{settings.randomized_share:.0%} of lists in random order)"
        )

    def _simulate(
        self, out: Path
    ) -> tuple[SimulationSummary, ProductSearchSettings | ShortVideoSettings]:
        start = self.project.problem.start_date
        if self.project.problem.name == SIMULATED_VIDEOS:
            videos = replace(DEMONSTRATION_OF_VIDEOS, start_date=start)
            return simulate_short_video(videos, out), videos
        search = replace(DEMONSTRATION, start_date=start)
        return simulate_product_search(search, out), search

    def run(self, until: str) -> Outcome:
        """Build what is stale up to a table, showing how far it is, and print what came out.

        Raises:
            ConfigurationError: a comparison is asked for, and the problem's would be refused.
        """
        project = self.project
        if until == "comparisons":
            require_comparable(project.problem)
        with instance_of(project) as instance, self._bars() as show:
            summary = run_chain(project, instance, until=until, days=self.days, on_work=show)
        outcome = self._outcome(summary, until)
        self._print(outcome)
        return outcome

    def _print(self, outcome: Outcome) -> None:
        project, console, summary = self.project, self.console, outcome.summary
        if summary.report is not None:
            terminal.print_files(console, summary.report)
        if "propensities" in summary.seconds:
            with project.open() as context:
                terminal.print_propensities(console, context)
        if "labels" in summary.seconds:
            with project.open() as context:
                print_unseen_values(console, context, project.policies, self.days)
        terminal.print_comparison(console, outcome.comparison, project.problem.policies.baseline)
        terminal.print_agreement(console, outcome.noted)
        if outcome.page is not None:
            console.print(f"its page: {outcome.page}", highlight=False, soft_wrap=True)
        terminal.print_failures(console, summary)
        store = TrackingStore(project.workspace.mlflow_folder, project.problem.name)
        terminal.print_end(console, summary, store)
        if len(outcome.comparison):
            self._print_titles(store, outcome)
        if project.as_of is not None:
            terminal.print_view(console, project)

    def _print_titles(self, store: TrackingStore, outcome: Outcome) -> None:
        """Who is champion and why, and where MLflow shows the comparison."""
        link = store.link(run_id=outcome.noted["mlflow_run"])
        if outcome.summary.built.get("comparisons"):
            words = outcome.noted.get("promotion", "this comparison decided on no titles")
        else:  # since an older comparison decided, people may have decided otherwise
            champion = store.registry.champion()
            words = f"champion is {champion.name}" if champion else "nobody is champion"
        said = f"{escape(words)}; the comparison: {link}"
        self.console.print(said, highlight=False, soft_wrap=True)

    def _outcome(self, summary: RunSummary, until: str) -> Outcome:
        """What was built, with the last comparison where one was asked for."""
        found = Outcome(summary, pd.DataFrame(), as_of=self.project.as_of)
        if until != "comparisons":
            return found
        with self.project.open() as context:
            days = [day for day in context.lake.days("comparisons") if day <= self.days[1]]
            if not days:
                return found
            partition = Partition("comparisons", days[-1])
            return replace(
                found,
                comparison=context.engine.frame(
                    f"from {context.lake.scan('comparisons', days[-1:])}"
                ),
                page=existing_page(context, partition),
                noted=context.require(partition).attributes,
            )

    @contextmanager
    def _bars(self) -> Iterator[Any]:
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            tasks: dict[str, Any] = {}

            def show(table: str, done: int, total: int) -> None:
                if table not in tasks:
                    tasks[table] = progress.add_task(table, total=max(total, 1))
                progress.update(tasks[table], completed=done if total else 1)

            yield show


def _chosen(project: Project, names: list[str]) -> tuple[Policy, ...]:
    known = [policy.name for policy in project.policies]
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--policies: {name!r} is not active; {nearest(name, known)}")
    return tuple(policy for policy in project.policies if policy.name in names)
