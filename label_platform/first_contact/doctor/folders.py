"""Whether the workspace can be written, with the guarantees that its tables rely on."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from label_platform.first_contact.doctor.finding import Finding

_LOCK_WAIT_S = 0.05


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    absolute = folder.absolute()
    return next(each for each in (absolute, *absolute.parents) if each.is_dir())


def writable_folders(folders: Iterable[Path]) -> Iterator[Finding]:
    """Whether files can be made, renamed and locked; nothing is left behind.

    Args:
        folders: where something will be written; those that are absent will be made.
    """
    for folder in folders:
        blocking = _file_in_the_way(folder)
        if blocking is not None:
            advice = f"move {blocking} away, or name another workspace by LABEL_PLATFORM_DATA"
            found = f"a file at {blocking}"
            yield Finding(_name(folder), "problem", found, "a folder", advice)
    places = dict.fromkeys(nearest_existing(folder) for folder in folders)
    for place in places:
        yield _probe(place)


def _probe(place: Path) -> Finding:
    try:
        with tempfile.TemporaryDirectory(prefix=".label-platform-doctor-", dir=place) as inside:
            return _try_out(place, Path(inside))
    except OSError as error:
        advice = f"chown or chmod {place}, or name another workspace by LABEL_PLATFORM_DATA"
        found = f"{place}: {error.strerror or error}"
        return Finding(_name(place), "problem", found, "a folder that can be written", advice)


def _try_out(place: Path, inside: Path) -> Finding:
    from filelock import FileLock, Timeout

    draft, final = inside / "draft", inside / "final"
    final.write_text("old")
    draft.write_text("new")
    os.replace(draft, final)  # noqa: PTH105 - the very call whose guarantee is needed
    if final.read_text() != "new" or draft.exists():
        found = f"a rename in {place} that does not replace the file"
        return Finding(_name(place), "problem", found, "an atomic rename", _OTHER_DISK)
    lock = inside / "lock"
    with FileLock(lock, timeout=_LOCK_WAIT_S):
        try:
            with FileLock(lock, timeout=_LOCK_WAIT_S):
                found = f"two holders of one lock in {place}"
                return Finding(_name(place), "problem", found, "file locks", _OTHER_DISK)
        except Timeout:
            pass
    return Finding(_name(place), "ok", f"{place} can be written, renamed and locked")


_OTHER_DISK = "use a local disk: some network file systems cannot do this"


def _file_in_the_way(folder: Path) -> Path | None:
    absolute = folder.absolute()
    return next(
        (each for each in (absolute, *absolute.parents) if each.exists() and not each.is_dir()),
        None,
    )


def _name(folder: Path) -> str:
    return f"folder {folder.name or folder}"
