"""All checks, in the order in which one needs what the others looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from label_platform.first_contact.doctor import (
    folders,
    machine,
    ports,
    project,
    software,
    stores,
)
from label_platform.first_contact.doctor.finding import Check, Finding, answers


@dataclass(frozen=True)
class Patient:
    """What is looked at, besides the software.

    Attributes:
        workspace: the folder of everything built.
        folders: the folders within that something will be written to.
        dagster_home: Dagster's history.
        mlflow_folder: MLflow's database and artifacts.
        problem_file: the problem file.
        is_default: whether nobody named the problem file.
        dagster_port: the port of Dagster's pages.
        mlflow_port: the port of MLflow's pages.
    """

    workspace: Path
    folders: tuple[Path, ...]
    dagster_home: Path
    mlflow_folder: Path
    problem_file: Path
    is_default: bool
    dagster_port: int
    mlflow_port: int


def examine_software() -> Iterator[Finding]:
    """Python and the libraries; these checks need none of them to be sound."""
    demands = software.read_demands()
    yield from _all(
        {
            "python": partial(software.python_version, demands),
            "libraries": partial(software.library_versions, demands),
            "lightgbm loads": software.lightgbm_loads,
            "time zones": software.time_zones,
            "duckdb extensions": software.engine_extensions,
        }
    )


def examine_surroundings(patient: Patient) -> Iterator[Finding]:
    """The machine, the workspace and the problem file; these checks need sound libraries."""
    yield from _all(
        {
            "memory": machine.memory_limit,
            "disk, workspace": partial(machine.disk_space, "workspace", patient.workspace),
            "disk, spill": partial(machine.disk_space, "spill", machine.spill_folder()),
            "folders": partial(folders.writable_folders, patient.folders),
            "port, dagster": partial(ports.free_port, "dagster", patient.dagster_port),
            "port, mlflow": partial(ports.free_port, "mlflow", patient.mlflow_port),
            "dagster store": partial(stores.store, "dagster", patient.dagster_home),
            "mlflow store": partial(stores.store, "mlflow", patient.mlflow_folder),
            "problem file": partial(
                project.project, patient.problem_file, is_default=patient.is_default
            ),
        }
    )


def _all(checks: Mapping[str, Check]) -> Iterator[Finding]:
    """Every check's findings, each as soon as it is known."""
    for name, check in checks.items():
        yield from answers(name, check)
