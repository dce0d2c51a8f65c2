"""What a partition holds: a small JSON file that one atomic rename replaces.

Readers take the list of files from the manifest and never look into the folder, so they see the
partition before a rebuild or after it and nothing between. The files themselves are immutable.
"""

import json
import os
import uuid
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

MANIFEST_NAME = "_current.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class DataFile:
    """One immutable Parquet file of a partition.

    Attributes:
        name: file name inside the partition's folder.
        rows: rows in the file.
        row_hash: sum over the file's rows of the engine's row hash; adding a file adds its sum.
    """

    name: str
    rows: int
    row_hash: int


@dataclass(frozen=True)
class Manifest:
    """The state of one partition.

    Attributes:
        files: its data files.
        columns: column names and SQL types.
        engine: the engine whose row hash was used.
        recipe_hash: what the partition was made from: inputs, versions, parameters.
        as_of: only events ingested up to here were used, ISO 8601; empty for raw tables.
        attributes: facts for people that no hash covers (run ids, verdict texts).
    """

    files: tuple[DataFile, ...]
    columns: dict[str, str]
    engine: str
    recipe_hash: str
    as_of: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def rows(self) -> int:
        """Rows in the partition."""
        return sum(file.rows for file in self.files)

    @property
    def content_hash(self) -> str:
        """Identity of the partition's rows, whatever their order and their split into files."""
        total = sum(file.row_hash for file in self.files)
        columns = sha256(json.dumps(self.columns, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.engine}:{columns}:{self.rows}:{total:x}"

    def to_facts(self) -> dict[str, Any]:
        """The manifest as JSON holds it, with what people want to read from it."""
        return asdict(self) | {"rows": self.rows, "content_hash": self.content_hash}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """The manifest that ``to_facts`` gave."""
        derived = {"rows", "content_hash"}
        stored = {name: value for name, value in facts.items() if name not in derived}
        return cls(**stored | {"files": tuple(DataFile(**file) for file in stored["files"])})


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a partition's folder, or None where nothing was published yet.

    Raises:
        ValueError: the manifest was written by a newer version of the platform.
    """
    path = folder / MANIFEST_NAME
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    stored = json.loads(text)
    if stored["format_version"] > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {stored['format_version']}, "
            f"this version of the platform reads up to {FORMAT_VERSION}"
        )
    return Manifest.from_facts(stored)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace a partition's manifest in one step that a crash cannot split."""
    facts = json.dumps(manifest.to_facts(), indent=1, sort_keys=True)
    replace_file(folder / MANIFEST_NAME, facts)


def replace_file(path: Path, text: str) -> None:
    """Write a file beside its final place, flush it to disk, and rename it over the old one."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with draft.open("w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def recipe_hash(recipe: dict[str, Any]) -> str:
    """Identity of what a partition is made from: sha256 over the canonical JSON of the recipe."""
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(canonical.encode()).hexdigest()[:16]
