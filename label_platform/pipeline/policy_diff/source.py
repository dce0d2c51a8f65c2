"""Where a policy to compare comes from: its name, a file, or its name at a revision of git."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from label_platform.policy import Policy, check_policy, load_policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest


def read_policy(text: str, problem: Problem) -> Policy:
    """Read and check the policy that a user named.

    Args:
        text: ``raw_click`` in the problem's folder of policies, ``drafts/raw_click.yaml``, or
            ``raw_click@HEAD~3``, the file as it was at a revision.
        problem: the problem that it has to fit.

    Raises:
        ConfigurationError: there is no such policy, file or revision, or it does not fit.
    """
    if text.endswith((".yaml", ".yml")) or "/" in text:
        policy = load_policy(Path(text).absolute())
    elif "@" in text:
        name, _, revision = text.partition("@")
        policy = _at_revision(name, revision, problem)
    else:
        policy = load_policy(_file_of(text, problem))
    check_policy(policy, problem)
    return policy


def _file_of(name: str, problem: Problem) -> Path:
    folder = problem.resolve_policies()
    known = {file.stem for file in folder.glob("*.yaml")}
    if name not in known:
        hint = nearest(name, known) if known else "there are no policy files"
        raise ConfigurationError(f"no policy {name!r} in {folder}; {hint}")
    return folder / f"{name}.yaml"


def _at_revision(name: str, revision: str, problem: Problem) -> Policy:
    folder = problem.resolve_policies()
    said = f"{name}@{revision}"
    if not revision or revision.startswith("-"):
        raise ConfigurationError(
            f"{said}: expected a revision of git after the @, such as {name}@HEAD~1"
        )
    if _git(folder, "rev-parse", "--is-inside-work-tree") is None:
        raise ConfigurationError(
            f"{said}: {folder} is not in a git checkout, so there are no revisions of it; name a "
            "file instead"
        )
    if _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        raise ConfigurationError(f"{said}: git knows no revision {revision!r} in {folder}")
    content = _git(folder, "show", f"{revision}:./{name}.yaml")
    if content is None:
        listed = _git(folder, "ls-tree", "--name-only", revision, "./") or ""
        then = {Path(line).stem for line in listed.splitlines() if line.endswith(".yaml")}
        hint = nearest(name, then) if then else "there were no policy files"
        raise ConfigurationError(f"{said}: no policy {name!r} in {folder} at {revision}; {hint}")
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / f"{name}.yaml"
        path.write_text(content)
        try:
            policy = load_policy(path)
        except ConfigurationError as error:
            raise ConfigurationError(str(error).replace(str(path), said)) from error
    # what the file names beside itself still lies there
    return policy.model_copy(update={"path": folder / f"{name}.yaml"})


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None if it refuses, or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and a revision is never an option
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
