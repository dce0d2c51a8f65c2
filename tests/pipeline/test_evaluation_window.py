"""Evaluation days that overlap training, or that are not there."""

from datetime import date, timedelta

import pytest

from label_platform.pipeline.evaluation_window import EvaluationWindowError, days_without_log

FIRST = date(2026, 10, 1)


def days(first: int, last: int) -> list[date]:
    """Days by their number, from 1."""
    return [FIRST + timedelta(days=number - 1) for number in range(first, last + 1)]


def test_a_day_in_both_windows_is_refused_by_its_name() -> None:
    with pytest.raises(EvaluationWindowError) as refused:
        days_without_log("search", days(1, 6), days(6, 7), days(1, 7))

    assert str(refused.value) == (
        "search: training: the evaluation days 2026-10-06 to 2026-10-07 overlap the days that "
        "rankers learned from, 2026-10-01 to 2026-10-06, in 2026-10-06: a ranker that has seen the "
        "answers looks better than it is; expected every evaluation day after the last day "
        "learned from"
    )


def test_evaluation_before_training_is_refused() -> None:
    with pytest.raises(EvaluationWindowError, match="evaluation begins on 2026-10-01, before"):
        days_without_log("search", days(3, 6), days(1, 2), days(1, 7))


def test_a_window_without_any_log_is_refused() -> None:
    with pytest.raises(EvaluationWindowError, match="2026-10-08 to 2026-10-09 has impressions"):
        days_without_log("search", days(1, 6), days(8, 9), days(1, 7))


def test_days_that_are_missing_are_named() -> None:
    assert days_without_log("search", days(1, 6), days(7, 9), days(1, 8)) == days(9, 9)
    assert days_without_log("search", days(1, 6), days(7, 9), days(1, 9)) == []
