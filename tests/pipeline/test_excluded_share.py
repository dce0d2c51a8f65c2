"""A warning where an unusual share of impressions counts for nothing; it stops nobody."""

from datetime import date

import dagster as dg
import pytest

from label_platform.lake import Partition
from label_platform.pipeline.assets import asset_key, build_assets
from label_platform.pipeline.excluded_share import excluded_share, unusual_share
from tests.pipeline.conftest import DAYS, Installation, day, quiet_instance

CHECK = "share_of_excluded_impressions_is_usual"


def pretend(installation: Installation, *shares: float) -> None:
    """As if these shares of the impressions of the first days had been excluded."""
    lake = installation.workspace.lake("product_search")
    for on, share in zip(DAYS, shares, strict=False):
        rows = installation.manifest("impression_signals", on).rows
        attributes = {"excluded": {"user_agent": share * rows}}
        lake.annotate(Partition("impression_signals", on), attributes)


def unusual(installation: Installation, on: date) -> str:
    with installation.project().open() as context:
        return unusual_share(context, on)


def materialize(installation: Installation, on: date) -> dg.AssetCheckEvaluation:
    project = installation.project()
    tables = ("impression_signals", "orphaned_interactions", "position_statistics")
    with quiet_instance() as instance:
        done = dg.materialize(
            build_assets(project),
            selection=[asset_key(project, table) for table in tables],
            partition_key=str(on),
            instance=instance,
        )
    assert done.success
    assert len(done.get_asset_materialization_events()) == len(tables)
    (found,) = [each for each in done.get_asset_check_evaluations() if each.check_name == CHECK]
    return found


def test_a_rule_that_fits_too_many_warns_with_numbers_and_reasons(built: Installation) -> None:
    with built.project().open() as context:
        scan = context.lake.scan("impression_signals", [day(2)])
        users = context.engine.rows(f"select distinct user_key from {scan} order by user_key")
    team = [user for (user,) in users][: len(users) // 2]
    built.change_problem({"bots": {"users": team, "clicks_per_minute": 30}})
    found = materialize(built, day(2))
    with built.project().open() as context:
        (rows, excluded) = context.engine.row(
            "select count(*), count(excluded_reason) from "
            f"{context.lake.scan('impression_signals', [day(2)])}"
        )
        assert excluded_share(context, day(2)) == excluded / rows > 0.2
    by_reason = built.manifest("impression_signals", day(2)).attributes["excluded"]
    assert sum(by_reason.values()) == excluded
    assert by_reason["known_user"] > 0
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    words = str(found.description)
    assert words.startswith(
        f"{day(2)}: {excluded / rows:.1%} of {rows:,} impressions are excluded (known_user "
    )
    assert words.endswith("above bots.warn_share, 20.0%")


def test_a_usual_share_passes_and_is_shown(built: Installation) -> None:
    found = materialize(built, day(2))
    assert found.passed
    assert "impressions are excluded" in str(found.description)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((0.02, 0.02, 0.02, 0.07), "more than 3 times the median of 3 days before, 2.0%"),
        ((0.0, 0.0, 0.0, 0.02), "more than 3 times the median of 3 days before, 0.0%"),
        ((0.02, 0.02, 0.02, 0.05), ""),  # 2.5 times
        ((0.01, 0.02, 0.15, 0.05), ""),  # the median of the three is 2%
        ((0.001, 0.001, 0.001, 0.009), ""),  # 9 times, and still nothing to speak of
        ((0.02, 0.02, 0.02, 0.21), "above bots.warn_share, 20.0%"),
    ],
)
def test_a_day_is_compared_with_the_days_before_it(
    built: Installation, shares: tuple[float, ...], words: str
) -> None:
    pretend(built, *shares)
    assert unusual(built, day(4)) == words


def test_two_days_are_too_few_to_compare_with(built: Installation) -> None:
    pretend(built, 0.0, 0.0, 0.15)
    assert unusual(built, day(3)) == ""


def test_only_the_training_windows_days_are_compared(built: Installation) -> None:
    pretend(built, 0.0, 0.0, 0.0, 0.04, 0.04, 0.05)
    assert unusual(built, day(6)) != ""
    built.change_problem({"training.window": "3d"})
    assert unusual(built, day(6)) == ""


def test_the_problem_says_what_is_too_much(built: Installation) -> None:
    pretend(built, 0.15)
    assert unusual(built, day(1)) == ""
    built.change_problem({"bots.warn_share": 0.1})
    assert unusual(built, day(1)) == "above bots.warn_share, 10.0%"
