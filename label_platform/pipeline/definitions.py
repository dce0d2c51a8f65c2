"""What Dagster loads: the assets, jobs, schedules and sensors of every problem file."""

import dagster as dg

from label_platform.pipeline.assets import build_assets
from label_platform.pipeline.automation import (
    build_inbox_sensor,
    build_jobs,
    build_schedule,
    build_stale_sensor,
)
from label_platform.pipeline.context import Project
from label_platform.pipeline.workspace import Workspace


def build_definitions(workspace: Workspace) -> dg.Definitions:
    """The definitions of every problem file in the workspace."""
    parts = [
        project_definitions(Project.load(path, workspace))
        for path in sorted(workspace.problems.glob("*.yaml"))
    ]
    return dg.Definitions.merge(dg.Definitions(executor=dg.in_process_executor), *parts)


def project_definitions(project: Project) -> dg.Definitions:
    """The definitions of one problem."""
    daily, comparison, stale = build_jobs(project)
    return dg.Definitions(
        assets=build_assets(project),
        jobs=[daily, comparison, stale],
        schedules=[build_schedule(daily)],
        sensors=[build_inbox_sensor(project, daily), build_stale_sensor(project, stale)],
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The entry point that workspace.yaml names."""
    return build_definitions(Workspace.from_environment())
