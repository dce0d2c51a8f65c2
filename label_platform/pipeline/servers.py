"""Dagster's and MLflow's own pages, served on this machine only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from label_platform.first_contact.doctor.ports import LOOPBACK, port_is_free
from label_platform.pipeline.run import prepare_dagster_home
from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import TrackingStore

PROJECT_FOLDER = Path(__file__).parents[2]


@dataclass(frozen=True)
class Servers:
    """Where the pages are."""

    dagster: str
    mlflow: str


@contextmanager
def serving(
    workspace: Workspace, dagster_port: int, mlflow_port: int, *, timeout_s: float = 120.0
) -> Iterator[Servers]:
    """Both servers, up and answering; they end with the context.

    Raises:
        ConfigurationError: a port is taken.
        TimeoutError: a server did not answer in time.
    """
    for name, port in (("--dagster-port", dagster_port), ("--mlflow-port", mlflow_port)):
        _require_free(name, port)
    prepare_dagster_home(workspace.dagster_home)
    environment = os.environ | {
        "DAGSTER_HOME": str(workspace.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "LABEL_PLATFORM_DATA": str(workspace.folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "true",
    }
    store = TrackingStore(workspace.mlflow_folder, "")
    store.prepare()
    # A shell that starts this in the background has SIGINT ignored, the servers would inherit that,
    # and `dagster dev` then ignores SIGTERM too; a handler of ours is not inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as stack:
        for command in (_dagster_command(dagster_port), _mlflow_command(store.uri, mlflow_port)):
            stack.enter_context(_running(command, environment))
        servers = Servers(f"http://{LOOPBACK}:{dagster_port}", f"http://{LOOPBACK}:{mlflow_port}")
        _wait_for(f"{servers.dagster}/server_info", timeout_s)
        _wait_for(f"{servers.mlflow}/health", timeout_s)
        yield servers


def serve(
    workspace: Workspace, dagster_port: int, mlflow_port: int, say: Callable[[str], None]
) -> None:
    """Serve both until Ctrl-C."""
    say("starting Dagster and MLflow ...")
    with serving(workspace, dagster_port, mlflow_port) as servers:
        say(f"Dagster  {servers.dagster}/asset-groups")
        say(f"MLflow   {servers.mlflow}/#/experiments")
        say("Ctrl-C ends both")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            say("stopping ...")


def _dagster_command(port: int) -> list[str]:
    workspace = ["--workspace", str(PROJECT_FOLDER / "workspace.yaml")]
    where = ["--host", LOOPBACK, "--port", str(port)]
    return [sys.executable, "-m", "dagster", "dev", *workspace, *where]


def _mlflow_command(uri: str, port: int) -> list[str]:
    where = ["--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, *where]


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    # a session of its own, so that it ends as a whole
    process = subprocess.Popen(  # noqa: S603 - fixed commands
        command,
        env=environment,
        cwd=PROJECT_FOLDER,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        restore_signals=True,
    )
    try:
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue


def _require_free(option: str, port: int) -> None:
    if not port_is_free(port):
        raise ConfigurationError(
            f"{option}: port {port} is taken on this machine; choose another one"
        )


def _wait_for(url: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - our own loopback address
                return
        except (URLError, OSError):
            time.sleep(0.3)
    raise TimeoutError(f"{url} did not answer within {timeout_s:.0f} s")
