"""The lake: tables of a problem as partitions of immutable Parquet files behind manifests."""

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock

from label_platform.lake.engine import (
    ENGINE_VERSION,
    Engine,
    quote_identifier,
    quote_literal,
    scan_parquet,
)
from label_platform.lake.manifest import (
    MANIFEST_NAME,
    DataFile,
    Manifest,
    read_manifest,
    write_manifest,
)

UNHASHED_COLUMNS = frozenset({"ingested_at", "source_file"})
"""When and from where a row came says nothing about what it is: kept out of content hashes."""


class MissingPartitionError(LookupError):
    """A table was read for days that nobody has built."""


@dataclass(frozen=True, order=True)
class Partition:
    """One day of a table, of one policy where the table has one set per policy."""

    table: str
    day: date
    policy: str = ""

    @property
    def folder(self) -> Path:
        """Where the partition lies, relative to the problem's folder in the lake."""
        parts = [self.table, *([f"policy={self.policy}"] if self.policy else [])]
        return Path(*parts, f"day={self.day.isoformat()}")

    def __str__(self) -> str:
        return str(self.folder)


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@dataclass(frozen=True)
class View:
    """Tables that were built from what was known at some time, beside the live ones.

    Attributes:
        folder: the name of the view's folder in the problem's.
        as_of: the time, as the manifests of what is built there say it.
        shared: the tables that a view reads from the live lake.
    """

    folder: str
    as_of: str
    shared: frozenset[str]


class Lake:
    """The tables of one problem.

    Args:
        root: the folder of all lakes.
        problem: the problem's name.
        view: the tables as of some time instead of the live ones.
    """

    def __init__(self, root: Path, problem: str, view: View | None = None) -> None:
        self.folder = root.resolve() / problem
        self.view = view
        self._pinned: dict[Partition, Manifest | None] | None = None

    def folder_of(self, partition: Partition) -> Path:
        """Where a partition lies."""
        return self._home(partition.table) / partition.folder

    def manifest(self, partition: Partition) -> Manifest | None:
        """The state of a partition, or None where it was never published."""
        if self._pinned is None:
            return read_manifest(self.folder_of(partition))
        if partition not in self._pinned:
            self._pinned[partition] = read_manifest(self.folder_of(partition))
        return self._pinned[partition]

    def pinned(self) -> "Lake":
        """The same tables, each manifest read once and kept: one state for one piece of work."""
        same = Lake(self.folder.parent, self.folder.name, self.view)
        same._pinned = {}
        return same

    def days(self, table: str, policy: str = "") -> list[date]:
        """The published days of a table, ascending."""
        base = self.folder_of(Partition(table, date.min, policy)).parent
        if not base.is_dir():
            return []
        found = (entry.name.removeprefix("day=") for entry in base.glob("day=*"))
        return sorted(
            day
            for day in map(date.fromisoformat, found)
            if self.manifest(Partition(table, day, policy)) is not None
        )

    def files(self, partitions: Iterable[Partition]) -> list[Path]:
        """The data files of the partitions that exist."""
        return [
            self.folder_of(partition) / file.name
            for partition in partitions
            if (manifest := self.manifest(partition)) is not None
            for file in manifest.files
        ]

    def scan(self, table: str, days: Sequence[date], policy: str = "") -> str:
        """The SQL relation over the days of a table that exist.

        Raises:
            MissingPartitionError: none of the days was built.
        """
        files = self.files(Partition(table, day, policy) for day in days)
        if not files:
            span = f"{min(days)} to {max(days)}" if days else "no days"
            built = self.days(table, policy)
            known = f"built are {built[0]} to {built[-1]}" if built else "none is built yet"
            of_policy = f" of policy {policy}" if policy else ""
            raise MissingPartitionError(f"{table}{of_policy}: no partition for {span}; {known}")
        return scan_parquet(files)

    def publish(
        self,
        engine: Engine,
        partition: Partition,
        query: str,
        *,
        recipe: str,
        as_of: str = "",
        attributes: dict[str, Any] | None = None,
        has_text: bool = True,
    ) -> Manifest:
        """Write a query's result as the new content of a partition.

        The files become visible with the manifest's rename. A query over the partition's own
        old content is fine: old files stay until they are collected. Who says that there is no
        text in the result has it written sooner.
        """
        folder = self.folder_of(partition)
        folder.mkdir(parents=True, exist_ok=True)
        file, columns = write_data_file(engine, folder, query, has_text=has_text)
        manifest = Manifest(
            files=(file,),
            columns=columns,
            engine=ENGINE_VERSION,
            recipe_hash=recipe,
            as_of=self.view.as_of if self.view else as_of,
            attributes=attributes or {},
        )
        with self.locked(partition.table):
            write_manifest(folder, manifest)
        self._forget(partition)
        return manifest

    def replace_files(self, partition: Partition, manifest: Manifest) -> None:
        """Publish a manifest over files that are already in the partition's folder."""
        write_manifest(self.folder_of(partition), manifest)
        self._forget(partition)

    def remove(self, partition: Partition) -> None:
        """Take a partition away with its files, at once; to do it again changes nothing."""
        folder = self.folder_of(partition)
        # first, so that no manifest ever names a file that is gone
        (folder / MANIFEST_NAME).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        self._forget(partition)

    def annotate(self, partition: Partition, attributes: dict[str, Any]) -> None:
        """Add facts for people to a published partition; its content stays as it is.

        Raises:
            MissingPartitionError: the partition was never published.
        """
        with self.locked(partition.table):
            manifest = read_manifest(self.folder_of(partition))
            if manifest is None:
                raise MissingPartitionError(f"{partition} was never published")
            merged = manifest.attributes | attributes
            self.replace_files(partition, replace(manifest, attributes=merged))

    @contextmanager
    def locked(self, table: str, timeout_s: float = 600) -> Iterator[None]:
        """Order the writers of a table; the operating system frees a dead writer's lock.

        Raises:
            filelock.Timeout: another writer held the lock for longer.
        """
        path = self._home(table) / table / "_lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path, timeout=timeout_s):
            yield

    def collect(self, delay_s: float = 3600.0) -> int:
        """Delete files that no manifest names, also in views, once they and it are that old.

        The delay lets readers finish that took an older manifest. It runs from the manifest's last
        replacement: a file may be a month old and have been replaced a moment ago. Returns the
        files deleted.
        """
        deleted = 0
        now = time.time()
        for folder in {path.parent for path in self.folder.rglob("day=*/*")}:
            manifest = read_manifest(folder)
            live = {file.name for file in manifest.files} if manifest else set()
            replaced = (folder / MANIFEST_NAME).stat().st_mtime if manifest else 0.0
            for path in folder.iterdir():
                stale = path.name not in live and path.name != MANIFEST_NAME
                if stale and now - max(path.stat().st_mtime, replaced) >= delay_s:
                    path.unlink(missing_ok=True)
                    deleted += 1
        return deleted

    def _home(self, table: str) -> Path:
        if self.view is None or table in self.view.shared:
            return self.folder
        return self.folder / self.view.folder

    def _forget(self, partition: Partition) -> None:
        if self._pinned is not None:
            self._pinned.pop(partition, None)


_FILE_OPTIONS = "format parquet, parquet_version v2, compression zstd, compression_level 1"
"""Version 2 stores moments and ids as differences: smaller than a higher level, and sooner done."""
_FEW_VALUES = "dictionary_size_limit 4096"
"""A column gets a dictionary only where its row groups have no more different values. Text is read
back much faster from a large one; ids and continuous labels fill one in vain, for a fifth of the
time that writing them takes."""


def write_data_file(
    engine: Engine, folder: Path, query: str, *, has_text: bool = True
) -> tuple[DataFile, dict[str, str]]:
    """Write a query's result as a new Parquet file; returns its facts and its columns.

    The hash is read back from the file, so it vouches for what is on disk.
    """
    name = f"part-{uuid.uuid4().hex}.parquet"
    path = folder / name
    options = _FILE_OPTIONS if has_text else f"{_FILE_OPTIONS}, {_FEW_VALUES}"
    engine.execute(f"copy ({query}) to {quote_literal(str(path))} ({options})")
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
    relation = scan_parquet([path])
    columns = engine.schema(relation)
    rows, row_hash = engine.row(
        f"select count(*), coalesce(sum({row_hash_sql(columns)}), 0) from {relation}"
    )
    return DataFile(name, int(rows), int(row_hash)), columns


def row_hash_sql(columns: Iterable[str]) -> str:
    """The SQL of a row's hash over its columns, in the order of their names."""
    hashed = sorted(set(columns) - UNHASHED_COLUMNS)
    return f"hash({', '.join(map(quote_identifier, hashed))})"
