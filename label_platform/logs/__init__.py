"""Log formats, the record contract, quarantine, privacy and simulators."""

from label_platform.logs.contract import RejectionReason, Table
from label_platform.logs.erasure import Erasure, erase_user, find_user
from label_platform.logs.holdings import days_named, homes, partitions
from label_platform.logs.ingest import collect_garbage, ingest
from label_platform.logs.privacy import UserKeys
from label_platform.logs.publication import no_rows
from label_platform.logs.quarantine import RefusedRecord, refusal_counts, refused_records
from label_platform.logs.raw_lines import RawLine, RawLines, Wish, raw_lines
from label_platform.logs.reconciliation import unreconciled
from label_platform.logs.replay import ReplayReport, replay
from label_platform.logs.report import FileCounts, IngestReport

__all__ = [
    "Erasure",
    "FileCounts",
    "IngestReport",
    "RawLine",
    "RawLines",
    "RefusedRecord",
    "RejectionReason",
    "ReplayReport",
    "Table",
    "UserKeys",
    "Wish",
    "collect_garbage",
    "days_named",
    "erase_user",
    "find_user",
    "homes",
    "ingest",
    "no_rows",
    "partitions",
    "raw_lines",
    "refusal_counts",
    "refused_records",
    "replay",
    "unreconciled",
]
