"""Rows that are older than the problem keeps them go away with every ingestion.

What is counted over many people stays: statistics, curves, labels of queries and items, models.
"""

from datetime import UTC, date, datetime, time, timedelta

from label_platform.lake import Engine, Lake, Manifest, Partition, quote_literal
from label_platform.logs import batch
from label_platform.logs.contract import RejectionReason
from label_platform.logs.holdings import (
    EXPIRING,
    ROW_COLUMNS,
    first_day,
    forget_refusals,
    holdings,
    note_removed,
)
from label_platform.logs.ledger import Ledger
from label_platform.logs.publication import Publication
from label_platform.problem import Problem

_DAY = timedelta(days=1)
_QUARANTINE = "rejected_records"
_UNKNOWN_TIME = (
    RejectionReason.TIMESTAMP_OUT_OF_RANGE,
    RejectionReason.OUTSIDE_PROBLEM_DAYS,
    RejectionReason.TIMESTAMP_WITHOUT_ZONE,
)
"""Reasons for which the time of a refused record is not to be trusted."""


def first_kept_day(problem: Problem, moment: datetime) -> date:
    """The first day whose records are kept: the problem's first day, or a later one.

    A day goes when it ended more than ``retention`` before the moment.

    Args:
        problem: says how long records are kept.
        moment: the time of ingestion.
    """
    if problem.retention is None:
        return problem.start_date
    latest_gone = moment.astimezone(UTC) - problem.retention - _DAY
    day = latest_gone.date()
    if latest_gone.time() != time():
        day += _DAY
    return max(problem.start_date, day)


def ignore_expired(engine: Engine, problem: Problem, moment: datetime, file: int) -> None:
    """Mark a file's records that are too old to be kept as ignored.

    A refused record whose time is what is wrong with it stays refused: its reason is of use, and
    it expires some time after it was read.

    Args:
        engine: has the batch.
        problem: says how long records are kept.
        moment: the time of ingestion.
        file: the batch's number of the file.
    """
    if problem.retention is None:
        return
    first = f"{quote_literal(first_kept_day(problem, moment).isoformat())}::date"
    unknown = ", ".join(map(quote_literal, _UNKNOWN_TIME))
    for table in EXPIRING:
        engine.execute(
            f"update {batch.name_of(table)} set ignored = true, record_verdict = null"
            f" where {batch.of_file(file)} and day < {first}"
            f" and coalesce(split_part(record_verdict, '|', 1) not in ({unknown}), true)"
        )


def expire(problem: Problem, lake: Lake, engine: Engine, ledger: Ledger, moment: datetime) -> bool:
    """Remove what is too old: tables made of the raw ones at once, those with the ledger's help.

    Args:
        problem: says how long records are kept.
        lake: the problem's tables.
        engine: looks at the quarantine.
        ledger: gets what is pending, and is saved if that is anything.
        moment: the time of ingestion.

    Returns:
        Whether something is pending that is still to be shown.
    """
    if problem.retention is None:
        return False
    first = first_kept_day(problem, moment)
    _remove_derived(problem, lake, first)
    pending: dict[Partition, Manifest | None] = {}
    for table in EXPIRING:
        for day in lake.days(table):
            partition = Partition(table, day)
            manifest = lake.manifest(partition)
            if day < first and manifest is not None:
                pending[partition] = None
                note_removed(ledger.expired, partition, manifest.rows)
    pending |= _old_refusals(lake, engine, ledger, moment - problem.retention)
    if not pending:
        return False
    ledger.pending = pending
    ledger.save()
    return True


def _remove_derived(problem: Problem, lake: Lake, first: date) -> None:
    training = problem.training
    # examples of a day hold rows of the days before it; each part of a day counts as a day
    reach = training.window + training.validation + training.evaluate + problem.longest_window
    for holding in holdings(lake, before=first + reach + 4 * _DAY):
        if holding.is_raw:
            continue
        for partition, manifest in holding.manifests.items():
            has_rows = ROW_COLUMNS & manifest.columns.keys()  # one policy's labels, not another's
            if has_rows and first_day(partition, manifest) < first:
                with holding.home.locked(partition.table):
                    holding.home.remove(partition)


def _old_refusals(
    lake: Lake, engine: Engine, ledger: Ledger, limit: datetime
) -> dict[Partition, Manifest | None]:
    """The quarantine's partitions without the records that were read before a time."""
    is_old = f"ingested_at < {quote_literal(limit.isoformat())}::timestamptz"
    publication = Publication(engine, lake)
    gone: dict[Partition, Manifest | None] = {}
    removed: dict[str, int] = {}
    for day in lake.days(_QUARANTINE):
        relation = lake.scan(_QUARANTINE, [day])
        counts = engine.rows(
            f"select source, count(*) filter ({is_old}), count(*) from {relation} group by source"
        )
        if not any(old for _, old, _ in counts):
            continue
        for source, old, _ in counts:
            removed[source] = removed.get(source, 0) + old
        partition = Partition(_QUARANTINE, day)
        if all(old == rows for _, old, rows in counts):
            gone[partition] = None
        else:
            publication.replace(partition, f"from {relation} where not {is_old}")
    forget_refusals(ledger, removed)
    return {**publication.manifests, **gone}
