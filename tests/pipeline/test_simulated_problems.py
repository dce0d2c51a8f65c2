"""Simulated problems get their logs where they keep them in the workspace, and nowhere else."""

import json
import shutil
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from label_platform.pipeline.session import Session
from label_platform.problem import load_problem
from tests.pipeline.conftest import PROJECT

EVER = (date.min, date.max)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(PROJECT / "policies", tmp_path / "policies")
    shutil.copytree(PROJECT / "data" / "problems", tmp_path / "data" / "problems")
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_short_videos_are_simulated_where_there_are_none(workspace: Path) -> None:
    file = workspace / "problems" / "short_video.yaml"
    said = StringIO()
    Session.start(file, None, None, EVER, Console(file=said, width=200))
    simulated = workspace / "simulated" / "short_video"
    description = json.loads((simulated / "simulation.json").read_text())
    problem = load_problem(file)
    assert description["simulator"] == "short_video"
    assert description["settings"]["start_date"] == problem.start_date.isoformat()
    days = sorted(path.stem for path in (simulated / "logs" / "impressions").iterdir())
    assert days[0] == f"day={problem.start_date}"
    assert days[-1] == f"day={problem.end_date}"
    assert f"simulated {description['summary']['impressions']:,} impressions" in said.getvalue()
    before = (simulated / "simulation.json").stat().st_mtime_ns
    Session.start(file, None, None, EVER, Console(file=said, width=200))
    assert (simulated / "simulation.json").stat().st_mtime_ns == before
    assert said.getvalue().count("simulated ") == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("../simulated/short_video/logs", "../feed/logs"),
        ("name: short_video", "name: my_feed"),
        ("truth: ../truth", "# no truth"),
    ],
)
def test_what_is_not_simulated_is_never_made_up(workspace: Path, old: str, new: str) -> None:
    file = workspace / "problems" / "short_video.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    Session.start(file, None, None, EVER, Console(file=StringIO()))
    assert not (workspace / "simulated").exists()
    assert not (workspace / "feed").exists()
