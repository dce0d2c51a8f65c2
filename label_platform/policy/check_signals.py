"""What a policy must not say of signals: names, qualities, windows that nothing can fall into."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from label_platform.policy.label_spec import Quality, SignalGain
from label_platform.policy.signals import used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem, duration_text
from label_platform.strict_yaml import nearest


def check_gains(key: str, gains: Mapping[str, SignalGain], problem: Problem) -> Iterator[str]:
    """Everything that is wrong with the names of signals and of what describes them.

    Args:
        key: where they stand in the policy, as ``signals`` or ``auxiliary.signals``.
        gains: by signal.
        problem: knows the signals.
    """
    for name, gain in gains.items():
        if name not in problem.signals:
            hint = nearest(name, problem.signals)
            yield f"{key}.{name}: the problem has no such signal; {hint}"
        elif gain.quality is not None:
            yield from _quality(f"{key}.{name}.quality.of", name, gain.quality, problem)


def check_windows(policy: Policy, problem: Problem) -> Iterator[str]:
    """The windows of the signals that the policy reads, if nothing can fall into them."""
    for name in used_signals(policy):
        signal = problem.signals.get(name)
        if signal is not None and signal.window <= timedelta(0):
            yield (
                f"signals.{name}: its window in the problem is 0, so whatever comes after the "
                "impression comes too late; expected a duration such as 30m"
            )


def window_warnings(policy: Policy, problem: Problem) -> Iterator[str]:
    """Windows that lose feedback, or that labels wait for without need."""
    for name in used_signals(policy):
        signal = problem.signals[name]
        key, window = f"signals.{name}", duration_text(signal.window)
        described = problem.signals.get(signal.of or "")
        if described is not None and signal.window > described.window:
            yield (
                f"{key}: its window ({window}) is longer than that of {signal.of} "
                f"({duration_text(described.window)}), which it describes: labels wait for it "
                f"longer than for the {signal.of} itself"
            )
        if described is not None and signal.window < described.window:
            yield (
                f"{key}: its window ({window}) is shorter than that of {signal.of} "
                f"({duration_text(described.window)}), which it describes: a late {signal.of} "
                f"counts without its {name}"
            )
        reversing = problem.signals.get(signal.reversed_by or "")
        if reversing is not None and reversing.window < signal.window:
            yield (
                f"{key}: {signal.reversed_by}, which takes it back, has a shorter window "
                f"({duration_text(reversing.window)}) than {name} itself ({window}): what is taken "
                "back later stays"
            )
        yield from _longer_than_training(policy, problem, name)


def _longer_than_training(policy: Policy, problem: Problem, name: str) -> Iterator[str]:
    window = problem.signals[name].window
    days = problem.training.window + problem.training.evaluate
    if policy.delay.immature == "exclude" and window > days:
        yield (
            f"signals.{name}: its window ({duration_text(window)}) is longer than the training "
            f"window and the days to evaluate together ({duration_text(days)}): training ends that "
            "long before today, and starts only when the log is as long; shorten the window, or "
            "write delay: {immature: reweight}"
        )


def _quality(key: str, name: str, quality: Quality, problem: Problem) -> Iterator[str]:
    describing = [other for other, signal in problem.signals.items() if signal.of == name]
    if quality.of not in problem.signals:
        hint = nearest(quality.of, describing or problem.signals)
        yield f"{key}: the problem has no signal {quality.of!r}; {hint}"
    elif quality.of not in describing:
        of = problem.signals[quality.of].of
        instead = f"describes {of!r}" if of else "describes no other signal (it has no key of)"
        hint = nearest(quality.of, describing) if describing else "none does in this problem"
        yield f"{key}: expected a signal that describes {name!r}, {quality.of!r} {instead}; {hint}"
