"""What a policy must not ask of its rankers, and what lambdarank would make too much of.

lambdarank multiplies the sum of a row's pairs by the row's weight: the two sides of a pair get
different weights, so a weight per row is not a weight per pair (METHODS, section 4).
"""

from collections.abc import Iterator

from label_platform.policy.label_spec import DualPositives
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import RankerSpec

_KNOWN_VARIANCE = {"affine", "doubly_robust"}
_LEVELS = {"lambdarank": 256, "rank_xendcg": 9}
"""Levels between the lowest and the highest label that an objective can tell apart."""
_LEAST_SHARE = 1 / (2 * 255)
"""Of the largest gain: about where both round to the lowest level."""


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
        elif ranker.weight == "impressions" and policy.grain == "query_item" and _is_uneven(policy):
            key = "decay" if policy.decay is not None else "delay.immature: reweight"
            yield (
                f"rankers.{number}.weight: impressions counts all alike, which {key} does not; use "
                "expected_examinations, which has it in"
            )
        elif _asks_root_without_coec(policy, ranker):
            counts = policy.debias.method in {"none", "ips"} and not _is_uneven(policy)
            yield (
                f"rankers.{number}.weight: sqrt_expected_examinations is for debias.method coec, "
                f"found {policy.debias.method}; use "
                f"{'impressions' if counts else 'expected_examinations'}"
            )
        if ranker.compares_within_lists and policy.debias.into == "weight":
            yield (
                f"rankers.{number}.objective: {ranker.objective} with debias.into: weight would "
                "weigh the two sides of a pair differently, 1/theta times; use pointwise, or into: "
                "label"
            )
        yield from (f"rankers.{number}.{line}" for line in _contradictions(ranker))


def _is_uneven(policy: Policy) -> bool:
    """Whether some impressions count less than others in labels at grain query_item.

    Of several signals that are reweighted what came is divided, and impressions count alike.
    """
    reweighted = policy.delay.immature == "reweight" and len(policy.signals) == 1
    return policy.decay is not None or reweighted


def _asks_root_without_coec(policy: Policy, ranker: RankerSpec) -> bool:
    asks = ranker.weight == "sqrt_expected_examinations" and policy.grain == "query_item"
    return asks and policy.debias.method != "coec"


def _contradictions(ranker: RankerSpec) -> Iterator[str]:
    """Keys that mean nothing to the ranker's objective."""
    objective = ranker.objective
    if ranker.loss != "squared" and ranker.compares_within_lists:
        yield (
            f"loss: {ranker.loss} is for objective pointwise, {objective} has its own; leave it out"
        )
    if ranker.gain != "linear" and not ranker.compares_within_lists:
        yield (
            f"gain: {ranker.gain} is of items in a list, pointwise learns the label; leave it out"
        )
    if objective != "lambdarank":
        for name in ranker.parameters.said_of_lambdarank():
            yield f"parameters.{name}: is for objective lambdarank, found {objective}; leave it out"
    elif ranker.position != "lightgbm_bias" and (
        "lambdarank_position_bias_regularization" in ranker.parameters.said()
    ):
        yield (
            "parameters.lambdarank_position_bias_regularization: is for position: lightgbm_bias, "
            f"found {ranker.position}; leave it out"
        )


def _position_problem(policy: Policy, ranker: RankerSpec) -> str:
    said = ranker.position
    debiased = policy.debias.method != "none"
    if said == "lightgbm_bias":
        return _lightgbm_bias_problem(policy, ranker)
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


def _lightgbm_bias_problem(policy: Policy, ranker: RankerSpec) -> str:
    if ranker.objective != "lambdarank":
        why = (
            "LightGBM takes positions for rank_xendcg and does nothing with them"
            if ranker.objective == "rank_xendcg"
            else "there is no pair whose positions could explain it"
        )
        return f"lightgbm_bias is for objective lambdarank, found {ranker.objective}: {why}"
    if policy.grain == "query_item":
        return (
            "lightgbm_bias is for grain impression: a query and item was shown at several "
            "positions; use none"
        )
    if policy.debias.method != "none":
        return (
            f"lightgbm_bias contradicts debias.method {policy.debias.method}: both correct for "
            "where an item was shown; use debias_only, or debias.method: none"
        )
    return ""


def ranker_warnings(policy: Policy) -> Iterator[str]:
    """What lambdarank and rank_xendcg take and make something else of."""
    for number, ranker in enumerate(policy.rankers):
        if not ranker.compares_within_lists:
            continue
        objective = ranker.objective
        key = f"rankers.{number}"
        if ranker.weight != "one":
            yield (
                f"{key}.weight: {objective} weighs the two sides of a pair differently by "
                f"{ranker.weight}: it helped where the logging ranker was weak and cost a little "
                "where it was strong; compare it with weight: one"
            )
        for source in _unequal_weights(policy):
            yield (
                f"{key}.objective: {source} differ within a list, by which {objective} "
                "weighs the two sides of a pair differently; pointwise takes them as they are meant"
            )
        yield from _too_small(key, objective, policy)


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


def _too_small(key: str, objective: str, policy: Policy) -> Iterator[str]:
    """Gains that round to the level of no feedback at all."""
    gains = {name: gain.gain for name, gain in policy.signals.items() if gain.gain > 0}
    if policy.grading != "continuous" or isinstance(policy.combine, DualPositives) or not gains:
        return
    largest = max(gains.values()) - min(0, *(gain.gain for gain in policy.signals.values()))
    for name, gain in gains.items():
        if gain / largest < _LEAST_SHARE:
            yield (
                f"{key}.objective: {objective} tells {_LEVELS[objective]} levels of labels apart, "
                f"and a gain of {gain:g} ({name}) beside {largest:g} is less than half a level: "
                "it counts for nothing; raise it, or use pointwise or grading"
            )
