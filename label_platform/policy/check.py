"""What a policy must not say: keys that fit the form but contradict each other or the problem.

The rules and their reasons are those of METHODS, sections 3, 4 and 7, told again in each message.
"""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

from label_platform.policy.check_features import check_features, feature_warnings
from label_platform.policy.check_grading import grading_warnings
from label_platform.policy.check_loss import check_loss, loss_warnings
from label_platform.policy.check_negatives import check_negatives
from label_platform.policy.check_rankers import check_rankers, ranker_warnings
from label_platform.policy.check_segments import (
    check_combine,
    check_largest,
    check_segments,
    segment_warnings,
)
from label_platform.policy.check_signals import check_gains, check_windows, window_warnings
from label_platform.policy.check_teacher import check_teacher
from label_platform.policy.check_watch_time import check_watch_time, watch_time_warnings
from label_platform.policy.label_spec import FirstOf
from label_platform.policy.propensities import (
    examples_need_predictions,
    examples_need_propensities,
    labels_need_propensities,
)
from label_platform.policy.signals import click_signal
from label_platform.policy.spec import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, located, parse, read_yaml

_MOST_HALF_LIVES = 15
"""Of the training window: parts of labels are kept to 10 digits, 5 of which are lost by then."""


def check_policy(policy: Policy, problem: Problem) -> None:
    """Check a policy's meaning against the problem it is for.

    Raises:
        ConfigurationError: everything that is wrong, a line each, naming file, line and key.
    """
    found = [
        *_signals(policy, problem),
        *check_windows(policy, problem),
        *check_combine(policy),
        *check_watch_time(policy, problem),
        *check_segments(policy, problem),
        *_debias(policy, problem),
        *_days(policy),
        *_decay(policy, problem),
        *check_negatives(policy, problem),
        *check_rankers(policy),
        *check_loss(policy, problem),
        *check_features(problem),
        *_auxiliary(policy, problem),
        *check_teacher(policy, problem),
    ]
    if found:
        if _is_in_its_file(policy):
            raise ConfigurationError(located(policy.path, found))
        raise ConfigurationError("\n".join(f"{policy.path}: {line}" for line in found))


def _is_in_its_file(policy: Policy) -> bool:
    """Whether the file says what the policy says: that of an old revision has other lines."""
    try:
        now = parse(Policy, read_yaml(policy.path), policy.path)
    except ConfigurationError:
        return False
    return now.model_copy(update={"path": policy.path}) == policy


def warnings_of(policy: Policy, problem: Problem) -> list[str]:
    """What a policy may say, and perhaps does not mean: a line each, naming the key.

    Args:
        policy: one that ``check_policy`` takes.
        problem: the problem it is for.
    """
    return [
        *window_warnings(policy, problem),
        *_never_counting(policy),
        *segment_warnings(policy),
        *watch_time_warnings(policy),
        *grading_warnings(policy),
        *ranker_warnings(policy),
        *loss_warnings(policy, problem),
        *feature_warnings(problem),
    ]


def _never_counting(policy: Policy) -> Iterator[str]:
    if isinstance(policy.combine, FirstOf):
        for name in policy.signals:
            if name not in policy.combine.first:
                yield f"signals.{name}: does not count: combine.first does not name it"


def _signals(policy: Policy, problem: Problem) -> Iterator[str]:
    yield from check_gains("signals", policy.signals, problem)
    if policy.signals and all(gain.gain <= 0 for gain in policy.signals.values()):
        yield "signals: at least one gain must be above 0, or no label is positive"


def _debias(policy: Policy, problem: Problem) -> Iterator[str]:
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
    if debias.method in {"affine", "doubly_robust"}:
        yield from _trust(policy, problem)
    if debias.into == "weight" and (debias.method != "ips" or policy.grain == "query_item"):
        yield "debias.into: weight is for method ips at grain impression"
    if debias.self_normalise and debias.into != "weight":
        yield (
            "debias.self_normalise: is for into: weight; one factor for all labels changes no "
            "ranking"
        )
    if debias.prior is not None and debias.method != "coec":
        yield f"debias.prior: is for method coec, found {debias.method}"
    elif debias.prior is not None and debias.prior.toward == "empirical_bayes":
        yield from _counts(policy)
    if policy.watch_time is not None and labels_need_propensities(policy):
        yield (
            f"debias.method: {debias.method} is for signals: watch time is not a rate that an "
            "unseen impression lowers; leave it out"
        )
    yield from _unread(policy)


def _unread(policy: Policy) -> Iterator[str]:
    """Keys that were written and that the method does not read."""
    debias = policy.debias
    if debias.method == "none":
        unread = ["clip"] if not examples_need_predictions(policy) else []
        if not examples_need_propensities(policy):
            unread += ["propensity", "on_refusal"]
        for key in unread:
            if key in debias.model_fields_set:
                reason = "divides by no propensity" if key == "clip" else "uses no propensities"
                yield f"debias.{key}: debias.method none {reason}; leave it out"
    prior = debias.prior
    learns = prior is not None and prior.toward == "empirical_bayes"
    if prior is not None and learns and "strength" in prior.model_fields_set:
        yield (
            "debias.prior.strength: is for toward: model, empirical_bayes learns it from the data; "
            "leave it out"
        )


def _trust(policy: Policy, problem: Problem) -> Iterator[str]:
    """The trust offset is a rate of clicks, one for all impressions of a position."""
    method, click = policy.debias.method, click_signal(problem)
    reason = "the trust offset is a rate of this signal, from which propensities are estimated"
    if set(policy.signals) != {click}:
        found = ", ".join(sorted(policy.signals)) or "none"
        yield f"debias.method: {method} is for the signal {click} alone: {reason}; found {found}"
    if any(gain.quality is not None for gain in policy.signals.values()):
        yield f"signals.{click}.quality: with method {method}, {reason}, whatever its quality"
    for number, segment in enumerate(policy.segments):
        if segment.signals:
            yield f"segments.{number}.signals: with method {method}, {reason}, in all segments"


def _counts(policy: Policy) -> Iterator[str]:
    """Empirical Bayes learns from how much counts differ beyond chance (Poisson)."""
    plain = len(policy.signals) == 1 and all(
        gain.quality is None and gain.gain > 0 for gain in policy.signals.values()
    )
    reason = "empirical_bayes compares labels with the chance of counts"
    if not plain or any(segment.signals for segment in policy.segments):
        yield (
            f"debias.prior.toward: {reason}: it is for one signal with a gain above 0, no quality "
            "and no segments that change it; use model"
        )
    if policy.decay is not None:
        yield f"debias.prior.toward: {reason}, and with decay a count is none; use model"
    if policy.negatives.never_examined is not None:
        yield (
            f"debias.prior.toward: {reason}, of all cells: never_examined leaves most of those "
            "without gain out; use model"
        )


def _days(policy: Policy) -> Iterator[str]:
    reweights = policy.delay.immature == "reweight"
    alone = {name for each in policy.segments for name in each.signals} - set(policy.signals)
    if reweights and alone:
        yield (
            f"delay.immature: reweight knows the delays of the policy's own signals, not of "
            f"{', '.join(sorted(alone))}, which only a segment has"
        )
    if reweights and policy.auxiliary is not None and policy.grain == "query_item":
        yield (
            "delay.immature: reweight at grain query_item makes one denominator from the delays of "
            "the label's signals, which the auxiliary label has not; use exclude or provisional"
        )
    if policy.delay.immature == "reweight" and policy.watch_time is not None:
        yield (
            "delay.immature: reweight is for signals, which have come or not: seconds watched are "
            "no count of which a share has come; use exclude or provisional"
        )


def _decay(policy: Policy, problem: Problem) -> Iterator[str]:
    if policy.decay is None:
        return
    window, half_life = problem.training.window, policy.decay.half_life
    if half_life <= timedelta(0):
        yield (
            "decay.half_life: expected a duration above 0 such as 7d: after 0 everything counts "
            "for nothing"
        )
    elif policy.grain == "query_item" and window / half_life > _MOST_HALF_LIVES:
        least = ceil(window / _MOST_HALF_LIVES / timedelta(hours=1))
        yield (
            f"decay.half_life: {half_life / timedelta(hours=1):g}h is too short for the problem's "
            f"training.window of {window.days} days: after {_MOST_HALF_LIVES} half-lives next to "
            f"nothing is left of a day, and too few digits to divide; expected {least}h or more, "
            "or a shorter training.window"
        )


def _auxiliary(policy: Policy, problem: Problem) -> Iterator[str]:
    """What is learnt beside the label."""
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
        elif "tune" in policy.auxiliary.model_fields_set and not any(
            policy.rankers[number].auxiliary == "combine" for number in users
        ):
            yield (
                "auxiliary.tune: is for rankers with auxiliary: combine, whose scores are weighed; "
                "leave it out"
            )
        gains = policy.auxiliary.signals
        yield from check_gains("auxiliary.signals", gains, problem)
        yield from check_largest("auxiliary.signals", gains, gains, policy.auxiliary.combine)
        if all(gain.gain <= 0 for gain in gains.values()):
            yield (
                "auxiliary.signals: at least one gain must be above 0, or no auxiliary label is "
                "positive"
            )
