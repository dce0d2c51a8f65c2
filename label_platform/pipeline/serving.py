"""The command that serves a registered ranker on this machine."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from label_platform.first_contact.doctor.ports import LOOPBACK
from label_platform.pipeline.workspace import Workspace
from label_platform.tracking import CHAMPION, TrackingStore


@dataclass(frozen=True)
class ServeCommand:
    """What serves a ranker.

    Attributes:
        arguments: the program and its arguments.
        settings: what to set in its environment.
        programs: a folder to be looked in first for programs. MLflow starts its server by name,
            which is not found where .venv is not activated.
    """

    arguments: tuple[str, ...]
    settings: Mapping[str, str]
    programs: Path

    def environment(self) -> dict[str, str]:
        """This process's environment with what the command needs."""
        path = os.pathsep.join([str(self.programs), os.environ.get("PATH", os.defpath)])
        return {**os.environ, **self.settings, "PATH": path}

    def as_shell_line(self) -> str:
        """The command as a person pastes it into a shell; the PATH there is only added to."""
        settings = [f"{key}={shlex.quote(text)}" for key, text in self.settings.items()]
        path = f'PATH={shlex.quote(str(self.programs))}:"$PATH"'
        return " ".join([path, *settings, shlex.join(self.arguments)])


def serve_command_of(
    workspace: Workspace, problem: str, model: str | None, port: int
) -> ServeCommand:
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
    command = (sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri)
    where = ("--host", LOOPBACK, "--port", str(port), "--workers", "1", "--env-manager", "local")
    settings = {
        "MLFLOW_TRACKING_URI": store.uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    return ServeCommand((*command, *where), settings, Path(sys.executable).parent)
