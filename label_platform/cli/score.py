"""label-platform score and serve: a ranker at work, on files of rows and over HTTP."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import (
    JsonOption,
    ProblemOption,
    console,
    errors,
    problem_path,
)
from label_platform.strict_yaml import ConfigurationError

app = typer.Typer()

_ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="An alias or a version of the registry.", show_default="champion"),
]


@app.command("score")
def score_command(  # noqa: PLR0913, PLR0917 - options of a command
    source: Annotated[
        Path | None,
        typer.Argument(help="Rows to score: .parquet, .csv, .jsonl, .csv.gz or .jsonl.gz."),
    ] = None,
    impressions: Annotated[
        str | None, typer.Option("--impressions", help="Instead: what was shown on this day.")
    ] = None,
    model: _ModelOption = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="Instead of a model: this policy's ranker.")
    ] = None,
    day: Annotated[
        str | None,
        typer.Option("--day", help="Of the policy's rankers.", show_default="the last one"),
    ] = None,
    ranker: Annotated[
        str | None, typer.Option("--ranker", help="Which one, where the policy has several.")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            help="Columns to write beside the score, separated by commas.",
            show_default="the ids that there are",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="A .parquet or .csv file.", show_default="SOURCE.scores.parquet or .csv"
        ),
    ] = None,
    problem: ProblemOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score rows by a ranker, higher is better; the same scores as the served model gives.

    Example: label-platform score candidates.parquet --model champion
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.scoring import choose_ranker, score_day, score_file
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem

    if (source is None) == (impressions is None):
        found = "neither" if source is None else "both"
        raise ConfigurationError(f"expected a file of rows or --impressions DAY, found {found}")
    path = problem_path(problem)
    project = Project(load_problem(path), (), Workspace.from_environment(), path)
    shown_on = _day("--impressions", impressions)
    out = out or _out(source or Path(f"impressions_{impressions}.parquet"))
    with project.open() as context:
        chosen = choose_ranker(context, model, policy, _day("--day", day), ranker)
        with _bar() as show:
            if shown_on is not None:
                scored = score_day(context, shown_on, out, chosen, show)
            else:
                columns = None if keep is None else keep.split(",")
                scored = score_file(source or Path(), out, chosen, columns, show)
    if as_json:
        result = {"path": str(scored.path), "rows": scored.rows, **chosen.facts}
        print(json.dumps(result))  # noqa: T201 - the command's result
        return
    console.print(
        f"{scored.rows:,} rows scored by {escape(scored.model)}: {escape(str(scored.path))}",
        highlight=False,
        soft_wrap=True,
    )


@app.command("serve")
def serve_command(
    model: _ModelOption = None,
    port: Annotated[int, typer.Option("--port", help="On this machine only.")] = 5001,
    print_only: Annotated[
        bool, typer.Option("--print", help="Only print the command that would be run.")
    ] = False,
    problem: ProblemOption = None,
) -> None:
    """Serve a registered ranker over HTTP by `mlflow models serve`; Ctrl-C ends it.

    Example: label-platform serve --model champion --port 5001
    """
    from label_platform.first_contact.doctor.ports import port_is_free
    from label_platform.pipeline.serving import serve_command_of
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem

    name = load_problem(problem_path(problem)).name
    command = serve_command_of(Workspace.from_environment(), name, model, port)
    if print_only:
        print(command.as_shell_line())  # noqa: T201 - the command's result
        return
    if not port_is_free(port):
        raise ConfigurationError(f"--port: port {port} is taken on this machine; choose another")
    program, arguments = command.arguments[0], command.arguments
    os.execve(program, arguments, command.environment())  # noqa: S606 - our own command


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{option}: found {text!r}, expected a day such as 2026-10-07"
        ) from error


def _out(source: Path) -> Path:
    plain = source.with_suffix("") if source.suffix == ".gz" else source
    ending = ".parquet" if plain.suffix == ".parquet" else ".csv"
    return plain.with_name(f"{plain.stem}.scores{ending}")


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """How far the scoring is, on the stream that programs do not read."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn

    columns = ("scoring", BarColumn(bar_width=30), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("scoring", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
