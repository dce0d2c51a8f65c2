"""A ranker as an MLflow model: its signature, its example, and the way back to the ranker."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

from label_platform.ranking import Ranker
from label_platform.tracking.model_inputs import example_rows, input_columns
from label_platform.tracking.quiet import import_mlflow

PROBLEM = "problem"
_MODEL_FILE = "ranker.json"


def log_ranker_model(ranker: Ranker, problem: str) -> None:
    """Log a ranker with the run that is active, such that ``mlflow models serve`` serves it.

    Args:
        ranker: the ranker.
        problem: whose it is; other problems refuse it.
    """
    mlflow = import_mlflow()
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = input_columns(ranker)
    inputs = Schema([ColSpec(column.kind, column.name) for column in columns])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how MLflow itself uses pandas
        path = Path(folder) / _MODEL_FILE
        path.write_text(ranker.to_json())
        mlflow.pyfunc.log_model(
            name="ranker",
            loader_module="label_platform.tracking.ranker_model",
            data_path=str(path),
            pip_requirements=["label-platform", "lightgbm"],
            signature=ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")])),
            input_example=example_rows(columns),
            metadata={PROBLEM: problem},
        )


def read_ranker_model(uri: str) -> tuple[Ranker, str]:
    """A logged ranker and the problem that it was logged for; empty if the model does not say.

    Args:
        uri: of the model; looked up in MLflow's current store.
    """
    mlflow: Any = import_mlflow()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        model = mlflow.models.Model.load(str(path))
        file = path / model.flavors["python_function"]["data"]
        problem = (model.metadata or {}).get(PROBLEM, "")
        return Ranker.from_json(file.read_text()), str(problem)
