"""Logs of every format, small enough to count by hand, and what is guessed from them."""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from label_platform.first_contact.guess import Proposal, look_at, write_problem
from label_platform.problem import Problem, load_problem
from tests.pictures import leave_blank

PROJECT = Path(__file__).parents[2]
SAMPLES = PROJECT.parent / "shared" / "data"
TODAY = date(2026, 11, 21)
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"needs the real samples in {SAMPLES}"
)


@dataclass(frozen=True)
class Guessed:
    """A problem file that was written for logs."""

    proposal: Proposal
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def words(self) -> str:
        """The text without the breaks of its lines, also those within comments."""
        return " ".join(word for word in self.text.split() if word != "#")

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load(self.text)
        return content

    @property
    def problem(self) -> Problem:
        return load_problem(self.path)

    @property
    def source(self) -> dict[str, Any]:
        (source,) = self.content["logs"]
        return dict(source)

    @property
    def doubts(self) -> list[str]:
        return [option.name for option in self.proposal.doubtful]


def guess(where: Path | str, path: Path, today: date = TODAY) -> Guessed:
    proposal = look_at(str(where), path, "mine", today)
    write_problem(proposal, path)
    return Guessed(proposal, path)


@pytest.fixture(autouse=True)
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains that run here are about what was guessed; nobody looks at pictures."""
    leave_blank(monkeypatch)


@pytest.fixture
def guessed(tmp_path: Path) -> Callable[..., Guessed]:
    """Writes a problem file for logs and reads it back."""

    def write(where: Path | str, today: date = TODAY) -> Guessed:
        return guess(where, tmp_path / "problems" / "mine.yaml", today)

    return write


def write_lines(path: Path, records: Iterable[object]) -> Path:
    """JSON lines, compressed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def impression(number: int, **changes: object) -> dict[str, object]:
    """A native impression: list r0 shows items 0 to 2, list r1 items 3 to 5, a day later."""
    return {
        "request_id": f"r{number // 3}",
        "query_text": "red shoes",
        "user_id": f"u{number}",
        "item_id": f"i{number}",
        "position": number % 3 + 1,
        "shown_at": f"2026-11-{10 + number // 3:02d}T10:00:00Z",
        **changes,
    }


def event(signal: str, number: int = 0, **changes: object) -> dict[str, object]:
    """A native event, on the first list's day."""
    return {
        "request_id": f"r{number // 3}",
        "item_id": f"i{number}",
        "signal": signal,
        "occurred_at": f"2026-11-{10 + number // 3:02d}T10:00:05Z",
        **changes,
    }


def write_native(folder: Path, impressions: list[Any], events: list[Any]) -> Path:
    write_lines(folder / "shown.jsonl", impressions)
    write_lines(folder / "happened.jsonl", events)
    return folder
