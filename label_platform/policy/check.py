"""What a policy must not say: keys that fit the form but contradict each other or the problem.

The rules and their reasons are those of METHODS, sections 3, 4 and 7, told again in each message.
"""

from collections.abc import Iterator

from label_platform.logs.contract import is_named_by
from label_platform.policy.label_spec import Quality
from label_platform.policy.propensities import examples_need_propensities, labels_need_propensities
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import RankerSpec
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest

_IMPRESSION_BLOCKS = ("skip_above", "skip_next", "examined", "unexamined", "random", "hard")


def check_policy(policy: Policy, problem: Problem) -> None:
    """Check a policy's meaning against the problem it is for.

    Raises:
        ConfigurationError: everything that is wrong, a line each, naming file and key.
    """
    found = [
        *_signals(policy, problem),
        *_watch_time(policy, problem),
        *_debias(policy),
        *_propensity(policy, problem),
        *_negative_blocks(policy),
        *_negative_weights(policy),
        *_random(policy, problem),
        *_rankers(policy),
    ]
    if found:
        raise ConfigurationError("\n".join(f"{policy.path}: {line}" for line in found))


def _signals(policy: Policy, problem: Problem) -> Iterator[str]:
    for name, gain in policy.signals.items():
        key = f"signals.{name}"
        if name not in problem.signals:
            yield f"{key}: the problem has no such signal; {nearest(name, problem.signals)}"
        elif gain.quality is not None:
            yield from _quality(name, gain.quality, problem)
    if policy.signals and all(gain.gain <= 0 for gain in policy.signals.values()):
        yield "signals: at least one gain must be above 0, or no label is positive"


def _watch_time(policy: Policy, problem: Problem) -> Iterator[str]:
    spec = policy.watch_time
    if spec is None:
        return
    if policy.grain != "impression":
        yield f"grain: watch_time is for grain impression, found {policy.grain}"
    if spec.watch_s not in problem.signals:
        hint = nearest(spec.watch_s, problem.signals)
        yield f"watch_time.watch_s: the problem has no such signal; {hint}"
    if not is_named_by(spec.duration, problem.features):
        named = ", ".join(problem.features) or "there are none"
        yield (
            f"watch_time.duration: {spec.duration!r} is none of the columns that the problem's "
            f"features name, which impressions keep: {named}"
        )


def _quality(name: str, quality: Quality, problem: Problem) -> Iterator[str]:
    key = f"signals.{name}.quality.of"
    describing = [other for other, signal in problem.signals.items() if signal.of == name]
    if quality.of not in problem.signals:
        hint = nearest(quality.of, describing or problem.signals)
        yield f"{key}: the problem has no signal {quality.of!r}; {hint}"
    elif quality.of not in describing:
        of = problem.signals[quality.of].of
        instead = f"describes {of!r}" if of else "describes no other signal (it has no key of)"
        hint = nearest(quality.of, describing) if describing else "none does in this problem"
        yield f"{key}: expected a signal that describes {name!r}, {quality.of!r} {instead}; {hint}"


def _debias(policy: Policy) -> Iterator[str]:
    debias = policy.debias
    if debias.method == "coec" and policy.grain == "impression":
        yield (
            "debias.method: coec is for grain query_item: it divides the clicks of many "
            "impressions by the examinations they should have had; use ips"
        )
    if debias.method == "posterior" and policy.grain == "query_item":
        yield (
            "debias.method: posterior is for grain impression: it weighs each impression without "
            "a click; use coec"
        )
    if debias.method in {"affine", "doubly_robust"} and len(policy.signals) != 1:
        yield (
            f"debias.method: {debias.method} is for one signal, the one that propensities are "
            f"estimated from: the trust offset is one of its rates; found {len(policy.signals)}"
        )
    if debias.into == "weight" and (debias.method != "ips" or policy.grain == "query_item"):
        yield "debias.into: weight is for method ips at grain impression"
    if debias.self_normalise and debias.into != "weight":
        yield (
            "debias.self_normalise: is for into: weight; one factor for all labels changes no "
            "ranking"
        )
    if debias.prior is not None and debias.method != "coec":
        yield f"debias.prior: is for method coec, found {debias.method}"
    if policy.watch_time is not None and labels_need_propensities(policy):
        yield (
            f"debias.method: {debias.method} is for signals: watch time is not a rate that an "
            "unseen impression lowers; leave it out"
        )


def _propensity(policy: Policy, problem: Problem) -> Iterator[str]:
    wanted, settings = policy.debias.estimator, problem.propensity
    if not (labels_need_propensities(policy) or examples_need_propensities(policy)):
        return
    if wanted not in {"auto", settings.estimator, *settings.estimators}:
        yield (
            f"debias.propensity: the problem does not estimate {wanted!r}; add it to the problem "
            f"file's propensity.estimators, which has {', '.join(settings.estimators)}"
        )


def _negative_blocks(policy: Policy) -> Iterator[str]:
    negatives = policy.negatives
    if policy.grain == "query_item":
        for block in _IMPRESSION_BLOCKS:
            if getattr(negatives, block) is not None:
                yield (
                    f"negatives.{block}: is for grain impression: the label of a query and item "
                    "already counts its impressions without a click; never_examined is for this "
                    "grain"
                )
        if negatives.never_examined is not None and policy.debias.method == "none":
            yield (
                "negatives.never_examined: needs debias.method coec: without it nothing says how "
                "often a query and item was examined"
            )
    elif negatives.never_examined is not None:
        yield (
            "negatives.never_examined: is for grain query_item: one impression has no expected "
            "examinations to add up; unexamined is for this grain"
        )


def _negative_weights(policy: Policy) -> Iterator[str]:
    examined, unexamined = policy.negatives.examined, policy.negatives.unexamined
    for key, weight, word in (
        ("examined", examined.weight if examined else 1.0, "theta"),
        ("unexamined", unexamined.weight if unexamined else 1.0, "inverse_rate"),
    ):
        if not isinstance(weight, str) and not 0 < weight < float("inf"):
            yield f"negatives.{key}.weight: expected {word} or a number above 0, found {weight:g}"
    if policy.debias.method == "ips" and policy.grain == "impression":
        yield from _corrections_twice(policy)


def _corrections_twice(policy: Policy) -> Iterator[str]:
    """IPS is right for negatives that keep the mass of all that was shown, and only for those."""
    negatives = policy.negatives
    blocks = (negatives.skip_above, negatives.examined, negatives.unexamined)
    if not any(blocks):
        return
    reason = "ips already corrects for examination, by 1/theta on what was clicked, so"
    if examples_need_propensities(policy):
        yield (
            f"negatives.examined.weight: {reason} theta on what was not corrects twice; "
            "write weight: 1"
        )
    elif negatives.examined is not None and negatives.examined.weight != 1:
        yield f"negatives.examined.weight: {reason} another weight than 1 corrects twice"
    if negatives.skip_above is None:
        yield f"negatives.skip_above: {reason} leaving it out beside other blocks corrects twice"
    elif negatives.skip_above.weight != 1:
        yield f"negatives.skip_above.weight: {reason} another weight than 1 corrects twice"
    if negatives.unexamined is None:
        yield (
            f"negatives.unexamined: {reason} skip_above or examined at full weight without it "
            "corrects twice; add it, or leave all blocks out"
        )
    elif negatives.unexamined.weight not in {"inverse_rate", 1 / negatives.unexamined.rate}:
        yield f"negatives.unexamined.weight: {reason} another weight than inverse_rate is wrong"


def _random(policy: Policy, problem: Problem) -> Iterator[str]:
    if policy.negatives.random is None or policy.grain != "impression":
        return
    key = "negatives.random"
    if problem.features:
        named = ", ".join(problem.features)
        yield (
            f"{key}: an item that was not shown has no features of an impression, and their "
            f"absence would give it away; this problem's features are such: {named}"
        )
    if not problem.item_features:
        yield f"{key}: an item that was not shown needs the problem's item_features, it has none"
    for number, ranker in enumerate(policy.rankers):
        if ranker.uses_position_feature:
            yield (
                f"{key}: an item that was not shown has no position, "
                f"which rankers.{number}.position: {ranker.position} makes a feature"
            )


def _rankers(policy: Policy) -> Iterator[str]:
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
