"""An MLflow database that is up to date: making one takes seconds."""

from tests.pipeline.conftest import migrated_once

__all__ = ["migrated_once"]
