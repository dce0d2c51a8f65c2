"""The command line on the whole product: again, from nothing, and after a policy has changed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from mlflow import MlflowClient

from label_platform.pipeline.context import Project
from label_platform.pipeline.definitions import project_definitions
from label_platform.pipeline.run import dagster_instance
from label_platform.tracking import TrackingStore
from tests.e2e.conftest import NETWORK_WATCH, SMALL, Installation, copied, installed

pytestmark = pytest.mark.e2e

POLICIES = ("raw_click", "ips_click", "multi_signal", "coec_click", "coec_multi_signal")
CHAIN = ("labels", "examples", "rankers", "evaluations")


def stale_assets(installation: Installation) -> set[str]:
    """The assets that Dagster itself shows as stale on some day that has them."""
    path = installation.workspace.problems / "product_search.yaml"
    definitions = project_definitions(Project.load(path, installation.workspace))
    graph = definitions.resolve_asset_graph()
    with dagster_instance(installation.workspace.dagster_home) as instance:
        resolver = CachingStaleStatusResolver(
            instance=instance, asset_graph=graph, loading_context=LoadingContextForTest(instance)
        )
        return {
            "/".join(key.path)
            for key in graph.get_all_asset_keys()
            for day in instance.get_materialized_partitions(key)
            if resolver.get_status(key, day).value == "STALE"
        }


def runs_of(installation: Installation) -> list[str]:
    store = TrackingStore(installation.workspace.mlflow_folder, "product_search")
    runs = MlflowClient(store.uri).search_runs([store.experiment_id], max_results=1000)
    return [run.data.tags.get("policy", "") for run in runs]


@pytest.fixture(scope="module")
def used(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A copy in which commands that build nothing are typed."""
    return copied(finished, tmp_path_factory.mktemp("used"))


def test_a_second_run_builds_nothing(used: Installation) -> None:
    before = used.content_hashes()
    assert {path.split("/")[0] for path in before} >= {"impressions", "labels", "comparisons"}
    assert used.run_json("run")["built"] == {}
    assert used.content_hashes() == before


def test_a_run_reaches_for_no_network(finished: Installation, used: Installation) -> None:
    watched = used.run("policies", "list")
    assert watched.returncode == 0
    for each in (finished, used):
        assert not each.network_log.exists(), each.network_log.read_text()


def test_the_watch_would_see_a_network_call(tmp_path: Path) -> None:
    log = tmp_path / "network.log"
    subprocess.run(
        [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 9), 0.01)"],
        env={**os.environ, "NETWORK_LOG": str(log), "PYTHONPATH": str(NETWORK_WATCH)},
        capture_output=True,
        check=False,
    )
    assert "192.0.2.1" in log.read_text()


def test_a_run_from_nothing_gives_the_same_contents(finished: Installation, tmp_path: Path) -> None:
    again = installed(tmp_path)
    again.run_json("run")
    assert again.content_hashes() == finished.content_hashes()


def test_a_changed_gain_rebuilds_one_policy_and_nothing_else(
    finished: Installation, tmp_path: Path
) -> None:
    installation = copied(finished, tmp_path)
    before = installation.content_hashes()
    runs_before = runs_of(installation)
    assert stale_assets(installation) == set()

    policy = installation.folder / "policies" / "multi_signal.yaml"
    text = policy.read_text()
    assert "gain: 0.5" in text
    policy.write_text(text.replace("gain: 0.5", "gain: 0.7"))

    assert stale_assets(installation) == {f"product_search/multi_signal/{t}" for t in CHAIN}
    outcome = installation.run_json("run")
    after = installation.content_hashes()
    changed = {path for path in after if after[path] != before[path]}
    assert outcome["built"] == {
        "labels": 10,
        "examples": 1,
        "rankers": 1,
        "evaluations": 1,
        "comparisons": 1,
    }
    assert {path.split("/day=")[0] for path in changed} <= {
        *(f"{table}/policy=multi_signal" for table in CHAIN),
        "comparisons",
    }
    assert any(path.startswith("labels/policy=multi_signal") for path in changed)
    added = runs_of(installation)
    assert added.count("multi_signal") == 2 * runs_before.count("multi_signal") > 0
    assert all(
        added.count(name) == runs_before.count(name) for name in POLICIES if name != "multi_signal"
    )


def test_a_refused_policy_does_not_keep_the_others(tmp_path: Path) -> None:
    installation = installed(tmp_path, replace(SMALL, lists_per_day=400))
    problem = installation.workspace.problems / "product_search.yaml"
    problem.write_text(problem.read_text() + "propensity: {min_clicks: 1000000}\n")
    done = installation.run("run", "--policies", "raw_click,coec_click")
    assert done.returncode == 1
    assert "refused coec_click" in done.stdout
    assert "raw_click" in done.stdout
    allowed = installation.run("run", "--policies", "raw_click,coec_click", "--allow-refused")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert {path.split("/day=")[0] for path in installation.content_hashes()} >= {
        "comparisons",
        "evaluations/policy=raw_click",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--problem", "data/problems/product_serch.yaml"), "there is no such file"),
        (("run", "--policies", "raw_clik"), "did you mean 'raw_click'?"),
        (("run", "--days", "yesterday"), "--days: expected FROM..TO"),
        (("run", "--logs", "nowhere"), "nowhere"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    used: Installation, arguments: tuple[str, ...], words: str
) -> None:
    done = used.run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
