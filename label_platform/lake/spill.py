"""Where the engine puts what outgrows its memory, and what a killed process left there.

Rows that spill may hold what never reaches the lake, such as raw user ids. A process that is killed
cannot clean up after itself; the next engine does.
"""

import shutil
import tempfile
import uuid
import weakref
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "label-platform-spill-"
_LOCK = ".lock"


class SpillFolder:
    """A new folder, readable by its owner only, that goes away with the process or after it.

    Args:
        below: where it is made; by default the system's folder for temporary files.

    Attributes:
        path: the folder.
    """

    def __init__(self, below: Path | None = None) -> None:
        below = below or Path(tempfile.gettempdir())
        _remove_abandoned(below)
        self.path = below / f"{_PREFIX}{uuid.uuid4().hex}"
        # held before the folder is there: nobody sees it without its owner
        lock = FileLock(_lock_of(self.path), thread_local=False)
        lock.acquire()
        self.path.mkdir(mode=0o700)
        self._end = weakref.finalize(self, _end, self.path, lock)

    def remove(self) -> None:
        """Delete the folder and what is in it; once more does nothing."""
        self._end()


def _end(folder: Path, lock: FileLock) -> None:
    _remove(folder)
    lock.release()


def _remove_abandoned(below: Path) -> None:
    """Delete the folders whose owners are gone: their locks are free."""
    for lock_path in below.glob(f"{_PREFIX}*{_LOCK}"):
        lock = FileLock(lock_path, timeout=0)
        try:
            with lock:
                _remove(lock_path.with_suffix(""))
        except (Timeout, OSError):  # in use, or another user's
            continue


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)
