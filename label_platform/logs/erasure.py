"""Removes a user from every table with rows of single people, and lets nothing bring them back.

First the tombstone, then the tables made of the raw ones, then the raw tables together, in one
step that the ledger notes. A call that died is finished by the next one: what it had not removed
is still found, by the raw tables, which go last, or by the hashes in the tombstone. What it had
found stands in the tombstone until the end, so that the next call can tell it too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

from label_platform.lake import (
    Engine,
    Lake,
    Partition,
    SqlError,
    recipe_hash,
    write_data_file,
)
from label_platform.logs.erased_rows import ErasedRows
from label_platform.logs.holdings import Holding, forget_refusals, holdings, note_removed
from label_platform.logs.ingest import show
from label_platform.logs.ledger import Ledger, read_ledger
from label_platform.logs.mentions import is_named_in
from label_platform.logs.privacy import UserKeys
from label_platform.logs.publication import Publication
from label_platform.logs.tombstones import Tombstones, read_tombstones
from label_platform.problem import Problem

_QUARANTINE = "rejected_records"


@dataclass(frozen=True)
class Erasure:
    """What an erasure finds.

    Attributes:
        rows: rows of the user by partition, as its folder in the problem's.
        days: days whose impressions had feedback or views of the user.
        lists: result lists that the user was shown.
        mentions: refused records of others whose texts name the user.
        erased_before: whether an earlier call had come to its end.
        named_files: log files whose own names hold the id; the ledger must go on knowing them.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    days: frozenset[date] = frozenset()
    lists: int = 0
    mentions: int = 0
    erased_before: bool = False
    named_files: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the user is there."""
        return not self.rows and not self.mentions

    @property
    def tables(self) -> dict[str, int]:
        """Rows by table; those of a view as of some time stand under the view's name too."""
        found: Counter[str] = Counter()
        for folder, rows in self.rows.items():
            found[folder.partition("/day=")[0].partition("/policy=")[0]] += rows
        return dict(found)

    def to_facts(self) -> dict[str, Any]:
        """What was found, as JSON holds it."""
        days = sorted(day.isoformat() for day in self.days)
        return {
            "rows": dict(self.rows),
            "days": days,
            "lists": self.lists,
            "mentions": self.mentions,
        }

    def with_facts(self, facts: dict[str, Any] | None) -> Self:
        """What an earlier call found that died, and what is there now."""
        if facts is None:
            return self
        return replace(
            self,
            rows={**self.rows, **facts["rows"]},
            days=self.days | {date.fromisoformat(day) for day in facts["days"]},
            lists=max(self.lists, facts["lists"]),
            mentions=max(self.mentions, facts["mentions"]),
        )


def find_user(problem: Problem, lake: Lake, engine: Engine, user: str) -> Erasure:
    """What an erasure would remove; nothing is changed.

    Args:
        problem: whose lake it is.
        lake: its tables.
        engine: looks.
        user: the user's id as the logs have it.

    Raises:
        ConfigurationError: the secret is missing, or is not the one that the lake's keys are of.
    """
    return _Work.of(problem, lake, engine, user).look()


def erase_user(problem: Problem, lake: Lake, engine: Engine, user: str) -> Erasure:
    """Remove a user; to do it again, or after a call that died, ends the same.

    Args:
        problem: whose lake it is.
        lake: its tables.
        engine: does the work.
        user: the user's id as the logs have it.

    Returns:
        What was removed.

    Raises:
        ConfigurationError: the secret is missing, or is not the one that the lake's keys are of.
    """
    lake = Lake(lake.folder.parent, lake.folder.name)  # not a view that was pinned earlier
    with lake.locked("ingestion"):
        ledger = read_ledger(lake.folder)
        if ledger.pending:
            show(lake, ledger)
        work = _Work.of(problem, lake, engine, user)
        found = work.look()
        work.bury(found)
        work.rewrite_derived()
        work.rewrite_raw(ledger)
        work.delete_loose_files()
        work.rewrite_derived()  # what a build that was under way has published meanwhile
        work.finish()
    return found


@dataclass(frozen=True)
class _Work:
    """One erasure under way."""

    lake: Lake
    engine: Engine
    tombstones: Tombstones
    rows: ErasedRows
    key: str
    user: str
    log_files: tuple[str, ...]

    @classmethod
    def of(cls, problem: Problem, lake: Lake, engine: Engine, user: str) -> Self:
        keys = UserKeys(problem)
        ledger = read_ledger(lake.folder)
        keys.require_same(ledger.user_keys)
        tombstones = read_tombstones(lake.folder, keys)
        key = keys.key(user)
        stone = tombstones.of(key)
        rows = ErasedRows(engine, tombstones, stone, key, user, problem.ids)
        names = {name.split(":", maxsplit=1)[1] for name in ledger.files}
        return cls(lake, engine, tombstones, rows, key, user, tuple(sorted(names)))

    def look(self) -> Erasure:
        found = holdings(self.lake)
        self.rows.collect(found)
        rows: dict[str, int] = {}
        for holding in found:
            for partition, count in self.rows.in_partitions(holding).items():
                folder = holding.folder(partition).relative_to(self.lake.folder)
                rows[folder.as_posix()] = count
        stone = self.tombstones.of(self.key)
        erasure = Erasure(
            rows=rows,
            days=frozenset(self.rows.impression_days(found)),
            lists=self.rows.list_count(),
            mentions=sum(self._mentions(found).values()),
            erased_before=stone is not None and stone.unfinished is None,
            named_files=tuple(name for name in self.log_files if is_named_in(name, self.user)),
        )
        return erasure.with_facts(stone.unfinished if stone else None)

    def bury(self, found: Erasure) -> None:
        """Leave the tombstone: from now on nothing of the user is read again."""
        stone = self.tombstones.add(self.key, self.user)
        stone.requests = sorted({*stone.requests, *self.rows.hashes("request")})
        stone.sessions = sorted({*stone.sessions, *self.rows.hashes("session")})
        stone.unfinished = found.to_facts()
        self.tombstones.save()

    def finish(self) -> None:
        self.tombstones.add(self.key, self.user).unfinished = None
        self.tombstones.save()

    def rewrite_derived(self) -> None:
        derived = [holding for holding in holdings(self.lake) if not holding.is_raw]
        # those first whose rows are known by their impressions alone
        for holding in sorted(derived, key=lambda holding: "user_key" in holding.columns):
            for partition in self.rows.in_partitions(holding):
                with holding.home.locked(holding.table):
                    self._rewrite(holding, partition)

    def _rewrite(self, holding: Holding, partition: Partition) -> None:
        before = holding.home.manifest(partition)
        if before is None:
            return
        old = holding.home.files([partition])
        file, columns = write_data_file(
            self.engine, holding.folder(partition), self.rows.without(old, is_raw=False)
        )
        # Made from what nobody can ask for again: no recipe is this one, so that it is built anew.
        recipe = recipe_hash({"erased from": before.recipe_hash})
        after = replace(before, files=(file,), columns=columns, recipe_hash=recipe)
        holding.home.replace_files(partition, after)
        _delete(old)

    def rewrite_raw(self, ledger: Ledger) -> None:
        publication = Publication(self.engine, self.lake)
        old: list[Path] = []
        released: dict[str, int] = {}
        for holding in holdings(self.lake):
            if not holding.is_raw:
                continue
            affected = {*self.rows.in_partitions(holding), *self._mentions([holding])}
            for partition in sorted(affected):
                files = holding.home.files([partition])
                old += files
                publication.replace(partition, self.rows.without(files, is_raw=True))
                before, after = holding.manifests[partition], publication.manifests[partition]
                if holding.table == _QUARANTINE:
                    for source, count in self.rows.by_source(files).items():
                        released[source] = released.get(source, 0) + count
                else:
                    note_removed(ledger.erased, partition, before.rows - after.rows)
        if publication.manifests:
            forget_refusals(ledger, released)
            ledger.pending = publication.manifests
            ledger.save()
            show(self.lake, ledger)
        _delete(old)

    def delete_loose_files(self) -> None:
        """Delete replaced files that still hold rows of the user, whoever has replaced them."""
        for holding in holdings(self.lake):
            for path in holding.loose_files:
                try:
                    holds = self.rows.holds(path, is_raw=holding.is_raw)
                except SqlError:
                    # of raw tables nobody is writing any now: it is half a file of a dead writer
                    holds = holding.is_raw
                if holds:
                    _delete([path])

    def _mentions(self, found: Iterable[Holding]) -> dict[Partition, int]:
        return {
            partition: count
            for holding in found
            if holding.table == _QUARANTINE
            for partition, count in self.rows.mentions_in(holding).items()
        }


def _delete(files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
