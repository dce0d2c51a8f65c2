"""Which versions of a policy rankers were trained on, and the policy files as they were."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from label_platform.tracking.quiet import import_mlflow
from label_platform.tracking.store import POLICY_FILE, TrackingStore


@dataclass(frozen=True)
class TrackedPolicy:
    """One version of a policy, as MLflow's runs name it.

    Attributes:
        policy_version: the runs' tag.
        label_version: likewise.
        first_trained_at: when the first of the runs began.
        run_id: that run.
        runs: how many there are.
        last_day: the last log day that one of them stands for.
    """

    policy_version: str
    label_version: str
    first_trained_at: datetime
    run_id: str
    runs: int
    last_day: str


def tracked_policies(store: TrackingStore, policy: str) -> list[TrackedPolicy]:
    """The versions of a policy that rankers were trained on, the oldest first.

    Args:
        store: where there is none, there are no versions.
        policy: its name.
    """
    if not store.exists:
        return []
    found: dict[tuple[str, str], list[Any]] = {}
    for run in store.runs(f"tags.kind = 'ranker' and tags.policy = '{policy}'"):
        tags = run.data.tags
        versions = (tags.get("policy_version", ""), tags.get("label_version", ""))
        found.setdefault(versions, []).append(run)
    return [
        TrackedPolicy(
            *versions,
            first_trained_at=datetime.fromtimestamp(runs[0].info.start_time / 1000, UTC),
            run_id=runs[0].info.run_id,
            runs=len(runs),
            last_day=max(run.data.tags.get("day", "") for run in runs),
        )
        for versions, runs in found.items()
    ]


def policy_text(store: TrackingStore, run_id: str) -> str | None:
    """The policy file that a run logged; None if the run's files are gone."""
    with TemporaryDirectory() as folder:
        try:
            return Path(store.client.download_artifacts(run_id, POLICY_FILE, folder)).read_text()
        except (OSError, import_mlflow().MlflowException):
            return None
