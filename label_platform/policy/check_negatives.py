"""What a policy must not say of its negatives (METHODS, sections 3 and 7)."""

from collections.abc import Iterator

from label_platform.logs.contract import is_named_by
from label_platform.policy.check_watch_time import ALWAYS_ABOVE_ZERO
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import Hard
from label_platform.problem import Problem
from label_platform.strict_yaml import nearest

_CHOOSING = ("skip_above", "skip_next", "examined", "unexamined", "hard")
"""The blocks that choose among what was shown."""

_ALL_SHOWN = ("skip_above", "examined", "unexamined")
"""With these blocks, each row that was shown trains or is stood for by another."""

_IMPRESSION_KEYS = (*_CHOOSING, "at_most_per_list")


def check_negatives(policy: Policy, problem: Problem) -> Iterator[str]:
    """Everything that is wrong with the blocks, a line each, naming the key."""
    yield from _grain(policy)
    yield from _weights(policy)
    yield from _random(policy, problem)
    if policy.grain != "impression":
        return
    if policy.watch_time is not None and policy.watch_time.label in ALWAYS_ABOVE_ZERO:
        yield from _never_negative(policy, policy.watch_time.label)
    else:
        yield from _debiased(policy)
        yield from _posterior(policy)
        yield from _hard(policy, problem)


def _never_negative(policy: Policy, label: str) -> Iterator[str]:
    """Blocks that choose among rows without a reward, where there are none."""
    for key in _asked(policy, (*_CHOOSING, "at_most_per_list")):
        yield (
            f"negatives.{key}: has no effect: labels of {label} compare watch times and are "
            "practically all above 0, also where little was watched, so no row is a negative; "
            "leave it out"
        )


def _asked(policy: Policy, keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if getattr(policy.negatives, key) is not None]


def _grain(policy: Policy) -> Iterator[str]:
    negatives = policy.negatives
    if policy.grain == "query_item":
        for key in _asked(policy, _IMPRESSION_KEYS):
            yield (
                f"negatives.{key}: is for grain impression: the label of a query and item "
                "already counts its impressions without a click; never_examined and random are "
                "for this grain"
            )
        if negatives.never_examined is not None and policy.debias.method != "coec":
            yield (
                "negatives.never_examined: needs debias.method coec: without it nothing says how "
                "often a query and item was examined and had no gain"
            )
    elif negatives.never_examined is not None:
        yield (
            "negatives.never_examined: is for grain query_item: one impression has no expected "
            "examinations to add up; unexamined is for this grain"
        )
    if negatives.near_duplicates and not _asked(policy, ("random", "hard")):
        yield (
            "negatives.near_duplicates: is for the blocks random and hard, there are none: what "
            "was shown and not clicked is no duplicate by chance"
        )


def _weights(policy: Policy) -> Iterator[str]:
    words = {"examined": "theta, posterior or ", "unexamined": "inverse_rate or "}
    for key in _asked(policy, (*_CHOOSING, "random")):
        weight = getattr(policy.negatives, key).weight
        if not isinstance(weight, str) and not 0 < weight < float("inf"):
            yield (
                f"negatives.{key}.weight: expected {words.get(key, '')}a number above 0, "
                f"found {weight:g}"
            )


def _debiased(policy: Policy) -> Iterator[str]:
    """A label or weight that is right over all that was shown, and only over that."""
    method = policy.debias.method
    if method == "ips":
        yield from _ips(policy)
    elif method in {"posterior", "affine", "doubly_robust"}:
        reason = (
            "posterior already weighs every row without a click by whether it was examined"
            if method == "posterior"
            else f"{method} already says by the label of a row without a click what it is worth"
        )
        for key in _asked(policy, (*_CHOOSING, "at_most_per_list")):
            yield (
                f"negatives.{key}: {reason}, so choosing among them corrects twice; leave it out"
            )


def _ips(policy: Policy) -> Iterator[str]:
    """IPS is right for negatives that keep the mass of all that was shown, and only for those."""
    negatives = policy.negatives
    reason = "ips already corrects for examination, by 1/theta on what was clicked, so"
    if negatives.at_most_per_list is not None:
        yield f"negatives.at_most_per_list: {reason} leaving rows out corrects twice"
    if not _asked(policy, _CHOOSING):
        return
    if negatives.examined is not None and isinstance(negatives.examined.weight, str):
        yield (
            f"negatives.examined.weight: {reason} {negatives.examined.weight} on what was not "
            "corrects twice; write weight: 1"
        )
    elif negatives.examined is not None and negatives.examined.weight != 1:
        yield f"negatives.examined.weight: {reason} another weight than 1 corrects twice"
    if negatives.skip_above is None:
        yield f"negatives.skip_above: {reason} leaving it out beside other blocks corrects twice"
    for key in _asked(policy, ("skip_above", "skip_next", "hard")):
        if getattr(negatives, key).weight != 1:
            yield f"negatives.{key}.weight: {reason} another weight than 1 corrects twice"
    if negatives.unexamined is None:
        yield (
            f"negatives.unexamined: {reason} skip_above or examined at full weight without it "
            "corrects twice; add it, or leave all blocks out"
        )
    elif negatives.unexamined.weight not in {"inverse_rate", 1 / negatives.unexamined.rate}:
        yield f"negatives.unexamined.weight: {reason} another weight than inverse_rate is wrong"


def _posterior(policy: Policy) -> Iterator[str]:
    examined = policy.negatives.examined
    if examined is None or examined.weight != "posterior" or policy.debias.method != "none":
        return
    missing = [key for key in _ALL_SHOWN if getattr(policy.negatives, key) is None]
    cut = ["at_most_per_list"] if policy.negatives.at_most_per_list is not None else []
    if missing or cut:
        found = f"lacks {', '.join(missing)}" if missing else "has at_most_per_list"
        yield (
            "negatives.examined.weight: posterior learns the relevance it needs from what trains, "
            f"which must stand for all that was shown; this policy {found}; use theta"
        )
    for key in _asked(policy, ("skip_above", "skip_next")):
        weight = getattr(policy.negatives, key).weight
        if weight >= 1:
            yield (
                f"negatives.{key}.weight: full weight ({weight:g}) beside examined.weight: "
                "posterior corrects twice: by the posterior no row without a click counts in "
                "full, above a click either; write a weight below 1, or examined.weight: theta"
            )


def _hard(policy: Policy, problem: Problem) -> Iterator[str]:
    hard = policy.negatives.hard
    if hard is None:
        return
    yield from _score(hard, problem)
    if hard.by != "features" or problem.features or problem.item_features or problem.feature_tables:
        return
    yield (
        "negatives.hard.by: features needs the problem's features or item_features, it has none; "
        "use rank"
    )


def _score(hard: Hard, problem: Problem) -> Iterator[str]:
    """Which of the logged numbers is the logging ranker's score only the policy can say."""
    key = "negatives.hard.score"
    if hard.by != "score":
        if hard.score is not None:
            yield f"{key}: is for by: score, found by: {hard.by}; leave it out"
    elif hard.score is None:
        yield (
            f"{key}: by: score needs it: the feature, logged with the impression, that holds the "
            "logging ranker's score"
        )
    elif any(sign in hard.score for sign in "*?["):
        yield f"{key}: expected the name of one feature, found the pattern {hard.score!r}"
    elif not is_named_by(hard.score, problem.features):
        known = nearest(hard.score, problem.features) if problem.features else "there are none"
        yield (
            f"{key}: {hard.score!r} is none of the columns that the problem's features name; "
            f"{known}"
        )


def _random(policy: Policy, problem: Problem) -> Iterator[str]:
    if policy.negatives.random is None:
        return
    key, random = "negatives.random", policy.negatives.random
    if random.draw != "popularity" and "log_q" in random.model_fields_set:
        yield f"{key}.log_q: is for draw: popularity, found {random.draw}; leave it out"
    if problem.features:
        named = ", ".join(problem.features)
        yield (
            f"{key}: an item that was not shown has no features of an impression, and their "
            f"absence would give it away; this problem's features are such: {named}"
        )
    of_items = any(table.of == "item" for table in problem.feature_tables.values())
    if not problem.item_features and not of_items:
        yield (
            f"{key}: an item that was not shown needs the problem's item_features or one of its "
            "feature_tables of items, it has none"
        )
    if policy.debias.prior is not None:
        yield (
            f"{key}: debias.prior gives what nobody has looked at the label of the prior, and not "
            "0, so an item that was not shown would be no negative; leave one of them out"
        )
    for number, ranker in enumerate(policy.rankers):
        if ranker.uses_position_feature:
            yield (
                f"{key}: an item that was not shown has no position, "
                f"which rankers.{number}.position: {ranker.position} makes a feature"
            )
