"""What lies in the inbox: log files that were not read yet, or not as they are now."""

import hashlib
import time
from collections.abc import Iterable

from label_platform.lake import Lake
from label_platform.logs.derivation import asked_signals
from label_platform.logs.ledger import read_ledger
from label_platform.logs.records import LogFile
from label_platform.logs.sources import log_files
from label_platform.problem import Problem

SETTLED_S = 5.0
"""A file that changed less than so long ago may still be written."""


def unread_files(problem: Problem, lake: Lake) -> list[LogFile]:
    """The log files that ingestion would read now, in its order.

    Raises:
        ConfigurationError: a glob matches nothing.
    """
    ledger = read_ledger(lake.folder)
    asked = asked_signals(problem)
    return [file for file in log_files(problem) if not ledger.is_unchanged(file, asked)]


def settled_files(files: Iterable[LogFile], settled_s: float = SETTLED_S) -> list[LogFile]:
    """Those files that nobody has written to for a while."""
    before = time.time() - settled_s
    return [file for file in files if file.path.stat().st_mtime <= before]


def state_of(files: Iterable[LogFile]) -> str:
    """Identity of an inbox: another one as soon as a file comes, goes, grows or is replaced."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.ledger_key):
        state = file.path.stat()
        digest.update(f"{file.ledger_key}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
