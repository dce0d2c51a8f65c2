"""What a command says, and how it ends, where logs bring nothing or cannot be read."""

import gzip
import json
import shutil
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from label_platform.pipeline.context import Project
from label_platform.pipeline.run import instance_of
from label_platform.pipeline.session import Outcome, Session
from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError
from tests.pipeline.conftest import DAYS

SETTINGS: dict[str, Any] = {
    "name": "troubled",
    "start_date": "2026-10-01",
    "logs_folder": "logs",
    "logs": [{"format": "native", "impressions": "impressions*", "interactions": "interactions*"}],
    "signals": {"click": {"window": "30m"}},
    "policies": {"use": ["raw_click"]},
    "user_ids": "public",
}
POLICIES = Path(__file__).parents[2] / "policies"


@dataclass
class Desk:
    """A folder with a problem file and logs, and what was said about them."""

    folder: Path

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / "logs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    def run(self, until: str, **changes: object) -> tuple[Outcome, str]:
        problem = self.folder / "troubled.yaml"
        problem.write_text(yaml.safe_dump(SETTINGS | changes))
        said = StringIO()
        console = Console(file=said, width=200)
        session = Session.start(problem, None, None, (DAYS[0], DAYS[-1]), console)
        return session.run(until), said.getvalue()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(tmp_path / "data"))
    shutil.copytree(POLICIES, tmp_path / "policies")
    folder = tmp_path / "data" / "problems"
    folder.mkdir(parents=True)
    return Desk(folder)


def test_a_missing_secret_is_said_before_anything_is_planned(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="needs a secret in the environment variable"):
        desk.run("labels", user_ids="keyed")
    workspace = Workspace.from_environment()
    assert not [*workspace.lake("troubled").folder.glob("*")]
    with instance_of(Project.load(desk.folder / "troubled.yaml", workspace)) as instance:
        assert instance.get_runs() == []


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def impression(**changes: object) -> dict[str, Any]:
    record = {"request_id": "r1", "query_id": "q1", "item_id": "i1", "position": 1}
    return record | {"shown_at": "2026-10-01T10:00:00Z"} | changes


CLICK = {"request_id": "r1", "item_id": "i1", "signal": "click"}
CLICK |= {"occurred_at": "2026-10-01T10:00:20Z"}


def test_logs_without_an_impression_are_a_failure_that_says_why(desk: Desk) -> None:
    desk.write("impressions.jsonl", lines(impression(position=0), impression(position=-1)))
    desk.write("interactions.jsonl", lines(CLICK))
    outcome, said = desk.run("labels")
    assert outcome.exit_code(allow_refused=False) == 1
    assert "the logs have brought no impressions" in said
    assert "position_below_one (2)" in said
    assert "Records read" in said


def test_a_file_that_cannot_be_read_is_a_failure(desk: Desk) -> None:
    desk.write("impressions.jsonl", lines(impression()))
    desk.write("interactions.jsonl", lines(CLICK))
    whole = gzip.compress(lines(*({**CLICK, "item_id": f"i{n}"} for n in range(5000))))
    desk.write("interactions-2.jsonl.gz", whole[: len(whole) // 2])
    outcome, said = desk.run("impressions")
    assert outcome.exit_code(allow_refused=False) == 1
    assert list(outcome.as_json()["not_read"]) == ["interactions-2.jsonl.gz"]
    assert "not read interactions-2.jsonl.gz" in said
    desk.write("interactions-2.jsonl.gz", whole)
    outcome, _ = desk.run("impressions")
    assert outcome.exit_code(allow_refused=False) == 0
