"""Memory, and space on disk."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from label_platform.first_contact.doctor.finding import Finding, Status
from label_platform.first_contact.doctor.folders import nearest_existing

GIB = 1024**3
LITTLE_SPACE = 5 * 10**9
NO_SPACE = 5 * 10**8
MEMORY_VARIABLE = "LABEL_PLATFORM_MEMORY_LIMIT"

_MOST_OF_MEMORY = 0.8
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_limit() -> Iterator[Finding]:
    """Whether the engine spills to disk before the machine runs out of memory."""
    from label_platform.lake import Engine

    total = memory_of_machine()
    given = os.environ.get(MEMORY_VARIABLE)
    try:
        with Engine() as engine:
            limit = engine.memory_limit
    except Exception as error:  # noqa: BLE001 - the engine's own words say what is wrong
        words = str(error.__cause__ or error).split("\n", maxsplit=1)[0]
        found = f"{MEMORY_VARIABLE}={given}: {words}"
        yield Finding("memory", "problem", found, "a size such as 4GB", "correct the variable")
        return
    found = f"a limit of {_gib(limit)} on a machine with {_gib(total)}"
    advice = f"export {MEMORY_VARIABLE}={max(1, int(total * 0.6 / GIB))}GB"
    if limit > total:
        yield Finding("memory", "problem", found, "less than the machine has", advice)
    elif limit > _MOST_OF_MEMORY * total:
        expected = f"at most {_MOST_OF_MEMORY:.0%} of it"
        yield Finding("memory", "warning", found, expected, advice)
    else:
        yield Finding("memory", "ok", found)


def disk_space(
    name: str, folder: Path, little: int = LITTLE_SPACE, nothing: int = NO_SPACE
) -> Iterator[Finding]:
    """Whether there is space where something will be written.

    Args:
        name: what will be written.
        folder: where; it need not exist yet.
        little: bytes below which a warning is due.
        nothing: bytes below which nothing will work.
    """
    place = nearest_existing(folder)
    free = shutil.disk_usage(place).free
    found = f"{free / 10**9:.1f} GB free at {place}"
    if free >= little:
        yield Finding(f"disk, {name}", "ok", found)
        return
    status: Status = "problem" if free < nothing else "warning"
    expected = f"at least {(nothing if free < nothing else little) / 10**9:.1f} GB"
    advice = "make space there, or name another place: "
    advice += "TMPDIR" if name == "spill" else "LABEL_PLATFORM_DATA"
    yield Finding(f"disk, {name}", status, found, expected, advice)


def spill_folder() -> Path:
    """Where the engine writes what does not fit into its memory."""
    return Path(tempfile.gettempdir())


def memory_of_machine() -> int:
    """Bytes of memory that this process may use, a container's limit included."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in _CGROUP_LIMITS:
        try:
            total = min(total, int(file.read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return total


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
