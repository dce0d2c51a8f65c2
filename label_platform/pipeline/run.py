"""The whole chain in one process, through Dagster: what is stale is materialised, step by step."""

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
import yaml

from label_platform.lake import MissingPartitionError
from label_platform.logs import IngestReport, UserKeys, collect_garbage, refusal_counts
from label_platform.pipeline.as_of import RAW_TABLES
from label_platform.pipeline.assets import asset_key, build_assets
from label_platform.pipeline.automation import RANGE_END, RANGE_START, ingestion_day
from label_platform.pipeline.context import Project
from label_platform.pipeline.planner import Work, stale_work
from label_platform.pipeline.steps import STEPS, Step, partitions_of
from label_platform.strict_yaml import ConfigurationError

DAGSTER_SETTINGS = Path(__file__).with_name("dagster.yaml")
_WRONG_USAGE = f"{ConfigurationError.__module__}.{ConfigurationError.__qualname__}: "
_TRAINS = frozenset({"rankers", "evaluations"})


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        report: what became of the log files.
        built: partitions built, by table.
        unchanged: partitions that were up to date, by table.
        refused: the policies that the evidence does not support, with the reason.
        broken: what else failed, by asset, with the error.
        seconds: time taken, by table.
    """

    report: IngestReport | None = None
    built: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def prepare_dagster_home(home: Path) -> None:
    """Make the folder that holds Dagster's settings and history, where it does not exist yet."""
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        shutil.copyfile(DAGSTER_SETTINGS, settings)


@contextmanager
def dagster_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that lives in a folder."""
    prepare_dagster_home(home)
    os.environ["DAGSTER_HOME"] = str(home)
    with dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def instance_of(project: Project) -> Iterator[dg.DagsterInstance]:
    """The instance that a project's runs belong to.

    A build as of some time is forgotten with the process: Dagster knows one history per asset, and
    shows its last entry as what the live table holds.
    """
    if project.as_of is None:
        with dagster_instance(project.workspace.dagster_home) as instance:
            yield instance
        return
    quiet = yaml.safe_load(DAGSTER_SETTINGS.read_text())["python_logs"]
    with dg.DagsterInstance.ephemeral(settings={"python_logs": quiet}) as instance:
        yield instance


def run_chain(
    project: Project,
    instance: dg.DagsterInstance,
    *,
    until: str = "comparisons",
    days: tuple[date, date] = (date.min, date.max),
    on_work: Callable[[str, int, int], None] = lambda _table, _done, _total: None,
) -> RunSummary:
    """Read what is new in the logs, then bring every table up to date that is stale.

    A build as of some time reads no logs: it takes what the lake holds.

    Args:
        project: the problem with the policies to build.
        instance: where Dagster keeps what was materialised.
        until: the last table to build.
        days: the first and the last log day to look at.
        on_work: told the table, the partitions done and the partitions to do.

    Raises:
        ConfigurationError: a secret is missing, the problem file names logs that are not there,
            nothing was known at the time of ``as_of``, or the log is too short to train on and
            more than labels is asked for.
    """
    chain = _Chain(project, instance, days, on_work)
    if project.as_of is not None:
        _require_logs(project)
    elif not chain.ingest():
        return chain.summary
    for step in STEPS:
        if until == "impressions":
            break
        if step.per_policy and not any(map(step.needed_by, project.policies)):
            continue
        chain.build(step)
        if step.table == until or chain.is_broken(step):
            break
    collect_garbage(project.workspace.lake(project.problem.name))
    return chain.summary


def _require_logs(project: Project) -> None:
    with project.open() as context:
        try:
            _ = context.log_days
        except MissingPartitionError as error:
            raise ConfigurationError(
                f"--as-of: {project.problem.name}: {error}; `label-platform ingest` reads logs"
            ) from error
        except ConfigurationError as error:
            raise ConfigurationError(f"--as-of: {project.problem.name}: {error}") from error


class _Chain:
    """The steps of one run, and what has come of them so far."""

    def __init__(
        self,
        project: Project,
        instance: dg.DagsterInstance,
        days: tuple[date, date],
        on_work: Callable[[str, int, int], None],
    ) -> None:
        self.project = project
        self.instance = instance
        self.first_day, self.last_day = days
        self.on_work = on_work
        self.summary = RunSummary()
        self.assets = build_assets(project, self._ingested)

    def ingest(self) -> bool:
        """Read the log files; whether there is anything to go on with."""
        started = time.perf_counter()
        UserKeys(self.project.problem)  # a missing secret is said before Dagster plans every day
        keys = [asset_key(self.project, table) for table in RAW_TABLES]
        self.on_work("impressions", 0, 1)
        day = ingestion_day(self.project.problem)
        result = self._run(keys, Work("impressions", "", day, day))
        for event in result.get_step_failure_events():
            words = _words(event)
            if words.startswith(_WRONG_USAGE):
                raise ConfigurationError(words.removeprefix(_WRONG_USAGE))
            self.summary.broken["ingestion"] = _for_people(words)
        self.on_work("impressions", 1, 1)
        self.summary.seconds["impressions"] = time.perf_counter() - started
        if result.success and (words := self._lack_of_impressions()):
            self.summary.broken["impressions"] = words
        return not self.summary.broken

    def _lack_of_impressions(self) -> str:
        """Why there is nothing to go on with, if no log has brought an impression."""
        with self.project.open() as context:
            if context.lake.days("impressions"):
                return ""
            counts = refusal_counts(context.engine, context.lake)
        words = "the logs have brought no impressions"
        if not counts:
            return words
        reasons: Counter[str] = Counter()
        for _, reason, records, _ in counts:
            reasons[reason] += records
        often = ", ".join(f"{reason} ({records:,})" for reason, records in reasons.most_common(3))
        return f"{words}; records were refused for: {often}; `label-platform quarantine list`"

    def build(self, step: Step) -> None:
        """Build what is stale of one table, for every policy that was not refused before."""
        started = time.perf_counter()
        works, total = self._plan(step)
        todo = sum(work.days for work in works)
        self.summary.unchanged[step.table] = total - todo
        self.on_work(step.table, 0, todo)
        done = 0
        for batch in _batches(works):
            for work in self._materialize(batch):
                self.summary.built[step.table] = self.summary.built.get(step.table, 0) + work.days
            done += sum(work.days for work in batch)
            self.on_work(step.table, done, todo)
        self.summary.seconds[step.table] = time.perf_counter() - started

    def is_broken(self, step: Step) -> bool:
        """Whether a table that everything after it is made from could not be built."""
        return "/".join(asset_key(self.project, step.table).path) in self.summary.broken

    def _ingested(self, report: IngestReport) -> None:
        self.summary.report = report

    def _plan(self, step: Step) -> tuple[list[Work], int]:
        with self.project.open() as context:
            last_day = min(self.last_day, context.log_days[-1])
            if not step.every_day:
                context.split(last_day)  # says what is missing, before all policies fail for it
            names = [policy.name for policy in self.project.policies] if step.per_policy else [""]
            works, total = [], 0
            for name in names:
                if not self._failed_before(name):
                    total += len(partitions_of(context, step, name, last_day))
                    works += stale_work(context, step, name, last_day, self.first_day)
            return works, total

    def _failed_before(self, policy: str) -> bool:
        broken = any(policy in asset.split("/") for asset in self.summary.broken)
        return policy in self.summary.refused or broken

    def _materialize(self, batch: list[Work]) -> list[Work]:
        """Materialise works over the same days in one Dagster run; returns those that succeeded."""
        works = {asset_key(self.project, work.table, work.policy): work for work in batch}
        result = self._run(list(works), batch[0])
        for event in result.get_step_failure_events():
            key = next(key for key in works if event.step_key == "__".join(key.path))
            refused = event.step_failure_data.user_failure_data
            if refused is not None:
                self.summary.refused[works[key].policy] = refused.description or ""
            else:
                self.summary.broken["/".join(key.path)] = _for_people(_words(event))
            works.pop(key)
        return list(works.values())

    def _run(self, keys: list[dg.AssetKey], days: Work) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            self.assets,
            selection=keys,
            instance=self.instance,
            raise_on_error=False,
            tags={RANGE_START: str(days.first), RANGE_END: str(days.last)},
        )


def _words(event: dg.DagsterEvent) -> str:
    """What went wrong in a step, as the exception said it."""
    error = event.step_failure_data.error
    cause = (error.cause or error) if error else None
    return cause.message.strip() if cause else "failed without saying why"


def _for_people(words: str) -> str:
    """Without the class in front: what was written for people needs none."""
    return re.sub(r"^label_platform\.[\w.]+: ", "", words)


def _batches(works: list[Work]) -> list[list[Work]]:
    """Works over the same days together: a run of Dagster costs half a second.

    What trains stays apart, so that the progress shown moves with each policy.
    """
    batches: dict[tuple[object, ...], list[Work]] = {}
    for work in works:
        alone = work.policy if work.table in _TRAINS else ""
        batches.setdefault((work.first, work.last, alone), []).append(work)
    return list(batches.values())
