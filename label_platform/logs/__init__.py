"""Log formats, the record contract, quarantine, privacy and simulators."""

from label_platform.logs.contract import RejectionReason, Table
from label_platform.logs.ingest import ingest
from label_platform.logs.privacy import UserKeys
from label_platform.logs.publication import no_rows
from label_platform.logs.quarantine import RefusedRecord, refusal_counts, refused_records
from label_platform.logs.reconciliation import unreconciled
from label_platform.logs.replay import ReplayReport, replay
from label_platform.logs.report import FileCounts, IngestReport

__all__ = [
    "FileCounts",
    "IngestReport",
    "RefusedRecord",
    "RejectionReason",
    "ReplayReport",
    "Table",
    "UserKeys",
    "ingest",
    "no_rows",
    "refusal_counts",
    "refused_records",
    "replay",
    "unreconciled",
]
