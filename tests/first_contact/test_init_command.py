"""label-platform init: what it writes, says, and refuses."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from label_platform.cli import application
from label_platform.pipeline.context import Project
from label_platform.pipeline.workspace import Workspace
from label_platform.problem import load_problem
from tests.first_contact.conftest import event, impression, write_lines, write_native

SECRET = "LABEL_PLATFORM_USER_SECRET"  # noqa: S105 - a variable's name


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    shown = [impression(n, f_age=n) for n in range(9)]
    return write_native(tmp_path / "Web Shop" / "logs", shown, [event("click")])


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    return command(monkeypatch, "init", *arguments)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["label-platform", *map(str, arguments)])
    try:
        application.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_problem_file_in_the_workspace_called_after_the_folder(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, logs) == 0
    path = tmp_path / "data" / "problems" / "web_shop.yaml"
    assert load_problem(path).name == "web_shop"
    shown = capsys.readouterr().out
    assert f"wrote {path}" in shown
    assert "Seen: 9 impressions in 3 lists" in shown
    assert f"export {SECRET}=" in shown
    assert f"  label-platform run --problem {path}" in shown
    assert "please check" not in shown


def test_lists_of_one_item_are_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [impression(n, request_id=f"r{n}") for n in range(3)]
    logs = write_native(tmp_path / "single", shown, [event("click")])
    assert run(monkeypatch, logs) == 0
    said = "all 3 lists that were looked at have one item: lambdarank will have nothing to compare"
    assert said in capsys.readouterr().out
    write_native(logs, [*shown, impression(3, request_id="r0")], [event("click")])
    assert run(monkeypatch, logs, "--force") == 0
    assert "have one item" not in capsys.readouterr().out


def test_a_secret_that_is_set_is_not_asked_for(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SECRET, "x" * 16)
    assert run(monkeypatch, logs) == 0
    assert SECRET not in capsys.readouterr().out


def test_name_and_file_of_ones_own(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new" / "folder" / "mine.yaml"
    assert run(monkeypatch, logs / "*.jsonl", "--out", out, "--name", "mine") == 0
    problem = load_problem(out)
    assert problem.name == "mine"
    assert problem.resolve(".").resolve() == logs
    assert [path.name for path in out.parent.iterdir()] == ["mine.yaml"]


def test_a_file_is_only_written_over_by_force(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.yaml"
    out.write_text("my own work")
    assert run(monkeypatch, logs, "--out", out) == 2
    assert out.read_text() == "my own work"
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == f"error: {out} exists; name another by --out, or say --force"
    assert run(monkeypatch, logs, "--out", out, "--force") == 0
    assert yaml.safe_load(out.read_text())["name"] == "web_shop"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--name", "My Shop"], "name: String should match pattern"),
        (["--out", "{folder}"], "is a folder, expected the name of a file"),
        (["--out", "{folder}/log.jsonl/x.yaml"], "cannot be written: File exists"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    logs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    write_lines(tmp_path / "log.jsonl", [{}])
    before = sorted(tmp_path.rglob("*.yaml"))
    given = [each.format(folder=tmp_path) for each in arguments]
    assert run(monkeypatch, logs, *given) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert sorted(tmp_path.rglob("*.yaml")) == before


def test_wrong_logs_are_one_line_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path / "nowhere") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "found nothing there" in line
    assert not (tmp_path / "data").exists()


def test_what_a_sample_cannot_tell_is_said(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    naive = impression(9, shown_at="2026-11-13T10:00:00")
    (logs / "more.jsonl").write_text(json.dumps(naive) + "\n")
    assert run(monkeypatch, logs) == 0
    assert "please check time_zone: 1 of 11 times name no zone" in capsys.readouterr().out


def test_two_days_of_logs_go_as_far_as_the_command_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six impressions on two days: too few days to train on, and six labels."""
    monkeypatch.setenv(SECRET, "x" * 16)
    shown = [impression(n, f_age=n) for n in range(6)]
    logs = write_native(tmp_path / "shop" / "logs", shown, [event("click")])
    assert run(monkeypatch, logs) == 0
    path = tmp_path / "data" / "problems" / "shop.yaml"
    assert f"  label-platform labels --problem {path}" in capsys.readouterr().out

    assert command(monkeypatch, "labels", "--problem", path) == 0
    project = Project.load(path, Workspace.from_environment())
    with project.open() as context:
        days = context.lake.days("labels", "raw_click")
        labels = context.engine.row(
            f"select count(*), sum(label) from {context.lake.scan('labels', days, 'raw_click')}"
        )
    assert len(days) == 2
    assert labels == (6, 1)
    capsys.readouterr()
    assert command(monkeypatch, "examples", "--problem", path) != 0
    assert "training: found 2 days of log" in " ".join(capsys.readouterr().err.split())
