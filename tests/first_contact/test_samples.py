"""A first problem file for real logs and for the simulator's: the chain accepts it as it is."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from label_platform.first_contact.guess import look_at, write_problem
from label_platform.lake import Engine
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.pipeline.context import Project
from label_platform.pipeline.run import run_chain
from label_platform.pipeline.workspace import Workspace
from label_platform.problem import Problem, load_problem
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import quiet_instance

PROJECT = Path(__file__).parents[2]
SAMPLES = PROJECT.parent / "shared" / "data"
TODAY = date(2026, 11, 1)
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"needs the samples in {SAMPLES}")


def guessed(logs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Problem:
    """The problem file that is written for logs; at most two of its values are doubtful."""
    monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", "a secret of this test")
    monkeypatch.chdir(PROJECT)  # where its policies are found
    path = folder / "guessed.yaml"
    proposal = look_at(str(logs), path, "guessed", TODAY)
    assert len(proposal.doubtful) <= 2
    write_problem(proposal, path)
    text = path.read_text()
    assert "# guessed: " in text
    assert all(f"please check: {each.evidence[:20]}" in text for each in proposal.doubtful)
    return load_problem(path)


@needs_samples
@pytest.mark.parametrize(
    ("sample", "name", "first", "last", "accepted", "rejected"),
    [
        # what is refused are events of half a year before: no impression is as old
        ("ubi_esci", "ubi", date(2024, 12, 10), date(2025, 3, 3), 2_902, 13),
        ("kuairand_sample", "kuairand", date(2022, 4, 7), date(2022, 4, 21), 27_001, 0),
        ("open_bandit_men", "open_bandit", date(2019, 11, 24), date(2019, 11, 30), 20_034, 0),
    ],
)
def test_a_real_sample_is_read_as_guessed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sample: str,
    name: str,
    first: date,
    last: date,
    accepted: int,
    rejected: int,
) -> None:
    problem = guessed(SAMPLES / sample, tmp_path, monkeypatch)
    assert problem.logs[0].format == name
    assert (problem.start_date, problem.end_date) == (first, last)
    with Engine() as engine:
        lake = Workspace(tmp_path).lake(problem.name)
        report = ingest(problem, lake, engine, as_if=datetime(2026, 11, 1, tzinfo=UTC))
    assert sum(counts.accepted for counts in report.files) == accepted
    assert sum(counts.rejected for counts in report.files) == rejected


def test_simulated_logs_are_guessed_well_enough_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ProductSearchSettings(days=5, lists_per_day=900, n_queries=100)
    simulate_product_search(settings, tmp_path)
    problem = guessed(tmp_path / "logs", tmp_path, monkeypatch)
    assert problem.ids == "integer"
    assert {"click", "dwell_s", "add_to_cart", "purchase"} <= problem.signals.keys()
    assert problem.signals["purchase"].reversed_by == "return"
    project = Project.load(tmp_path / "guessed.yaml", Workspace(tmp_path / "data"))
    with quiet_instance() as instance:
        summary = run_chain(project, instance, until="labels")
    assert (summary.broken, summary.report.refused) == ({}, ())
    assert summary.built["labels"] >= settings.days


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "found nothing there"),
        ({}, "expected"),
        ({"notes.txt": b"no log"}, "expected"),
        ({"log.jsonl.gz": b"no gzip"}, "log.jsonl.gz"),
    ],
)
def test_what_is_no_log_is_said(
    tmp_path: Path, content: dict[str, bytes] | None, words: str
) -> None:
    folder = tmp_path / "logs"
    for name, data in (content or {}).items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    if content == {}:
        folder.mkdir()
    with pytest.raises(ConfigurationError, match=words):
        look_at(str(folder), tmp_path / "guessed.yaml", "guessed", TODAY)


def test_a_problem_file_that_exists_is_kept(tmp_path: Path) -> None:
    simulate_product_search(ProductSearchSettings(days=1, lists_per_day=20), tmp_path)
    out = tmp_path / "mine.yaml"
    out.write_text("mine")
    command = [sys.executable, "-c", "from label_platform.cli import main; main()"]
    done = subprocess.run(
        [*command, "init", str(tmp_path / "logs"), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "mine.yaml exists" in done.stderr
    assert out.read_text() == "mine"
