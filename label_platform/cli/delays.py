"""label-platform delays: how late feedback comes, and which windows that asks for."""

import json

import typer

from label_platform.cli.options import JsonOption, ProblemOption, console, problem_path

app = typer.Typer()


@app.command("delays")
def delays_command(problem: ProblemOption = None, as_json: JsonOption = False) -> None:
    """How long after the impression each signal comes, and the window that holds 99% of it.

    Feedback that has not come yet is allowed for. Events are looked for as far back as the longest
    window of the problem file, rounded up to days: what comes later than that is not seen.

    Example: label-platform delays --problem data/problems/product_search.yaml
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.delays import feedback_delays
    from label_platform.pipeline.terminal import print_delays
    from label_platform.pipeline.workspace import Workspace

    project = Project.load(problem_path(problem), Workspace.from_environment())
    with project.open() as context:
        found = feedback_delays(context)
    if as_json:
        print(json.dumps({each.signal: each.as_json() for each in found}))  # noqa: T201 - the result
    else:
        print_delays(console, found)
