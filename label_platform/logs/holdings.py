"""Where the lake holds rows of single people: tables whose columns name a user, a list or an item.

Told from the manifests' columns and not from the tables' names, so that a table which somebody
adds is not forgotten. Aggregates have none of these columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from label_platform.lake import Lake, Manifest, Partition
from label_platform.logs.ledger import Ledger

ROW_COLUMNS = frozenset({"user_key", "impression_id", "request_id"})
EXPIRING = ("impressions", "interactions", "requests")
"""The raw tables with rows of people; the catalogue of items has none."""

RAW = frozenset({*EXPIRING, "rejected_records"})
WINDOW_ATTRIBUTE = "train"
"""Partitions made of several days name in this attribute the first and the last of them."""

_VIEWS = "as_of=*"


@dataclass(frozen=True)
class Holding:
    """A table that holds rows of single people.

    Attributes:
        home: the lake that it lies in, or a view of it as of some time.
        table: its name.
        manifests: its partitions.
    """

    home: Lake
    table: str
    manifests: dict[Partition, Manifest]

    @property
    def columns(self) -> set[str]:
        """The columns that any of its partitions has."""
        return {name for manifest in self.manifests.values() for name in manifest.columns}

    @property
    def is_raw(self) -> bool:
        """Whether ingestion writes it."""
        return self.table in RAW

    def folder(self, partition: Partition) -> Path:
        """Where a partition lies."""
        return self.home.folder / partition.folder

    @property
    def files(self) -> list[Path]:
        """The data files that its manifests name."""
        return [
            self.folder(partition) / file.name
            for partition, manifest in self.manifests.items()
            for file in manifest.files
        ]

    @property
    def loose_files(self) -> list[Path]:
        """Data files that no manifest names: replaced ones, and those of a writer that died."""
        live = set(self.files)
        folder = self.home.folder / self.table
        return [path for path in sorted(folder.rglob("*.parquet")) if path not in live]


def holdings(lake: Lake, before: date = date.max) -> list[Holding]:
    """The tables with rows of single people, in the lake and in its views.

    Args:
        lake: a problem's lake.
        before: only partitions of earlier days.
    """
    return [holding for home in homes(lake) for holding in _holdings(home, before)]


def homes(lake: Lake) -> list[Lake]:
    """A problem's lake, and its views as of some time, each as a lake of its own."""
    return [lake, *(Lake(lake.folder, view.name) for view in sorted(lake.folder.glob(_VIEWS)))]


def partitions(home: Lake, table: str, before: date = date.max) -> dict[Partition, Manifest]:
    """The published partitions of a table, of all policies.

    Args:
        home: the lake, or a view, that the table lies in.
        table: its name.
        before: only partitions of earlier days.
    """
    found: dict[Partition, Manifest] = {}
    folder = home.folder / table
    for path in sorted([*folder.glob("day=*"), *folder.glob("policy=*/day=*")]):
        partition = _partition(home, path)
        manifest = home.manifest(partition) if partition.day < before else None
        if manifest is not None:
            found[partition] = manifest
    return found


def first_day(partition: Partition, manifest: Manifest) -> date:
    """The first day that a partition's rows come from: its own, or that of its window."""
    days = days_named(manifest, WINDOW_ATTRIBUTE)
    return min(partition.day, days[0]) if days else partition.day


def days_named(manifest: Manifest, attribute: str) -> tuple[date, date] | None:
    """The first and the last day that an attribute names; None where there is none."""
    named = manifest.attributes.get(attribute)
    if not named:
        return None
    first, last = str(named).split(" to ")
    return date.fromisoformat(first), date.fromisoformat(last)


def note_removed(noted: dict[str, dict[str, int]], partition: Partition, rows: int) -> None:
    """Add rows that are gone to a ledger's count of them."""
    by_day = noted.setdefault(partition.table, {})
    day = partition.day.isoformat()
    by_day[day] = by_day.get(day, 0) + rows


def forget_refusals(ledger: Ledger, removed: dict[str, int]) -> None:
    """Count refused records that have left the quarantine as ignored.

    Args:
        ledger: changes, on disk with its next save.
        removed: per file how many left. More may leave than the file's last reading refused:
            those of an earlier state of it.
    """
    for key, counts in ledger.files.items():
        name = key.split(":", maxsplit=1)[1]
        moved = min(removed.get(name, 0), counts["rejected"])
        if moved:
            counts["rejected"] -= moved
            counts["ignored"] += moved
            removed[name] -= moved


def _holdings(home: Lake, before: date) -> Iterator[Holding]:
    for folder in sorted(path for path in home.folder.glob("*") if path.is_dir()):
        holding = Holding(home, folder.name, partitions(home, folder.name, before))
        if ROW_COLUMNS & holding.columns:
            yield holding


def _partition(home: Lake, path: Path) -> Partition:
    table, *policy, day = path.relative_to(home.folder).parts
    facts: dict[str, Any] = {"policy": policy[0].removeprefix("policy=")} if policy else {}
    return Partition(table, date.fromisoformat(day.removeprefix("day=")), **facts)
