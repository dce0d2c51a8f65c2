"""The sensor: it asks for what is stale, and what it asks for can be run."""

import dagster as dg

from label_platform.pipeline.definitions import project_definitions
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, quiet_instance

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def tick(installation: Installation) -> dg.SensorResult | dg.SkipReason:
    repository = project_definitions(installation.project()).get_repository_def()
    sensor = repository.get_sensor_def(f"{PROBLEM}_stale_sensor")
    with quiet_instance() as instance, dg.build_sensor_context(instance) as context:
        found = sensor(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def requests(installation: Installation) -> list[dg.RunRequest]:
    found = tick(installation)
    assert isinstance(found, dg.SensorResult)
    assert found.run_requests is not None
    return [each for each in found.run_requests if isinstance(each, dg.RunRequest)]


def reason(installation: Installation) -> str:
    found = tick(installation)
    assert isinstance(found, dg.SkipReason)
    return str(found.skip_message)


def test_the_sensor_is_quiet_when_nothing_is_stale(finished: Installation) -> None:
    assert reason(finished) == "nothing is stale"


def test_the_sensor_asks_for_the_labels_of_a_changed_policy(built: Installation) -> None:
    built.change_policy("multi_signal", {"signals.add_to_cart.gain": 0.6})
    (request,) = requests(built)
    labels = dg.AssetKey([PROBLEM, "multi_signal", "labels"])
    assert request.asset_selection == [labels]
    assert request.tags == {RANGE_START: str(DAYS[0]), RANGE_END: str(DAYS[-1])}
    assert [each.run_key for each in requests(built)] == [request.run_key]

    built.change_policy("multi_signal", {"signals.add_to_cart.gain": 0.7})
    assert [each.run_key for each in requests(built)] != [request.run_key]


def test_a_run_that_the_sensor_asked_for_brings_the_next_step(built: Installation) -> None:
    built.change_policy("multi_signal", {"signals.add_to_cart.gain": 0.6})
    (request,) = requests(built)
    before = built.content_hashes()
    job = project_definitions(built.project()).resolve_job_def(f"{PROBLEM}_stale")
    with quiet_instance() as instance:
        done = job.execute_in_process(
            asset_selection=request.asset_selection, tags=request.tags, instance=instance
        )
    assert done.success
    after = built.content_hashes()
    changed = {folder.split("/day=")[0] for folder in after if after[folder] != before[folder]}
    assert changed == {"labels/policy=multi_signal"}
    (following,) = requests(built)
    assert following.asset_selection == [dg.AssetKey([PROBLEM, "multi_signal", "examples"])]
    assert following.tags == {RANGE_START: str(DAYS[-1]), RANGE_END: str(DAYS[-1])}


def test_the_sensor_waits_for_logs(ingested: Installation) -> None:
    lake = ingested.workspace.lake(PROBLEM).folder
    lake.rename(lake.with_name("elsewhere"))
    assert "no impressions were ingested yet" in reason(ingested)


def test_the_sensor_waits_for_enough_days(built: Installation) -> None:
    """Two days of log leave nothing to train on, which is no reason for an error every minute."""
    for table in ("impressions", "interactions"):
        built.forget(table, *DAYS[2:])
    for table in ("matched_interactions", "impression_signals"):
        built.build(table, *DAYS[:2])
    assert "found 2 days of log" in reason(built)


def test_the_sensor_asks_for_shared_tables_first(ingested: Installation) -> None:
    (request,) = requests(ingested)
    assert request.asset_selection == [dg.AssetKey([PROBLEM, "matched_interactions"])]
