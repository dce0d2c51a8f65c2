"""Whether labels are what a ranker takes, as far as the policy says it.

``loss: binary`` takes 0 and 1, ``gain: exponential`` whole grades from 0 to 30.

What the policy's own keys make other labels of is refused. What depends on the log, such as
whether two signals ever come for one impression, is a warning: training looks at the labels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from label_platform.policy.label_spec import (
    DualPositives,
    FirstOf,
    Quantiles,
    SignalGain,
    Thresholds,
)
from label_platform.policy.propensities import falls_back
from label_platform.policy.signals import click_signal
from label_platform.policy.spec import Policy
from label_platform.policy.training_spec import RankerSpec
from label_platform.problem import Problem

Gains = Mapping[str, SignalGain]
_MOST_GRADE = 30
_ANY = "use loss: squared, or grading with one threshold"
_WITHIN_1 = "use loss: cross_entropy, or grading with one threshold"


@dataclass(frozen=True)
class _Cause:
    """A key that makes labels other than 0 and 1.

    Attributes:
        words: the key and what it makes.
        is_sure: it does so whatever the log holds.
        instead: what to write.
        signal: the one whose gain it is, if it is one's.
        is_whole: the labels are whole grades all the same, which an exponential gain takes.
    """

    words: str
    is_sure: bool = True
    instead: str = _ANY
    signal: str = ""
    is_whole: bool = False


def check_loss(policy: Policy, problem: Problem) -> Iterator[str]:
    """Rankers whose labels are not what they take, a line each, naming the key."""
    for number, ranker in _binary(policy):
        for cause in _causes(policy, problem, ranker):
            if cause.is_sure:
                yield (
                    f"rankers.{number}.loss: binary takes labels of 0 and 1, and {cause.words}; "
                    f"{cause.instead}"
                )
    for number, cause in _no_grades(policy, problem):
        if cause.is_sure:
            yield (
                f"rankers.{number}.gain: exponential takes whole grades from 0 to {_MOST_GRADE}, "
                f"and {cause.words}; use gain: linear, or grading"
            )


def loss_warnings(policy: Policy, problem: Problem) -> Iterator[str]:
    """Rankers whose labels may be others than they take."""
    for number, ranker in _binary(policy):
        for cause in _causes(policy, problem, ranker):
            if not cause.is_sure:
                yield (
                    f"rankers.{number}.loss: binary takes labels of 0 and 1, and {cause.words}: "
                    "training refuses a label that is neither"
                )
    for number, cause in _no_grades(policy, problem):
        if not cause.is_sure:
            yield (
                f"rankers.{number}.gain: exponential takes whole grades from 0 to {_MOST_GRADE}, "
                f"and {cause.words}: training refuses a label that is none"
            )


def _binary(policy: Policy) -> Iterator[tuple[int, RankerSpec]]:
    for number, ranker in enumerate(policy.rankers):
        # other objectives are refused for having a loss at all
        if ranker.loss == "binary" and not ranker.compares_within_lists:
            yield number, ranker


def _no_grades(policy: Policy, problem: Problem) -> Iterator[tuple[int, _Cause]]:
    """Rankers with ``gain: exponential``, each with what makes labels that are no grades."""
    if policy.grading != "continuous":
        return
    for number, ranker in enumerate(policy.rankers):
        # of pointwise rankers it is refused for meaning nothing
        if ranker.gain == "exponential" and ranker.compares_within_lists:
            for cause in _ungraded(policy, problem):
                if not cause.is_whole:
                    yield number, cause


def _is_grade(gain: float) -> bool:
    return gain in range(_MOST_GRADE + 1)


def _causes(policy: Policy, problem: Problem, ranker: RankerSpec) -> Iterator[_Cause]:
    if policy.grading == "continuous":
        yield from _ungraded(policy, problem)
    else:
        yield from _graded(policy)
    if ranker.auxiliary != "none" and policy.auxiliary is not None:
        # the auxiliary label is neither debiased nor graded
        gains, combine = policy.auxiliary.signals, policy.auxiliary.combine
        of_gains = _gains("auxiliary.signals", gains, gains, combine, problem)
        for cause in (*_grain(policy), *of_gains):
            yield replace(cause, instead="use loss: squared")


def _graded(policy: Policy) -> Iterator[_Cause]:
    if isinstance(policy.grading, Thresholds):
        said, highest = "thresholds", len(policy.grading.thresholds)
    elif isinstance(policy.grading, Quantiles):
        said, highest = "quantiles", policy.grading.quantiles - 1
    else:
        return
    if highest > 1:
        yield _Cause(f"grading.{said} makes grades from 0 to {highest}")


def _ungraded(policy: Policy, problem: Problem) -> Iterator[_Cause]:
    if policy.teacher is not None:
        yield _Cause("teacher.share puts a share of a model's score into them")
    if policy.watch_time is not None:
        label = policy.watch_time.label
        if label == "wt":
            yield _Cause("watch_time.label wt makes any numbers")
        elif label != "pc":
            yield _Cause(f"watch_time.label {label} makes numbers from 0 to 1", instead=_WITHIN_1)
        return
    yield from _debiased(policy)
    if policy.delay.immature == "reweight":
        yield _Cause(
            "delay.immature: reweight divides by the share of feedback that has come", is_sure=False
        )
    if isinstance(policy.combine, DualPositives):
        return
    replaced = {name for segment in policy.segments for name in segment.signals}
    for cause in _gains("signals", policy.signals, policy.signals, policy.combine, problem):
        # segments may have every impression between them
        yield replace(cause, is_sure=cause.is_sure and cause.signal not in replaced)
    for number, segment in enumerate(policy.segments):
        key, every = f"segments.{number}.signals", {**policy.signals, **segment.signals}
        if segment.signals:
            yield from _gains(key, segment.signals, every, policy.combine, problem)


def _debiased(policy: Policy) -> Iterator[_Cause]:
    debias = policy.debias
    if debias.method in {"none", "posterior"} or debias.into == "weight":
        yield from _grain(policy)
        return
    what = "divides labels by P(examined)"
    if falls_back(policy):
        unless = "unless debias.on_refusal falls back to none"
        yield _Cause(f"debias.method {debias.method} {what}, {unless}", is_sure=False)
    else:
        yield _Cause(f"debias.method {debias.method} {what}")


def _grain(policy: Policy) -> Iterator[_Cause]:
    if policy.grain == "query_item":
        yield _Cause("grain query_item makes rates of what was shown more than once", is_sure=False)


def _gains(
    key: str,
    own: Gains,
    every: Gains,
    combine: str | FirstOf | DualPositives,
    problem: Problem,
) -> Iterator[_Cause]:
    """What gains make of signals that come alone, and of several that come together.

    Args:
        key: where ``own`` stands in the policy.
        own: the gains to look at.
        every: all that count beside them.
        combine: how those that came are put together.
        problem: knows the signals.
    """
    counted = [
        name
        for name, gain in every.items()
        if name in problem.signals
        and (gain.gain > 0 or (gain.gain < 0 and (combine != "max" or len(every) == 1)))
        and (not isinstance(combine, FirstOf) or name in combine.first)
    ]
    instead = _instead([every[name].gain for name in counted], combine)
    for name, gain in own.items():
        if name not in counted:
            continue
        if problem.signals[name].of is not None:
            words = f"{key}.{name} is what {problem.signals[name].of} is described by, any number"
            yield _Cause(words, is_sure=False)
            continue
        # people click on what they then do nothing else with
        is_sure = name == click_signal(problem) or len(counted) == 1
        alone = f"where {name} comes alone"
        if gain.gain != 1:
            words = f"{key}.{name}.gain makes labels of {gain.gain:g} {alone}"
            yield _Cause(words, is_sure, instead, name, _is_grade(gain.gain))
        if gain.quality is not None and gain.quality.shape != "minimum":
            shape = f"{key}.{name}.quality.shape {gain.quality.shape}"
            words = f"{shape} makes labels between 0 and {gain.gain:g} {alone}"
            yield _Cause(words, is_sure, instead, name)
    if combine == "sum" and len(counted) > 1 and all(every[name].gain == 1 for name in counted):
        yield _Cause(
            f"{key} add up where {' and '.join(counted)} come together (combine: max does not)",
            is_sure=False,
            is_whole=True,
        )


def _instead(gained: list[float], combine: str | FirstOf | DualPositives) -> str:
    """What takes the labels that these gains make."""
    highest = sum(gained) if combine == "sum" else max(gained, default=0)
    return _WITHIN_1 if highest <= 1 and min(gained, default=0) >= 0 else _ANY
