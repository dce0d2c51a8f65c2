"""Dagster's and MLflow's own pages, served on this machine only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from label_platform.first_contact.doctor.ports import LOOPBACK, port_is_free
from label_platform.pipeline.run import prepare_dagster_home
from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import TrackingStore

PROJECT_FOLDER = Path(__file__).parents[2]


_LAST_LINES = 20
_LONGEST_TAIL = 8192


class ServerError(RuntimeError):
    """A server that ended by itself or does not answer, with the last lines that it printed."""


@dataclass(frozen=True)
class Server:
    """A process of ours that serves pages.

    Attributes:
        name: what people call it.
        process: the process that was started; it may have children.
        log: the file that all of them print to.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_running(self) -> None:
        """Notice a server that is gone.

        Raises:
            ServerError: it ended.
        """
        code = self.process.poll()
        if code is not None:
            raise ServerError(f"{self.name} ended with exit code {code}; {self.last_lines()}")

    def last_lines(self) -> str:
        """The end of what it printed, and where the rest is."""
        with self.log.open("rb") as printed:
            printed.seek(max(0, self.log.stat().st_size - _LONGEST_TAIL))
            lines = printed.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        said = "\n".join(lines)
        return f"the end of {self.log}:\n{said}" if said else f"{self.log} is empty"


@dataclass(frozen=True)
class Servers:
    """Where the pages are, and what serves them."""

    dagster: str
    mlflow: str
    running: tuple[Server, ...] = ()

    def require_running(self) -> None:
        """Notice a server that is gone.

        Raises:
            ServerError: one of them ended.
        """
        for server in self.running:
            server.require_running()


@contextmanager
def serving(
    workspace: Workspace, dagster_port: int, mlflow_port: int, *, timeout_s: float = 120.0
) -> Iterator[Servers]:
    """Both servers, up and answering; they end with the context.

    Raises:
        ConfigurationError: a port is taken.
        ServerError: a server ended, or did not answer in time.
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
    with ExitStack() as stack:
        stack.enter_context(_stopped_by_signals())
        commands = {
            "dagster": _dagster_command(dagster_port),
            "mlflow": _mlflow_command(store.uri, mlflow_port),
        }
        running = tuple(
            stack.enter_context(
                _running(name, command, environment, workspace.server_logs / f"{name}.log")
            )
            for name, command in commands.items()
        )
        dagster, mlflow = (f"http://{LOOPBACK}:{port}" for port in (dagster_port, mlflow_port))
        deadline = time.monotonic() + timeout_s
        _wait_for(f"{dagster}/server_info", running[0], deadline)
        _wait_for(f"{mlflow}/health", running[1], deadline)
        yield Servers(dagster, mlflow, running)


def serve(
    workspace: Workspace, dagster_port: int, mlflow_port: int, say: Callable[[str], None]
) -> None:
    """Serve both until Ctrl-C, or until the process is asked to end.

    Raises:
        ConfigurationError: a port is taken.
        ServerError: a server did not start, or ended later.
        SystemExit: SIGTERM or SIGHUP came; the servers have ended.
    """
    say("starting Dagster and MLflow ...")
    with serving(workspace, dagster_port, mlflow_port) as servers:
        say(f"Dagster  {servers.dagster}/asset-groups")
        say(f"MLflow   {servers.mlflow}/#/experiments")
        say("Ctrl-C ends both")
        try:
            while True:
                servers.require_running()
                time.sleep(1)
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
def _stopped_by_signals() -> Iterator[None]:
    """Let whatever asks this process to end be raised, so that contexts end their servers.

    A shell that starts this in the background has SIGINT ignored, the servers would inherit that,
    and `dagster dev` then ignores SIGTERM too; a handler of ours is not inherited. SIGHUP stays
    ignored where it is: that is what nohup is for.
    """

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: leave,
    }
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = leave
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _running(
    name: str, command: list[str], environment: dict[str, str], log: Path
) -> Iterator[Server]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as printed:
        # a session of its own, so that it ends as a whole
        process = subprocess.Popen(  # noqa: S603 - fixed commands
            command,
            env=environment,
            cwd=PROJECT_FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            restore_signals=True,
        )
    try:
        yield Server(name, process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a session to end, ever less kindly; who asks us again meanwhile hurries it."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=10)
        except (subprocess.TimeoutExpired, KeyboardInterrupt, SystemExit):
            continue


def _require_free(option: str, port: int) -> None:
    if not port_is_free(port):
        raise ConfigurationError(
            f"{option}: port {port} is taken on this machine; choose another one"
        )


def _wait_for(url: str, server: Server, deadline: float) -> None:
    while time.monotonic() < deadline:
        server.require_running()
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - our own loopback address
                return
        except (URLError, OSError, HTTPException):
            time.sleep(0.3)
    raise ServerError(f"{url} did not answer in time; {server.last_lines()}")
