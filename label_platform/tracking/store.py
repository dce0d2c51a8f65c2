"""The MLflow store of a problem: one experiment, one run per ranker and per comparison."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from label_platform.tracking.model_logging import log_ranker_model
from label_platform.tracking.quiet import import_mlflow
from label_platform.tracking.records import (
    CONTENT_TAG,
    ComparisonRecord,
    RankerRecord,
    TrackedRanker,
    tracked,
)
from label_platform.tracking.registry import Registry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DATABASE = "mlflow.db"
POLICY_FILE = "policy.yaml"
LINEAGE_FILE = "lineage.json"
_DIGEST_LENGTH = 36
"""The longest digest that MLflow stores of a dataset."""
_METRICS_AT_ONCE = 1000
_TAGS_AT_ONCE = 100


class TrackingStore:
    """The MLflow experiment of a problem.

    Args:
        folder: holds the database and the artifacts; made on first use.
        problem: the problem's name, which becomes the experiment's.
    """

    def __init__(self, folder: Path, problem: str) -> None:
        self.folder = folder.absolute()
        self.problem = problem

    @property
    def uri(self) -> str:
        """The tracking URI that ``mlflow ui --backend-store-uri`` takes."""
        return f"sqlite:///{self.folder / DATABASE}"

    @property
    def exists(self) -> bool:
        """Whether anything was ever tracked here."""
        return (self.folder / DATABASE).is_file()

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client of this store."""
        mlflow: Any = import_mlflow()
        self.folder.mkdir(parents=True, exist_ok=True)
        client: MlflowClient = mlflow.MlflowClient(self.uri)
        return client

    @property
    def registry(self) -> Registry:
        """The problem's model registry."""
        return Registry(self)

    def current(self) -> ModuleType:
        """MLflow's own functions, which write to one store at a time, made to write to this one."""
        mlflow = import_mlflow()
        mlflow.set_tracking_uri(self.uri)
        return mlflow

    def prepare(self) -> None:
        """Make the database, where it does not exist yet."""
        self.client.search_experiments(max_results=1)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment's id; it is made on first use."""
        found = self.client.get_experiment_by_name(self.problem)
        if found is not None:
            return str(found.experiment_id)
        location = (self.folder / "artifacts" / self.problem).as_uri()
        return str(self.client.create_experiment(self.problem, artifact_location=location))

    def log_ranker(self, record: RankerRecord) -> str:
        """Record a trained ranker as a run of its own; the same ranker keeps the run that it has.

        Returns:
            The run's id.
        """
        content = record.content
        if known := self._run_of(content):
            return known
        experiment_id = self.experiment_id
        mlflow = self.current()
        tags = {**record.tags, "code_revision": code_revision(), CONTENT_TAG: content}
        with mlflow.start_run(experiment_id=experiment_id, run_name=record.name, tags=tags) as run:
            mlflow.log_params(dict(record.parameters))
            mlflow.log_metrics(dict(record.metrics))
            mlflow.log_text(record.policy_text, POLICY_FILE)
            mlflow.log_dict(
                {table: dict(each) for table, each in record.lineage.items()}, LINEAGE_FILE
            )
            for folder, path in record.files.items():
                mlflow.log_artifact(str(path), folder)
            _log_pictures(record.pictures)
            for name, content_hash in record.datasets.items():
                _log_dataset(name, content_hash, "training")
            log_ranker_model(record.ranker, self.problem)
            return str(run.info.run_id)

    def lineage(self, run_id: str) -> dict[str, dict[str, str]]:
        """The content of every table behind a ranker, by table and day; empty in older runs."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = self.client.download_artifacts(run_id, LINEAGE_FILE, folder)
            except (OSError, import_mlflow().MlflowException):
                return {}
            return dict(json.loads(Path(path).read_text()))

    def datasets(self, run_id: str) -> dict[str, str]:
        """The full content hash of each dataset that went into a run, by name."""
        inputs = self.client.get_run(run_id).inputs
        return {
            used.dataset.name: {tag.key: tag.value for tag in used.tags}["content_hash"]
            for used in (inputs.dataset_inputs if inputs else ())
        }

    def log_comparison(self, record: ComparisonRecord) -> str:
        """Record a comparison as the parent of its rankers' runs; the same one keeps its run.

        Returns:
            The run's id.
        """
        run_id = self._run_of(record.content) or self._new_comparison(record)
        self.add(run_id, {}, record.tags)
        for child in record.children:
            self.client.set_tag(child, "mlflow.parentRunId", run_id)
        return run_id

    def _new_comparison(self, record: ComparisonRecord) -> str:
        experiment_id = self.experiment_id
        mlflow = self.current()
        tags = {
            "kind": "comparison",
            "code_revision": code_revision(),
            CONTENT_TAG: record.content,
        }
        with mlflow.start_run(experiment_id=experiment_id, run_name=record.name, tags=tags) as run:
            mlflow.log_text(record.csv, "comparison.csv")
            for name, content_hash in record.datasets.items():
                _log_dataset(name, content_hash, "evaluation")
            return str(run.info.run_id)

    def _run_of(self, content: str) -> str | None:
        """The finished run that holds some content; what was cut off while logging is none."""
        found = self.client.search_runs(
            [self.experiment_id],
            f"tags.{CONTENT_TAG} = '{content}' and attributes.status = 'FINISHED'",
            max_results=1,
        )
        return str(found[0].info.run_id) if found else None

    def add(self, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add what was found out later to an earlier run."""
        import_mlflow()
        from mlflow.entities import Metric, RunTag

        # many in one request; one per metric would take seconds
        now = int(time.time() * 1000)
        values = [Metric(name, value, now, step=0) for name, value in metrics.items()]
        texts = [RunTag(name, text) for name, text in tags.items()]
        for start in range(0, len(values), _METRICS_AT_ONCE):
            self.client.log_batch(run_id, metrics=values[start : start + _METRICS_AT_ONCE])
        for start in range(0, len(texts), _TAGS_AT_ONCE):
            self.client.log_batch(run_id, tags=texts[start : start + _TAGS_AT_ONCE])

    def rankers(self) -> list[TrackedRanker]:
        """Every ranker that was ever tracked, the oldest first; none where there is no store."""
        if not self.exists:
            return []
        versions: dict[str, dict[str, tuple[str, ...]]] = {}
        for each in self.registry.versions():
            versions.setdefault(each.run_id, {})[each.version] = each.aliases
        return [
            tracked(run, versions.get(run.info.run_id, {}))
            for run in self.runs("tags.kind = 'ranker'")
        ]

    def runs(self, condition: str) -> Iterator["Run"]:
        """The runs that fulfil a condition in MLflow's language, the oldest first."""
        experiment = self.client.get_experiment_by_name(self.problem)
        token = "" if experiment else None
        while experiment and token is not None:
            page = self.client.search_runs(
                [experiment.experiment_id],
                condition,
                order_by=["attributes.start_time"],
                page_token=token or None,
            )
            yield from page
            token = page.token or None

    def log_page(self, run_id: str, page: Path) -> None:
        """Keep a comparison's page with its run."""
        self.client.log_artifact(run_id, str(page))

    def artifact_link(self, run_id: str, name: str) -> str:
        """The page on which MLflow shows a run's artifact."""
        return f"{self.link(run_id=run_id)}/artifacts/{name}"

    def link(self, base: str = "http://127.0.0.1:5000", run_id: str = "") -> str:
        """A run's page in MLflow's own interface, or that of all runs of the experiment."""
        return f"{base}/#/experiments/{self.experiment_id}/runs{run_id and '/'}{run_id}"


def _log_pictures(pictures: Mapping[str, bytes]) -> None:
    mlflow = import_mlflow()
    with tempfile.TemporaryDirectory() as folder:
        for name, png in pictures.items():
            path = Path(folder) / f"{name}.png"
            path.write_bytes(png)
            mlflow.log_artifact(str(path), "pictures")


def _log_dataset(name: str, content_hash: str, context: str) -> None:
    mlflow = import_mlflow()
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    digest = content_hash[-_DIGEST_LENGTH:]
    source = CodeDatasetSource(tags={})
    dataset = MetaDataset(source, name=name, digest=digest)  # type: ignore[abstract]
    mlflow.log_input(dataset, context=context, tags={"content_hash": content_hash})


def code_revision() -> str:
    """The revision of the code in use, or ``unknown`` where it is not a git checkout."""
    try:
        found = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except FileNotFoundError:
        return "unknown"
    return found.stdout.strip() or "unknown"
