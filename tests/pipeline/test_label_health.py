"""Health of labels in the pipeline: kept with the day, checked in Dagster, shown to people."""

import json
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from label_platform.cli import application
from label_platform.lake import Partition
from label_platform.lake.manifest import MANIFEST_NAME
from label_platform.pipeline.assets import asset_key
from label_platform.pipeline.checks import checks_for, stops
from label_platform.pipeline.context import Project
from label_platform.pipeline.label_health import DayOfLabels, day_of_labels
from label_platform.pipeline.label_health_picture import label_health_picture
from label_platform.pipeline.label_statistics import as_of_if_immature
from label_platform.pipeline.metadata import partition_metadata
from label_platform.pipeline.run import run_chain
from label_platform.pipeline.steps import is_stale
from label_platform.policy.label_spec import Delay
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS, POLICIES, PROBLEM, Installation, day, quiet_instance

RIPE = day(4)
"""Purchases come for two days, and the log ends with the sixth: the fourth is the last ripe one."""


def health(installation: Installation, policy: str, on: date) -> DayOfLabels:
    with installation.project().open() as context:
        return day_of_labels(context, Partition("labels", on, policy))


def look(installation: Installation, policy: str, *days: date) -> dict[str, dg.AssetCheckResult]:
    partitions = [Partition("labels", each, policy) for each in days]
    with installation.project().open() as context:
        manifests = [context.require(each) for each in partitions]
        results = checks_for("labels").results(context, partitions, manifests)
    return {str(result.check_name): result for result in results}


def change_kept(installation: Installation, policy: str, on: date, **numbers: Any) -> None:  # noqa: ANN401 - numbers and texts
    """Change the numbers that the manifest of a day keeps."""
    folder = installation.workspace.lake(PROBLEM).folder / "labels" / f"policy={policy}"
    path = folder / f"day={on}" / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    manifest["attributes"]["health"]["numbers"] |= numbers
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("policy", POLICIES)
def test_numbers_of_each_day_are_kept_with_it(finished: Installation, policy: str) -> None:
    for each in DAYS:
        manifest = finished.manifest("labels", each, policy)
        kept = manifest.attributes["health"]["numbers"]
        assert kept["rows"] == manifest.rows
        assert 0 < kept["positives"] < kept["rows"]
        assert (kept["clip_share"] is not None) == (policy == "coec_click")
        shown = partition_metadata(manifest)
        assert shown["health/positives"] == kept["positives"]
        assert not any("buckets" in name for name in shown)


def test_positives_are_the_clicks(finished: Installation) -> None:
    found = health(finished, "raw_click", RIPE).health
    with finished.project().open() as context:
        clicks, rows = context.engine.row(
            "select count(*) filter (where click > 0), count(*) from "
            f"{context.lake.scan('impression_signals', [RIPE])} where excluded_reason is null"
        )
    assert (found.positives, found.rows) == (clicks, rows)
    assert found.mean == pytest.approx(clicks / rows)


def test_a_ripe_day_is_compared_and_a_younger_one_is_not(finished: Installation) -> None:
    ripe, young = (health(finished, "multi_signal", each) for each in (RIPE, day(5)))
    assert (ripe.health.immature_share, ripe.drift.days) == (0, 3)
    assert ripe.drift.psi is not None
    assert ripe.drift.p_value is not None
    assert ripe.drift.p_value > 0.001
    assert (young.health.immature_share, young.drift.psi) == (1, None)
    assert young.as_facts()["drift"] == "feedback still comes: not compared yet"
    assert health(finished, "multi_signal", day(3)).as_facts()["drift"] == "not enough days: 2 of 3"


def test_feedback_after_the_last_impressions_closes_windows(built: Installation) -> None:
    last = DAYS[-1]
    assert health(built, "multi_signal", last).health.immature_share == 1
    # purchases come for two days, and on the second of them something came
    later = last + timedelta(days=2)
    built.change_problem({"end_date": later})
    event = {"request_id": 1, "item_id": 1, "signal": "click", "value": 1}
    built.add_events("after", event | {"occurred_at": f"{later}T12:00:00Z"})
    built.ingest()
    assert health(built, "multi_signal", last).health.immature_share == 0
    with built.project().open() as context:
        policy = context.project.policy("multi_signal")
        reweighted = policy.model_copy(update={"delay": Delay(immature="reweight")})
        assert as_of_if_immature(context, reweighted, last) is None


def test_labels_of_another_grain_are_refused_in_words(built: Installation) -> None:
    built.change_policy("raw_click", {"grain": "query_item"})
    words = f"labels of raw_click on {RIPE} were built at grain impression, its file now says"
    with pytest.raises(ConfigurationError, match=words):
        health(built, "raw_click", RIPE)
    built.build("labels", RIPE, policy="raw_click")
    assert health(built, "raw_click", RIPE).health.positives > 0


def test_days_of_another_grain_are_left_out_of_the_picture_and_named(
    built: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built.change_policy("raw_click", {"grain": "query_item"})
    built.build("labels", RIPE, policy="raw_click")
    with built.project().open() as context:
        picture = label_health_picture(context, Partition("labels", RIPE, "raw_click"))
    assert picture.startswith(b"\x89PNG")
    command = ["label-platform", "policies", "health", "--problem", str(built.problem_file)]
    monkeypatch.setattr("sys.argv", [*command, "--json"])
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(built.workspace.folder))
    with pytest.raises(SystemExit) as end:
        application.main()
    said = capsys.readouterr()
    assert end.value.code == 0
    found = json.loads(said.out)["labels"]
    assert [row["day"] for row in found["raw_click"]] == [str(RIPE)]
    assert len(found["coec_click"]) > 1
    words = f"labels of raw_click on {DAYS[0]} were built at grain impression, its file now says"
    assert words in said.err


def test_later_days_are_compared_by_what_is_kept(built: Installation) -> None:
    for each in DAYS[:3]:
        change_kept(built, "raw_click", each, buckets="0:2000")
    found = look(built, "raw_click", RIPE)["drift_is_healthy"]
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert not stops(found)
    assert str(found.description).startswith(f"{RIPE}: PSI ")
    assert str(found.description).endswith("is below 0.001, against 3 days before")


def test_days_of_another_version_are_not_compared(built: Installation) -> None:
    built.change_policy("raw_click", {"signals": {"click": {"gain": 2.0}}})
    built.build("labels", RIPE, policy="raw_click")
    found = health(built, "raw_click", RIPE)
    assert found.as_facts()["drift"] == "not enough days: 0 of 3"
    assert found.health.mean == pytest.approx(2 * found.health.positives / found.health.rows)


def test_what_is_kept_of_other_labels_is_measured_again(built: Installation) -> None:
    before = health(built, "raw_click", RIPE)
    change_kept(built, "raw_click", RIPE, positives=0)
    assert health(built, "raw_click", RIPE).health.positives == 0
    path = built.workspace.lake(PROBLEM).folder / "labels" / "policy=raw_click" / f"day={RIPE}"
    manifest = json.loads((path / MANIFEST_NAME).read_text())
    manifest["attributes"]["health"]["content_hash"] = "of other labels"
    (path / MANIFEST_NAME).write_text(json.dumps(manifest))
    assert health(built, "raw_click", RIPE) == before


def test_the_policys_limits_decide_and_rebuild_nothing(built: Installation) -> None:
    assert all(result.passed for result in look(built, "coec_click", *DAYS).values())
    limits = {"clip_share": 0.0, "effective_share": 1.0, "positive_share": [0.5, 1.0]}
    built.change_policy("coec_click", {"health": limits})
    results = look(built, "coec_click", day(3), RIPE)
    broken = {name for name, result in results.items() if not result.passed}
    assert broken == {
        "clip_share_is_healthy",
        "effective_share_is_healthy",
        "positive_share_is_healthy",
    }
    assert not any(stops(result) for result in results.values())
    shares = results["positive_share_is_healthy"]
    assert str(shares.description).startswith(f"{day(3)}: 0.")
    assert f"; {RIPE}: 0." in str(shares.description)
    with built.project().open() as context:
        assert not is_stale(context, Partition("labels", RIPE, "coec_click"))
        assert not is_stale(context, Partition("examples", DAYS[-1], "coec_click"))


@pytest.mark.usefixtures("drawn")
def test_dagster_shows_the_warning_the_numbers_and_the_figure(built: Installation) -> None:
    built.change_policy("raw_click", {"health": {"positive_share": [0.5, 1.0]}})
    built.forget("labels", DAYS[-1], policy="raw_click")
    project = built.project()
    key = asset_key(project, "labels", "raw_click")
    with quiet_instance() as instance:
        summary = run_chain(_only(project, "raw_click"), instance, until="labels")
        assert summary.broken == {}
        names = [dg.AssetCheckKey(key, each.name) for each in checks_for("labels").further]
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(names)
        event = instance.get_latest_materialization_event(key)
    shown = {}
    for check, record in found.items():
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        shown[check.name] = (evaluation.passed, evaluation.severity)
    assert len(shown) == 5
    warning = shown.pop("positive_share_is_healthy")
    assert warning == (False, dg.AssetCheckSeverity.WARN)
    assert all(passed for passed, _ in shown.values())
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert 0 < metadata["health/positive_share"].value < 0.5
    assert metadata["health/mean"].value > 0
    assert "data:image/png" in metadata["label_health"].value


def _only(project: Project, policy: str) -> Project:
    return Project(
        project.problem,
        (project.policy(policy),),
        project.workspace,
        project.path,
        named=project.policies,
    )


def test_the_command_prints_a_table_and_json(
    built: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built.change_policy("coec_click", {"health": {"clip_share": 0.0}})
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(built.workspace.folder))
    command = ["label-platform", "policies", "health", "--problem", str(built.problem_file)]
    command += ["--policies", "coec_click", "--days", f"{RIPE}..{RIPE}"]
    for further in ([], ["--json"]):
        monkeypatch.setattr("sys.argv", [*command, *further])
        with pytest.raises(SystemExit) as end:
            application.main()
        assert end.value.code == 0
    table, _, found = capsys.readouterr().out.partition('{"labels"')
    assert f"warning {RIPE}: " in table
    assert "of impressions are at the clip, above 0" in table
    (row,) = json.loads('{"labels"' + found)["labels"]["coec_click"]
    assert row["day"] == str(RIPE)
    assert list(row["warnings"]) == ["clip_share"]
    assert row["positive_share"] == pytest.approx(row["positives"] / row["rows"])


def test_a_policy_that_is_not_used_is_refused(
    finished: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["label-platform", "policies", "health", "--problem", str(finished.problem_file)]
    monkeypatch.setattr("sys.argv", [*command, "--policies", "raw_clicks"])
    with pytest.raises(SystemExit) as end:
        application.main()
    assert end.value.code == 2
    assert "raw_clicks is not used by the problem" in capsys.readouterr().err
