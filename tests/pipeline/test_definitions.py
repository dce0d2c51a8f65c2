"""What Dagster is told: assets, groups, versions, partitions, jobs."""

from datetime import timedelta

import dagster as dg
import pytest

from label_platform.pipeline.assets import asset_key, partitions_definition
from label_platform.pipeline.definitions import build_definitions, project_definitions
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import label_version, policy_version
from tests.pipeline.conftest import DAYS, POLICIES, PROBLEM, PROJECT, Installation

ASSETS = [
    "product_search/coec_click/evaluations",
    "product_search/coec_click/examples",
    "product_search/coec_click/labels",
    "product_search/coec_click/rankers",
    "product_search/comparisons",
    "product_search/impression_signals",
    "product_search/impressions",
    "product_search/interactions",
    "product_search/items",
    "product_search/matched_interactions",
    "product_search/multi_signal/evaluations",
    "product_search/multi_signal/examples",
    "product_search/multi_signal/labels",
    "product_search/multi_signal/rankers",
    "product_search/orphaned_interactions",
    "product_search/position_statistics",
    "product_search/propensities",
    "product_search/raw_click/evaluations",
    "product_search/raw_click/examples",
    "product_search/raw_click/labels",
    "product_search/raw_click/rankers",
    "product_search/rejected_records",
    "product_search/requests",
]
GROUPS = {
    "impressions": "logs",
    "interactions": "logs",
    "items": "logs",
    "requests": "logs",
    "rejected_records": "logs",
    "matched_interactions": "signals",
    "impression_signals": "signals",
    "orphaned_interactions": "signals",
    "position_statistics": "signals",
    "propensities": "propensities",
    "comparisons": "comparison",
}


@pytest.fixture
def definitions(finished: Installation) -> dg.Definitions:
    return project_definitions(finished.project())


def code_versions(installation: Installation) -> dict[str, str | None]:
    graph = project_definitions(installation.project()).resolve_asset_graph()
    return {key.to_user_string(): graph.get(key).code_version for key in graph.get_all_asset_keys()}


def test_every_table_is_an_asset(definitions: dg.Definitions) -> None:
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert sorted(key.to_user_string() for key in keys) == ASSETS


def test_a_policy_is_a_group(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        *of_policy, table = key.path[1:]
        expected = of_policy[0] if of_policy else GROUPS[table]
        assert graph.get(key).group_name == f"{PROBLEM}__{expected}", key


def test_a_policys_assets_carry_its_versions(finished: Installation) -> None:
    project = finished.project()
    versions = code_versions(finished)
    for policy in project.policies:
        chain = f"{PROBLEM}/{policy.name}"
        assert versions[f"{chain}/labels"] == label_version(policy, project.problem)
        for table in ("examples", "rankers", "evaluations"):
            assert versions[f"{chain}/{table}"] == policy_version(policy, project.problem)


def test_a_changed_ranker_is_a_new_version_of_what_follows_the_labels(
    built: Installation,
) -> None:
    before = code_versions(built)
    built.change_policy("raw_click", {"rankers": [{"objective": "lambdarank"}]})
    after = code_versions(built)
    assert {name for name in after if after[name] != before[name]} == {
        f"{PROBLEM}/raw_click/{table}" for table in ("examples", "rankers", "evaluations")
    }


def test_a_closed_log_has_the_partitions_of_its_days(finished: Installation) -> None:
    keys = partitions_definition(finished.project()).get_partition_keys()
    assert keys == [str(day) for day in DAYS]


def test_an_open_log_grows_by_a_partition_a_day(built: Installation) -> None:
    built.change_problem({"end_date": None})
    partitions = partitions_definition(built.project())
    assert partitions.end is None
    assert partitions.timezone == "UTC"
    first = partitions.get_first_partition_window()
    assert first is not None
    assert first.start.date() == DAYS[0]
    assert first.end - first.start == timedelta(days=1)


def test_labels_follow_the_signals_and_the_propensities_of_their_day(
    finished: Installation, definitions: dg.Definitions
) -> None:
    project = finished.project()
    graph = definitions.resolve_asset_graph()
    labels = graph.get(asset_key(project, "labels", "coec_click"))
    parents = {asset_key(project, table) for table in ("impression_signals", "propensities")}
    assert labels.parent_keys == parents
    comparisons = graph.get(asset_key(project, "comparisons"))
    assert comparisons.parent_keys == {
        asset_key(project, "evaluations", policy) for policy in POLICIES
    }


def test_checks_of_the_models_are_listed(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    listed: dict[str, dict[str, bool]] = {}
    for key in graph.asset_check_keys:
        blocking = graph.get_check_spec(key).blocking
        listed.setdefault("/".join(key.asset_key.path[1:]), {})[key.name] = blocking
    assert listed["impression_signals"].keys() >= {
        "impression_id_unique",
        "impression_id_not_null",
        "position_accepted_range",
    }
    gates = (
        *("verdict_is_not_a_refusal", "intervals_are_narrow", "estimates_agree"),
        *("clicks_follow_the_position_model", "position_model_could_be_tested"),
        "curve_stays_the_same",
    )
    assert listed["propensities"] == dict.fromkeys(gates, False)
    for policy in POLICIES:
        assert listed[f"{policy}/examples"] == {
            "labels_are_finite": True,
            "weights_are_usable": True,
            "some_label_is_positive": True,
        }
    assert not listed["impression_signals"].pop("share_of_excluded_impressions_is_usual")
    assert all(listed["impression_signals"].values())
    assert listed["impressions"] == {"counts_reconcile": True}
    assert listed["orphaned_interactions"]["attributed_and_orphaned_are_all_events"]


def test_nothing_is_learned_while_events_are_unaccounted_for(
    finished: Installation, definitions: dg.Definitions
) -> None:
    """Everything after the signals waits for the table whose check counts the events."""
    project = finished.project()
    graph = definitions.resolve_asset_graph()
    waiting = graph.get(asset_key(project, "orphaned_interactions")).child_keys
    assert waiting == {asset_key(project, "position_statistics")}
    after = graph.get(asset_key(project, "position_statistics")).child_keys
    assert after == {asset_key(project, "propensities")}


def test_jobs_schedule_and_sensor(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert set(repository.job_names) >= {
        f"{PROBLEM}_{name}" for name in ("daily", "comparison", "stale")
    }
    (schedule,) = repository.schedule_defs
    assert schedule.job_name == f"{PROBLEM}_daily"
    assert schedule.cron_schedule == "0 3 * * *"
    assert {sensor.name: sensor.job_name for sensor in repository.sensor_defs} == {
        f"{PROBLEM}_inbox_sensor": f"{PROBLEM}_daily",
        f"{PROBLEM}_stale_sensor": f"{PROBLEM}_stale",
    }
    # whoever wants them switches them on
    assert {sensor.default_status for sensor in repository.sensor_defs} == {
        dg.DefaultSensorStatus.STOPPED
    }
    daily = definitions.resolve_job_def(f"{PROBLEM}_daily").asset_layer
    comparison = definitions.resolve_job_def(f"{PROBLEM}_comparison").asset_layer
    compared = {dg.AssetKey([PROBLEM, "comparisons"])}
    assert comparison.executable_asset_keys == compared
    assert {key.path[-1] for key in daily.executable_asset_keys} == {
        *("impressions", "interactions", "requests", "items", "rejected_records")
    }


def test_the_products_own_problems_load() -> None:
    workspace = Workspace(PROJECT / "data")
    names = {path.stem for path in workspace.problems.glob("*.yaml")}
    assert len(names) > 1
    definitions = build_definitions(workspace)
    dg.Definitions.validate_loadable(definitions)
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert {key.path[0] for key in keys} == names
