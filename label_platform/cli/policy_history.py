"""label-platform policies history and restore: former versions of a policy."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import JsonOption, ProblemOption, console, problem_path

if TYPE_CHECKING:
    from label_platform.pipeline.policy_versions import KnownVersion, PolicyHistory
    from label_platform.problem import Problem

_NAME = Annotated[str, typer.Argument(help="The policy's name; its file may be gone.")]
_SHORT = 12


def history_command(
    name: _NAME, problem: ProblemOption = None, as_json: JsonOption = False
) -> None:
    """Every version of a policy that git and MLflow know, the newest first, and what changed.

    Example: label-platform policies history raw_click
    """
    _, found = _history(name, problem)
    if as_json:
        print(json.dumps(found.as_json()))  # noqa: T201 - the command's result
        return
    for version in found.versions:
        _print_version(version)
    for line in found.skipped:
        console.print(f"[yellow]not readable:[/] {escape(line)}", highlight=False, soft_wrap=True)


def restore_command(
    name: _NAME,
    version: Annotated[
        str, typer.Option("--version", help="A policy version or label version of its history.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file to write.", show_default="NAME_VERSION.yaml"),
    ] = None,
    problem: ProblemOption = None,
) -> None:
    """Write a former version as a policy of its own, to be built beside the present one.

    Example: label-platform policies restore raw_click --version 1a2b3c4d5e6f
    """
    from label_platform.pipeline.policy_versions import restore_policy
    from label_platform.policy import label_version, policy_version

    loaded, found = _history(name, problem)
    policy = restore_policy(found, version, loaded, out)
    folder = loaded.resolve_policies()
    is_there = policy.path.resolve().parent == folder.resolve()
    first = "" if is_there else f"move it to {folder} and "
    console.print(
        f"{escape(str(policy.path))}: policy version {policy_version(policy, loaded)}, label "
        f"version {label_version(policy, loaded)}; to build it, {escape(first)}add {policy.name} "
        "to policies.use of the problem",
        highlight=False,
        soft_wrap=True,
    )


def _history(name: str, problem: Path | None) -> "tuple[Problem, PolicyHistory]":
    from label_platform.pipeline.policy_versions import policy_history
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem
    from label_platform.tracking import TrackingStore

    loaded = load_problem(problem_path(problem))
    store = TrackingStore(Workspace.from_environment().mlflow_folder, loaded.name)
    return loaded, policy_history(loaded, store, name)


def _print_version(version: "KnownVersion") -> None:
    now = "  [green]the file as it is now[/]" if version.is_current else ""
    if version.misfit:
        console.print(
            f"[bold]does not fit the problem as it is now[/]: {escape(version.misfit)}{now}",
            highlight=False,
            soft_wrap=True,
        )
    else:
        console.print(
            f"[bold]{version.policy_version}[/]  labels {version.label_version}{now}",
            highlight=False,
        )
    lines = [
        f"{each.committed_at:%Y-%m-%d %H:%M}  git {each.commit[:_SHORT]} by {each.author}: "
        f"{each.subject}"
        for each in version.commits
    ]
    for run in version.runs:
        line = (
            f"{run.first_trained_at:%Y-%m-%d %H:%M}  MLflow run {run.run_id[:_SHORT]}, "
            f"{run.runs} in all, up to {run.last_day}"
        )
        if version.policy_version != run.policy_version:
            line += f", as {run.policy_version} (the problem or the formulas were others)"
        lines.append(line)
    for line in [*lines, *version.changes]:
        console.print(f"    {escape(line)}", highlight=False, soft_wrap=True)
