"""label-platform policies: the label policies of a problem."""

import json
import sys
from typing import Annotated

import typer
from rich.markup import escape

from label_platform.cli import policy_history, policy_list
from label_platform.cli.options import (
    DaysOption,
    JsonOption,
    ProblemOption,
    console,
    day_range,
    errors,
    problem_path,
)
from label_platform.cli.policy_health import health_command

OldArgument = Annotated[
    str,
    typer.Argument(
        help="A policy's name, a path to its YAML file, or NAME@REVISION: the file as git has "
        "it at a revision.",
    ),
]
NewArgument = Annotated[str, typer.Argument(help="Likewise: what it would be changed to.")]
TrainOption = Annotated[
    bool, typer.Option("--train", help="Train both, and show the paired difference.")
]

app = typer.Typer(no_args_is_help=True, help="Look at the label policies of a problem.")
app.command("health")(health_command)
app.command("list")(policy_list.list_command)
app.command("check")(policy_list.check_command)
app.command("history")(policy_history.history_command)
app.command("restore")(policy_history.restore_command)


@app.command("diff")
def diff_policies_command(
    old: OldArgument,
    new: NewArgument,
    problem: ProblemOption = None,
    days: DaysOption = None,
    train: TrainOption = False,
    as_json: JsonOption = False,
) -> None:
    """What a change of policy would do, before anything is written.

    Which keys differ, which labels or training rows change, those that move most and why, what
    would be built and what that takes. Policies of different grains are compared by query and item.

    Example: label-platform policies diff raw_click@HEAD~3 raw_click --train
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.policy_diff import diff_policies, print_diff, read_policy
    from label_platform.pipeline.workspace import Workspace
    from label_platform.policy import PropensityRefusedError

    chosen = day_range(days)
    project = Project.load(problem_path(problem), Workspace.from_environment())
    policies = (read_policy(old, project.problem), read_policy(new, project.problem))
    shown = errors if as_json else console
    try:
        with shown.status("comparing rows ..."):
            found = diff_policies(project, policies, (old, new), chosen, train=train)
    except PropensityRefusedError as error:
        errors.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    if as_json:
        print(json.dumps(found.as_json(), default=str))  # noqa: T201 - the command's result
    else:
        print_diff(console, found)
