"""An MLflow database that is up to date, since making one takes seconds, and a small ranker."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, TrainingData, fit_ranker
from label_platform.tracking import RankerRecord
from tests.pipeline.conftest import migrated_once

__all__ = ["migrated_once"]

FEATURES = ("f_match", "f_price")
CONTENT_HASH = f"duckdb-2.0:1a2b3c4d:120:{'f' * 40}"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="session")
def ranker() -> Ranker:
    """Trained on labels that follow a feature and the position."""
    rng = np.random.default_rng(5)
    lists, length = 60, 6
    rows = lists * length
    position = np.tile(np.arange(1, length + 1), lists)
    match = rng.random(rows)
    label = (match + 1 / position > 1).astype(float)
    examples = pa.table(
        {
            "part": ["train"] * rows,
            "group_id": np.repeat(np.arange(lists), length),
            "query_id": np.repeat(np.arange(lists), length),
            "item_id": np.arange(rows),
            "position": position,
            "label": label,
            "raw_label": label,
            "weight": np.ones(rows),
            "raw_weight": np.ones(rows),
            "impressions": np.ones(rows, dtype=np.int64),
            "expected_examinations": np.ones(rows),
            "f_match": match,
            "f_price": rng.random(rows),
        }
    )
    spec = RankerSpec(objective="lambdarank", position="feature")
    train = TrainingData.from_examples(examples, spec, FEATURES)
    return fit_ranker(train, None, spec, rounds=10, seed=0)


@pytest.fixture
def folder(tmp_path: Path, migrated_once: Path) -> Path:
    return Path(shutil.copytree(migrated_once, tmp_path / "mlflow"))


@pytest.fixture(autouse=True)
def tracking_uri_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", os.environ.get("MLFLOW_TRACKING_URI", ""))


@pytest.fixture
def record(ranker: Ranker) -> RankerRecord:
    return RankerRecord(
        name="raw_click lambdarank",
        tags={"policy": "raw_click", "policy_version": "0123456789ab"},
        parameters={"rounds": 10, "ranker.position": "feature"},
        metrics={"rounds_used": 10.0},
        policy_text="name: raw_click  # as it was\n",
        datasets={"examples": CONTENT_HASH},
        ranker=ranker,
        pictures={"label_histogram": PNG},
    )
