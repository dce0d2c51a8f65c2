"""What Dagster does on its own: read logs, nightly or as they come, and rebuild what is stale."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from label_platform.lake import MissingPartitionError
from label_platform.logs import unreconciled
from label_platform.logs.inbox import settled_files, state_of, unread_files
from label_platform.pipeline.as_of import RAW_TABLES
from label_platform.pipeline.assets import asset_key
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.planner import Work, next_work, work_key
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:  # Dagster does not export the name of what its own function returns
    from dagster._core.definitions.partitions.partitioned_schedule import (
        UnresolvedPartitionedAssetScheduleDefinition,
    )
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    AnySchedule = dg.ScheduleDefinition | UnresolvedPartitionedAssetScheduleDefinition

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

WORK_TAG = "label_platform/work"
"""The tag of a run that a sensor requested: the identity of the work, the same in each attempt."""

MOST_ATTEMPTS = 3


def build_jobs(project: Project) -> list["UnresolvedAssetJobDefinition"]:
    """The daily job reads the day's logs; the sensor then asks for all that this made stale.

    The night must rebuild more than its own day: late events and windows that close change the
    labels of days before it, and which ones only the planner can tell.
    """
    name = project.problem.name
    comparison = dg.AssetSelection.assets(asset_key(project, "comparisons"))
    everything = dg.AssetSelection.key_prefixes([name])
    logs = dg.AssetSelection.assets(*(asset_key(project, table) for table in RAW_TABLES))
    return [
        dg.define_asset_job(f"{name}_daily", logs),
        dg.define_asset_job(f"{name}_comparison", comparison),
        dg.define_asset_job(f"{name}_stale", everything),
    ]


def build_schedule(daily: "UnresolvedAssetJobDefinition") -> "AnySchedule":
    """Every night, the day that has just ended."""
    return dg.build_schedule_from_partitioned_job(daily, hour_of_day=3, minute_of_hour=0)


def build_stale_sensor(
    project: Project, stale: "UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """Requests what a changed policy, a late event or a closed window has made stale."""

    @dg.sensor(
        name=f"{project.problem.name}_stale_sensor",
        job=stale,
        minimum_interval_seconds=30,
        description=build_stale_sensor.__doc__,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        attempts = Attempts(context.instance)
        try:
            # as the files are now: nobody restarts Dagster after changing a policy
            current = Project.load(project.path, project.workspace)
            with current.open() as work:
                last_day = work.log_days[-1]
                if findings := unreconciled(work.engine, work.lake):
                    return dg.SkipReason(f"logs do not reconcile: {'; '.join(findings[:5])}")
                requests = [
                    dg.RunRequest(
                        run_key=attempts.run_key(key := work_key(work, each)),
                        asset_selection=[asset_key(project, each.table, each.policy)],
                        tags={
                            RANGE_START: str(each.first),
                            RANGE_END: str(each.last),
                            WORK_TAG: key,
                        },
                    )
                    for each in next_work(work, last_day, attempts.given_up(work))
                ]
        # no log, or too short a one, yet, or a file that does not fit; or nobody to compare
        except (ConfigurationError, MissingPartitionError) as error:
            return dg.SkipReason(str(error))
        return _answer(context, requests, attempts, "nothing is stale")

    return sensor


def build_inbox_sensor(
    project: Project, daily: "UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """Requests the reading of log files that are new or have changed: dropping one is enough."""
    name = project.problem.name

    @dg.sensor(
        name=f"{name}_inbox_sensor",
        job=daily,
        minimum_interval_seconds=30,
        description=build_inbox_sensor.__doc__,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        attempts = Attempts(context.instance)
        try:
            problem = Project.load(project.path, project.workspace).problem
            unread = unread_files(problem, project.workspace.lake(name))
        except ConfigurationError as error:  # also where the inbox is empty
            return dg.SkipReason(str(error))
        files = settled_files(unread)
        if not files:
            written = f"; {len(unread)} may still be written" if unread else ""
            return dg.SkipReason(f"no log file is new{written}")
        key = f"inbox:{state_of(files)}"
        day = str(ingestion_day(problem))
        tags = {RANGE_START: day, RANGE_END: day, WORK_TAG: key}
        requests = [dg.RunRequest(run_key=attempts.run_key(key), tags=tags)]
        if attempts.exhausted(key, f"reading {len(files)} log files"):
            requests = []
        return _answer(context, requests, attempts, "")

    return sensor


def ingestion_day(problem: Problem) -> date:
    """The day of an ingestion's run in Dagster: the last one that a log may have.

    Other days that it changes get an event each.
    """
    yesterday = datetime.now(tz=UTC).date() - timedelta(days=1)
    return problem.end_date or max(problem.start_date, yesterday)


@dataclass
class Attempts:
    """How often the same work was requested and failed.

    Dagster's daemon takes each run key once, whatever became of its run. So the key changes with
    every failure, up to ``MOST_ATTEMPTS``; then the work waits for something to change that it is
    made from, or for a person.

    Attributes:
        instance: knows the runs.
        abandoned: what is not requested any more, in words.
    """

    instance: dg.DagsterInstance
    abandoned: list[str] = field(default_factory=list)

    def failures(self, key: str) -> int:
        """The runs that were requested under a key of work and failed."""
        failed = dg.RunsFilter(tags={WORK_TAG: key}, statuses=[dg.DagsterRunStatus.FAILURE])
        return self.instance.get_runs_count(failed)

    def run_key(self, key: str) -> str:
        """The run key of the next attempt."""
        failures = self.failures(key)
        return f"{key}:attempt {failures + 1}" if failures else key

    def exhausted(self, key: str, title: str) -> bool:
        """Whether work is not requested any more."""
        if self.failures(key) < MOST_ATTEMPTS:
            return False
        self.abandoned.append(title)
        return True

    def given_up(self, context: Context) -> Callable[[Work], bool]:
        """The same of a planner's work."""
        return lambda work: self.exhausted(work_key(context, work), str(work))


def _answer(
    context: dg.SensorEvaluationContext,
    requests: list[dg.RunRequest],
    attempts: Attempts,
    otherwise: str,
) -> dg.SensorResult | dg.SkipReason:
    abandoned = (
        f"failed {MOST_ATTEMPTS} times and is not requested again until something changes that it "
        f"is made from: {'; '.join(attempts.abandoned)}"
    )
    if requests:
        if attempts.abandoned:  # a tick with requests has no place for a reason
            context.log.warning(abandoned)
        return dg.SensorResult(requests)
    return dg.SkipReason(abandoned if attempts.abandoned else otherwise)
