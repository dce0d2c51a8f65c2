"""Which versions of a policy rankers were trained on, and the policy files as they were."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from label_platform.tracking.quiet import import_mlflow
from label_platform.tracking.store import DATABASE, POLICY_FILE, TrackingStore

if TYPE_CHECKING:
    from mlflow import MlflowClient


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
    if not (store.folder / DATABASE).is_file():
        return []
    client = _client(store)
    experiment = client.get_experiment_by_name(store.problem)
    if experiment is None:
        return []
    found: dict[tuple[str, str], list[Any]] = {}
    token = None
    while True:
        page = client.search_runs(
            [experiment.experiment_id],
            f"tags.kind = 'ranker' and tags.policy = '{policy}'",
            order_by=["attributes.start_time"],
            page_token=token,
        )
        for run in page:
            tags = run.data.tags
            versions = (tags.get("policy_version", ""), tags.get("label_version", ""))
            found.setdefault(versions, []).append(run)
        token = page.token
        if not token:
            break
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
    client = _client(store)
    with TemporaryDirectory() as folder:
        try:
            return Path(client.download_artifacts(run_id, POLICY_FILE, folder)).read_text()
        except (OSError, import_mlflow().MlflowException):
            return None


def _client(store: TrackingStore) -> "MlflowClient":
    mlflow: Any = import_mlflow()
    client: MlflowClient = mlflow.MlflowClient(store.uri)
    return client
