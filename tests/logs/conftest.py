"""A folder of log files, a problem that reads it, and a lake, all in a temporary folder."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from label_platform.lake import Engine, Lake
from label_platform.logs import IngestReport, ingest
from label_platform.problem import Problem

SETTINGS: dict[str, Any] = {
    "name": "shop",
    "start_date": "2026-10-01",
    "logs": [{"format": "native", "impressions": "impressions*", "interactions": "interactions*"}],
    "signals": {"click": {"window": "30m"}, "purchase": {"window": "1d", "reversed_by": "return"}},
    "policies": {"use": ["raw_click"]},
    "user_ids": "public",
}
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class Shop:
    """Writes log files and reads them into a lake."""

    folder: Path
    engine: Engine

    def impression(self, **changes: object) -> dict[str, Any]:
        record = {
            "request_id": "r1",
            "query_id": "q1",
            "item_id": "i1",
            "position": 1,
            "shown_at": "2026-10-01T10:00:00Z",
        }
        return {key: value for key, value in (record | changes).items() if value is not ...}

    def event(self, **changes: object) -> dict[str, Any]:
        record = {
            "request_id": "r1",
            "item_id": "i1",
            "signal": "click",
            "occurred_at": "2026-10-01T10:00:20Z",
        }
        return {key: value for key, value in (record | changes).items() if value is not ...}

    def write(self, name: str, *records: object) -> Path:
        """JSON lines; a record that is text or bytes already is written as it is."""
        lines = [
            record
            if isinstance(record, bytes)
            else (record if isinstance(record, str) else json.dumps(record)).encode()
            for record in records
        ]
        content = b"".join(line + b"\n" for line in lines)
        path = self.folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    def problem(self, **changes: object) -> Problem:
        problem = Problem.model_validate(SETTINGS | {"logs_folder": "logs"} | changes)
        return problem.model_copy(update={"folder": self.folder})

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake", "shop")

    def ingest(self, **changes: object) -> IngestReport:
        return ingest(self.problem(**changes), self.lake, self.engine, as_if=NOW)

    def table(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        days = self.lake.days(name)
        if not self.lake.files([]) and not days:
            return []
        return sorted(self.engine.rows(f"select {columns} from {self.lake.scan(name, days)}"))

    def hashes(self) -> dict[str, str]:
        """Content hash and recipe of every raw partition."""
        return {
            str(path.parent.relative_to(self.lake.folder)): "{content_hash} {recipe_hash}".format(
                **json.loads(path.read_text())
            )
            for path in self.lake.folder.rglob("_current.json")
        }


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def shop(tmp_path: Path, engine: Engine) -> Shop:
    return Shop(tmp_path, engine)


@pytest.fixture
def shop_factory(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Callable[[], Shop]:
    """A fresh shop for each example of a property."""
    return lambda: Shop(tmp_path_factory.mktemp("shop"), engine)
