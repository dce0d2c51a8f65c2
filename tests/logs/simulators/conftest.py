"""A small simulation, written once, and its files as tables."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from label_platform.logs.simulators import (
    ProductSearchSettings,
    SimulationSummary,
    simulate_product_search,
)

SMALL = ProductSearchSettings(
    days=5,
    lists_per_day=1500,
    n_queries=200,
    n_unseen_queries=50,
    n_items=1000,
    randomized_share=0.2,
    bot_share=0.01,
    duplicate_share=0.01,
    malformed_share=0.01,
)


def lines_of(folder: Path) -> list[str]:
    paths = sorted((folder / "logs" / "interactions").iterdir())
    return [
        line
        for path in paths
        for line in gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
    ]


def impressions_of(folder: Path) -> pd.DataFrame:
    paths = sorted((folder / "logs" / "impressions").iterdir())
    return pd.concat([pd.read_parquet(path, partitioning=None) for path in paths])


def sound_event(line: str) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return None
    sound = (
        "item_id" in event
        and isinstance(event["position"], int)
        and isinstance(event["value"], int | float)
        and str(event["occurred_at"]).endswith("Z")
    )
    return event if sound else None


@dataclass
class Simulated:
    settings: ProductSearchSettings
    folder: Path
    summary: SimulationSummary

    def __post_init__(self) -> None:
        self.rows = impressions_of(self.folder)
        sound = self.rows[(self.rows["position"] > 0) & self.rows["item_id"].notna()]
        self.impressions = sound.drop_duplicates().astype({"item_id": "int64"})
        self.lines = lines_of(self.folder)
        events = [event for line in self.lines if (event := sound_event(line)) is not None]
        self.events_with_repetitions = pd.DataFrame(events)
        self.events = self.events_with_repetitions.drop_duplicates()
        self.events = self.events.assign(
            occurred_at=pd.to_datetime(self.events["occurred_at"], utc=True)
        )
        self.relevance = pd.read_parquet(self.folder / "truth" / "relevance.parquet")
        self.examination = pd.read_parquet(self.folder / "truth" / "examination.parquet")


def simulate(folder: Path, settings: ProductSearchSettings) -> Simulated:
    return Simulated(settings, folder, simulate_product_search(settings, folder))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(tmp_path_factory.mktemp("simulated"), SMALL)
