"""Whether what earlier runs have left can be opened."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from label_platform.first_contact.doctor.finding import Finding


def store(name: str, folder: Path) -> Iterator[Finding]:
    """Whether the databases of a store open; one that is absent is made by the first run.

    Args:
        name: whose store it is.
        folder: where it lies.
    """
    check = f"{name} store"
    databases = sorted(folder.rglob("*.db")) if folder.is_dir() else []
    if not databases:
        yield Finding(check, "ok", f"none yet at {folder}; the first run makes it")
        return
    for database in databases:
        try:
            tables = _tables(database)
        except sqlite3.Error as error:
            advice = "restore it from a backup, or move it away: the next run makes a new one"
            found = f"{database}: {error}"
            yield Finding(check, "problem", found, "a database that opens", advice)
            return
        if not tables:
            found = f"{database} without tables"
            yield Finding(check, "warning", found, "a database", "move it away if a run fails")
            return
    files = "database" if len(databases) == 1 else "databases"
    yield Finding(check, "ok", f"{len(databases)} {files} at {folder}")


def _tables(database: Path) -> int:
    # immutable: not even the log files that an ordinary reader would leave beside it
    address = f"file:{quote(str(database))}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True)
    try:
        (count,) = connection.execute("select count(*) from sqlite_master").fetchone()
    finally:
        connection.close()
    return int(count)
