"""What a policy must not say: keys that fit the form but contradict each other or the problem.

The rules and their reasons are those of METHODS, sections 3, 4 and 7, told again in each message.
"""

from collections.abc import Iterator

from label_platform.logs.contract import is_named_by
from label_platform.policy.check_negatives import check_negatives
from label_platform.policy.label_spec import Quality
from label_platform.policy.propensities import labels_need_propensities
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import RankerSpec
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest


def check_policy(policy: Policy, problem: Problem) -> None:
    """Check a policy's meaning against the problem it is for.

    Raises:
        ConfigurationError: everything that is wrong, a line each, naming file and key.
    """
    found = [
        *_signals(policy, problem),
        *_watch_time(policy, problem),
        *_debias(policy),
        *check_negatives(policy, problem),
        *_rankers(policy),
        *_auxiliary(policy, problem),
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


def _auxiliary(policy: Policy, problem: Problem) -> Iterator[str]:
    """What is learnt beside the label: the auxiliary label, and a teacher's scores."""
    users = [n for n, ranker in enumerate(policy.rankers) if ranker.auxiliary != "none"]
    if policy.auxiliary is None:
        for number in users:
            yield (
                f"rankers.{number}.auxiliary: {policy.rankers[number].auxiliary} needs the key "
                "auxiliary of the policy, which says what the second label is made of"
            )
    else:
        if not users:
            yield (
                "auxiliary: no ranker learns it; write auxiliary: combine or auxiliary: transfer "
                "in a ranker, or leave it out"
            )
        for name, gain in policy.auxiliary.signals.items():
            key = f"auxiliary.signals.{name}"
            if name not in problem.signals:
                yield f"{key}: the problem has no such signal; {nearest(name, problem.signals)}"
            elif gain.quality is not None:
                yield from (f"auxiliary.{line}" for line in _quality(name, gain.quality, problem))
        if all(gain.gain <= 0 for gain in policy.auxiliary.signals.values()):
            yield (
                "auxiliary.signals: at least one gain must be above 0, or no auxiliary label is "
                "positive"
            )
    if policy.teacher is not None:
        file = policy.path.parent / policy.teacher.model
        if not file.is_file():
            yield f"teacher.model: there is no file {file}; it is looked for beside the policy file"
