"""From the real samples to labels: every impression that was read gets one."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from label_platform.pipeline.context import Project
from label_platform.pipeline.run import run_chain
from label_platform.pipeline.workspace import Workspace
from tests.pipeline.conftest import PROJECT, quiet_instance

SAMPLES = PROJECT.parent / "shared" / "data"
PROBLEMS: dict[str, dict[str, Any]] = {
    # the file's interface events are half a year older; nobody asks for them here
    "ubi_esci": {
        "start_date": "2024-12-10",
        "end_date": "2025-03-03",
        "logs": [
            {
                "format": "ubi",
                "path": "*.ndjson.gz",
                "options": {"first_ordinal": {"default": 1, "esci_ubi_sample": 0}},
            }
        ],
    },
    "kuairand_sample": {
        "start_date": "2022-04-07",
        "end_date": "2022-04-21",
        "logs": [{"format": "kuairand", "path": "*.tsv.gz"}],
        "features": ["duration_ms"],
    },
    "open_bandit_men": {
        "start_date": "2019-11-24",
        "end_date": "2019-11-30",
        "logs": [{"format": "open_bandit", "path": "*.csv.gz"}],
    },
}
LABELS = {"ubi_esci": 1_999, "kuairand_sample": 27_065 - 64, "open_bandit_men": 20_000}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"needs the samples in {SAMPLES}")
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_real_log_goes_through_to_labels(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"{name}.yaml"
    settings = {
        "name": name,
        "logs_folder": str(SAMPLES / name),
        "signals": {"click": {"window": "30m"}},
        "policies": {"from": str(PROJECT / "policies"), "use": ["raw_click"]},
        "user_ids": "public",
    }
    file.write_text(yaml.safe_dump(settings | PROBLEMS[name]))
    project = Project.load(file, Workspace(tmp_path / "data"))
    with quiet_instance() as instance:
        summary = run_chain(project, instance, until="labels")
    assert (summary.refused, summary.broken) == ({}, {})
    assert summary.report is not None
    assert sum(counts.rejected for counts in summary.report.files) == 0
    lake = project.workspace.lake(name)
    with project.open() as context:
        days = lake.days("labels", "raw_click")
        labels, clicked = context.engine.row(
            f"select count(*), sum(label) from {lake.scan('labels', days, 'raw_click')}"
        )
        (impressions,) = context.engine.row(
            f"select count(*) from {lake.scan('impressions', lake.days('impressions'))}"
        )
    assert labels == impressions == LABELS[name]
    assert 0 < clicked < labels
