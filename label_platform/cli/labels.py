"""label-platform labels: builds labels; its commands explain them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from label_platform.cli.options import (
    AllowRefusedOption,
    AsOfOption,
    DaysOption,
    JsonOption,
    LogsOption,
    PoliciesOption,
    ProblemOption,
    console,
    day_range,
    problem_path,
)
from label_platform.cli.run import run_until
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.explain import Explanation
    from label_platform.pipeline.context import Context
    from label_platform.pipeline.explanation import ImpressionList

app = typer.Typer()

PolicyOption = Annotated[
    str | None, typer.Option("--policy", help="The policy whose label it is.", show_default=False)
]
ImpressionOption = Annotated[
    str | None, typer.Option("--impression", help="The id of an impression.", show_default=False)
]
QueryOption = Annotated[
    str | None, typer.Option("--query", help="The id of a query.", show_default=False)
]
ItemOption = Annotated[
    str | None, typer.Option("--item", help="The id of an item.", show_default=False)
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", help="Write the explanation to this file as one page.")
]


@app.callback(invoke_without_command=True)
def labels_command(
    command: typer.Context,
    problem: ProblemOption = None,
    logs: LogsOption = None,
    policies: PoliciesOption = None,
    days: DaysOption = None,
    as_of: AsOfOption = None,
    allow_refused: AllowRefusedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Up to the labels of every policy. With a command: how a label came about.

    Example: label-platform labels
    """
    if command.invoked_subcommand is None:
        run_until("labels", problem, logs, policies, days, as_of, allow_refused, as_json)
    # what stands before the command's name counts for the command, too
    command.obj = {"problem": problem, "logs": logs}


@app.command("explain")
def explain_command(  # noqa: PLR0913, PLR0917 - a label is named by several keys
    command: typer.Context,
    policy: PolicyOption = None,
    impression: ImpressionOption = None,
    query: QueryOption = None,
    item: ItemOption = None,
    days: DaysOption = None,
    problem: ProblemOption = None,
    logs: LogsOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute one label again from the log lines, and show every step and every event.

    The label of an impression is named by --impression; --query (and --item) lists impressions. A
    label of a query and an item is named by these two; by default it is that of the training days.
    Exit code 1: what is stored is not what follows from the log lines, or log files that would
    tell are gone.

    Example: label-platform labels explain --policy ips_click --query 12 --item 345
    """
    from label_platform.explain import as_html, as_text_lines
    from label_platform.pipeline.explanation import ImpressionList, LabelSearch

    _require_writable(html)
    with _built(command, problem, logs) as context:
        search = LabelSearch(context, policy, day_range(days))
        found = search.explain(impression, query, item)
    if isinstance(found, ImpressionList):
        if html is not None:
            raise ConfigurationError(
                "--html: a page shows one label, this is a list of impressions; name one by "
                "--impression"
            )
        _print_impressions(found, as_json=as_json)
        return
    if html is not None:
        _write(html, as_html(found))
    if as_json:
        print(json.dumps(found.as_json(), default=str))  # noqa: T201 - the command's result
    elif html is None:
        _print(as_text_lines(found))
    else:
        console.print(f"wrote {html}", highlight=False)
    _exit(found)


@app.command("touched")
def touched_command(
    command: typer.Context,
    event: Annotated[str, typer.Option("--event", help="The id of an event.")],
    policy: PolicyOption = None,
    problem: ProblemOption = None,
    logs: LogsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which labels one event touched, and what each would be without it.

    Exit code 1: that is not known, as log files are gone or have changed since they were ingested;
    2 where the event's own line is in none of them any more.

    Example: label-platform labels touched --event 0eb4c9bb-82fe-0a73-3671-a063fe759e08
    """
    from label_platform.pipeline.explanation import touched_by

    with _built(command, problem, logs) as context:
        found = touched_by(context, event, policy)
    if as_json:
        print(json.dumps(found.as_json(), default=str))  # noqa: T201 - the command's result
    else:
        _print(found.as_text_lines())
    if not found.is_known:
        raise typer.Exit(1)


@contextmanager
def _built(command: typer.Context, problem: Path | None, logs: Path | None) -> Iterator["Context"]:
    """A project of which something was built: there is nothing to explain before that."""
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.workspace import Workspace

    given = command.obj or {}
    path = problem_path(problem or given.get("problem"))
    project = Project.load(path, Workspace.from_environment(), logs or given.get("logs"))
    with project.open() as context:
        if not context.lake.days("impressions"):
            raise ConfigurationError(
                f"problem {context.problem.name}: impressions: no day is built yet; "
                "`label-platform labels` builds them"
            )
        yield context


def _require_writable(html: Path | None) -> None:
    """Whether a page can be written is said before the work, not after it."""
    if html is None:
        return
    file = html.absolute()
    if file.is_dir():
        raise ConfigurationError(f"--html: {file} is a folder, expected the name of a file")
    if not file.parent.is_dir():
        raise ConfigurationError(f"--html: there is no folder {file.parent}")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ConfigurationError(f"--html: {file} cannot be written: permission denied")


def _write(html: Path, page: str) -> None:
    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--html: {html} cannot be written: {error.strerror}") from error


def _print(lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _print_impressions(found: "ImpressionList", *, as_json: bool) -> None:
    """The impressions that somebody may ask for."""
    if as_json:
        print(json.dumps(found.as_json(), default=str))  # noqa: T201 - the command's result
        return
    rows = [list(found.rows[0]), *([str(value) for value in row.values()] for row in found.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    _print([*found.notes, found.extent])
    # ids are there to be copied: no table may cut them
    _print(["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows])


def _exit(found: "Explanation") -> None:
    if found.mismatches or found.gone:
        raise typer.Exit(1)
