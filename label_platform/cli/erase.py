"""label-platform erase: one user leaves every table, and does not come back."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from label_platform.cli.options import JsonOption, ProblemOption, console, errors, problem_path
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.logs import Erasure
    from label_platform.pipeline.erasure import Uses

app = typer.Typer()


@app.command("erase")
def erase_command(
    user: Annotated[str, typer.Option("--user", help="The user's id, as the logs have it.")],
    problem: ProblemOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a user from every table and the quarantine; read again, the logs bring nothing back.

    Lists the labels, training examples and MLflow models that had used the user's rows; `run`
    then builds them anew.

    Example: label-platform erase --user 4711
    """
    from label_platform.pipeline.erasure import erase
    from label_platform.pipeline.workspace import Workspace
    from label_platform.problem import load_problem

    if not user:
        raise ConfigurationError("--user: found nothing, expected the user's id in the logs")
    loaded = load_problem(problem_path(problem))

    def confirmed(found: "Erasure", uses: "Uses") -> bool:
        if yes:
            return True
        if as_json:
            _print_json(found, uses, erased=False)
        else:
            _print(found, uses, erased=False)
        if as_json or not sys.stdin.isatty():
            raise ConfigurationError("erase: nobody is there to be asked; --yes goes on unasked")
        return typer.confirm("erase?")

    done = erase(loaded, Workspace.from_environment(), user, confirmed)
    if done is None:
        errors.print("nothing was erased")
        sys.exit(1)
    if as_json:
        _print_json(*done, erased=True)
    else:
        _print(*done, erased=True)


def _print_json(found: "Erasure", uses: "Uses", *, erased: bool) -> None:
    facts = {
        "erased": erased,
        "nothing_left": found.is_empty,
        "erased_before": found.erased_before,
        "rows": found.tables,
        "lists": found.lists,
        "redacted_refusals": found.mentions,
        "log_files_named_after_user": found.named_files,
        **uses.as_json(),
    }
    print(json.dumps(facts))  # noqa: T201 - the command's result


def _print(found: "Erasure", uses: "Uses", *, erased: bool) -> None:
    if found.is_empty:
        _print_empty(found, erased=erased)
    else:
        table = Table("table", "rows erased" if erased else "rows to erase")
        table.columns[1].justify = "right"
        for name, rows in sorted(found.tables.items()):
            table.add_row(escape(name), f"{rows:,}")
        if found.mentions:
            table.add_row("rejected_records, texts redacted", f"{found.mentions:,}")
        console.print(table)
        _print_uses(uses)
    for key in uses.named_in:
        console.print(f"[yellow]the problem file still names the user[/]: {key}")
    for name in found.named_files:
        console.print(f"[yellow]a log file is named after the user[/]: {escape(name)}")


def _print_empty(found: "Erasure", *, erased: bool) -> None:
    if found.erased_before:
        console.print("nothing left: the user was erased before")
    elif erased:
        console.print("no rows of the user were found; later ones will be ignored")
    else:
        console.print("no rows of the user were found; later ones would be ignored")


def _print_uses(uses: "Uses") -> None:
    if not (uses.labels or uses.examples or uses.rankers):
        console.print("no labels, training examples or models had used them")
        return
    table = Table("had used them", "which")
    for kind, folders in (("labels", uses.labels), ("examples", uses.examples)):
        days: dict[str, list[str]] = {}
        for folder in folders:
            name, _, day = folder.partition("/day=")
            days.setdefault(name, []).append(day)
        for name, of_name in days.items():
            table.add_row(kind, f"{escape(name)}: {', '.join(of_name)}")
    for each in uses.rankers:
        versions = [
            f"version {version}" + "".join(f" ({alias})" for alias in aliases)
            for version, aliases in each.versions.items()
        ]
        words = ", ".join([each.name, *versions])
        table.add_row("MLflow run", f"{each.run_id}  {escape(words)}")
    console.print(table)
    counts = ", ".join(f"{len(folders)} {table}" for table, folders in uses.rebuilt.items())
    console.print(f"label-platform run builds anew what this changes of: {counts}", highlight=False)
