"""The identity of a policy by its meaning: comments, key order and spelt-out defaults do not count.

``label_version`` covers what changes labels, ``policy_version`` also what is trained on them, so
that a change of rankers rebuilds no labels.
"""

from typing import Any

from label_platform.lake import recipe_hash
from label_platform.policy.propensities import examples_need_propensities, labels_need_propensities
from label_platform.policy.signals import click_signal, used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

SEMANTICS = 1
"""Raised when a formula or a default changes, so that what was built before counts as stale."""

_DIGITS = 12


def label_version(policy: Policy, problem: Problem) -> str:
    """Identity of the policy's labels: 12 hex digits."""
    return recipe_hash(_label_recipe(policy, problem))[:_DIGITS]


def policy_version(policy: Policy, problem: Problem) -> str:
    """Identity of the policy's labels, negatives, treatment of delay and rankers: 12 hex digits."""
    content = policy.model_dump(mode="json", exclude_defaults=True)
    recipe = {
        "labels": _label_recipe(policy, problem),
        "negatives": content.get("negatives", {}),
        "delay": content.get("delay", {}),
        "rankers": content["rankers"],
    }
    if examples_need_propensities(policy):
        recipe["examination"] = _debias_recipe(policy, problem)
    return recipe_hash(recipe)[:_DIGITS]


def _label_recipe(policy: Policy, problem: Problem) -> dict[str, Any]:
    content = policy.model_dump(mode="json", exclude_defaults=True)
    recipe = {
        "semantics": SEMANTICS,
        "grain": policy.grain,
        "signals": content["signals"],
        "combine": policy.combine,
        "definitions": _definitions(policy, problem),
    }
    if labels_need_propensities(policy):
        recipe["debias"] = _debias_recipe(policy, problem)
    return recipe


def _debias_recipe(policy: Policy, problem: Problem) -> dict[str, Any]:
    content = policy.debias.model_dump(mode="json", exclude_defaults=True)
    return content | {"context": list(problem.context)}


def _definitions(policy: Policy, problem: Problem) -> dict[str, Any]:
    """The definitions of the signals that labels depend on, down to the signals they describe."""
    names = set(used_signals(policy))
    if policy.grain == "query_item":
        names.add(click_signal(problem))  # its count is a column of the labels
    waiting = sorted(names)
    while waiting:
        described = problem.signals[waiting.pop()].of
        if described is not None and described not in names:
            names.add(described)
            waiting.append(described)
    return {
        name: problem.signals[name].model_dump(mode="json", exclude_defaults=True)
        for name in sorted(names)
    }
