"""Reads a problem's new log files into the lake, every record exactly once.

A batch is all files of one call. Before the first of its data files becomes visible, the ledger
names the batch as pending; its last step replaces the ledger once more, with the counts of its
files. A batch that died in between is taken out of the lake by the next call, which then reads
the same files again.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from label_platform.lake import Engine, Lake, Partition, quote_identifier, quote_literal
from label_platform.logs.contract import REJECTED_LAYOUT, Table
from label_platform.logs.features import check_globs
from label_platform.logs.formats import FORMATS
from label_platform.logs.judging import Rules
from label_platform.logs.ledger import Ledger, fingerprint, read_ledger
from label_platform.logs.privacy import UserKeys
from label_platform.logs.publication import (
    add_to_partition,
    missing_days,
    publish_empty_days,
    remove_batch,
)
from label_platform.logs.records import LogFile, UnreadableFileError
from label_platform.logs.report import FileCounts, IngestReport
from label_platform.logs.sources import log_files
from label_platform.logs.staging import Staging, asked_signals, batch_table
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

OnFile = Callable[[FileCounts], None]
_DAILY: tuple[Table, ...] = ("impressions", "interactions")


def ingest(
    problem: Problem,
    lake: Lake,
    engine: Engine,
    *,
    as_if: datetime | None = None,
    on_file: OnFile | None = None,
) -> IngestReport:
    """Read the log files that are new or have changed.

    Args:
        problem: whose logs.
        lake: where to.
        engine: does the work.
        as_if: the moment that counts as the time of ingestion, instead of the clock's.
        on_file: called with the counts of each file as soon as it has been read.

    Returns:
        What was read, also the files that could not be.

    Raises:
        ConfigurationError: a glob matches no file or no column, or a secret is missing.
    """
    if as_if is not None and as_if.tzinfo is None:
        raise ConfigurationError(f"as_if: found {as_if} without a zone, expected one")
    lake = Lake(lake.folder.parent, lake.folder.name)  # not a view that was pinned earlier
    files = log_files(problem, FORMATS)
    with lake.locked("ingestion"):
        ledger = read_ledger(lake.folder)
        if ledger.pending:
            remove_batch(engine, lake, ledger.pending)
        asked = asked_signals(problem)
        changed = [file for file in files if not ledger.is_unchanged(file, asked)]
        if not changed and not ledger.pending and not missing_days(lake, problem.start_date, _DAILY):
            return IngestReport((), (), len(files))
        batch = _Batch(problem, lake, engine, ledger, as_if or datetime.now(UTC))
        read = batch.read(changed, on_file or (lambda _: None))
        days = batch.publish()
    return IngestReport(read, days, len(files) - len(changed))
