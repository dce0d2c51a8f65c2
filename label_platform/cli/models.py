"""label-platform models: the rankers in the registry, who is champion and why."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import JsonOption, ProblemOption, console, problem_path

if TYPE_CHECKING:
    from pathlib import Path

    from label_platform.pipeline.titles import Settled
    from label_platform.tracking import RegisteredRanker, Registry

app = typer.Typer(no_args_is_help=True, help="The rankers in the registry: who is champion, why.")

_VersionArgument = Annotated[
    str, typer.Argument(help="A version's number or alias: 3, champion, challenger.")
]
_ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept for those who ask later.")]


@app.command("list")
def list_command(problem: ProblemOption = None, as_json: JsonOption = False) -> None:
    """Every version, its aliases, and what the evidence says of it.

    Example: label-platform models list
    """
    from rich.table import Table

    registry = _registry(problem)
    versions = registry.versions()
    if as_json:
        print(json.dumps([_facts(each) for each in versions]))  # noqa: T201 - the result
        return
    if not versions:
        console.print(
            f"{registry.name}: nothing is registered yet; a comparison registers what the "
            "evidence supports",
            highlight=False,
        )
        return
    table = Table("version", "policy and ranker", "day", "state", "evidence")
    table.columns[3].no_wrap = True
    for each in versions:
        table.add_row(
            each.version,
            escape(" ".join(each.arm)),
            each.tags.get("day", ""),
            _state(each),
            each.tags.get("promotion.supported", "not judged"),
        )
    console.print(table)


@app.command("show")
def show_command(
    version: _VersionArgument, problem: ProblemOption = None, as_json: JsonOption = False
) -> None:
    """What was decided about a version, and why.

    Example: label-platform models show champion
    """
    registry = _registry(problem)
    found = registry.find(version)
    changes = [each for each in registry.changes() if found.version in {each.version, each.before}]
    if as_json:
        facts = {**_facts(found), "titles": [vars(each) for each in changes]}
        print(json.dumps(facts))  # noqa: T201 - the command's result
        return
    lines = [
        f"[bold]{escape(found.name)}[/]  {_state(found)}",
        f"MLflow run {found.run_id}, registered {found.registered_at:%Y-%m-%d %H:%M} UTC",
        escape(found.tags.get("promotion", "no comparison has judged it")),
    ]
    for change in changes:
        became = "champion" if change.version == found.version else "no longer champion"
        lines.append(f"{change.at}  {became} ({change.how}): {escape(change.reason)}")
    console.print("\n".join(lines), highlight=False, soft_wrap=True)


@app.command("promote")
def promote_command(
    version: Annotated[
        str,
        typer.Argument(help="A version's number or alias, or the id of a ranker's MLflow run."),
    ],
    reason: _ReasonOption,
    although: Annotated[
        str,
        typer.Option("--although", help="Why nevertheless, where the evidence is against it."),
    ] = "",
    problem: ProblemOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version champion by hand, until release; against the evidence, say --although.

    Example: label-platform models promote 3 --reason "the A/B test of October"
    """
    from label_platform.pipeline.titles import promote

    _print(promote(_registry(problem), version, reason, although), as_json=as_json)


@app.command("release")
def release_command(
    reason: _ReasonOption, problem: ProblemOption = None, as_json: JsonOption = False
) -> None:
    """Let verdicts decide again, after somebody promoted by hand.

    Example: label-platform models release --reason "the A/B test is over"
    """
    from label_platform.pipeline.titles import release

    _print(release(_registry(problem), reason), as_json=as_json)


@app.command("rollback")
def rollback_command(
    reason: _ReasonOption, problem: ProblemOption = None, as_json: JsonOption = False
) -> None:
    """Put the champion before this one back.

    Example: label-platform models rollback --reason "returns rose"
    """
    from label_platform.pipeline.titles import roll_back

    _print(roll_back(_registry(problem), reason), as_json=as_json)


@app.command("retire")
def retire_command(
    version: _VersionArgument,
    reason: _ReasonOption,
    problem: ProblemOption = None,
    as_json: JsonOption = False,
) -> None:
    """Archive a version: no alias, and never promoted again.

    Example: label-platform models retire 2 --reason "trained on rows that were erased"
    """
    from label_platform.pipeline.titles import retire

    _print(retire(_registry(problem), version, reason), as_json=as_json)


@app.command("lineage")
def lineage_command(
    version: _VersionArgument, problem: ProblemOption = None, as_json: JsonOption = False
) -> None:
    """What a version was made from: policy, labels, propensities, days, code, tables.

    Example: label-platform models lineage champion
    """
    from label_platform.pipeline.lineage import lineage_lines, lineage_of
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem

    name = load_problem(problem_path(problem)).name
    found = lineage_of(Workspace.from_environment(), name, version)
    if as_json:
        print(json.dumps(found.as_json()))  # noqa: T201 - the command's result
        return
    for line in lineage_lines(found):
        console.print(escape(line), highlight=False, soft_wrap=True)


def _registry(problem: "Path | None") -> "Registry":
    from label_platform.pipeline.titles import registry_of
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem

    return registry_of(Workspace.from_environment(), load_problem(problem_path(problem)).name)


def _state(version: "RegisteredRanker") -> str:
    if version.retired:
        return "retired"
    return ", ".join(version.aliases)


def _facts(version: "RegisteredRanker") -> dict[str, object]:
    return {
        "version": version.version,
        "run_id": version.run_id,
        "aliases": list(version.aliases),
        "registered_at": version.registered_at.isoformat(timespec="seconds"),
        **version.tags,
    }


def _print(settled: "Settled", *, as_json: bool) -> None:
    if as_json:
        champion = settled.champion.version if settled.champion else None
        facts = {
            "version": settled.version.version,
            "champion": champion,
            "words": settled.words,
        }
        print(json.dumps(facts))  # noqa: T201 - the command's result
        return
    console.print(escape(settled.words), highlight=False, soft_wrap=True)
