"""label-platform doctor: a line per check, exit code 1 on a problem, nothing left behind."""

import json
import socket
import sys
from pathlib import Path

import pytest

from label_platform.cli import application
from tests.first_contact.conftest import event, guess, impression, write_native

SECRET = "LABEL_PLATFORM_USER_SECRET"  # noqa: S105 - a variable's name
STATUSES = {"ok", "warning", "problem"}


@pytest.fixture
def problem_file(tmp_path: Path) -> Path:
    logs = write_native(tmp_path / "logs", [impression(0)], [event("click")])
    return guess(logs, tmp_path / "mine.yaml").path


def free_ports() -> list[str]:
    """Options with ports that nobody uses."""
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        dagster, mlflow = (str(probe.getsockname()[1]) for probe in (first, second))
    return ["--dagster-port", dagster, "--mlflow-port", mlflow]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["label-platform", "doctor", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def test_a_sound_installation(
    problem_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(SECRET, "a secret of sixteen letters")
    before = sorted(tmp_path.rglob("*"))
    assert run(monkeypatch, "--problem", problem_file, *free_ports()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    for words in ("python", "lightgbm loads", "memory", "port, mlflow", "user secret", "log files"):
        assert any(words in line for line in lines), words
    assert sorted(tmp_path.rglob("*")) == before


def test_a_problem_is_said_with_what_to_do(
    problem_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--problem", problem_file, *free_ports()) == 1
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("problem")]
    assert f"found no {SECRET}, expected a secret, as user_ids are keyed" in line
    assert f"export {SECRET}=" in line


def test_for_programs(
    problem_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ports = [*free_ports()[:2], "--mlflow-port", port]
        monkeypatch.setenv(SECRET, "short")
        assert run(monkeypatch, "--problem", problem_file, "--json", *ports) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(set(each) == {"check", "status", "found", "expected", "advice"} for each in found)
    assert {each["status"] for each in found} <= STATUSES
    warned = [each["check"] for each in found if each["status"] == "warning"]
    assert warned == ["port, mlflow", "user secret"]


def test_a_missing_problem_file_is_a_problem_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--problem", tmp_path / "x.yaml", *free_ports()) == 1
    assert "there is no such file" in capsys.readouterr().out


def test_without_a_problem_the_rest_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, *free_ports()) == 0
    assert "label-platform init LOGS writes one" in capsys.readouterr().out
    assert not (tmp_path / "data").exists()
