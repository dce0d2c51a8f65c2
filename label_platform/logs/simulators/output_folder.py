"""The folder that a simulation writes: all of it appears at the end, or nothing."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from label_platform.logs.simulators.summary import SimulationSummary

_DESCRIPTION = "simulation.json"
_PRODUCTS = ("truth", _DESCRIPTION, "logs")


@contextmanager
def all_or_nothing(out: Path) -> Iterator[Path]:
    """A folder to write `truth/`, `simulation.json` and `logs/` into, which then move to `out`.

    Args:
        out: where they shall lie.

    Raises:
        FileExistsError: `out` already holds a simulation.
    """
    for name in _PRODUCTS:
        if (out / name).exists():
            raise FileExistsError(f"{out / name} exists: remove it or simulate into another folder")
    unfinished = out / ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    yield unfinished
    for name in _PRODUCTS:
        (unfinished / name).rename(out / name)
    unfinished.rmdir()


def write_description(
    simulator: str, settings: Mapping[str, object], summary: SimulationSummary, folder: Path
) -> None:
    """Writes which simulator, with which settings, wrote how much."""
    description = {"simulator": simulator, "settings": settings, "summary": asdict(summary)}
    (folder / _DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")
