"""The command line: help without heavy imports, wrong usage in one line."""

import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from label_platform.cli import application
from label_platform.cli.options import moment_of
from label_platform.policy import label_version, load_policies, policy_version
from label_platform.problem import load_problem

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
    """The product's own problem file and policies, where a test may change them."""
    shutil.copytree(PROJECT / "policies", tmp_path / "policies")
    problems = tmp_path / "data" / "problems"
    problems.mkdir(parents=True)
    return Path(shutil.copy(PROJECT / "data" / "problems" / "product_search.yaml", problems))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of a command line."""
    monkeypatch.setattr(sys, "argv", ["label-platform", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


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
    ("old", "new", "words"),
    [
        ("signals:\n  click:", "signals:\n  clik:", "did you mean 'click'?"),
        ("grain: impression", "grains: impression", "did you mean 'grain'?"),
    ],
)
def test_a_misspelt_policy_is_named_with_the_nearest_word(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    words: str,
) -> None:
    policy = problem.parents[2] / "policies" / "raw_click.yaml"
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new))
    assert run(monkeypatch, "policies", "check", "--problem", problem) == 2
    error = capsys.readouterr().err
    assert "raw_click.yaml" in error
    assert words in error
    assert "Traceback" not in error


def wrong(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that wrong usage is answered with."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_misspelt_problem_file_is_named_with_the_nearest(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    misspelt = problem.with_name("product_serch.yaml")
    assert run(monkeypatch, "run", "--problem", misspelt) == 2
    line = wrong(capsys)
    assert f"error: {misspelt}: there is no such file" in line
    assert "did you mean 'product_search.yaml'?" in line


def test_a_misspelt_policy_of_a_run_is_named_with_the_nearest(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "run", "--problem", problem, "--policies", "raw_click,coec_clik") == 2
    assert "'coec_clik' is not active; did you mean 'coec_click'?" in wrong(capsys)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ("yesterday", "--days: expected FROM..TO such as 2026-10-01..2026-10-07, found"),
        ("2026-10-01", "expected FROM..TO"),
        ("2026-10-01..2026-13-01", "month must be in 1..12"),
        ("2026-10-07..2026-10-01", "2026-10-07 is after 2026-10-01"),
    ],
)
def test_days_that_are_none_are_refused(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    days: str,
    words: str,
) -> None:
    assert run(monkeypatch, "labels", "--problem", problem, "--days", days) == 2
    line = wrong(capsys)
    assert line.startswith("error: --days")
    assert words in line


@pytest.mark.parametrize(
    ("as_of", "words"),
    [
        ("yesterday", "--as-of: 'yesterday': Invalid isoformat string"),
        ("2026-10-08T12:00", "--as-of: found '2026-10-08T12:00' without a zone, expected a date"),
        ("2026-13-01", "month must be in 1..12"),
    ],
)
def test_a_time_that_is_none_is_refused(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_of: str,
    words: str,
) -> None:
    assert run(monkeypatch, "labels", "--problem", problem, "--as-of", as_of) == 2
    assert words in wrong(capsys)


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


@pytest.mark.parametrize("command", [["ingest"], ["quarantine", "replay"]])
def test_a_workspace_that_cannot_be_written_is_named(
    problem: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    folder = problem / "below a file"
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(folder))
    assert run(monkeypatch, *command, "--problem", problem) == 2
    said = wrong(capsys)
    assert f"workspace {folder}: found Not a directory, expected a folder" in said
    assert "name another one by LABEL_PLATFORM_DATA" in said


def simulate(
    monkeypatch: pytest.MonkeyPatch, out: Path, *more: str, scenario: str = "product_search"
) -> int:
    small = ["--days", "1", "--lists-per-day", "5"]
    return run(monkeypatch, "simulate", scenario, "--out", out, *small, *more)


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


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--logger", "wek", "'weak'"),
        ("--days", "0", "--days"),
        ("--randomized-share", "1.5", "--randomized-share"),
        ("--start-date", "tomorrow", "tomorrow"),
        ("--lists", "5", "No such option"),
    ],
)
@pytest.mark.parametrize("scenario", ["product_search", "short_video"])
def test_wrong_settings_of_a_simulation_write_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
    option: str,
    value: str,
    words: str,
) -> None:
    out = tmp_path / "shop"
    assert simulate(monkeypatch, out, option, value, scenario=scenario) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not out.exists()
