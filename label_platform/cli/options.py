"""Options that several commands share, and where they write."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console()
errors = Console(stderr=True)

DEFAULT_PROBLEM = "product_search.yaml"

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
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]


def problem_path(problem: Path | None) -> Path:
    """The problem file to use where none was named."""
    from label_platform.pipeline.workspace import Workspace

    return problem or Workspace.from_environment().problems / DEFAULT_PROBLEM
