"""What a policy must not ask of its rankers, and what lambdarank would make too much of.

lambdarank multiplies the sum of a row's pairs by the row's weight: the two sides of a pair get
different weights, so a weight per row is not a weight per pair (METHODS, section 4).
"""

from collections.abc import Iterator

from label_platform.policy.label_spec import DualPositives
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import RankerSpec

_KNOWN_VARIANCE = {"affine", "doubly_robust"}
_LEVELS = 256
"""Levels between the lowest and the highest label that lambdarank can tell apart."""


def check_rankers(policy: Policy) -> Iterator[str]:
    """Everything that is wrong with the rankers, a line each, naming the key."""
    for number, ranker in enumerate(policy.rankers):
        if ranker in policy.rankers[:number]:
            first = policy.rankers.index(ranker)
            yield f"rankers.{number}: the same as rankers.{first}"
        elif problem := _position_problem(policy, ranker):
            yield f"rankers.{number}.position: {problem}"
        if ranker.weight != "one" and policy.grain == "impression":
            yield (
                f"rankers.{number}.weight: {ranker.weight} is for grain query_item: a row of "
                "grain impression is one impression; use one"
            )
        if ranker.weight == "information" and policy.debias.method not in _KNOWN_VARIANCE:
            yield (
                f"rankers.{number}.weight: information is for debias.method affine or "
                f"doubly_robust, found {policy.debias.method}; use expected_examinations"
            )
        if ranker.objective == "lambdarank" and policy.debias.into == "weight":
            yield (
                f"rankers.{number}.objective: lambdarank with debias.into: weight would weigh the "
                "two sides of a pair differently, 1/theta times; use pointwise, or into: label"
            )


def _position_problem(policy: Policy, ranker: RankerSpec) -> str:
    said = ranker.position
    debiased = policy.debias.method != "none"
    if policy.grain == "query_item" and ranker.uses_position_feature:
        instead = "debias_only" if debiased else "none"
        return (
            f"{said} is for grain impression: a query and item was shown at several positions; "
            f"use {instead}"
        )
    if said in {"debias_only", "both"} and not debiased:
        instead = "feature" if said == "both" else "none"
        return f"{said} needs a debias.method other than none; without one write {instead}"
    if said == "none" and debiased:
        return (
            f"none contradicts debias.method {policy.debias.method}, which uses it; did you mean "
            "debias_only?"
        )
    if said == "feature" and debiased:
        return (
            f"feature contradicts debias.method {policy.debias.method}, which uses it too; did "
            "you mean both?"
        )
    return ""


def ranker_warnings(policy: Policy) -> Iterator[str]:
    """What lambdarank takes and makes something else of."""
    for number, ranker in enumerate(policy.rankers):
        if ranker.objective != "lambdarank":
            continue
        key = f"rankers.{number}"
        if ranker.weight != "one":
            yield (
                f"{key}.weight: lambdarank weighs the two sides of a pair differently by "
                f"{ranker.weight}: it helped where the logging ranker was weak and cost a little "
                "where it was strong; compare it with weight: one"
            )
        for source in _unequal_weights(policy):
            yield (
                f"{key}.objective: {source} differ within a list, by which lambdarank weighs the "
                "two sides of a pair differently; pointwise takes them as they are meant"
            )
        yield from _too_small(key, policy)


def _unequal_weights(policy: Policy) -> Iterator[str]:
    if policy.debias.method == "posterior":
        yield "the weights of debias.method posterior"
    if isinstance(policy.combine, DualPositives):
        yield "the weights of combine.dual"
    blocks = _block_weights(policy)
    if len(set(blocks.values())) > 1:
        said = ", ".join(f"{block} {weight}" for block, weight in blocks.items())
        yield f"the weights of negatives ({said})"


def _block_weights(policy: Policy) -> dict[str, str]:
    """What rows weigh by where they come from: positives 1, negatives as their blocks say."""
    negatives = policy.negatives
    weights = {"positives": "1"}
    for block in ("skip_above", "skip_next", "examined", "unexamined", "hard", "random"):
        said = getattr(negatives, block)
        if said is None:
            continue
        weight = 1 / said.rate if getattr(said, "weight", 0) == "inverse_rate" else said.weight
        weights[block] = weight if isinstance(weight, str) else f"{weight:g}"
    if negatives.never_examined is not None:
        weights["never_examined"] = f"{1 / negatives.never_examined.rate:g}"
    return weights


def _too_small(key: str, policy: Policy) -> Iterator[str]:
    """Gains that round to the level of no feedback at all."""
    gains = {name: gain.gain for name, gain in policy.signals.items() if gain.gain > 0}
    if policy.grading != "continuous" or isinstance(policy.combine, DualPositives) or not gains:
        return
    largest = max(gains.values()) - min(0, *(gain.gain for gain in policy.signals.values()))
    for name, gain in gains.items():
        if gain / largest < 1 / (2 * (_LEVELS - 1)):
            yield (
                f"{key}.objective: lambdarank tells {_LEVELS} levels of labels apart, and a gain "
                f"of {gain:g} ({name}) beside {largest:g} is less than half a level: it counts "
                "for nothing; raise it, or use pointwise or grading"
            )
