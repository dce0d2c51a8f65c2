"""The pages of `make ui`, seen by a real browser, and a materialisation started as they do it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import sync_playwright

from label_platform.pipeline.servers import Servers, serving
from tests.e2e.conftest import LABEL_PLATFORM, Installation, copied

pytestmark = pytest.mark.e2e

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAUNCH = """
mutation Launch($executionParams: ExecutionParams!) {
  launchPipelineExecution(executionParams: $executionParams) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on InvalidSubsetError { message }
  }
}"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
AUTOMATION = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name } sensors { name } } } } }"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(servers: Servers, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    request = Request(  # noqa: S310 - our own loopback address
        f"{servers.dagster}/graphql", body, {"content-type": "application/json"}
    )
    with urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        found = json.load(answer)
    assert "errors" not in found, found
    return dict(found["data"])


@pytest.fixture(scope="module")
def servers(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    shown = copied(finished, tmp_path_factory.mktemp("shown"))
    with serving(shown.workspace, free_port(), free_port()) as running:
        yield running


def test_a_materialisation_started_from_the_interface_succeeds(servers: Servers) -> None:
    launched = ask(
        servers,
        LAUNCH,
        {
            "executionParams": {
                "selector": {
                    "jobName": "__ASSET_JOB",
                    "repositoryName": "__repository__",
                    "repositoryLocationName": "label_platform",
                    "assetSelection": [{"path": ["product_search", "raw_click", "labels"]}],
                },
                "mode": "default",
                "runConfigData": {},
                "executionMetadata": {
                    "tags": [{"key": "dagster/partition", "value": "2026-10-02"}]
                },
            }
        },
    )["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    status = ""
    for _ in range(120):
        status = ask(servers, STATUS, {"id": launched["run"]["runId"]})["runOrError"]["status"]
        if status in {"SUCCESS", "FAILURE", "CANCELED"}:
            break
        time.sleep(0.5)
    assert status == "SUCCESS"


def test_schedule_and_sensor_are_there(servers: Servers) -> None:
    nodes = ask(servers, AUTOMATION)["repositoriesOrError"]["nodes"]
    assert {each["name"] for node in nodes for each in node["schedules"]} >= {
        "product_search_daily_schedule"
    }
    assert {each["name"] for node in nodes for each in node["sensors"]} >= {
        "product_search_stale_sensor"
    }


def descendants(ancestor: int) -> set[int]:
    """The processes that a process has started, and theirs."""
    listed = subprocess.run(
        ["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    parents = {int(child): int(parent) for child, parent in rows}
    found, before = {ancestor}, set[int]()
    while found != before:
        before = found
        found = before | {child for child, parent in parents.items() if parent in before}
    return found - {ancestor}


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_who_ends_the_interface_ends_all_that_it_started(tmp_path: Path) -> None:
    """As `timeout` or a container's end does it, with somebody in a hurry beside it."""
    ports = [str(free_port()), str(free_port())]
    command = [str(LABEL_PLATFORM), "ui", "--dagster-port", ports[0], "--mlflow-port", ports[1]]
    environment = os.environ | {"LABEL_PLATFORM_DATA": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, start_new_session=True
    ) as interface:
        assert interface.stdout is not None
        while b"Ctrl-C ends both" not in (line := interface.stdout.readline()):
            assert line, "it ended before it served"
        started = descendants(interface.pid)
        for number in (signal.SIGTERM, signal.SIGINT):
            interface.send_signal(number)
            time.sleep(0.5)
        code = interface.wait(timeout=60)
    deadline = time.monotonic() + 20
    while (left := set(filter(is_running, started))) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert not left
    assert code == 128 + signal.SIGTERM
    assert len(started) >= len(["dagster", "webserver", "daemon", "mlflow"])


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_the_pages_show_what_was_built(servers: Servers, tmp_path: Path) -> None:
    asset = f"{servers.dagster}/assets/product_search"
    pages = {
        "lineage": (f"{servers.dagster}/asset-groups", "product_search__logs"),
        "policy": (
            f"{servers.dagster}/locations/label_platform/asset-groups/product_search__ips_click/lineage",
            "evaluations",
        ),
        "partitions": (f"{asset}/impression_signals?view=partitions", "2026-10-10"),
        "checks": (f"{asset}/impression_signals?view=checks", "impression_id_unique"),
        "automation": (f"{servers.dagster}/automation", "product_search_daily_schedule"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for name, (url, expected) in pages.items():
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(url)
            page.get_by_text(expected).locator("visible=true").first.wait_for(timeout=30_000)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(1500)
            page.screenshot(path=screenshot(tmp_path, name))
            page.close()
        page = browser.new_page(viewport={"width": 1900, "height": 1000})
        page.goto(f"{servers.mlflow}/#/experiments")
        page.get_by_text("product_search").first.wait_for(timeout=60_000)
        page.screenshot(path=screenshot(tmp_path, "mlflow"))
        browser.close()


def screenshot(folder: Path, name: str) -> Path:
    """Where a picture goes: LOOK_AT names a folder for people who want to look at it."""
    chosen = Path(os.environ.get("LOOK_AT", folder))
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen / f"{name}.png"
