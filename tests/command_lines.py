"""A problem to give commands, and the commands."""

import shutil
import sys
from pathlib import Path

import pytest

from label_platform.cli import application

PROJECT = Path(__file__).parents[1]


def copied_problem(folder: Path) -> Path:
    """The product's own problem file and policies, where a test may change them."""
    shutil.copytree(PROJECT / "policies", folder / "policies")
    problems = folder / "data" / "problems"
    problems.mkdir(parents=True)
    return Path(shutil.copy(PROJECT / "data" / "problems" / "product_search.yaml", problems))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of a command line."""
    monkeypatch.setattr(sys, "argv", ["label-platform", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def wrong(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that wrong usage is answered with."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def simulate(
    monkeypatch: pytest.MonkeyPatch, out: Path, *more: str, scenario: str = "product_search"
) -> int:
    small = ["--days", "1", "--lists-per-day", "5"]
    return run(monkeypatch, "simulate", scenario, "--out", out, *small, *more)
