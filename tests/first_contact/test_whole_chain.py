"""The written files are as good as run: real logs go through to labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from label_platform.pipeline.context import Project
from label_platform.pipeline.run import RunSummary, run_chain
from label_platform.pipeline.workspace import Workspace
from tests.first_contact.conftest import SAMPLES, Guessed, needs_samples
from tests.pipeline.conftest import quiet_instance

Guess = Callable[..., Guessed]


def labelled(found: Guessed, folder: Path) -> tuple[RunSummary, int]:
    """What a run up to labels did, and how many labels raw clicks have: one per impression."""
    project = Project.load(found.path, Workspace(folder / "data"))
    with quiet_instance() as instance:
        summary = run_chain(project, instance, until="labels")
    assert summary.broken == {}
    assert "raw_click" not in summary.refused
    lake = project.workspace.lake(project.problem.name)
    with project.open() as context:
        scan = lake.scan("labels", lake.days("labels", "raw_click"), "raw_click")
        count, clicked = context.engine.row(f"select count(*), sum(label) from {scan}")
        shown = context.lake.scan("impressions", lake.days("impressions"))
        assert context.engine.row(f"select count(*) from {shown}") == (count,)
    assert 0 < clicked < count
    return summary, count


def accepted(summary: RunSummary) -> tuple[int, int]:
    """Records that were accepted, and those that were refused."""
    assert summary.report is not None
    files = summary.report.files
    return sum(each.accepted for each in files), sum(each.rejected for each in files)


EXPECTED: dict[str, dict[str, Any]] = {
    # the 13 events of the demonstration, half a year older, are refused and not waited for
    "ubi_esci": {
        "format": "ubi",
        "days": ("2024-12-10", "2025-03-03"),
        "options": {
            "impressions": "events",
            "first_ordinal": {"default": 1, "esci_ubi_sample": 0},
        },
        "signals": ["click", "add_to_cart", "purchase"],
        "policies": ["raw_click"],
        "doubts": ["first_ordinal"],
        "next": "labels",
        "rejected": 13,
        "labels": 1_999,
    },
    "kuairand_sample": {
        "format": "kuairand",
        "days": ("2022-04-07", "2022-04-21"),
        "options": {},
        "signals": [
            "click",
            "like",
            "follow",
            "comment",
            "forward",
            "watch_s",
            "long_view",
            "profile_enter",
            "comment_stay_s",
        ],
        "policies": ["raw_click"],
        "doubts": [],
        "next": "run",
        "rejected": 0,
        "labels": 27_065 - 64,
    },
    "open_bandit_men": {
        "format": "open_bandit",
        "days": ("2019-11-24", "2019-11-30"),
        "options": {},
        "signals": ["click"],
        "policies": ["raw_click", "ips_click", "coec_click"],
        "doubts": [],
        "next": "run",
        "rejected": 0,
        "labels": 20_000,
    },
}


@needs_samples
@pytest.mark.parametrize("name", EXPECTED)
def test_real_logs(name: str, guessed: Guess) -> None:
    expected = EXPECTED[name]
    found = guessed(SAMPLES / name)
    problem = found.problem
    assert found.source["format"] == expected["format"]
    assert (str(problem.start_date), str(problem.end_date)) == expected["days"]
    assert found.source.get("options", {}) == expected["options"]
    assert list(problem.signals) == expected["signals"]
    assert list(problem.policies.use) == expected["policies"]
    assert found.doubts == expected["doubts"]
    assert found.proposal.next_command == expected["next"]


@needs_samples
@pytest.mark.parametrize("name", EXPECTED)
def test_real_logs_go_through_to_labels(
    tmp_path: Path, guessed: Guess, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_PLATFORM_USER_SECRET", "a secret of sixteen letters")
    summary, labels = labelled(guessed(SAMPLES / name), tmp_path)
    taken, refused = accepted(summary)
    assert refused == EXPECTED[name]["rejected"]
    assert taken > labels / 2
    assert labels == EXPECTED[name]["labels"]


@needs_samples
def test_learning_to_rank_files_are_no_logs(guessed: Guess) -> None:
    with pytest.raises(ValueError, match=r"found only rank\.test"):
        guessed(SAMPLES / "lightgbm_lambdarank")
