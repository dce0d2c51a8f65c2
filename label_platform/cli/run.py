"""label-platform run, and the single steps of it."""

import json
import sys
import webbrowser
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
    errors,
    moment_of,
)

if TYPE_CHECKING:
    from label_platform.pipeline.session import Outcome

app = typer.Typer()


def _add_step(name: str, until: str, words: str, example: str = "") -> None:
    """A command that builds all up to a table."""

    def command(
        problem: ProblemOption = None,
        logs: LogsOption = None,
        policies: PoliciesOption = None,
        days: DaysOption = None,
        as_of: AsOfOption = None,
        allow_refused: AllowRefusedOption = False,
        as_json: JsonOption = False,
    ) -> None:
        run_until(until, problem, logs, policies, days, as_of, allow_refused, as_json)

    command.__doc__ = f"{words}\n\nExample: label-platform {name} {example}".rstrip()
    app.command(name)(command)


_add_step(
    "run",
    "comparisons",
    "The whole chain; without --problem on simulated product search, simulated if need be.",
    "--policies raw_click,coec_multi_signal",
)


@app.command("ingest")
def ingest_command(
    problem: ProblemOption = None,
    logs: LogsOption = None,
    policies: PoliciesOption = None,
    days: DaysOption = None,
    allow_refused: AllowRefusedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read what is new in the log files, and nothing further.

    Example: label-platform ingest
    """
    run_until("impressions", problem, logs, policies, days, None, allow_refused, as_json)


_add_step("examples", "examples", "Up to the training examples of every policy.")
_add_step("train", "rankers", "Up to the rankers of every policy, tracked in MLflow.")


@app.command("compare")
def compare_command(
    problem: ProblemOption = None,
    logs: LogsOption = None,
    policies: PoliciesOption = None,
    days: DaysOption = None,
    as_of: AsOfOption = None,
    allow_refused: AllowRefusedOption = False,
    as_json: JsonOption = False,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the comparison's page in the browser.")
    ] = False,
) -> None:
    """Everything, up to the comparison of the policies, and its page.

    Example: label-platform compare --open
    """
    outcome, code = _built(
        "comparisons", problem, logs, policies, days, as_of, allow_refused, as_json
    )
    if open_page:
        _open(outcome.page)
    sys.exit(code)


def run_until(
    until: str,
    problem: Path | None,
    logs: Path | None,
    policies: str | None,
    days: str | None,
    as_of: str | None,
    allow_refused: bool,
    as_json: bool,
) -> None:
    """Build what is stale up to a table, show what came out, and end with its exit code."""
    sys.exit(_built(until, problem, logs, policies, days, as_of, allow_refused, as_json)[1])


def _built(
    until: str,
    problem: Path | None,
    logs: Path | None,
    policies: str | None,
    days: str | None,
    as_of: str | None,
    allow_refused: bool,
    as_json: bool,
) -> tuple["Outcome", int]:
    """Build what is stale up to a table and show what came out; the outcome and its exit code."""
    from label_platform.pipeline.session import Session

    # where a program reads the result, people's tables go to the other stream
    shown = errors if as_json else console
    moment = moment_of(as_of)
    session = Session.start(problem, logs, policies, day_range(days), shown, as_of=moment)
    outcome = session.run(until)
    if as_json:
        print(json.dumps(outcome.as_json(), default=str))  # noqa: T201 - the command's result
    allowed = allow_refused or session.project.problem.policies.allow_refused
    return outcome, outcome.exit_code(allow_refused=allowed)


def _open(page: Path | None) -> None:
    if page is None:
        errors.print("[red]error:[/] there is no comparison to open")
    elif not webbrowser.open(page.as_uri()):
        errors.print(f"no browser to open it with: {page}", highlight=False, soft_wrap=True)
