"""label-platform init: a problem file from a look at the logs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from label_platform.cli.options import console
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.first_contact.guess.proposal import Proposal

app = typer.Typer()


@app.command("init")
def init_command(
    logs: Annotated[str, typer.Argument(metavar="LOGS", help="A folder, a file or a glob.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The problem file to write.", show_default="data/problems/NAME.yaml"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The problem's name.", show_default="as the folder is called")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write a problem file for logs, from a look at a sample of them; its guesses are marked.

    Example: label-platform init data/simulated/product_search/logs --name my_search
    """
    from datetime import UTC, datetime

    from label_platform.first_contact.guess import look_at, name_of, write_problem
    from label_platform.pipeline.workspace import Workspace

    chosen = name or name_of(logs)
    path = out or Workspace.from_environment().problems / f"{chosen}.yaml"
    if path.is_dir():
        raise ConfigurationError(f"--out: {path} is a folder, expected the name of a file")
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists; name another by --out, or say --force")
    proposal = look_at(logs, path, chosen, datetime.now(tz=UTC).date())
    write_problem(proposal, path)
    _print(proposal, path)


def _print(proposal: "Proposal", path: Path) -> None:
    from label_platform.first_contact.doctor.project import NEW_SECRET
    from label_platform.logs.privacy import SECRET_VARIABLE

    for line in proposal.opening:
        _say(line)
    for words in proposal.notes:
        _say(words)
    _say(f"wrote {path}")
    for option in proposal.doubtful:
        _say(f"please check {option.name}: {option.evidence}")
    _say("next:")
    if proposal.needs_secret and not os.environ.get(SECRET_VARIABLE):
        _say(f'  export {SECRET_VARIABLE}="$({NEW_SECRET})"')
        _say("  (keep it somewhere safe: with another secret, users get other keys)")
    _say(f"  label-platform {proposal.next_command} --problem {path}")
    if proposal.next_command != "run":
        _say(f"  ({proposal.why_not_run})")


def _say(words: str) -> None:
    console.print(escape(words), highlight=False, soft_wrap=True)
