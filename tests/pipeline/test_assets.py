"""What a run in Dagster does: metadata, pictures, and checks that stop what comes after."""

import base64
import json
from collections import Counter
from datetime import date

import dagster as dg
import pytest

from label_platform.lake import Engine, Partition
from label_platform.logs.ledger import LEDGER_NAME
from label_platform.pipeline.assets import asset_key, build_assets
from label_platform.pipeline.automation import RANGE_END, RANGE_START
from label_platform.pipeline.run import run_chain
from tests.pipeline.conftest import DAYS, POLICIES, Installation, day, quiet_instance

PNG = b"\x89PNG"


def materialize(
    installation: Installation, *tables: tuple[str, str], on: date
) -> dg.ExecuteInProcessResult:
    project = installation.project()
    with quiet_instance() as instance:
        return dg.materialize(
            build_assets(project),
            selection=[asset_key(project, *table) for table in tables],
            partition_key=str(on),
            instance=instance,
            raise_on_error=False,
        )


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    events = result.get_asset_materialization_events()
    return {
        event.step_materialization_data.materialization.asset_key.path[-1]: (
            event.step_materialization_data.materialization
        )
        for event in events
    }


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the steps that failed said."""
    errors = [event.step_failure_data.error for event in result.get_step_failure_events()]
    return [(error.cause or error).message for error in errors if error]


def test_metadata_of_a_day_are_its_counts_and_hashes(built: Installation) -> None:
    built.forget("labels", day(2), policy="coec_click")
    done = materialize(built, ("labels", "coec_click"), on=day(2))
    assert done.success
    facts = materialized(done)["labels"].metadata
    manifest = built.manifest("labels", day(2), "coec_click")
    assert facts["dagster/row_count"].value == manifest.rows > 0
    assert facts["content_hash"].value == manifest.content_hash
    assert facts["recipe_hash"].value == manifest.recipe_hash
    assert facts["rebuilt"].value is True
    assert facts["label_version"].value == manifest.attributes["label_version"]


def test_what_is_up_to_date_is_not_built_again(built: Installation) -> None:
    before = built.content_hashes()
    files = built.manifest("labels", day(2), "raw_click").files
    done = materialize(built, ("labels", "raw_click"), on=day(2))
    assert materialized(done)["labels"].metadata["rebuilt"].value is False
    assert built.manifest("labels", day(2), "raw_click").files == files
    assert built.content_hashes() == before


@pytest.mark.parametrize(
    ("table", "name"),
    [(("propensities", ""), "propensity_curve"), (("labels", "coec_click"), "label_histogram")],
)
@pytest.mark.usefixtures("drawn")
def test_a_picture_stands_beside_the_numbers(
    built: Installation, table: tuple[str, str], name: str
) -> None:
    shown = materialized(materialize(built, table, on=day(3)))[table[0]].metadata[name]
    assert isinstance(shown, dg.MarkdownMetadataValue)
    assert shown.md_str is not None
    before, encoded = shown.md_str.rstrip(")").split(";base64,")
    assert before == f"![{name}](data:image/png"
    assert base64.b64decode(encoded).startswith(PNG)


def test_the_verdict_is_a_check_that_stops_nobody(built: Installation) -> None:
    built.change_problem({"propensity": {"min_clicks": 1_000_000}})
    done = materialize(built, ("propensities", ""), ("labels", "raw_click"), on=day(3))
    assert done.success
    (check,) = [
        each
        for each in done.get_asset_check_evaluations()
        if each.check_name == "verdict_is_not_a_refusal"
    ]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["verdict"].value == "insufficient_interventions"


def repeat_a_row(installation: Installation, table: str, on: date) -> None:
    """A table with one impression twice, published as if it had been built like this."""
    partition = Partition(table, on)
    lake = installation.workspace.lake("product_search")
    recipe = installation.manifest(table, on).recipe_hash
    scan = lake.scan(table, [on])
    with Engine() as engine:
        lake.publish(
            engine, partition, f"from {scan} union all (from {scan} limit 1)", recipe=recipe
        )


def test_a_failed_check_keeps_what_follows_from_running(built: Installation) -> None:
    repeat_a_row(built, "impression_signals", day(2))
    before = built.content_hashes()
    done = materialize(
        built,
        ("impression_signals", ""),
        ("position_statistics", ""),
        ("labels", "raw_click"),
        on=day(2),
    )
    assert not done.success
    failed = [each for each in done.get_asset_check_evaluations() if not each.passed]
    assert [(each.check_name, each.blocking) for each in failed] == [("impression_id_unique", True)]
    assert failed[0].metadata["failing_rows"].value == 1
    assert materialized(done).keys() == {"impression_signals"}
    assert built.content_hashes() == before


def count_one_more(installation: Installation, table: str, on: date) -> None:
    """As if ingestion had brought the row itself: its own check has nothing to say."""
    path = installation.workspace.lake("product_search").folder / LEDGER_NAME
    ledger = json.loads(path.read_text())
    rows = next(
        counts["rows"][table]
        for counts in ledger["files"].values()
        if str(on) in counts["rows"].get(table, {})
    )
    rows[str(on)] += 1
    path.write_text(json.dumps(ledger))


def test_a_failed_check_of_a_shared_table_ends_a_run_from_the_command_line(
    built: Installation,
) -> None:
    repeat_a_row(built, "impressions", day(2))
    count_one_more(built, "impressions", day(2))
    for _ in range(2):  # the second time nothing is new, and it is no better
        before = built.content_hashes()
        with quiet_instance() as instance:
            summary = run_chain(built.project(), instance, until="labels")
        assert summary.broken.keys() == {"product_search/impression_signals"}
        assert "impression_id_unique" in summary.broken["product_search/impression_signals"]
        after = built.content_hashes()
        changed = {folder for folder in after if after[folder] != before[folder]}
        assert {folder.split("/")[0] for folder in changed} <= {"impression_signals"}


def test_examples_without_a_positive_are_not_trained_on(ingested: Installation) -> None:
    """Nobody clicks within a second of being shown a list, so that no label is above 0."""
    ingested.change_problem({"signals.click.window": "1s", "policies.use": ["raw_click"]})
    for _ in range(2):
        with quiet_instance() as instance:
            summary = run_chain(ingested.project(), instance, until="rankers")
        assert summary.broken.keys() == {"product_search/raw_click/examples"}
        assert "some_label_is_positive" in summary.broken["product_search/raw_click/examples"]
        assert "rankers" not in summary.built
    assert ingested.workspace.lake("product_search").days("rankers", "raw_click") == []
    assert ingested.workspace.lake("product_search").days("labels", "raw_click") == list(DAYS)


def test_all_days_can_be_materialised_at_once(built: Installation) -> None:
    """The first three of six days have no training window: 1 to train, 1 to validate, 2 to wait."""
    project = built.project()
    tables = [
        *(("labels", name) for name in POLICIES),
        *(("examples", name) for name in POLICIES),
        *(("rankers", name) for name in POLICIES),
        *(("evaluations", name) for name in POLICIES),
        ("comparisons", ""),
    ]
    range_tags = {RANGE_START: str(DAYS[0]), RANGE_END: str(DAYS[-1])}
    with quiet_instance() as instance:
        done = dg.materialize(
            build_assets(project),
            selection=[asset_key(project, *each) for each in tables],
            tags=range_tags,
            instance=instance,
            raise_on_error=False,
        )
    assert failures(done) == []
    assert done.success
    lake = built.workspace.lake("product_search")
    assert lake.days("labels", "raw_click") == list(DAYS)
    for table in ("examples", "rankers", "evaluations"):
        assert {tuple(lake.days(table, name)) for name in POLICIES} == {DAYS[3:]}
    assert lake.days("comparisons") == list(DAYS[3:])


def test_an_ingestion_is_an_event_of_its_own_day_and_of_those_that_it_changed(
    built: Installation,
) -> None:
    key = asset_key(built.project(), "interactions")
    with quiet_instance() as instance:
        run_chain(built.project(), instance, until="impressions")
        assert events_by_day(instance, key) == {DAYS[-1]: 1}
        built.drop_late_purchase(day(2))  # it happens on the fourth day
        run_chain(built.project(), instance, until="impressions")
        assert events_by_day(instance, key) == {DAYS[-1]: 2, day(4): 1}
        (latest,) = instance.fetch_materializations(
            dg.AssetRecordsFilter(key, asset_partitions=[str(day(4))]), limit=1
        ).records
    assert latest.asset_materialization is not None
    tags = latest.asset_materialization.tags
    assert tags is not None
    assert tags["dagster/data_version"] == built.manifest("interactions", day(4)).content_hash


def events_by_day(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[date, int]:
    records = instance.fetch_materializations(key, limit=100).records
    return dict(Counter(date.fromisoformat(str(each.partition_key)) for each in records))


def test_a_day_before_the_first_training_window_builds_nothing_and_stops_nobody(
    built: Installation,
) -> None:
    before = built.content_hashes()
    policy = "raw_click"
    tables = [(table, policy) for table in ("labels", "examples", "rankers", "evaluations")]
    done = materialize(built, *tables, on=day(3))
    assert done.success
    assert materialized(done).keys() == {"labels"}
    reasons = {each.description for each in done.get_asset_check_evaluations()}
    assert any("found 3 days of log" in str(reason) for reason in reasons)
    assert built.content_hashes() == before
