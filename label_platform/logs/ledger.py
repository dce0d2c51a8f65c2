"""The ledger of a problem's log files: what was read, when, and what is still to be shown."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import xxhash

from label_platform.lake import Manifest, Partition, replace_file
from label_platform.logs.formats import feedback_of
from label_platform.logs.records import LogFile
from label_platform.logs.report import FileCounts
from label_platform.logs.tombstones import TOMBSTONES_NAME
from label_platform.strict_yaml import ConfigurationError

LEDGER_NAME = "_ingested.json"
FORMAT_VERSION = 2
"""2: ids of events without one are made of their moment in base 36."""
_DIGEST = "xxh3_128"
_BLOCK_BYTES = 1024 * 1024

START_ANEW = (
    f"remove all of {{folder}} but {TOMBSTONES_NAME} and ingest again: nothing is lost while the "
    "log files are there"
)


@dataclass
class Ledger:
    """What was ingested so far; it changes on disk by one atomic replacement.

    Attributes:
        path: the file in the lake.
        files: per file (its ledger key) its fingerprint, when it was read, the counts of its last
            reading, the settings it was read with, the rows per table and day of all readings, and
            those of a last record that may still go on.
        features: the feature columns of a table and their types, fixed when first seen.
        pending: the manifests of a batch that counts, and may not be visible yet; None for a
            partition that goes away.
        user_keys: the fingerprint of the secret that made the user keys.
        erased: rows per table and day that were erased with their user.
        expired: rows per table and day that were older than the problem's retention.
    """

    path: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    features: dict[str, dict[str, str]] = field(default_factory=dict)
    pending: Mapping[Partition, Manifest | None] = field(default_factory=dict)
    user_keys: str = ""
    erased: dict[str, dict[str, int]] = field(default_factory=dict)
    expired: dict[str, dict[str, int]] = field(default_factory=dict)

    def save(self) -> None:
        """Replace the ledger on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "format_version": FORMAT_VERSION,
            "files": self.files,
            "features": self.features,
            "pending": [
                [each.table, each.day.isoformat(), manifest.to_facts() if manifest else None]
                for each, manifest in self.pending.items()
            ],
            "user_keys": self.user_keys,
            "erased": self.erased,
            "expired": self.expired,
        }
        replace_file(self.path, json.dumps(content, indent=1, sort_keys=True))

    def is_unchanged(self, file: LogFile, asked: tuple[str, ...]) -> bool:
        """Whether a file was read as it is now, with nothing ignored that is asked for now."""
        known = self.files.get(file.ledger_key)
        if known is None:
            return False
        # what nobody asked for was ignored as a record, or as a column of one
        if known["asked"] != list(asked) and (known["ignored"] or feedback_of(file)):
            return False
        if self.needs_new_reading(file) and not _accepted(known):
            return False
        state = file.path.stat()
        if known["size"] != state.st_size:
            return False
        return bool(
            known["mtime_ns"] == state.st_mtime_ns or known[_DIGEST] == digest_of(file.path)
        )

    def require_same_settings(self, files: Iterable[LogFile], current: Iterable[LogFile]) -> None:
        """Refuse to read on in a file whose accepted records other settings might read otherwise.

        A record that is read as another row would not be known again: the lake would have both.
        A file of which nothing was accepted, and that feeds another table now, is forgotten.

        Args:
            files: those that are to be read.
            current: all that the problem's globs match.

        Raises:
            ConfigurationError: names the file and what has changed since it was read.
        """
        keys = {file.ledger_key for file in current}
        gone: dict[str, list[str]] = {}
        for key in self.files.keys() - keys:
            gone.setdefault(name_of_key(key), []).append(key)
        for file in files:
            for key in [file.ledger_key, *gone.get(file.name, [])]:
                self._require_same_settings(file, key)

    def _require_same_settings(self, file: LogFile, key: str) -> None:
        known = self.files.get(key, {})
        changes = _changes(known.get("settings"), settings_of(file))
        accepted = _accepted(known)
        if key != file.ledger_key and not accepted and not known.get("rows"):
            self.files.pop(key, None)
        if changes and accepted:
            raise ConfigurationError(
                f"{file.name}: {accepted} of its records were accepted with other settings: "
                f"{'; '.join(changes)}. Read on with the new ones, rows would be there twice. "
                f"Take the change back, or {START_ANEW.format(folder=self.path.parent)}"
            )

    def needs_new_reading(self, file: LogFile) -> bool:
        """Whether a file was never read, or in a format in which its records look otherwise."""
        known = self.files.get(file.ledger_key)
        settings = known.get("settings") if known else None
        changed = settings is not None and settings["format"] != file.source.format
        return known is None or changed

    def record(
        self,
        file: LogFile,
        fingerprint: dict[str, Any],
        counts: FileCounts,
        ingested_at: datetime,
        asked: tuple[str, ...],
    ) -> None:
        """Note that a file was read; on disk with the next :meth:`save`."""
        known = self.files.get(file.ledger_key, {})
        before = known.get("rows", {})
        end = _open_end(file, known.get("open_end"), counts)
        self.files[file.ledger_key] = fingerprint | {
            "ingested_at": ingested_at.isoformat(),
            "asked": list(asked),
            "settings": settings_of(file),
            "records": counts.records,
            "accepted": counts.accepted,
            "ignored": counts.ignored,
            "rejected": counts.rejected,
            "duplicates": counts.duplicates,
            "rows": _added(before, _by_name(counts)),
            **({"open_end": end} if end else {}),
        }

    def note_replay(self, file: LogFile, counts: FileCounts) -> None:
        """Note that some of a file's refused records were read again."""
        known = self.files[file.ledger_key]
        # of a file that feeds two tables, all its refused records were read: some of them were
        # refused by the other table, and are here what they were
        left = known["rejected"] - len(counts.still_refused)
        for kind in ("accepted", "ignored", "duplicates"):
            moved = min(getattr(counts, kind), left)
            known[kind] += moved
            known["rejected"] -= moved
            left -= moved
        known["rows"] = _added(known["rows"], _by_name(counts))
        if end := _open_end(file, known.get("open_end"), counts):
            known["open_end"] = end
        if counts.accepted or counts.duplicates:
            known["settings"] = settings_of(file)


def read_ledger(folder: Path) -> Ledger:
    """The ledger in a problem's folder of the lake; an empty one where nothing was ingested.

    Raises:
        ValueError: a newer version of the platform wrote it.
        ConfigurationError: an older one, to which events without an id had other ids; or it is
            damaged.
    """
    path = folder / LEDGER_NAME
    if not path.is_file():
        return Ledger(path)
    content = _content(path)
    version = content.pop("format_version")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {version}, this version of the platform reads up to "
            f"{FORMAT_VERSION}"
        )
    if version < FORMAT_VERSION:
        raise ConfigurationError(
            f"{path}: format version {version}, this version of the platform goes on with "
            f"{FORMAT_VERSION}: {START_ANEW.format(folder=folder)}"
        )
    pending = {
        Partition(table, date.fromisoformat(day)): Manifest.from_facts(facts) if facts else None
        for table, day, facts in content.pop("pending")
    }
    return Ledger(path, pending=pending, **content)


def _content(path: Path) -> dict[str, Any]:
    found = "no format_version"
    try:
        content = json.loads(path.read_text())
        if isinstance(content, dict) and "format_version" in content:
            return content
    except ValueError as error:
        found = str(error)
    raise ConfigurationError(
        f"{path}: cannot be read: found {found}, expected the JSON of what was ingested. "
        f"Put back a sound copy of it, or {START_ANEW.format(folder=path.parent)}"
    )


def name_of_key(key: str) -> str:
    """The file's name in a ledger's key."""
    return key.split(":", maxsplit=1)[1]


def fingerprint(file: LogFile) -> dict[str, Any]:
    """Identity of a file's content, taken before it is read: what is added later counts as new."""
    state = file.path.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns, _DIGEST: digest_of(file.path)}


def settings_of(file: LogFile) -> dict[str, Any]:
    """How a file is read, as JSON keeps it."""
    options = json.loads(json.dumps(file.source.options, default=str))
    return {
        "format": file.source.format,
        "time_zone": file.source.time_zone,
        **{f"options.{name}": value for name, value in options.items()},
    }


def _changes(before: dict[str, Any] | None, now: dict[str, Any]) -> list[str]:
    """What was changed in a way that may change rows; an older ledger does not say."""
    if before is None:
        return []
    return [
        f"{name} was {json.dumps(before.get(name))}, is {json.dumps(now.get(name))}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
        # without a zone, times that name none were refused: those that were accepted name theirs
        and not (name == "time_zone" and before[name] is None)
    ]


def _accepted(known: dict[str, Any]) -> int:
    """How many of a file's records the lake has, from this file or another one."""
    return int(known.get("accepted", 0) + known.get("duplicates", 0))


def _open_end(
    file: LogFile, known: dict[str, Any] | None, counts: FileCounts
) -> dict[str, Any] | None:
    """The rows of a last record that may still go on, from this reading and those before it."""
    new = counts.open_end
    if new is None:
        return known
    rows = dict(new["rows"])
    if known is not None and known["size"] == new["size"]:
        for table, by_day in known["rows"].items():
            ours = rows.get(table, {})
            days = {*by_day, *ours}
            rows[table] = {day: [*by_day.get(day, []), *ours.get(day, [])] for day in days}
    return {"size": new["size"], "digest": digest_of(file.path, new["size"]), "rows": rows}


def digest_of(path: Path, size: int | None = None) -> str:
    """The digest of a file, or of so many of its first bytes."""
    digest, block = xxhash.xxh3_128(), memoryview(bytearray(_BLOCK_BYTES))
    left = path.stat().st_size if size is None else size
    with path.open("rb", buffering=0) as handle:
        while left > 0 and (count := handle.readinto(block[: min(left, _BLOCK_BYTES)])):
            digest.update(block[:count])
            left -= count
    return digest.hexdigest()


def _by_name(counts: FileCounts) -> dict[str, dict[str, int]]:
    return {
        table: {day.isoformat(): count for day, count in by_day.items()}
        for table, by_day in counts.rows.items()
    }


def _added(
    before: dict[str, dict[str, int]], new: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    """Rows per table and day over all readings of a file."""
    return {
        table: dict(Counter(before.get(table, {})) + Counter(new.get(table, {})))
        for table in {*before, *new}
    }
