"""label-platform propensities: the examination curve, by every estimator, with its verdict."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from label_platform.cli.options import (
    AsOfOption,
    DaysOption,
    JsonOption,
    LogsOption,
    ProblemOption,
    console,
    day_range,
    errors,
    moment_of,
)

app = typer.Typer()

PlotOption = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        help="Write a picture of all estimators' curves to this PNG file; with a grid, also a "
        "heat map of its slots as NAME_grid.png.",
    ),
]


@app.command("propensities")
def propensities_command(
    problem: ProblemOption = None,
    logs: LogsOption = None,
    days: DaysOption = None,
    as_of: AsOfOption = None,
    plot: PlotOption = None,
    details: Annotated[
        bool, typer.Option("--details", help="Also all reasons of each estimator's verdict.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Up to the examination curve: every estimator's, its verdict, and which one is the answer.

    Example: label-platform propensities --plot curves.png
    """
    from label_platform.pipeline.propensity_report import latest_propensities
    from label_platform.pipeline.session import Session
    from label_platform.pipeline.terminal import print_estimators, print_reasons

    shown = errors if as_json else console
    writable(plot)
    moment = moment_of(as_of)
    session = Session.start(problem, logs, None, day_range(days), shown, as_of=moment)
    outcome = session.run("propensities")
    with session.project.open() as context:
        found = latest_propensities(context, session.days[1])
        if found is None:
            shown.print("[yellow]no curve is shown: that of now is not built[/]")
        else:
            print_estimators(shown, found)
            if details:
                print_reasons(shown, found)
            if plot is not None:
                for written in found.write_pictures(context, plot):
                    shown.print(f"wrote {written}", highlight=False)
    if as_json:
        content = outcome.as_json() | {"propensities": found.as_json() if found else None}
        print(json.dumps(content, default=str))  # noqa: T201 - the command's result
    sys.exit(outcome.exit_code(allow_refused=True))


def writable(plot: Path | None) -> None:
    """Say at once, not after the work, that a picture cannot be written.

    Raises:
        ConfigurationError: the folder does not exist, or the name is not that of a PNG.
    """
    from label_platform.strict_yaml import ConfigurationError

    if plot is None:
        return
    if plot.suffix.lower() != ".png":
        raise ConfigurationError(
            f"--plot: expected a file name ending in .png, found {str(plot)!r}"
        )
    if not plot.absolute().parent.is_dir():
        raise ConfigurationError(f"--plot: there is no folder {plot.absolute().parent}")
