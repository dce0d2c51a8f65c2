"""label-platform export: training examples for another program."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import (
    ExamplesDayOption,
    LogsOption,
    ProblemOption,
    console,
    errors,
    problem_path,
)

app = typer.Typer()


@app.command("export")
def export_command(
    policy: Annotated[str, typer.Argument(help="The policy whose examples are written.")],
    to: Annotated[
        str, typer.Option("--to", help="lightgbm, xgboost, svmrank, ranklib, trec or parquet.")
    ],
    out: Annotated[Path, typer.Option("--out", help="A folder that is new or empty.")],
    day: ExamplesDayOption = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="as_is, levels or grades:N instead of what suits."),
    ] = None,
    pointwise: Annotated[
        bool, typer.Option("--pointwise", help="To learn row by row, not from lists.")
    ] = False,
    problem: ProblemOption = None,
    logs: LogsOption = None,
) -> None:
    """Write a policy's training examples for LightGBM, XGBoost, SVMrank, RankLib or trec_eval.

    Exit code 1: the program could not read them; nothing is written then.

    Example: label-platform export coec_click --to xgboost --out coec_click_xgboost
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.export import export_examples
    from label_platform.pipeline.workspace import Workspace

    workspace = Workspace.from_environment()
    project = Project.load(problem_path(problem), workspace, logs)
    chosen = day.date() if day else None
    with project.open() as context, console.status("writing ..."):
        report = export_examples(
            context, policy, to, out, day=chosen, labels=labels, pointwise=pointwise
        )
    for part, found in report.findings.items():
        for each in found:
            colour = "red" if each.level == "error" else "yellow"
            errors.print(
                f"[{colour}]{each.level}:[/] {part}: {escape(each.text)}",
                highlight=False,
                soft_wrap=True,
            )
    if report.is_refused:
        raise typer.Exit(1)
    for name, rows in report.files.items():
        counted = f"  {rows:,} rows" if rows is not None else ""
        console.print(f"{out / name}{counted}", highlight=False, soft_wrap=True)
