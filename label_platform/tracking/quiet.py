"""Imports MLflow without its telemetry, its progress bars and its log lines about migrations."""

import logging
import os
from functools import cache
from types import ModuleType


@cache
def import_mlflow() -> ModuleType:
    """MLflow, on first use: it takes seconds to import, and many commands never need it."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow
