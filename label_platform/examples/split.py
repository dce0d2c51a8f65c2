"""Which days train, validate and evaluate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from label_platform.lake import days_between
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

_DAY = timedelta(days=1)


class SplitError(ConfigurationError):
    """The log has too few days for what the problem's ``training`` asks for."""


@dataclass(frozen=True)
class Split:
    """The days of each part, ascending; no day is in two parts.

    Attributes:
        train: what rankers and propensities are fitted on.
        validate: the days after that: early stopping.
        evaluate: the last days of the log: yardsticks.
    """

    train: tuple[date, ...]
    validate: tuple[date, ...]
    evaluate: tuple[date, ...]


def split_days(
    problem: Problem, windows: Sequence[timedelta], first_day: date, as_of_day: date
) -> Split:
    """Split the log's days for all policies of a problem alike, so that they can be compared.

    Training and validation days are mature: every window had passed by the end of the last day.
    Evaluation days need not be, since they come last.

    Args:
        problem: says how many days each part has; part of a day counts as a day.
        windows: the longest window of each policy.
        first_day: the log's first day.
        as_of_day: the log's last day.

    Raises:
        SplitError: no day is left to train on.
    """
    training = problem.training
    evaluate_days = _days(training.evaluate)
    validate_days = _days(training.validation)
    immature_days = ceil(max(windows, default=timedelta(0)) / _DAY)
    last_validate = as_of_day - max(evaluate_days, immature_days) * _DAY
    last_train = last_validate - validate_days * _DAY
    if last_train < first_day:
        found = (as_of_day - first_day).days + 1
        raise SplitError(
            f"{problem.name}: training: found {found} days of log ({first_day} to {as_of_day}), "
            f"expected at least {max(evaluate_days, immature_days) + validate_days + 1}: 1 to "
            f"train on, {validate_days} to validate, and after them {evaluate_days} to evaluate "
            f"and {immature_days} for the longest window to pass, which may be the same days"
        )
    first_train = max(first_day, last_train - (_days(training.window) - 1) * _DAY)
    return Split(
        train=tuple(days_between(first_train, last_train)),
        validate=tuple(days_between(last_train + _DAY, last_validate)),
        evaluate=tuple(days_between(as_of_day - (evaluate_days - 1) * _DAY, as_of_day)),
    )


def _days(length: timedelta) -> int:
    return max(1, ceil(length / _DAY))
