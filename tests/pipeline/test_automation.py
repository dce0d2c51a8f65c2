"""The sensors: they ask for what is new or stale, and what they ask for can be run."""

import gzip
import os
import time
from contextlib import nullcontext

import dagster as dg

from label_platform.pipeline.definitions import project_definitions
from tests.pipeline.conftest import DAYS, PROBLEM, Installation, day, quiet_instance

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def tick(
    installation: Installation,
    instance: dg.DagsterInstance | None = None,
    sensor: str = "stale",
) -> dg.SensorResult | dg.SkipReason:
    repository = project_definitions(installation.project()).get_repository_def()
    definition = repository.get_sensor_def(f"{PROBLEM}_{sensor}_sensor")
    with (
        nullcontext(instance) if instance else quiet_instance() as known,
        dg.build_sensor_context(known) as context,
    ):
        found = definition(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def requests(
    installation: Installation,
    instance: dg.DagsterInstance | None = None,
    sensor: str = "stale",
) -> list[dg.RunRequest]:
    found = tick(installation, instance, sensor)
    assert isinstance(found, dg.SensorResult)
    assert found.run_requests is not None
    return [each for each in found.run_requests if isinstance(each, dg.RunRequest)]


def reason(
    installation: Installation,
    instance: dg.DagsterInstance | None = None,
    sensor: str = "stale",
) -> str:
    found = tick(installation, instance, sensor)
    assert isinstance(found, dg.SkipReason)
    return str(found.skip_message)


def launch(
    installation: Installation, request: dg.RunRequest, job: str, instance: dg.DagsterInstance
) -> bool:
    """Run what a sensor asked for, as the daemon does; whether it succeeded."""
    definition = project_definitions(installation.project()).resolve_job_def(f"{PROBLEM}_{job}")
    done = definition.execute_in_process(
        asset_selection=request.asset_selection,
        tags=request.tags,
        instance=instance,
        raise_on_error=False,
    )
    return done.success


def selected(found: list[dg.RunRequest]) -> dict[str, tuple[str, str]]:
    """The days that are asked for, by asset."""
    return {
        "/".join(key.path[1:]): (each.tags[RANGE_START], each.tags[RANGE_END])
        for each in found
        for key in each.asset_selection or ()
    }


def test_the_sensor_is_quiet_when_nothing_is_stale(finished: Installation) -> None:
    assert reason(finished) == "nothing is stale"


def test_the_sensor_asks_for_the_labels_of_a_changed_policy(built: Installation) -> None:
    built.change_policy("multi_signal", {"signals.add_to_cart.gain": 0.6})
    (request,) = requests(built)
    labels = dg.AssetKey([PROBLEM, "multi_signal", "labels"])
    assert request.asset_selection == [labels]
    assert selected([request]) == {"multi_signal/labels": (str(DAYS[0]), str(DAYS[-1]))}
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
    assert selected([following]) == {"multi_signal/examples": (str(DAYS[-1]), str(DAYS[-1]))}


def test_the_sensor_waits_for_logs(ingested: Installation) -> None:
    lake = ingested.workspace.lake(PROBLEM).folder
    lake.rename(lake.with_name("elsewhere"))
    assert "no impressions were ingested yet" in reason(ingested)


def test_the_sensor_waits_for_enough_days(built: Installation) -> None:
    """Six days of log leave nothing to train on: no reason for an error every minute."""
    built.change_problem({"training.validate": "9d"})
    built.build("propensities", *DAYS)  # labels, and what they need, do not wait
    for policy in built.project().policies:
        built.build("labels", *DAYS, policy=policy.name)
    assert "found 6 days of log" in reason(built)


def test_the_sensor_asks_for_shared_tables_first(ingested: Installation) -> None:
    (request,) = requests(ingested)
    assert request.asset_selection == [dg.AssetKey([PROBLEM, "matched_interactions"])]


def test_a_file_that_is_dropped_is_read_and_makes_stale_what_it_touches(
    built: Installation,
) -> None:
    """From the file to the labels of one day, by what the sensors ask for and nothing else."""
    with quiet_instance() as instance:
        assert reason(built, instance, "inbox") == "no log file is new"
        dropped = built.drop_late_purchase(day(2))
        assert reason(built, instance, "inbox") == "no log file is new; 1 may still be written"

        hour_ago = time.time() - 3600
        os.utime(dropped, (hour_ago, hour_ago))
        (request,) = requests(built, instance, "inbox")
        assert [each.run_key for each in requests(built, instance, "inbox")] == [request.run_key]
        os.utime(dropped, (hour_ago + 60, hour_ago + 60))
        (changed,) = requests(built, instance, "inbox")
        assert changed.run_key != request.run_key

        before = built.content_hashes()
        assert reason(built, instance) == "nothing is stale"
        assert launch(built, changed, "daily", instance)
        after = built.content_hashes()
        assert {each for each in after if after[each] != before[each]} == {
            f"interactions/day={day(4)}"
        }
        assert reason(built, instance, "inbox") == "no log file is new"

        for expected in (
            # returns of the next two days may be of this purchase
            {"matched_interactions": (str(day(4)), str(day(6)))},
            {"impression_signals": (str(day(2)), str(day(2)))},
        ):
            found = requests(built, instance)
            assert selected(found) == expected
            assert all(launch(built, each, "stale", instance) for each in found)


def test_a_file_that_changes_is_read_again(built: Installation) -> None:
    path = next(iter(sorted(built.logs.glob("interactions/*.jsonl.gz"))))
    hour_ago = time.time() - 3600
    path.write_bytes(path.read_bytes() + gzip.compress(b"{}\n"))
    os.utime(path, (hour_ago, hour_ago))
    (request,) = requests(built, sensor="inbox")
    assert selected([request]) == {}  # the whole job, which reads logs and nothing else
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (str(DAYS[-1]), str(DAYS[-1]))


def test_an_inbox_without_files_is_no_error(built: Installation) -> None:
    for path in built.logs.glob("interactions/*"):
        path.unlink()
    assert "logs.0.interactions: found no file" in reason(built, sensor="inbox")


def test_a_reading_that_fails_is_tried_three_times(built: Installation) -> None:
    """A secret is missing: every run fails, until somebody mends that and drops another file."""
    dropped = built.drop_late_purchase(day(2))
    hour_ago = time.time() - 3600
    os.utime(dropped, (hour_ago, hour_ago))
    built.change_problem({"user_ids": "keyed"})
    keys = []
    with quiet_instance() as instance:
        for _ in range(3):
            (request,) = requests(built, instance, "inbox")
            keys.append(request.run_key)
            assert not launch(built, request, "daily", instance)
        assert "failed 3 times" in reason(built, instance, "inbox")
        assert "reading 1 log files" in reason(built, instance, "inbox")
        os.utime(dropped, (hour_ago + 60, hour_ago + 60))
        assert len(requests(built, instance, "inbox")) == 1
    assert len(set(keys)) == 3


def test_work_that_fails_is_tried_three_times_and_the_comparison_goes_on(
    built: Installation,
) -> None:
    """No click is followed by so long a stay: the examples fail their check each time."""
    minimum = {"of": "dwell_s", "shape": "minimum", "cap": 1_000_000}
    built.change_policy("coec_click", {"signals.click.quality": minimum})
    built.forget("comparisons", DAYS[-1])
    last = (str(DAYS[-1]), str(DAYS[-1]))
    with quiet_instance() as instance:
        (labels,) = requests(built, instance)
        assert selected([labels]).keys() == {"coec_click/labels"}
        assert launch(built, labels, "stale", instance)
        keys = []
        for _ in range(3):
            (examples,) = requests(built, instance)
            assert selected([examples]) == {"coec_click/examples": last}
            keys.append(examples.run_key)
            assert not launch(built, examples, "stale", instance)
        assert len(set(keys)) == 3

        built.forget("evaluations", DAYS[-1], policy="raw_click")
        (evaluation,) = requests(built, instance)
        assert selected([evaluation]) == {"raw_click/evaluations": last}
        assert launch(built, evaluation, "stale", instance)
        (comparison,) = requests(built, instance)
        assert selected([comparison]) == {"comparisons": last}
        assert launch(built, comparison, "stale", instance)
        assert reason(built, instance) == (
            "failed 3 times and is not requested again until something changes that it is made "
            f"from: examples of coec_click, {DAYS[-1]} to {DAYS[-1]}"
        )
        built.change_policy("coec_click", {"signals.click.quality": None})
        assert selected(requests(built, instance)).keys() == {"coec_click/labels"}


def test_nobody_to_compare_is_a_reason_and_no_error(built: Installation) -> None:
    """Every policy is refused: the comparison has no work that could be named."""
    built.change_problem({"propensity": {"min_clicks": 1_000_000}, "policies.use": ["coec_click"]})
    built.change_problem({"policies.baseline": "coec_click"})
    built.build("propensities", *DAYS)
    assert "no policy was evaluated" in reason(built)
