"""Reads policy files."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from label_platform.policy.check import check_policy
from label_platform.policy.spec import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, located, nearest, parse, read_yaml


def load_policies(problem: Problem) -> list[Policy]:
    """The policies that a problem uses, in its order, each checked against it.

    Raises:
        ConfigurationError: everything that is wrong with any of them, a line each.
    """
    names = problem.policies.use
    lines = [
        f"{problem.name}: policies.use: {name!r} stands there more than once"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if not names:
        lines.append(f"{problem.name}: policies.use: names no policy")
    policies = []
    for name in dict.fromkeys(names):
        try:
            policy = load_policy(_file_of(name, problem))
            check_policy(policy, problem)
            policies.append(policy)
        except ConfigurationError as error:
            lines.append(str(error))
    if lines:
        raise ConfigurationError("\n".join(lines))
    return policies


def load_policy(path: Path) -> Policy:
    """Read one policy file; ``check_policy`` then checks it against a problem.

    Raises:
        ConfigurationError: no such file, unknown or empty keys, or a name other than the file's.
    """
    content = read_yaml(path)
    lines = [
        f"{key}: has no value; write one, or {{}} for a block with its own defaults, or leave the "
        "key out"
        for key in _empty_keys(content)
    ]
    if "path" in content:
        lines.append(f"path: unknown key; {nearest('path', set(Policy.model_fields) - {'path'})}")
    if lines:
        raise ConfigurationError(located(path, lines))
    policy = parse(Policy, content, path)
    if policy.name != path.stem:
        expected = f"expected {path.stem!r} as the file is called"
        raise ConfigurationError(located(path, [f"name: found {policy.name!r}, {expected}"]))
    return policy.model_copy(update={"path": path})


def policy_of_text(text: str, path: Path, said: str) -> Policy:
    """Read a policy that is not, or no longer, what its file says.

    Args:
        text: as a file would hold it.
        path: where such a file would lie: what it names beside itself is looked for there.
        said: what to call it in messages.

    Raises:
        ConfigurationError: as ``load_policy``.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        file.write_text(text)
        try:
            policy = load_policy(file)
        except ConfigurationError as error:
            raise ConfigurationError(str(error).replace(str(file), said)) from error
    return policy.model_copy(update={"path": path})


def _file_of(name: str, problem: Problem) -> Path:
    folder = problem.resolve_policies()
    known = {file.stem for file in folder.glob("*.yaml")}
    if name not in known:
        hint = nearest(name, known) if known else "there are no policy files"
        raise ConfigurationError(
            f"{problem.name}: policies.use: no policy {name!r} in {folder}; {hint}"
        )
    return folder / f"{name}.yaml"


def _empty_keys(content: Any, parent: str = "") -> Iterator[str]:  # noqa: ANN401 - parsed YAML
    """Keys without a value: a block written as ``skip_above:`` would silently not count."""
    for key, value in enumerate(content) if isinstance(content, list) else content.items():
        if value is None:
            yield f"{parent}{key}"
        elif isinstance(value, dict | list):
            yield from _empty_keys(value, f"{parent}{key}.")
