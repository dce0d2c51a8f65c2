"""A look at the machine: what is wrong is said with what to do, and ends with 1."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from label_platform.cli import application

PROJECT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from label_platform.cli import main; main()", "doctor"]
Look = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Look:
    """The command within this process: its exit code, and its findings by their check."""

    def look(*options: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.chdir(PROJECT)
        monkeypatch.setattr(sys, "argv", ["label-platform", "doctor", "--json", *options])
        with pytest.raises(SystemExit) as end:
            application.main()
        listed = json.loads(capsys.readouterr().out)
        return int(end.value.code or 0), {each["check"]: each for each in listed}

    return look


def test_a_taken_port_is_a_warning(findings: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, found = findings("--dagster-port", str(port))
    assert found["port, dagster"]["status"] == "warning"
    assert found["port, dagster"]["found"] == f"{port} is taken"


@pytest.mark.parametrize("secret", ["", "a secret that is long enough"])
def test_keyed_users_need_a_secret(
    findings: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    problem = tmp_path / "keyed.yaml"
    text = (PROJECT / "data" / "problems" / "product_search.yaml").read_text()
    text = text.replace("user_ids: public", "user_ids: keyed")
    problem.write_text(text.replace("../../policies", str(PROJECT / "policies")))
    if secret:
        monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", secret)
    code, found = findings("--problem", str(problem))
    about = [each for each in found.values() if "LABEL_PLATFORM_USER_SECRET" in json.dumps(each)]
    assert about
    is_missing = [each for each in about if each["status"] == "problem"]
    assert bool(is_missing) == (not secret)
    if not secret:
        assert code == 1


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """A process of its own: what only shows when it ends would be seen too."""
    done = subprocess.run(
        [*COMMAND, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=os.environ | {"LABEL_PLATFORM_DATA": str(tmp_path)},
    )
    assert json.loads(done.stdout), done.stderr
    assert list(tmp_path.rglob("*")) == []
