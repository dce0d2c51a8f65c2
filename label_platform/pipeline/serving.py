"""The command that serves a registered ranker on this machine."""

import os
import sys
from pathlib import Path

from label_platform.first_contact.doctor.ports import LOOPBACK
from label_platform.pipeline.workspace import Workspace
from label_platform.tracking import CHAMPION, TrackingStore


def serve_command_of(
    workspace: Workspace, problem: str, model: str | None, port: int
) -> tuple[list[str], dict[str, str]]:
    """What to run, and what to set in its environment.

    The version is settled when the server starts: an alias that moves later moves no server.

    Args:
        workspace: where MLflow's store lies.
        problem: the problem's name.
        model: an alias or version of its registry; the champion by default.
        port: to listen on.

    Raises:
        ConfigurationError: there is no such model, or it is another problem's.
    """
    store = TrackingStore(workspace.mlflow_folder, problem)
    found = store.registry.find(model or CHAMPION)
    store.registry.load(found.version)  # refuses what was trained for another problem
    uri = f"models:/{store.registry.name}/{found.version}"
    where = ["--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri, *where]
    # MLflow starts its server by name, which is not found where .venv is not activated
    programs = str(Path(sys.executable).parent)
    environment = {
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "MLFLOW_TRACKING_URI": store.uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    return [*command, "--env-manager", "local"], environment
