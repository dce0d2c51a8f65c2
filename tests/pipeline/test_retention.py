"""What follows when a log's first days are gone: they do not exist, and little is built anew."""

from datetime import UTC, datetime, time

import pytest

from label_platform.lake import Partition
from label_platform.logs import ingest, unreconciled
from label_platform.pipeline.planner import stale_work
from label_platform.pipeline.steps import STEPS, build_partition
from tests.pipeline.conftest import DAYS, Installation, day

NOON_AFTER = datetime.combine(DAYS[-1], time(12), UTC)
"""Noon of the sixth day: the first one ended four and a half days before it."""


@pytest.fixture
def first_day_gone(built: Installation) -> Installation:
    built.change_problem({"retention": "4d"})
    with built.project().open() as context:
        ingest(context.problem, context.lake, context.engine, as_if=NOON_AFTER)
    return built


def build_what_is_stale(installation: Installation) -> dict[str, list[str]]:
    """Bring everything up to the examples up to date; returns the days built by table."""
    done: dict[str, list[str]] = {}
    for step in STEPS[: [step.table for step in STEPS].index("rankers")]:
        names = [each.name for each in installation.project().policies] if step.per_policy else [""]
        for policy in names:
            with installation.project().open() as context:
                for work in stale_work(context, step, policy, context.log_days[-1]):
                    for number in range(work.days):
                        each = Partition(step.table, day((work.first - DAYS[0]).days + 1 + number))
                        build_partition(context, Partition(each.table, each.day, policy))
                        done.setdefault(step.table, []).append(str(each.day))
    return done


def test_days_before_the_horizon_do_not_exist(first_day_gone: Installation) -> None:
    with first_day_gone.project().open() as context:
        assert context.log_days == list(DAYS[1:])
        assert context.split(DAYS[-1]).train == DAYS[1:3]
        for table in ("impression_signals", "matched_interactions", "labels", "examples"):
            for policy in ("", "raw_click", "multi_signal"):
                assert DAYS[0] not in context.lake.days(table, policy)
        assert context.lake.days("position_statistics")[0] == DAYS[0]
        assert unreconciled(context.engine, context.lake) == []


def test_labels_of_cells_and_models_outlive_the_records(first_day_gone: Installation) -> None:
    lake = first_day_gone.workspace.lake("product_search")
    assert lake.days("labels", "coec_click")[0] == DAYS[0]
    assert lake.days("labels", "multi_signal")[0] == DAYS[1]
    for table in ("rankers", "evaluations"):
        assert lake.days(table, "multi_signal") == [DAYS[-1]]


def test_only_what_the_lost_days_had_led_to_is_built_anew(first_day_gone: Installation) -> None:
    """Late events of the first day's lists lose them; no other label has a reason to change."""
    done = build_what_is_stale(first_day_gone)
    # a purchase within two days, and its return within two more
    windows = [str(each) for each in DAYS[1:5]]
    assert done.pop("matched_interactions") == windows
    assert set(done.pop("orphaned_interactions")) <= {*windows}
    # one set per policy: their training days are fewer now
    assert done == {"examples": [str(DAYS[-1])] * 3}
    assert build_what_is_stale(first_day_gone) == {}
