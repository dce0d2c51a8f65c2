"""Log formats, the record contract, quarantine, privacy and simulators."""

from label_platform.logs.contract import RejectionReason
from label_platform.logs.ingest import ingest
from label_platform.logs.report import FileCounts, IngestReport

__all__ = ["FileCounts", "IngestReport", "RejectionReason", "ingest"]
