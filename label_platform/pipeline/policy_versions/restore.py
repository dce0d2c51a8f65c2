"""A former version of a policy as a file of its own, to be built beside the present one."""

import re
from pathlib import Path

from label_platform.pipeline.policy_versions.history import KnownVersion, PolicyHistory
from label_platform.policy import Policy, check_policy, policy_of_text
from label_platform.problem import NAME_PATTERN, Problem
from label_platform.strict_yaml import ConfigurationError

_LEAST_DIGITS = 4


def restore_policy(
    history: PolicyHistory, version: str, problem: Problem, file: Path | None = None
) -> Policy:
    """Write the policy file of a former version, comments and all, under another name.

    Its versions stay what they were: a name is in none of them.

    Args:
        history: of the policy.
        version: a policy version or a label version, or how it begins.
        problem: the problem that the policy has to fit.
        file: to write; NAME_VERSION.yaml in the folder of policies if None.

    Returns:
        The policy that the new file holds.

    Raises:
        ConfigurationError: no such version, several, or one that does not fit the problem.
        FileExistsError: the file exists; nothing is ever overwritten.
    """
    known = _find(history, version)
    if known.misfit:
        raise ConfigurationError(
            f"{history.name}: version {version} does not fit {problem.name} as it is now: "
            f"{known.misfit}"
        )
    if file is None:
        file = problem.resolve_policies() / f"{history.name}_{known.policy_version}.yaml"
    if file.suffix != ".yaml":
        raise ConfigurationError(f"--out: expected a file that ends in .yaml, found {file}")
    if re.fullmatch(NAME_PATTERN, file.stem) is None:
        raise ConfigurationError(
            f"--out: a policy is called like its file: expected lower-case letters, digits and _, "
            f"found {file.stem!r}"
        )
    if not file.absolute().parent.is_dir():
        raise ConfigurationError(f"--out: there is no folder {file.absolute().parent}")
    if file.exists():
        raise FileExistsError(f"{file}: is there already; name another file by --out")
    text = _renamed(known.text, file.stem)
    policy = policy_of_text(text, file.absolute(), str(file))
    check_policy(policy, problem)
    file.write_text(text)
    return policy


def _find(history: PolicyHistory, version: str) -> KnownVersion:
    if re.fullmatch(rf"[0-9a-f]{{{_LEAST_DIGITS},}}", version) is None:
        raise ConfigurationError(
            f"--version: expected {_LEAST_DIGITS} hex digits or more, found {version!r}"
        )
    # a version that the policy has now comes before one that runs were tagged with
    for names in ("policy_version", "label_version", "names"):
        found = [each for each in history.versions if _begins(getattr(each, names), version)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(each.policy_version or "(does not fit)" for each in found)
            raise ConfigurationError(
                f"{history.name}: {version} stands for {len(found)} versions: {listed}"
            )
    listed = ", ".join(each.policy_version for each in history.versions if each.policy_version)
    raise ConfigurationError(
        f"{history.name}: no version {version} is known; known: {listed or 'none'}"
    )


def _begins(names: str | set[str], version: str) -> bool:
    every = {names} if isinstance(names, str) else names
    return any(name.startswith(version) for name in every)


def _renamed(text: str, name: str) -> str:
    """The same text under another name; whatever else stands on the line stays."""
    changed, times = re.subn(
        r"^(['\"]?name['\"]?\s*:\s*)['\"]?\w+['\"]?",
        rf"\g<1>{name}",
        text,
        count=1,
        flags=re.MULTILINE,
    )
    if times == 0:
        raise ConfigurationError(
            "the policy's name does not stand at the beginning of a line, so that it cannot be "
            f"changed; copy the file by hand:\n{text}"
        )
    return changed
