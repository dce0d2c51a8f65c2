"""A small feed, simulated once, and its files as tables."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from label_platform.logs.simulators import (
    ShortVideoSettings,
    SimulationSummary,
    simulate_short_video,
)
from tests.logs.simulators.conftest import impressions_of, lines_of, sound_event

SMALL = ShortVideoSettings(
    days=4,
    lists_per_day=2500,
    n_segments=80,
    n_unseen_segments=20,
    n_videos=800,
    randomized_share=0.3,
)
KEYS = ["request_id", "item_id", "position"]


@dataclass
class Simulated:
    settings: ShortVideoSettings
    folder: Path
    summary: SimulationSummary

    def __post_init__(self) -> None:
        self.impressions = impressions_of(self.folder)
        self.events = pd.DataFrame([sound_event(line) for line in lines_of(self.folder)])
        self.events["occurred_at"] = pd.to_datetime(self.events["occurred_at"], utc=True)
        self.relevance = pd.read_parquet(self.folder / "truth" / "relevance.parquet")
        self.examination = pd.read_parquet(self.folder / "truth" / "examination.parquet")
        self.visits = pd.read_parquet(self.folder / "truth" / "visits.parquet")

    def outcomes(self) -> pd.DataFrame:
        """Impressions with relevance, and a column per signal: its value, 0 where there is none."""
        values = self.events.pivot_table(index=KEYS, columns="signal", values="value")
        truth = self.relevance[["query_id", "item_id", "relevance"]]
        outcomes = self.impressions.merge(truth, on=["query_id", "item_id"], how="left")
        outcomes = outcomes.merge(values.reset_index(), on=KEYS, how="left")
        return outcomes.fillna(dict.fromkeys(values.columns, 0.0))


def simulate(folder: Path, settings: ShortVideoSettings) -> Simulated:
    return Simulated(settings, folder, simulate_short_video(settings, folder))


@pytest.fixture(scope="session")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(tmp_path_factory.mktemp("feed"), SMALL)


@pytest.fixture(scope="session")
def outcomes(feed: Simulated) -> pd.DataFrame:
    return feed.outcomes()
