"""Where this installation keeps what it builds: lake, Dagster's history, MLflow's store."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

from label_platform.lake import Lake
from label_platform.pipeline.as_of import view_of
from label_platform.strict_yaml import ConfigurationError


@dataclass(frozen=True)
class Workspace:
    """The folder under which everything built lies.

    Attributes:
        folder: ``data`` beside the project's files, unless ``LABEL_PLATFORM_DATA`` says else.
    """

    folder: Path

    @classmethod
    def from_environment(cls) -> "Workspace":
        """The workspace of the current directory or of ``LABEL_PLATFORM_DATA``."""
        return cls(Path(os.environ.get("LABEL_PLATFORM_DATA", "data")).absolute())

    def make(self) -> None:
        """Make the folder where it is absent.

        Raises:
            ConfigurationError: it cannot be made, or nothing can be written in it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"workspace {self.folder}: found {error.strerror or error}, expected a folder that "
                "can be written; name another one by LABEL_PLATFORM_DATA, or mend its permissions"
            ) from error

    @property
    def problems(self) -> Path:
        """The folder of problem files."""
        return self.folder / "problems"

    @property
    def dagster_home(self) -> Path:
        """Dagster's history and settings."""
        return self.folder / "dagster"

    @property
    def mlflow_folder(self) -> Path:
        """MLflow's database and artifacts."""
        return self.folder / "mlflow"

    @property
    def server_logs(self) -> Path:
        """What the servers of ``label-platform ui`` print."""
        return self.folder / "servers"

    def lake(self, problem: str, as_of: datetime | None = None) -> Lake:
        """The tables of a problem: the live ones, or those built as of some time."""
        return Lake(self.folder / "lake", problem, view_of(as_of) if as_of else None)
