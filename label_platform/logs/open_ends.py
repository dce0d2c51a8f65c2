"""Rows of a perhaps half written last record: withdrawn when the file shows the rest of it.

The last record of a delimited file may lack its line's end because the file is complete without
one, or because somebody is still writing it; half a number is a number too. So it is read like any
other, and the ledger notes which rows came of it. If the file then goes on in the same line, the
rows go away before it is read again, and the whole record takes their place.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from label_platform.lake import Engine, Lake, Manifest, Partition, quote_literal
from label_platform.logs.batch import TABLES, fresh, of_file
from label_platform.logs.contract import KEY_OF, Table
from label_platform.logs.ledger import Ledger, digest_of
from label_platform.logs.publication import Publication
from label_platform.logs.records import LogFile, OpenEnd

_LINE_ENDS = (b"\n", b"\r\n")


def note_of(engine: Engine, file: int, end: OpenEnd) -> dict[str, Any] | None:
    """What the ledger notes of a file with an open end; None where nothing new came of it.

    Args:
        engine: has the batch.
        file: the batch's number of the file.
        end: where it ends.

    Returns:
        The size of what was read, and per table and day the digests of the rows' keys.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    for table in TABLES:
        found = engine.rows(
            f"select day, {_digest_of_key(table)} as key from {fresh(table)}"
            f" where {of_file(file)} and record_line >= {end.line} order by day, key"
        )
        for day, key in found:
            rows.setdefault(table, {}).setdefault(day.isoformat(), []).append(key)
    return {"size": end.size, "rows": rows} if rows else None


def withdraw(lake: Lake, engine: Engine, ledger: Ledger, files: Iterable[LogFile]) -> bool:
    """Remove the rows of last records that go on now.

    Args:
        lake: the raw tables.
        engine: rewrites their partitions.
        ledger: gets what is pending, and is saved if that is anything.
        files: those that are to be read, as they are now.

    Returns:
        Whether something is pending that is still to be shown.
    """
    gone: dict[tuple[Table, str], set[str]] = {}
    owners: dict[tuple[Table, str], list[dict[str, Any]]] = {}
    for file in files:
        known = ledger.files.get(file.ledger_key, {})
        note = known.get("open_end")
        if note is None or _is_as_it_was(file, note):
            continue
        del known["open_end"]
        if not _goes_on(file, note):
            continue
        known["size"] = -1  # until it has been read again, whatever becomes of it meanwhile
        for table in TABLES:
            for day, keys in note["rows"].get(table, {}).items():
                gone.setdefault((table, day), set()).update(keys)
                owners.setdefault((table, day), []).append(known | {"keys": keys})
    pending: dict[Partition, Manifest | None] = {}
    for (table, day), keys in gone.items():
        pending |= _without(lake, engine, table, day, keys, owners[table, day])
    if not gone:
        return False
    ledger.pending = pending
    ledger.save()
    return True


def _is_as_it_was(file: LogFile, note: Mapping[str, Any]) -> bool:
    size = file.path.stat().st_size
    return bool(size == note["size"] and digest_of(file.path) == note["digest"])


def _goes_on(file: LogFile, note: Mapping[str, Any]) -> bool:
    """Whether a file has grown within its last record; one that was replaced says nothing of it."""
    size = note["size"]
    if file.path.stat().st_size <= size or digest_of(file.path, size) != note["digest"]:
        return False
    with file.path.open("rb") as handle:
        handle.seek(size)
        return not handle.read(2).startswith(_LINE_ENDS)


def _without(
    lake: Lake,
    engine: Engine,
    table: Table,
    day: str,
    keys: Iterable[str],
    owners: Iterable[Mapping[str, Any]],
) -> dict[Partition, Manifest | None]:
    """A partition without some of its rows, which count no more for the files they came from."""
    partition = Partition(table, date.fromisoformat(day))
    before = lake.manifest(partition)
    if before is None:
        return {}
    relation = lake.scan(table, [partition.day])
    key = _digest_of_key(table)
    listed = ", ".join(map(quote_literal, sorted(keys)))
    there = {
        found for (found,) in engine.rows(f"select {key} from {relation} where {key} in ({listed})")
    }
    for owner in owners:
        # others were erased, or have expired, and were counted then
        owner["rows"][table][day] -= len(there.intersection(owner["keys"]))
    if not there:
        return {}
    if before.rows == len(there):
        return {partition: None}
    publication = Publication(engine, lake)
    publication.replace(partition, f"from {relation} where {key} not in ({listed})")
    return dict(publication.manifests)


def _digest_of_key(table: Table) -> str:
    values = ", ".join(f"{name}::varchar" for name in KEY_OF[table])
    return f"md5(concat_ws('|', {values}))"
