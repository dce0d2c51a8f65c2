"""Where a policy to compare comes from: its name, a file, or its name at a revision of git."""

from pathlib import Path

from label_platform.pipeline.policy_versions import git
from label_platform.policy import Policy, check_policy, load_policy, policy_of_text
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest


def read_policy(text: str, problem: Problem) -> Policy:
    """Read and check the policy that a user named.

    Args:
        text: ``raw_click`` in the problem's folder of policies, ``drafts/raw_click.yaml``, or
            ``raw_click@HEAD~3`` or ``raw_click@origin/main``, the file as it was at a revision.
        problem: the problem that it has to fit.

    Raises:
        ConfigurationError: there is no such policy, file or revision, or it does not fit.
    """
    name, at, revision = text.partition("@")
    # a revision may have slashes, as origin/main has; so may a folder have an @
    is_file = "/" in name or ("/" in text and Path(text).is_file())
    if is_file or text.endswith((".yaml", ".yml")):
        _require_no_folder(text)
        policy = load_policy(Path(text).absolute())
    elif at:
        policy = _at_revision(name, revision, problem)
    else:
        policy = load_policy(_file_of(text, problem))
    check_policy(policy, problem)
    return policy


def _require_no_folder(text: str) -> None:
    if Path(text).is_dir():
        raise ConfigurationError(
            f"{text} is a folder: expected the name of a policy, or a YAML file such as "
            f"{Path(text) / 'my_policy.yaml'}"
        )


def _file_of(name: str, problem: Problem) -> Path:
    folder = problem.resolve_policies()
    known = {file.stem for file in folder.glob("*.yaml")}
    if name not in known:
        _require_no_folder(name)
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
    if git(folder, "rev-parse", "--is-inside-work-tree") is None:
        raise ConfigurationError(
            f"{said}: {folder} is not in a git checkout, so there are no revisions of it; name a "
            "file instead"
        )
    if git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        raise ConfigurationError(f"{said}: git knows no revision {revision!r} in {folder}")
    content = git(folder, "show", f"{revision}:./{name}.yaml")
    if content is None:
        listed = git(folder, "ls-tree", "--name-only", revision, "./") or ""
        then = {Path(line).stem for line in listed.splitlines() if line.endswith(".yaml")}
        hint = nearest(name, then) if then else "there were no policy files"
        raise ConfigurationError(f"{said}: no policy {name!r} in {folder} at {revision}; {hint}")
    return policy_of_text(content, folder / f"{name}.yaml", said)
