"""Every test runs with its own workspace and without the caller's settings."""

import os
from pathlib import Path

import pytest

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LABEL_PLATFORM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LABEL_PLATFORM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TZ", "UTC")
