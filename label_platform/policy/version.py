"""The identity of a policy by its meaning: comments, key order and spelt-out defaults do not count.

``label_version`` covers what changes labels, ``policy_version`` also what is trained on them, so
that a change of rankers rebuilds no labels. ``name``, ``description``, ``health``: in neither.
Lists are as they stand where their order means something: an impression belongs to the first
segment that fits, ``combine.first`` is a ranking, rankers are trained and told in their order.
"""

from hashlib import sha256
from typing import Any

from label_platform.lake import recipe_hash
from label_platform.policy.label_spec import DualPositives, Segment, Teacher
from label_platform.policy.propensities import examples_need_propensities, labels_need_propensities
from label_platform.policy.signals import click_signal, complains, has_negative_grade, used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

SEMANTICS = 1
"""Raised when a formula or a default changes, so that what was built before counts as stale."""

_CORRECTED = 2
"""Stands in the recipes of those whose formula alone has changed: labels by ``_is_corrected``."""

_ROUNDED = 3
"""Likewise, of dual positives with complaints: a sum that is 0 but for rounding is no positive."""

_DIGITS = 12


def label_version(policy: Policy, problem: Problem) -> str:
    """Identity of the policy's labels: 12 hex digits."""
    return recipe_hash(_label_recipe(policy, problem))[:_DIGITS]


_OF_TRAINING = ("negatives", "delay", "rankers")
_OF_TRAINING_IF_SAID = ("decay", "grading", "teacher")


def policy_version(policy: Policy, problem: Problem) -> str:
    """Identity of all that training sees: labels, negatives, delays, rankers: 12 hex digits."""
    content = policy.model_dump(mode="json", exclude_defaults=True)
    recipe = {
        "labels": _label_recipe(policy, problem),
        **{key: content.get(key, {}) for key in _OF_TRAINING},
        **{key: content[key] for key in _OF_TRAINING_IF_SAID if key in content},
    }
    if examples_need_propensities(policy):
        recipe["examination"] = _debias_recipe(policy, problem)
    if policy.debias.prior is not None:
        recipe["prior"] = policy.debias.prior.model_dump(mode="json")
    if policy.negatives.hard is not None and policy.negatives.hard.by == "rank":
        # lists in random order are left out: before, their ranks were taken for a score
        recipe["hard"] = _CORRECTED
    if _is_corrected_in_training(policy):
        recipe["training"] = _CORRECTED
    if policy.teacher is not None:
        recipe["teacher_content"] = _content_of_teacher(policy, policy.teacher)
    if policy.auxiliary is not None:
        recipe["tune"] = policy.auxiliary.tune
    if isinstance(policy.combine, DualPositives):
        recipe["dense_share"] = policy.combine.dense_share
    return recipe_hash(recipe)[:_DIGITS]


def _label_recipe(policy: Policy, problem: Problem) -> dict[str, Any]:
    content = policy.model_dump(mode="json", exclude_defaults=True)
    recipe = {
        "semantics": SEMANTICS,
        "grain": policy.grain,
        "signals": content.get("signals", {}),
        "combine": content.get("combine", "sum"),
        "definitions": _definitions(policy, problem),
    }
    if policy.watch_time is not None:
        recipe["watch_time"] = content["watch_time"]
    if policy.segments:
        recipe["segments"] = [_segment_recipe(segment) for segment in policy.segments]
    if isinstance(policy.combine, DualPositives):
        recipe["combine"] = {"dual": sorted(policy.combine.dual)}
    if policy.auxiliary is not None:
        auxiliary = policy.auxiliary.model_dump(mode="json", exclude_defaults=True)
        recipe["auxiliary"] = {key: auxiliary[key] for key in auxiliary if key != "tune"}
    if policy.delay.immature == "reweight":
        recipe["delay"] = "reweight"
    if labels_need_propensities(policy):
        recipe["debias"] = _debias_recipe(policy, problem)
    if isinstance(policy.combine, DualPositives) and complains(policy):
        recipe["formula"] = _ROUNDED
    elif _is_corrected(policy):
        recipe["formula"] = _CORRECTED
    return recipe


def _is_corrected(policy: Policy) -> bool:
    """Labels less trust, and reweighted auxiliary labels. Others are built as they ever were."""
    reweights = policy.delay.immature == "reweight"
    less_trust = policy.debias.method in {"affine", "doubly_robust"}
    return less_trust or (reweights and policy.auxiliary is not None)


def _is_corrected_in_training(policy: Policy) -> bool:
    """Draws that decay, grades with complaints, and weights of clicks that are worth nothing."""
    draws_decay = policy.negatives.random is not None and policy.decay is not None
    return draws_decay or has_negative_grade(policy) or policy.debias.method == "posterior"


def _segment_recipe(segment: Segment) -> dict[str, Any]:
    """One value is a list of one, and the order of values says nothing."""
    content = segment.model_dump(mode="json", exclude_defaults=True)
    when = {
        column: sorted({values} if isinstance(values, str) else set(values))
        for column, values in segment.when.items()
    }
    return content | {"when": when}


def _content_of_teacher(policy: Policy, teacher: Teacher) -> str:
    """By its content, since another model may come to lie under the same name."""
    file = policy.path.parent / teacher.model
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _debias_recipe(policy: Policy, problem: Problem) -> dict[str, Any]:
    content = policy.debias.model_dump(mode="json", exclude_defaults=True, exclude={"prior"})
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
