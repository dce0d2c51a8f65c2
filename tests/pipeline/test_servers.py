"""What keeps the pages from being served is said: a port that is taken, a server that ends."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from label_platform.cli import application
from label_platform.pipeline.servers import LOOPBACK, Server, ServerError, Servers, serving
from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


def free() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("option", ["--dagster-port", "--mlflow-port"])
def test_a_taken_port_is_refused_by_its_option(
    taken: int, option: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ports = (taken, free()) if option == "--dagster-port" else (free(), taken)
    folder = tmp_path_factory.mktemp("workspace") / "data"
    expected = f"{option}: port {taken} is taken on this machine; choose another one"
    with pytest.raises(ConfigurationError, match=expected), serving(Workspace(folder), *ports):
        pass
    assert not folder.exists()


def test_a_server_that_does_not_start_is_noticed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dagster refuses its settings: its own words are shown, long before the two minutes are up."""
    workspace = Workspace(tmp_path / "data")
    workspace.dagster_home.mkdir(parents=True)
    (workspace.dagster_home / "dagster.yaml").write_text("telemetree: {enabled: false}\n")
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(workspace.folder))
    ports = ["--dagster-port", str(free()), "--mlflow-port", str(free())]
    monkeypatch.setattr(sys, "argv", ["label-platform", "ui", *ports])
    started = time.monotonic()
    with pytest.raises(SystemExit) as end:
        application.main()
    assert time.monotonic() - started < 60
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert "failed dagster ended with exit code 1; the end of " in error
    assert "telemetree" in error
    assert "telemetree" in (workspace.server_logs / "dagster.log").read_text()


def test_a_server_that_ends_later_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "pages.log"
    lines = "; ".join(f"print('line {number}')" for number in range(30))
    with log.open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-c", f"input(); {lines}; raise SystemExit(7)"],
            stdin=subprocess.PIPE,
            stdout=printed,
        )
    servers = Servers("", "", (Server("pages", process, log),))
    servers.require_running()
    process.communicate(b"go on\n", timeout=30)
    with pytest.raises(ServerError) as error:
        servers.require_running()
    assert str(error.value).splitlines() == [
        f"pages ended with exit code 7; the end of {log}:",
        *(f"line {number}" for number in range(10, 30)),
    ]
