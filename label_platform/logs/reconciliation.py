"""Whether every record that was read is where the ledger says, file by file and day by day."""

from collections import Counter

from label_platform.lake import Engine, Lake, Partition
from label_platform.logs.batch import TABLES
from label_platform.logs.ledger import Ledger, read_ledger

_ENDS = ("accepted", "ignored", "rejected", "duplicates")


def unreconciled(engine: Engine, lake: Lake) -> list[str]:
    """What does not add up between the ledger and the lake; empty where all does.

    Per file: records = accepted + ignored + rejected + duplicates, and the quarantine holds at
    least the refused records of its last reading. Per table and day: the rows that files brought,
    less those that were erased or have expired, are the rows that are there.

    Args:
        engine: counts the quarantine.
        lake: the raw tables.
    """
    ledger = read_ledger(lake.folder)
    findings = []
    expected = _rows_left(ledger)
    refused: Counter[str] = Counter()
    for key, counts in ledger.files.items():
        ended = sum(counts[end] for end in _ENDS)
        if counts["records"] != ended:
            findings.append(f"{key}: {counts['records']} records, {ended} accounted for")
        refused[key.split(":", maxsplit=1)[1]] += counts["rejected"]
    for table in TABLES:
        for day in lake.days(table):
            manifest = lake.manifest(Partition(table, day))
            rows = manifest.rows if manifest else 0
            brought = expected.pop((table, day.isoformat()), 0)
            if rows != brought:
                findings.append(f"{table} of {day}: {rows} rows, files brought {brought}")
    for (name, day_name), rows in sorted(expected.items()):
        if rows:
            findings.append(f"{name} of {day_name}: no partition, files brought {rows}")
    return findings + _lost_refusals(engine, lake, refused)


def _rows_left(ledger: Ledger) -> Counter[tuple[str, str]]:
    """What files brought, by table and day, less what was erased or has expired."""
    left: Counter[tuple[str, str]] = Counter()
    for counts in ledger.files.values():
        for table, by_day in counts["rows"].items():
            left.update({(table, day): rows for day, rows in by_day.items()})
    for removed in (ledger.erased, ledger.expired):
        for table, by_day in removed.items():
            left.subtract({(table, day): rows for day, rows in by_day.items()})
    return left


def _lost_refusals(engine: Engine, lake: Lake, refused: Counter[str]) -> list[str]:
    days = lake.days("rejected_records")
    if not days:
        return [f"{name}: {count} refused, none kept" for name, count in refused.items() if count]
    kept = dict(
        engine.rows(
            f"select source, count(*) from {lake.scan('rejected_records', days)} group by source"
        )
    )
    return [
        f"{name}: {count} refused, {kept.get(name, 0)} in quarantine"
        for name, count in sorted(refused.items())
        if kept.get(name, 0) < count
    ]
