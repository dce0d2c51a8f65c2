"""label-platform doctor: whether everything is there that a run needs."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from label_platform.cli.options import (
    DAGSTER_PORT,
    MLFLOW_PORT,
    DagsterPortOption,
    JsonOption,
    MlflowPortOption,
    ProblemOption,
    console,
    problem_path,
)

if TYPE_CHECKING:
    from label_platform.first_contact.doctor import Finding

app = typer.Typer()

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@app.command("doctor")
def doctor_command(
    problem: ProblemOption = None,
    dagster_port: DagsterPortOption = DAGSTER_PORT,
    mlflow_port: MlflowPortOption = MLFLOW_PORT,
    as_json: JsonOption = False,
) -> None:
    """Look at software, machine, folders, ports and a problem file; exit code 1 on a problem.

    Example: label-platform doctor --problem data/problems/product_search.yaml
    """
    found = []
    for finding in _examine(problem, dagster_port, mlflow_port):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print(json.dumps([asdict(each) for each in found]))  # noqa: T201 - the command's result
    sys.exit(1 if any(each.status == "problem" for each in found) else 0)


def _examine(problem: Path | None, dagster_port: int, mlflow_port: int) -> Iterator["Finding"]:
    from label_platform.first_contact.doctor import (
        Finding,
        Patient,
        examine_software,
        examine_surroundings,
    )

    software = []
    for finding in examine_software():
        software.append(finding)
        yield finding
    if any(finding.status == "problem" for finding in software):
        # the other checks, and the imports below, would only stumble over the same thing
        advice = "mend the problems above, then ask again"
        yield Finding("all else", "warning", "not looked at", advice=advice)
        return

    from label_platform.pipeline.workspace import Workspace

    workspace = Workspace.from_environment()
    lake = workspace.lake("").folder
    patient = Patient(
        workspace=workspace.folder,
        folders=(workspace.folder, lake, workspace.dagster_home, workspace.mlflow_folder),
        dagster_home=workspace.dagster_home,
        mlflow_folder=workspace.mlflow_folder,
        problem_file=problem_path(problem),
        is_default=problem is None,
        dagster_port=dagster_port,
        mlflow_port=mlflow_port,
    )
    yield from examine_surroundings(patient)


def _print(finding: "Finding") -> None:
    start = f"[{_COLOURS[finding.status]}]{finding.status:<7}[/] {escape(finding.check):<18}"
    console.print(f"{start} {escape(str(finding))}", highlight=False, soft_wrap=True)
