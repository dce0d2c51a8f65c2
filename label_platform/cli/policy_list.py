"""label-platform policies list and check."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import JsonOption, ProblemOption, console, problem_path
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.pipeline.policy_list import ListedPolicy


def list_command(problem: ProblemOption = None, as_json: JsonOption = False) -> None:
    """The policies of a problem with their versions, and the files that it does not use.

    Example: label-platform policies list
    """
    from rich.table import Table

    from label_platform.pipeline.policy_list import listed_policies
    from label_platform.problem import load_problem

    found = listed_policies(load_problem(problem_path(problem)))
    if as_json:
        print(json.dumps([each.as_json() for each in found]))  # noqa: T201 - the result
        return
    table = Table("policy", "label version", "policy version")
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.no_wrap = True
    for each in found:
        if each.is_used:
            table.add_row(each.name, each.label_version, each.policy_version)
    console.print(table)
    for each in found:
        if each.is_used:
            _print_details(each)
    unused = [each for each in found if not each.is_used]
    if unused:
        console.print("\n[bold]Policy files that the problem does not use[/]")
    for each in unused:
        _print_details(each)


def check_command(
    policies: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these: paths of policy files, or names. Without any, all that the problem "
            "uses."
        ),
    ] = None,
    problem: ProblemOption = None,
) -> None:
    """Read policies and say what does not fit the problem, and what is perhaps not meant.

    Example: label-platform policies check drafts/raw_click.yaml
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.examples import require_logged_scores
    from label_platform.pipeline.policy_diff.source import read_policy
    from label_platform.pipeline.policy_warnings import (
        print_policy_warnings,
        print_unseen_values,
        require_comparable,
    )
    from label_platform.pipeline.workspace import Workspace
    from label_platform.policy import load_policies
    from label_platform.problem import load_problem

    loaded = load_problem(problem_path(problem))
    found, refused = [], []
    for text in policies or ():
        try:
            found.append(read_policy(text, loaded))
        except ConfigurationError as error:
            refused.append(str(error))
    if not policies:
        found = load_policies(loaded)
    print_policy_warnings(console, found, loaded)
    with Project(loaded, tuple(found), Workspace.from_environment()).open() as context:
        print_unseen_values(console, context, found)
        try:
            require_logged_scores(context, found)
        except ConfigurationError as error:
            refused.append(str(error))
    try:
        require_comparable(loaded)
    except ConfigurationError as error:
        refused.append(str(error))
    if refused:
        raise ConfigurationError("\n".join(refused))
    said = "policy is" if len(found) == 1 else "policies are"
    console.print(f"{len(found)} {said} fine: {', '.join(each.name for each in found)}")


def _print_details(listed: "ListedPolicy") -> None:
    console.print(f"[bold]{escape(listed.name)}[/]: {escape(listed.description)}", highlight=False)
    if listed.misfit:
        console.print(f"    [yellow]does not fit:[/] {escape(listed.misfit)}", highlight=False)
        return
    console.print(f"    grain {listed.grain}, debias {listed.debias}", highlight=False)
    console.print(f"    {escape(listed.signals)}", highlight=False)
    console.print(f"    {escape('; '.join(listed.rankers))}", highlight=False)
