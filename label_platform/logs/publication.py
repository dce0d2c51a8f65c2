"""Adds a batch to the lake's raw tables, so that a batch that died half-way can be taken out."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from label_platform.lake import (
    Engine,
    Lake,
    Manifest,
    Partition,
    days_between,
    quote_identifier,
    recipe_hash,
    scan_parquet,
    write_data_file,
)
from label_platform.lake.engine import ENGINE_VERSION
from label_platform.lake.manifest import MANIFEST_NAME
from label_platform.logs.contract import Table

RAW_TABLES = ("impressions", "interactions", "items", "rejected_records")


def add_to_partition(
    engine: Engine, lake: Lake, partition: Partition, query: str, batch: str
) -> None:
    """Write a query's rows as one more file of a partition."""
    folder = lake.folder / partition.folder
    folder.mkdir(parents=True, exist_ok=True)
    file, columns = write_data_file(engine, folder, query, batch)
    with lake.locked(partition.table):
        before = lake.manifest(partition)
        manifest = Manifest(
            files=(*(before.files if before else ()), file),
            columns=(before.columns if before else {}) | columns,
            engine=ENGINE_VERSION,
            recipe_hash="",
        )
        lake.replace_files(partition, _with_recipe(manifest))


def remove_batch(engine: Engine, lake: Lake, batch: str) -> None:
    """Take every file of a batch out of the raw tables."""
    for table in RAW_TABLES:
        for day in lake.days(table):
            _remove_from(engine, lake, Partition(table, day), batch)


def _remove_from(engine: Engine, lake: Lake, partition: Partition, batch: str) -> None:
    with lake.locked(partition.table):
        manifest = lake.manifest(partition)
        if manifest is None or all(file.batch != batch for file in manifest.files):
            return
        kept = tuple(file for file in manifest.files if file.batch != batch)
        if kept:
            paths = [lake.folder / partition.folder / file.name for file in kept]
            columns = engine.schema(scan_parquet(paths))
            lake.replace_files(
                partition, _with_recipe(replace(manifest, files=kept, columns=columns))
            )
        else:
            # the partition did not exist before the batch; downstream must not take it for empty
            (lake.folder / partition.folder / MANIFEST_NAME).unlink()


def _with_recipe(manifest: Manifest) -> Manifest:
    """A raw partition is made from nothing but its own rows."""
    recipe = recipe_hash({"content": manifest.content_hash})
    return replace(manifest, recipe_hash=recipe)


def publish_empty_days(
    engine: Engine, lake: Lake, first: date, layouts: Mapping[Table, dict[str, str]], batch: str
) -> list[date]:
    """Publish empty partitions for days without records, so that they stop nobody downstream.

    The last day is the last one with impressions: events that trail behind do not make a day for
    which impressions may still come.

    Args:
        engine: writes the files.
        lake: where to.
        first: the problem's first day.
        layouts: the tables and their columns.
        batch: the batch that the partitions belong to.

    Returns:
        The days that were missing.
    """
    seen = lake.days("impressions")
    days = days_between(first, seen[-1]) if seen else []
    added = set()
    for table, columns in layouts.items():
        for day in sorted(set(days) - set(lake.days(table))):
            add_to_partition(engine, lake, Partition(table, day), empty(columns), batch)
            added.add(day)
    return sorted(added)


def missing_days(lake: Lake, first: date, tables: Iterable[str]) -> bool:
    """Whether there are days for :func:`publish_empty_days`."""
    seen = lake.days("impressions")
    wanted = set(days_between(first, seen[-1])) if seen else set()
    return any(wanted - set(lake.days(table)) for table in tables)


def empty(columns: Mapping[str, str]) -> str:
    """The query of a table without rows."""
    typed = ", ".join(f"null::{kind} as {quote_identifier(name)}" for name, kind in columns.items())
    return f"select {typed} limit 0"
