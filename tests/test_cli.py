"""The command line: help without heavy imports, wrong usage in one line."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from label_platform.cli import application
from label_platform.cli.off_policy import refusals_in_words
from label_platform.cli.options import moment_of
from label_platform.evaluation.off_policy_answer import Side, TargetValue
from label_platform.pipeline.serving import ServeCommand
from label_platform.policy import label_version, load_policies, policy_version
from label_platform.problem import load_problem
from label_platform.strict_yaml import nearest
from tests.command_lines import copied_problem, run, simulate, wrong

PROJECT = Path(__file__).parents[1]
COMMANDS = (
    "simulate product_search",
    "simulate short_video",
    "init",
    "doctor",
    "run",
    "ingest",
    "propensities",
    "labels",
    "labels explain",
    "labels touched",
    "examples",
    "train",
    "compare",
    "policies list",
    "policies check",
    "policies history",
    "policies restore",
    "policies health",
    "policies diff",
    "erase",
    "export",
    "quarantine list",
    "quarantine show",
    "quarantine replay",
    "delays",
    "models list",
    "models show",
    "models promote",
    "models release",
    "models rollback",
    "models retire",
    "models lineage",
    "off-policy",
    "plan-exploration",
    "score",
    "search",
    "serve",
    "ui",
)
ALL_HELP = """
import contextlib, io, json, sys
from label_platform.cli import application
from label_platform.cli.options import moment_of
shown = {}
for command in json.loads(sys.argv[1]):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            application.app([*command.split(), "--help"])
        except SystemExit as end:
            shown[command] = [end.code, text.getvalue()]
heavy = ["dagster", "mlflow", "duckdb", "pandas", "lightgbm", "matplotlib"]
print(json.dumps([shown, [name for name in heavy if name in sys.modules]]))
"""


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    return copied_problem(tmp_path)


def test_help_of_every_command_has_an_example_and_needs_no_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP, json.dumps(COMMANDS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    shown, heavy = json.loads(done.stdout)
    assert heavy == []
    for command in COMMANDS:
        code, text = shown[command]
        assert code == 0
        assert f"Example: label-platform {command}" in " ".join(text.split()), command


def test_every_command_is_known_here() -> None:
    names = []
    for group in application.app.registered_groups:
        prefix = f"{group.name} " if isinstance(group.name, str) else ""
        own = group.typer_instance.registered_callback
        # a group that does something of its own is a command as well
        names += [str(group.name)] if own and own.invoke_without_command else []
        names += [f"{prefix}{command.name}" for command in group.typer_instance.registered_commands]
    assert sorted(names) == sorted(COMMANDS)


def test_policies_are_listed_with_their_versions(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_problem(problem)
    assert run(monkeypatch, "policies", "list", "--problem", problem) == 0
    shown = capsys.readouterr().out
    for policy in load_policies(loaded):
        (line,) = [line for line in shown.splitlines() if f" {policy.name} " in line]
        assert label_version(policy, loaded) in line
        assert policy_version(policy, loaded) in line
        assert f"{policy.name}: {policy.description}" in " ".join(shown.split())


def test_sound_policies_pass_the_check(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "policies", "check", "--problem", problem) == 0
    assert "policies are fine: raw_click, " in capsys.readouterr().out


def test_without_a_problem_the_workspace_has_one(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(problem.parents[1]))
    assert run(monkeypatch, "policies", "check") == 0
    assert "are fine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("as_of", "moment"),
    [
        ("2026-10-08", "2026-10-08T00:00:00+00:00"),
        ("2026-10-08T12:00+02:00", "2026-10-08T10:00:00+00:00"),
        ("2026-10-08T12:00:30Z", "2026-10-08T12:00:30+00:00"),
    ],
)
def test_a_date_is_its_beginning_and_a_time_has_its_zone(as_of: str, moment: str) -> None:
    assert moment_of(as_of) == datetime.fromisoformat(moment)


def test_a_build_as_of_some_time_reads_no_logs(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(problem.parents[1]))
    assert run(monkeypatch, "labels", "--as-of", "2026-10-08") == 2
    assert "no impressions were ingested yet; `label-platform ingest` reads logs" in wrong(capsys)
    assert not (problem.parents[1] / "simulated").exists()
    assert run(monkeypatch, "ingest", "--as-of", "2026-10-08") == 2
    assert "No such option" in capsys.readouterr().err


def test_the_printed_serve_command_can_be_pasted_and_holds_no_path_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"/first of all:{os.environ['PATH']}")
    show = "import os; print(os.environ['PATH']); print(os.environ['STORE'])"
    programs = tmp_path / "a folder"
    command = ServeCommand((sys.executable, "-c", show), {"STORE": 'it\'s "here"'}, programs)
    line = command.as_shell_line()
    assert os.environ["PATH"] not in line
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    path, store = done.stdout.splitlines()
    assert path == f"{programs}:{os.environ['PATH']}" == command.environment()["PATH"]
    assert store == 'it\'s "here"' == command.environment()["STORE"]


def test_a_reason_that_estimators_share_is_said_once() -> None:
    values = [
        TargetValue(name, 1.0, 0.9, 1.1, 50, 20, 0.1, 0.0, 0.0, 3.0, verdict, reason)
        for name, verdict, reason in (
            ("snips", "no_overlap", "few lists; few clicks"),
            ("ips", "ok", ""),
            ("clipped", "no_overlap", "few lists; few clicks; much is clipped"),
            ("doubly_robust", "no_overlap", "few lists; few clicks; much is clipped"),
        )
    ]
    assert refusals_in_words(Side("logged", 10, 20, estimates=tuple(values))) == [
        "no_overlap, so what stands in brackets is no answer: few lists; few clicks",
        "no_overlap of clipped, doubly robust: much is clipped",
    ]
    assert refusals_in_words(Side("logged", 10, 20, estimates=(values[1],))) == []


def test_names_that_hold_commas_are_told_apart() -> None:
    assert nearest("x", ["b", "a"]) == "valid: a, b"
    assert nearest("lambdaran", ["pointwise, weight one", "lambdarank"]) == (
        "did you mean 'lambdarank'? valid: 'lambdarank', 'pointwise, weight one'"
    )


@pytest.mark.parametrize("scenario", ["product_search", "short_video"])
def test_logs_are_simulated_once_and_never_written_over(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
) -> None:
    out = tmp_path / "shop"
    assert simulate(monkeypatch, out, scenario=scenario) == 0
    assert "simulated 50 impressions" in capsys.readouterr().out
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert len(before) > 3
    assert simulate(monkeypatch, out, "--seed", "7", scenario=scenario) == 2
    line = wrong(capsys)
    assert line.startswith(f"error: simulate {scenario}: ")
    assert "exists: remove it or simulate into another folder" in line
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
