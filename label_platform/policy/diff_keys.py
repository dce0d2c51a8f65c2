"""What differs between two policies as files: key by key, and what that affects."""

import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from label_platform.policy.spec import Policy
from label_platform.policy.version import label_version, policy_version
from label_platform.problem import Problem, duration_text

Reach = Literal["nothing", "rankers", "examples", "labels"]
ABSENT = "(none)"

_SECONDS = re.compile(r"(\d+)s")
"""How durations are dumped."""


@dataclass(frozen=True)
class KeyChange:
    """One key that has another value.

    Attributes:
        key: as debias.clip.
        old: its value as a file would say it, defaults spelt out.
        new: likewise.
    """

    key: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.key}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class PolicyChange:
    """What differs between two policies as files.

    Attributes:
        keys: every key whose value differs.
        label_versions: old and new.
        policy_versions: old and new.
        reaches: the first of labels, examples and rankers that is made from what changed; all
            that follows from it is made anew.
    """

    keys: tuple[KeyChange, ...]
    label_versions: tuple[str, str]
    policy_versions: tuple[str, str]
    reaches: Reach

    def as_json(self) -> dict[str, Any]:
        """The change for programs."""
        return asdict(self)


def policy_change(old: Policy, new: Policy, problem: Problem) -> PolicyChange:
    """Compare two checked policies of a problem by their meaning.

    Names and descriptions are listed, but say nothing of labels.
    """
    labels = (label_version(old, problem), label_version(new, problem))
    versions = (policy_version(old, problem), policy_version(new, problem))
    return PolicyChange(key_changes(old, new), labels, versions, _reach(old, new, problem))


def key_changes(old: Policy, new: Policy) -> tuple[KeyChange, ...]:
    """Every key whose value differs, defaults spelt out; neither policy need fit a problem."""
    return tuple(_changes("", old.model_dump(mode="json"), new.model_dump(mode="json")))


def _reach(old: Policy, new: Policy, problem: Problem) -> Reach:
    if label_version(old, problem) != label_version(new, problem):
        return "labels"
    if policy_version(old, problem) == policy_version(new, problem):
        return "nothing"
    same_rankers = old.model_copy(update={"rankers": new.rankers})
    same_examples = policy_version(same_rankers, problem) == policy_version(new, problem)
    return "rankers" if same_examples else "examples"


def _changes(key: str, old: Any, new: Any) -> list[KeyChange]:  # noqa: ANN401 - parsed YAML
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [
            change
            for name in names
            for change in _changes(f"{key}.{name}" if key else name, old.get(name), new.get(name))
        ]
    if isinstance(old, list) and isinstance(new, list):
        longest = max(len(old), len(new))
        return [
            change
            for number in range(longest)
            for change in _changes(f"{key}.{number}", _at(old, number), _at(new, number))
        ]
    return [KeyChange(key, _text(old), _text(new))]


def _at(values: list[Any], number: int) -> Any:  # noqa: ANN401 - parsed YAML
    return values[number] if number < len(values) else None


def _text(value: Any) -> str:  # noqa: ANN401 - parsed YAML
    """A value in YAML's short form, without what is empty."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        said = ", ".join(
            f"{name}: {_text(each)}" for name, each in value.items() if each is not None
        )
        return f"{{{said}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, str) and (seconds := _SECONDS.fullmatch(value)):
        return duration_text(timedelta(seconds=int(seconds[1])))
    return str(value)
