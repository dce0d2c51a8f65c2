"""Adds a batch to the lake's raw tables, in one step that a crash cannot split.

The data files of a batch are written first, where no manifest names them yet. The manifests that
will name them are then noted in the ledger, and that is the moment from which the batch counts:
whoever finds them there after a crash writes them again, to the same end. So nothing that a reader
has seen ever goes away, and files of a batch that was not noted are garbage that is collected.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date

from label_platform.lake import (
    DataFile,
    Engine,
    Lake,
    Manifest,
    Partition,
    days_between,
    quote_identifier,
    recipe_hash,
    write_data_file,
)
from label_platform.lake.engine import ENGINE_VERSION
from label_platform.logs.contract import Table, layout
from label_platform.problem import Problem

_WRITERS = 2
"""A day's file keeps one core busy: its row groups are too few for the engine to share."""


@dataclass
class Publication:
    """The partitions of one batch, as they will be.

    Attributes:
        engine: writes the files.
        lake: where to.
        manifests: the new manifest of each partition that the batch adds to.
    """

    engine: Engine
    lake: Lake
    manifests: dict[Partition, Manifest] = field(default_factory=dict)

    def add_all(self, queries: Mapping[Partition, str]) -> None:
        """Write the rows of queries, each as one more file of its partition, several at a time."""
        with self.engine.single_threaded(), ThreadPoolExecutor(max_workers=_WRITERS) as threads:
            written = list(threads.map(self._write, queries, queries.values()))
        for partition, (file, columns) in zip(queries, written, strict=True):
            self._note(partition, file, columns)

    def replace(self, partition: Partition, query: str) -> None:
        """Write a query's rows as the whole of a partition, in place of what it holds now."""
        file, columns = self._write(partition, query)
        self.manifests[partition] = _with_recipe(Manifest((file,), columns, ENGINE_VERSION, ""))

    def _write(self, partition: Partition, query: str) -> tuple[DataFile, dict[str, str]]:
        folder = self.lake.folder / partition.folder
        folder.mkdir(parents=True, exist_ok=True)
        with self.engine.sibling() as engine:
            return write_data_file(engine, folder, query)

    def _note(self, partition: Partition, file: DataFile, columns: dict[str, str]) -> None:
        before = self.manifests.get(partition) or self.lake.manifest(partition)
        manifest = Manifest(
            files=(*(before.files if before else ()), file),
            columns=(before.columns if before else {}) | columns,
            engine=ENGINE_VERSION,
            recipe_hash="",
        )
        self.manifests[partition] = _with_recipe(manifest)

    def add_empty_days(self, first: date, layouts: Mapping[Table, dict[str, str]]) -> None:
        """Add empty partitions for days without records, so that they stop nobody downstream.

        The last day is the last one with impressions: events that trail behind do not make a day
        for which impressions may still come.

        Args:
            first: the problem's first day.
            layouts: the tables and their columns.
        """
        seen = self._days("impressions")
        days = days_between(first, max(seen)) if seen else []
        missing = {
            Partition(table, day): empty(columns)
            for table, columns in layouts.items()
            for day in sorted(set(days) - self._days(table))
        }
        self.add_all(missing)

    @property
    def days(self) -> tuple[date, ...]:
        """The days that get something new, refused records aside."""
        added = (each for each in self.manifests if each.table != "rejected_records")
        return tuple(sorted({partition.day for partition in added}))

    def _days(self, table: str) -> set[date]:
        coming = {partition.day for partition in self.manifests if partition.table == table}
        return coming.union(self.lake.days(table))


def _with_recipe(manifest: Manifest) -> Manifest:
    """A raw partition is made from nothing but its own rows."""
    return replace(manifest, recipe_hash=recipe_hash({"content": manifest.content_hash}))


def publish(lake: Lake, manifests: Mapping[Partition, Manifest | None]) -> None:
    """Make a batch visible, None for what goes away; to do it again changes nothing."""
    for partition, manifest in manifests.items():
        with lake.locked(partition.table):
            if manifest is None:
                lake.remove(partition)
            else:
                lake.replace_files(partition, manifest)


def missing_days(lake: Lake, first: date, tables: Iterable[str]) -> bool:
    """Whether there are days for ``Publication.add_empty_days``."""
    seen = lake.days("impressions")
    wanted = set(days_between(first, seen[-1])) if seen else set()
    return any(wanted - set(lake.days(table)) for table in tables)


def empty(columns: Mapping[str, str]) -> str:
    """The query of a table without rows."""
    typed = ", ".join(f"null::{kind} as {quote_identifier(name)}" for name, kind in columns.items())
    return f"select {typed} limit 0"


def no_rows(table: Table, problem: Problem) -> str:
    """The relation of a raw table that has none of the days that are asked for."""
    return f"({empty(layout(table, problem.ids, {}))})"
