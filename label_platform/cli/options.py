"""Options that several commands share, and where they write."""

import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from label_platform.strict_yaml import ConfigurationError

console = Console()
errors = Console(stderr=True)

DEFAULT_PROBLEM = "product_search.yaml"
DAGSTER_PORT = 3000
MLFLOW_PORT = 5000

ProblemOption = Annotated[
    Path | None,
    typer.Option(
        "--problem", help="The problem file.", show_default="data/problems/product_search.yaml"
    ),
]
LogsOption = Annotated[
    Path | None, typer.Option("--logs", help="A folder to read the logs from instead.")
]
PoliciesOption = Annotated[
    str | None, typer.Option("--policies", help="Only these policies, separated by commas.")
]
DaysOption = Annotated[
    str | None,
    typer.Option("--days", help="Only these log days, FROM..TO; either may be left out."),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Only what was ingested by 2026-10-08 (its 00:00 UTC), or by 2026-10-08T12:00+02:00. "
        "Reads no logs, and leaves the live tables alone.",
    ),
]
AllowRefusedOption = Annotated[
    bool, typer.Option("--allow-refused", help="A refused policy is shown, but is not an error.")
]
ExamplesDayOption = Annotated[
    datetime | None,
    typer.Option("--day", formats=["%Y-%m-%d"], help="The examples of this day."),
]
DagsterPortOption = Annotated[
    int, typer.Option("--dagster-port", min=1, max=65535, help="Port of Dagster's pages.")
]
MlflowPortOption = Annotated[
    int, typer.Option("--mlflow-port", min=1, max=65535, help="Port of MLflow's pages.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]


def problem_path(problem: Path | None) -> Path:
    """The problem file to use where none was named."""
    from label_platform.pipeline.workspace import Workspace

    return problem or Workspace.from_environment().problems / DEFAULT_PROBLEM


def day_range(days: str | None) -> tuple[date, date]:
    """FROM..TO as two days; all days where nothing is said."""
    if days is None:
        return date.min, date.max
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?", days)
    if match is None:
        raise ConfigurationError(
            f"--days: expected FROM..TO such as 2026-10-01..2026-10-07, found {days!r}"
        )
    try:
        first, last = (date.fromisoformat(each) if each else None for each in match.groups())
    except ValueError as error:
        raise ConfigurationError(f"--days: {days!r}: {error}") from error
    if first and last and first > last:
        raise ConfigurationError(f"--days: {first} is after {last}")
    return first or date.min, last or date.max


def moment_of(as_of: str | None) -> datetime | None:
    """A date as its beginning, anything else as a time whose zone is known."""
    if as_of is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(as_of), time(), UTC)
    except ValueError:
        pass
    expected = "expected a date, or a time with its zone such as 2026-10-08T12:00+02:00"
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError as error:
        raise ConfigurationError(f"--as-of: {as_of!r}: {error}; {expected}") from error
    if moment.tzinfo is None:
        raise ConfigurationError(f"--as-of: found {as_of!r} without a zone, {expected}")
    return moment
