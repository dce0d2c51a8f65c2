"""The policy files of a problem's folder in short: used or not, fitting or not."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from label_platform.policy import (
    DualPositives,
    FirstOf,
    Policy,
    check_policy,
    label_version,
    load_policies,
    load_policy,
    policy_version,
)
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError


@dataclass(frozen=True)
class ListedPolicy:
    """A policy file in short.

    Attributes:
        name: as its file is called.
        is_used: whether the problem uses it.
        misfit: why it cannot be used; then most of what follows is empty.
        description: the file's own.
        grain: of its labels.
        debias: the method and what it goes into.
        signals: what labels are made of.
        rankers: a title each.
        label_version: of its labels.
        policy_version: of all that training sees.
    """

    name: str
    is_used: bool
    misfit: str = ""
    description: str = ""
    grain: str = ""
    debias: str = ""
    signals: str = ""
    rankers: tuple[str, ...] = ()
    label_version: str = ""
    policy_version: str = ""

    def as_json(self) -> dict[str, Any]:
        """The policy for programs."""
        return asdict(self)


def listed_policies(problem: Problem) -> list[ListedPolicy]:
    """Every policy file of the problem's folder: those it uses in its order, then the others.

    Raises:
        ConfigurationError: a policy that the problem uses does not fit; others may.
    """
    used = [_listed(policy, problem, is_used=True) for policy in load_policies(problem)]
    names = {each.name for each in used}
    files = sorted(problem.resolve_policies().glob("*.yaml"))
    return used + [_unused(file, problem) for file in files if file.stem not in names]


def _unused(file: Path, problem: Problem) -> ListedPolicy:
    description = ""
    try:
        policy = load_policy(file)
        description = policy.description
        check_policy(policy, problem)
    except ConfigurationError as error:
        line = str(error).splitlines()[0].removeprefix(f"{file}: ")
        return ListedPolicy(file.stem, is_used=False, misfit=line, description=description)
    return _listed(policy, problem, is_used=False)


def _listed(policy: Policy, problem: Problem, *, is_used: bool) -> ListedPolicy:
    return ListedPolicy(
        policy.name,
        is_used=is_used,
        description=policy.description,
        grain=policy.grain,
        debias=_debias(policy),
        signals=_signals(policy),
        rankers=tuple(ranker.title for ranker in policy.rankers),
        label_version=label_version(policy, problem),
        policy_version=policy_version(policy, problem),
    )


def _debias(policy: Policy) -> str:
    debias = policy.debias
    into = " into weight" if debias.into == "weight" else ""
    prior = f", prior {debias.prior.toward}" if debias.prior is not None else ""
    return f"{debias.method}{into}{prior}"


def _signals(policy: Policy) -> str:
    """As click 0.3 by log dwell_s + purchase 1."""
    if policy.watch_time is not None:
        return f"{policy.watch_time.label} of {policy.watch_time.watch_s}"
    terms = []
    for name, each in policy.signals.items():
        by = f" by {each.quality.shape} {each.quality.of}" if each.quality is not None else ""
        terms.append(f"{name} {each.gain:g}{by}")
    combine = policy.combine
    if isinstance(combine, FirstOf):
        return f"first of {', '.join(combine.first)}: {', '.join(terms)}"
    if isinstance(combine, DualPositives):
        return f"{', '.join(combine.dual)} before others: {', '.join(terms)}"
    joined = f"max({', '.join(terms)})" if combine == "max" else " + ".join(terms)
    many = f", other in {len(policy.segments)} segments" if policy.segments else ""
    return f"{joined}{many}"
