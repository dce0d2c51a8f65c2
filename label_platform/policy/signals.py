"""Which of the problem's signals a policy reads, and how long it has to wait for them."""

from datetime import timedelta

from label_platform.policy.label_spec import Quantiles
from label_platform.policy.spec import Policy
from label_platform.problem import Problem


def used_signals(policy: Policy) -> tuple[str, ...]:
    """The signals that the labels' formulas read, sorted: those with a gain, and their quality."""
    names = {policy.watch_time.watch_s} if policy.watch_time is not None else set()
    sources = [policy.signals, *(segment.signals for segment in policy.segments)]
    if policy.auxiliary is not None:
        sources.append(policy.auxiliary.signals)
    for signals in sources:
        names.update(signals)
        names.update(gain.quality.of for gain in signals.values() if gain.quality is not None)
    return tuple(sorted(names))


def reweighted_signals(policy: Policy) -> tuple[str, ...]:
    """The signals whose delays a policy has to know that reweights: those with a gain, sorted."""
    auxiliary = policy.auxiliary.signals if policy.auxiliary is not None else {}
    return tuple(sorted({*policy.signals, *auxiliary}))


def complains(policy: Policy) -> bool:
    """Whether some signal speaks against an item: its gain is below 0."""
    sources = (policy.signals, *(segment.signals for segment in policy.segments))
    return any(gain.gain < 0 for signals in sources for gain in signals.values())


def is_adjusted(policy: Policy) -> bool:
    """Whether rows to which nothing came differ in their labels: by trust, a prior or a teacher."""
    less_trust = policy.debias.method in {"affine", "doubly_robust"}
    return less_trust or policy.debias.prior is not None or policy.teacher is not None


def has_negative_grade(policy: Policy) -> bool:
    """Whether quantiles leave grade 0 to labels below 0: those of complaints.

    Where every label is adjusted being below 0 means nothing.
    """
    return isinstance(policy.grading, Quantiles) and complains(policy) and not is_adjusted(policy)


def click_signal(problem: Problem) -> str:
    """The signal that counts as a click: ``click``, or the problem's first where it has none."""
    return "click" if "click" in problem.signals else next(iter(problem.signals))


def longest_window(policy: Policy, problem: Problem) -> timedelta:
    """How long after an impression the policy's label can still change.

    Zero for a policy that trains on provisional or reweighted rows: it waits for nothing.
    """
    if policy.delay.immature != "exclude":
        return timedelta(0)
    return max(problem.signals[name].window for name in used_signals(policy))
