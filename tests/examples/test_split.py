import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from label_platform.examples import SplitError, split_days
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

DAY = timedelta(days=1)
FIRST = date(2026, 10, 1)


def october(*days: int) -> tuple[date, ...]:
    return tuple(date(2026, 10, day) for day in days)


def problem(**training: str) -> Problem:
    content: dict[str, Any] = {
        "name": "shop",
        "start_date": FIRST,
        "logs": [{"format": "native", "impressions": "i", "interactions": "e"}],
        "signals": {"click": {"window": "30m"}},
        "training": {"window": "14d", "validate": "1d", "evaluate": "2d"} | training,
        "policies": {"use": ["raw_click"]},
    }
    return Problem.model_validate(content)


@pytest.mark.parametrize(
    ("windows", "train", "validate", "evaluate"),
    [
        # day 20 is not over for a window of 30 minutes, and is an evaluation day anyway
        ([timedelta(minutes=30)], range(4, 18), (18,), (19, 20)),
        ([2 * DAY], range(4, 18), (18,), (19, 20)),
        # purchases of day 18 may still come on day 21: days 18 to 20 are not mature
        ([timedelta(minutes=30), 3 * DAY], range(3, 17), (17,), (19, 20)),
        ([timedelta(days=3, seconds=1)], range(2, 16), (16,), (19, 20)),
        ([], range(4, 18), (18,), (19, 20)),
    ],
)
def test_validation_and_training_days_are_mature(
    windows: Sequence[timedelta],
    train: Sequence[int],
    validate: tuple[int, ...],
    evaluate: tuple[int, ...],
) -> None:
    split = split_days(problem(), windows, FIRST, date(2026, 10, 20))
    assert split.train == october(*train)
    assert split.validate == october(*validate)
    assert split.evaluate == october(*evaluate)


def test_a_short_log_trains_on_what_there_is() -> None:
    split = split_days(problem(), [3 * DAY], FIRST, date(2026, 10, 6))
    assert split.train == october(1, 2)
    assert split.validate == october(3)
    assert split.evaluate == october(5, 6)


def test_parts_of_days_count_as_days() -> None:
    training = problem(window="36h", validate="12h", evaluate="1h")
    split = split_days(training, [timedelta(0)], FIRST, date(2026, 10, 9))
    assert split.train == october(6, 7)
    assert split.validate == october(8)
    assert split.evaluate == october(9)


def test_too_few_days_are_refused_with_their_numbers() -> None:
    assert split_days(problem(), [3 * DAY], FIRST, date(2026, 10, 5)).train == october(1)
    message = (
        "shop: training: found 4 days of log (2026-10-01 to 2026-10-04), expected at least 5: "
        "1 to train on, 1 to validate, and after them 2 to evaluate and 3 for the longest window "
        "to pass, which may be the same days"
    )
    with pytest.raises(SplitError, match=re.escape(message)):
        split_days(problem(), [3 * DAY], FIRST, date(2026, 10, 4))
    assert issubclass(SplitError, ConfigurationError)
