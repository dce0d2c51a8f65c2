"""Checks that look beyond a table's own rows: no event lost, nothing unusual set aside."""

import json

import dagster as dg
import pytest

from label_platform.lake import Partition
from label_platform.lake.manifest import MANIFEST_NAME
from label_platform.pipeline.assets import asset_key
from label_platform.pipeline.checks import checks_for
from label_platform.pipeline.run import run_chain
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, day, quiet_instance

EVENTS = "attributed_and_orphaned_are_all_events"
SHARE = "share_of_excluded_impressions_is_usual"


def look(installation: Installation, table: str, name: str) -> dg.AssetCheckResult:
    partitions = [Partition(table, each) for each in DAYS]
    with installation.project().open() as context:
        manifests = [context.require(each) for each in partitions]
        results = checks_for(table).results(context, partitions, manifests)
    return next(result for result in results if result.check_name == name)


def test_every_accepted_event_is_attributed_or_orphaned(built: Installation) -> None:
    assert look(built, "orphaned_interactions", EVENTS).passed
    manifests = [built.manifest("matched_interactions", each) for each in DAYS]
    assert sum(manifest.rows for manifest in manifests) > 100


def test_an_event_that_was_lost_on_the_way_is_found(built: Installation) -> None:
    accepted = built.manifest("interactions", day(3)).rows
    orphaned = built.manifest("orphaned_interactions", day(3)).rows
    folder = built.workspace.lake(PROBLEM).folder / "impression_signals" / f"day={day(3)}"
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["attributes"]["attributed_by_event_day"][str(day(3))] -= 1
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    result = look(built, "orphaned_interactions", EVENTS)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.ERROR
    assert result.description == (
        f"{day(3)}: {accepted} accepted, {accepted - orphaned - 1} attributed, {orphaned} orphaned"
    )


def test_a_bot_after_days_without_any_is_a_warning(built: Installation) -> None:
    reasons = {
        each: len(built.manifest("impression_signals", each).attributes["excluded"])
        for each in DAYS
    }
    assert [each for each in DAYS if reasons[each]] == [DAYS[-1]]
    result = look(built, "impression_signals", SHARE)
    assert not result.passed
    assert result.metadata["share"].value > 0.01
    assert "more than 3 times the median of 5 days before, 0.0%" in str(result.description)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"clicks_per_minute": 30, "warn_share": 0.0001}, "clicks_per_minute"),
        ({"clicks_per_minute": 30, "lists_per_session": 1}, "lists_per_session"),
    ],
)
def test_an_unusual_share_is_a_warning(
    built: Installation, rules: dict[str, object], reason: str
) -> None:
    built.change_problem({"bots": rules})
    built.build("impression_signals", *DAYS)
    result = look(built, "impression_signals", SHARE)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert reason in str(result.description)


def test_logs_that_do_not_reconcile_stop_the_run(ingested: Installation) -> None:
    with quiet_instance() as instance:
        assert run_chain(ingested.project(), instance, until="matched_interactions").broken == {}
    folder = ingested.workspace.lake(PROBLEM).folder / "interactions" / f"day={day(2)}"
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["files"][0]["rows"] += 1
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    with quiet_instance() as instance:
        summary = run_chain(ingested.project(), instance, until="matched_interactions")
        checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(asset_key(ingested.project(), "impressions"), "counts_reconcile")]
        )
    assert summary.built == {}
    assert "counts_reconcile" in summary.broken["ingestion"]
    (record,) = checks.values()
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert f"interactions of {day(2)}" in evaluation.description
