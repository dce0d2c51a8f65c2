"""What git knows of a policy file: every commit that changed it."""

import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Revision:
    """A policy file as a commit left it.

    Attributes:
        commit: its full name.
        author: who wrote it.
        committed_at: when.
        subject: the first line of what the author says of it.
        name: of the file then, without its ending.
        text: the whole file.
    """

    commit: str
    author: str
    committed_at: datetime
    subject: str
    name: str
    text: str


def revisions_of(file: Path) -> list[Revision]:
    """The commits that changed a file, the oldest first, through its renamings.

    A file that began as a copy of another has no share in the other's history.

    Returns:
        Empty where the file's folder is not in a git checkout, or git does not know the file.
    """
    listed = git(
        file.parent,
        *("-c", "core.quotePath=false", "log", "--follow", "--name-status"),
        *("--format=%x00%H%x00%an%x00%cI%x00%s%x00", "--", file.name),
    )
    top = git(file.parent, "rev-parse", "--show-toplevel")
    if not listed or top is None:
        return []
    found = []
    fields = listed.split("\0")[1:]
    for commit, author, moment, subject, changed in zip(
        *(fields[n::5] for n in range(5)), strict=True
    ):
        status, *paths = changed.strip().split("\t")
        if not status or status == "D":
            continue  # a merge that changed nothing of its own; a file that was away for a while
        text = git(Path(top.strip()), "show", f"{commit}:{paths[-1]}")
        if text is not None:
            name = PurePosixPath(paths[-1]).stem
            at = datetime.fromisoformat(moment)
            found.append(Revision(commit, author, at, subject, name, text))
        if status.startswith("C"):
            break
    return found[::-1]


def git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None if it refuses, or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and a revision is never an option
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        )
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None
