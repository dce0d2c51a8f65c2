"""What Dagster does on its own: a daily rebuild, and a sensor for whatever has become stale."""

from typing import TYPE_CHECKING

import dagster as dg

from label_platform.examples import SplitError
from label_platform.lake import MissingPartitionError
from label_platform.pipeline.as_of import RAW_TABLES
from label_platform.pipeline.assets import asset_key
from label_platform.pipeline.context import Project
from label_platform.pipeline.planner import next_work, work_key
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
    def sensor(_context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            # as the files are now: nobody restarts Dagster after changing a policy
            current = Project.load(project.path, project.workspace)
        except ConfigurationError as error:
            return dg.SkipReason(str(error))
        with current.open() as work:
            try:
                stale_now = next_work(work, work.log_days[-1])
            except (MissingPartitionError, SplitError) as error:  # no log, or too short a one, yet
                return dg.SkipReason(str(error))
            requests = [
                dg.RunRequest(
                    run_key=work_key(work, each),
                    asset_selection=[asset_key(project, each.table, each.policy)],
                    tags={RANGE_START: str(each.first), RANGE_END: str(each.last)},
                )
                for each in stale_now
            ]
        return dg.SensorResult(requests) if requests else dg.SkipReason("nothing is stale")

    return sensor
