"""A look at the machine: what is wrong is said with what to do, and ends with 1."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from label_platform.cli import main; main()", "doctor"]
PORTS = ("--dagster-port", "0", "--mlflow-port", "0")


def findings(folder: Path, *options: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the findings by their check."""
    kept = {name: value for name, value in os.environ.items() if "LABEL_PLATFORM" not in name}
    done = subprocess.run(
        [*COMMAND, "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=kept | {"LABEL_PLATFORM_DATA": str(folder)} | variables,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    listed = found["findings"] if isinstance(found, dict) else found
    return done.returncode, {each["check"]: each for each in listed}


def test_a_taken_port_is_a_warning(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, found = findings(tmp_path, "--dagster-port", str(port))
    assert found["port, dagster"]["status"] == "warning"
    assert found["port, dagster"]["found"] == f"{port} is taken"


@pytest.mark.parametrize("secret", ["", "a secret that is long enough"])
def test_keyed_users_need_a_secret(tmp_path: Path, secret: str) -> None:
    problem = tmp_path / "keyed.yaml"
    text = (PROJECT / "data" / "problems" / "product_search.yaml").read_text()
    text = text.replace("user_ids: public", "user_ids: keyed")
    problem.write_text(text.replace("../../policies", str(PROJECT / "policies")))
    variables = {"LABEL_PLATFORM_USER_SECRET": secret} if secret else {}
    code, found = findings(tmp_path, "--problem", str(problem), **variables)
    about = [each for each in found.values() if "LABEL_PLATFORM_USER_SECRET" in json.dumps(each)]
    assert about
    is_missing = [each for each in about if each["status"] == "problem"]
    assert bool(is_missing) == (not secret)
    if not secret:
        assert code == 1


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    findings(tmp_path)
    assert list(tmp_path.rglob("*")) == []
