"""Which days a curve is estimated from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from label_platform.examples import SplitError
from label_platform.lake import Engine, Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.propensities import propensity_days
from tests.pipeline.conftest import PROBLEM, Installation, day


@contextmanager
def log_of(ingested: Path, tmp_path: Path, days: int) -> Iterator[Context]:
    """A log of so many days with a training window of three.

    One day evaluates, two are immature, one validates: the last training day is three before the
    last one.
    """
    installation = Installation(tmp_path)
    (tmp_path / "data").mkdir()
    for folder in ("policies", "data/problems"):
        (tmp_path / folder).symlink_to(ingested / folder)
    lake = installation.workspace.lake(PROBLEM)
    project = installation.project()
    training = project.problem.training.model_copy(update={"window": day(4) - day(1)})
    project = type(project)(
        project.problem.model_copy(update={"training": training}),
        project.policies,
        project.workspace,
    )
    with Engine() as engine:
        for number in range(1, days + 1):
            lake.publish(
                engine, Partition("impressions", day(number)), f"select {number} as n", recipe=""
            )
    with project.open() as context:
        yield context


def numbers(context: Context, number: int) -> list[int]:
    return [(found - day(1)).days + 1 for found in propensity_days(context, day(number))]


def test_a_window_ends_with_its_day(ingested_once: Path, tmp_path: Path) -> None:
    with log_of(ingested_once, tmp_path, 10) as context:
        assert numbers(context, 4) == [2, 3, 4]
        assert numbers(context, 5) == [3, 4, 5]
        assert numbers(context, 10) == [8, 9, 10]


def test_the_first_days_share_the_first_window(ingested_once: Path, tmp_path: Path) -> None:
    with log_of(ingested_once, tmp_path, 10) as context:
        assert [numbers(context, number) for number in (1, 2, 3)] == [[1, 2, 3]] * 3


def test_a_young_log_does_not_look_past_its_last_training_day(
    ingested_once: Path, tmp_path: Path
) -> None:
    with log_of(ingested_once, tmp_path, 5) as context:
        assert context.split(day(5)).train == (day(1), day(2))
        assert numbers(context, 1) == [1, 2]
        assert numbers(context, 2) == [1, 2]
        assert numbers(context, 3) == [1, 2, 3]


def test_a_log_too_short_to_train_on_counts_as_a_whole(ingested_once: Path, tmp_path: Path) -> None:
    """Its labels need a curve, and no training days."""
    with log_of(ingested_once, tmp_path, 3) as context:
        with pytest.raises(SplitError, match="found 3 days of log"):
            context.split(day(3))
        assert [numbers(context, number) for number in (1, 2, 3)] == [[1, 2, 3]] * 3


def test_the_window_is_that_of_the_problem_file(built: Installation) -> None:
    """From files to recipe: a shorter window leaves out the first day."""
    built.change_problem({"training.window": "2d"})
    with built.project().open() as context:
        assert numbers(context, 6) == [5, 6]
        assert numbers(context, 1) == [1, 2]
