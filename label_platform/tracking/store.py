"""The MLflow store of a problem: one experiment, one run per policy version, day and objective."""

import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from label_platform.tracking.quiet import import_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DATABASE = "mlflow.db"
POLICY_FILE = "policy.yaml"
_DIGEST_LENGTH = 36
"""The longest digest that MLflow stores of a dataset."""


@dataclass(frozen=True)
class RankerRecord:
    """What MLflow keeps of one trained ranker.

    Attributes:
        name: the run's name, for people.
        tags: policy, versions and hashes that lead back to what the ranker was made from.
        parameters: how it was trained.
        metrics: what was measured.
        policy_text: the policy file as it was.
        datasets: content hash of each dataset that went in, by name.
        pictures: PNG files by name.
        model: the ranker as its own text.
        features: the columns that a caller passes, without position.
    """

    name: str
    tags: Mapping[str, str]
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    policy_text: str
    datasets: Mapping[str, str]
    model: str
    features: tuple[str, ...]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackedRanker:
    """A ranker's run, as far as it tells what the ranker was made from.

    Attributes:
        run_id: the run.
        name: its name, for people.
        policy: the policy of its labels.
        first_day: the first day that it was trained on.
        last_day: the last day that decided when to stop training.
        versions: its versions in the model registry, each with its aliases (champion, ...).
    """

    run_id: str
    name: str
    policy: str
    first_day: date
    last_day: date
    versions: Mapping[str, tuple[str, ...]]


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

    @cached_property
    def _client(self) -> "MlflowClient":
        mlflow: Any = import_mlflow()
        self.folder.mkdir(parents=True, exist_ok=True)
        client: MlflowClient = mlflow.MlflowClient(self.uri)
        return client

    def _current(self) -> ModuleType:
        """MLflow's own functions, which write to one store at a time, made to write to this one."""
        mlflow = import_mlflow()
        mlflow.set_tracking_uri(self.uri)
        return mlflow

    def prepare(self) -> None:
        """Make the database, where it does not exist yet."""
        self._client.search_experiments(max_results=1)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment's id; it is made on first use."""
        found = self._client.get_experiment_by_name(self.problem)
        if found is not None:
            return str(found.experiment_id)
        location = (self.folder / "artifacts" / self.problem).as_uri()
        return str(self._client.create_experiment(self.problem, artifact_location=location))

    def log_ranker(self, record: RankerRecord) -> str:
        """Record a trained ranker as a run of its own; returns the run's id."""
        experiment_id = self.experiment_id
        mlflow = self._current()
        tags = {**record.tags, "code_revision": code_revision()}
        with mlflow.start_run(experiment_id=experiment_id, run_name=record.name, tags=tags) as run:
            mlflow.log_params(dict(record.parameters))
            mlflow.log_metrics(dict(record.metrics))
            mlflow.log_text(record.policy_text, POLICY_FILE)
            self._log_pictures(record.pictures)
            for name, content_hash in record.datasets.items():
                self._log_dataset(name, content_hash)
            self._log_model(record)
            return str(run.info.run_id)

    def add_metrics(
        self, run_id: str, metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Add what was found out later to an earlier run."""
        import_mlflow()
        from mlflow.entities import Metric, RunTag

        # one request; one per metric would take seconds
        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, step=0) for name, value in metrics.items()],
            tags=[RunTag(name, text) for name, text in tags.items()],
        )

    def log_comparison(self, name: str, tags: Mapping[str, str], csv: str) -> str:
        """Record a comparison of policies as a run of its own; returns the run's id."""
        experiment_id = self.experiment_id
        mlflow = self._current()
        with mlflow.start_run(
            experiment_id=experiment_id,
            run_name=name,
            tags={**tags, "kind": "comparison", "code_revision": code_revision()},
        ) as run:
            mlflow.log_text(csv, "comparison.csv")
            return str(run.info.run_id)

    def log_page(self, run_id: str, page: Path) -> None:
        """Keep a comparison's page with its run."""
        self._client.log_artifact(run_id, str(page))

    def register(self, run_id: str, alias: str) -> None:
        """Give a run's ranker an alias in the registry: ``champion`` or ``challenger``."""
        mlflow = self._current()  # a model's URI is looked up in the current store
        model_name = self._model_name
        models = self._client.search_logged_models(
            [self.experiment_id], filter_string=f"source_run_id = '{run_id}'"
        )
        if not models:
            raise LookupError(f"run {run_id} has no logged model")
        try:
            self._client.create_registered_model(model_name)
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self._client.create_model_version(
            model_name, source=models[0].model_uri, run_id=run_id, model_id=models[0].model_id
        )
        self._client.set_registered_model_alias(model_name, alias, version.version)

    def rankers(self) -> list[TrackedRanker]:
        """Every ranker that was ever tracked, the oldest first; none where there is no store."""
        if not (self.folder / DATABASE).is_file():
            return []
        experiment = self._client.get_experiment_by_name(self.problem)
        if experiment is None:
            return []
        found, token = [], None
        versions = self._versions()
        while True:
            page = self._client.search_runs(
                [experiment.experiment_id],
                "tags.kind = 'ranker'",
                order_by=["attributes.start_time"],
                page_token=token,
            )
            found += [_tracked(run, versions.get(run.info.run_id, {})) for run in page]
            token = page.token
            if not token:
                return found

    def _versions(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Per run, its versions in the model registry and their aliases."""
        named: dict[str, list[str]] = {}
        for model in self._client.search_registered_models(f"name = '{self._model_name}'"):
            for alias, version in model.aliases.items():
                named.setdefault(str(version), []).append(alias)
        versions: dict[str, dict[str, tuple[str, ...]]] = {}
        for each in self._client.search_model_versions(f"name = '{self._model_name}'"):
            aliases = tuple(sorted(named.get(str(each.version), ())))
            versions.setdefault(str(each.run_id), {})[str(each.version)] = aliases
        return versions

    @property
    def _model_name(self) -> str:
        return f"{self.problem}.ranker"

    def link(self, base: str = "http://127.0.0.1:5000") -> str:
        """The page of the experiment's runs in MLflow's own interface."""
        return f"{base}/#/experiments/{self.experiment_id}/runs"

    def artifact_link(self, run_id: str, name: str, base: str = "http://127.0.0.1:5000") -> str:
        """The page on which MLflow shows a run's artifact."""
        return f"{base}/#/experiments/{self.experiment_id}/runs/{run_id}/artifacts/{name}"

    def _log_pictures(self, pictures: Mapping[str, bytes]) -> None:
        mlflow = import_mlflow()
        with tempfile.TemporaryDirectory() as folder:
            for name, png in pictures.items():
                path = Path(folder) / f"{name}.png"
                path.write_bytes(png)
                mlflow.log_artifact(str(path), "pictures")

    def _log_dataset(self, name: str, content_hash: str) -> None:
        mlflow = import_mlflow()
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        digest = content_hash[-_DIGEST_LENGTH:]
        source = CodeDatasetSource(tags={})
        dataset = MetaDataset(source, name=name, digest=digest)  # type: ignore[abstract]
        mlflow.log_input(dataset, context="training", tags={"content_hash": content_hash})

    def _log_model(self, record: RankerRecord) -> None:
        mlflow = import_mlflow()
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        inputs = Schema([ColSpec("double", name) for name in record.features])
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            # it asks for an input example, which would be a row of a user's log
            warnings.simplefilter("ignore")
            path = Path(folder) / "ranker.json"
            path.write_text(record.model)
            mlflow.pyfunc.log_model(
                name="ranker",
                loader_module="label_platform.tracking.ranker_model",
                data_path=str(path),
                pip_requirements=["label-platform", "lightgbm"],
                signature=ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")])),
            )


def _tracked(run: "Run", versions: Mapping[str, tuple[str, ...]]) -> TrackedRanker:
    tags = run.data.tags
    first, last = tags["train_days"].split("..")
    # runs from before this tag was kept: the day that they were trained on comes after all of them
    last = tags.get("validate_days", f"..{tags.get('day', last)}").split("..")[1]
    return TrackedRanker(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        policy=tags["policy"],
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last),
        versions=versions,
    )


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
