"""The files that somebody calls their logs, those that differ only in a number or date together."""

import difflib
import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from label_platform.strict_yaml import ConfigurationError

KINDS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
COMPRESSED = (".gz", ".zst")
MOST_FILES = 200_000
"""Files that are listed; a folder with more is some other folder."""

_FEW = 3
"""Names of files that an error shows of those that might have been meant."""

# 2026-10-01, 00017, and the random part of part-00000-4f1c22ab-...: whatever holds a digit and
# otherwise only what a hexadecimal number may hold
_NUMBERS = re.compile(r"(?<![A-Za-z])[0-9a-f]*\d[0-9a-f]*(?![A-Za-z])|\d+")
_SEVERAL_NUMBERS = re.compile(r"\*(?:[-_.:T]?\*)+")


@dataclass(frozen=True)
class FileSet:
    """Files of one kind, by their names.

    Attributes:
        pattern: the glob below the folder that matches them.
        files: sorted by name.
    """

    pattern: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class LogFolder:
    """Where logs lie.

    Attributes:
        folder: what all patterns start from.
        sets: the files of readable kinds.
        others: names of files of other kinds.
        given: the glob that a user gave, or empty where it was a folder or a file.
    """

    folder: Path
    sets: tuple[FileSet, ...]
    others: tuple[str, ...] = ()
    given: str = ""

    def matching(self, pattern: str) -> set[Path]:
        """The files that a glob below the folder matches."""
        found = glob.glob(pattern, root_dir=self.folder, recursive=True)  # noqa: PTH207 - ** too
        return {self.folder / name for name in found if (self.folder / name).is_file()}


def find_logs(where: str) -> LogFolder:
    """The log files of a folder, a file or a glob.

    Raises:
        ConfigurationError: there is nothing, or nothing that could be a log.
    """
    path = Path(where).expanduser().absolute()
    if path.is_dir():
        return _sorted_out(path, _walk(path), "")
    if path.is_file():
        return _sorted_out(path.parent, [path], "")
    if glob.has_magic(where):
        return _of_glob(path)
    close = _closest(path.name, _names_in(path.parent))
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ConfigurationError(
        f"{where}: found nothing there, expected a folder, a file or a glob of logs{hint}"
    )


def kind_of(path: Path) -> str:
    """The suffix that says how a file is read, without its compression; empty if none does."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
        return suffixes[-1] if suffixes and suffixes[-1] in KINDS[1:] else ""
    return suffixes[-1] if suffixes and suffixes[-1] in KINDS else ""


def one_glob(folder: LogFolder, sets: Iterable[FileSet], foreign: set[Path]) -> list[str]:
    """As few globs as match these files, and none of the foreign ones.

    Args:
        folder: where they lie.
        sets: the files.
        foreign: files that belong to something else.
    """
    chosen = list(sets)
    files = {file for each in chosen for file in each.files}
    patterns = [each.pattern for each in chosen]
    parents = {os.path.dirname(pattern) for pattern in patterns}  # noqa: PTH120 - a glob
    endings = {"".join(Path(pattern).suffixes[-2:]) for pattern in patterns}
    candidates = [folder.given] if folder.given else []
    candidates += patterns if len(patterns) == 1 else []
    if len(endings) == 1 and len(patterns) > 1:
        (ending,) = endings
        if len(parents) == 1:
            candidates.append(os.path.join(*parents, f"*{ending}"))  # noqa: PTH118 - a glob
        candidates.append(f"**/*{ending}")
    for candidate in candidates:
        matched = folder.matching(candidate)
        if files <= matched and not matched & foreign:
            return [candidate]
    return patterns


def _of_glob(path: Path) -> LogFolder:
    fixed = next(part for part in path.parents if not glob.has_magic(str(part)))
    pattern = str(path.relative_to(fixed))
    matched = sorted(glob.glob(pattern, root_dir=fixed, recursive=True))  # noqa: PTH207 - ** too
    files = [fixed / name for name in matched if (fixed / name).is_file()]
    if not files:
        names = sorted(_names_in(fixed))
        shown = _closest(path.name, names) or names[:_FEW]
        more = ", ..." if len(names) > len(shown) else ""
        hint = f"; in {fixed} there are {', '.join(shown)}{more}" if names else ""
        raise ConfigurationError(f"{path}: found no file that matches this glob{hint}")
    return _sorted_out(fixed, files, pattern)


def _closest(name: str, names: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=_FEW, cutoff=0.5)


def _names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()] if folder.is_dir() else []


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for here, folders, names in os.walk(folder):
        # hidden files are nobody's logs, and those with an underscore are a writer's own notes
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        found += [Path(here, name) for name in sorted(names) if not name.startswith((".", "_"))]
        if len(found) > MOST_FILES:
            raise ConfigurationError(
                f"{folder}: found more than {MOST_FILES:,} files, expected a folder of logs; "
                "name a folder further down, or a glob"
            )
    return found


def _sorted_out(folder: Path, files: list[Path], given: str) -> LogFolder:
    readable = [file for file in files if kind_of(file) and file.stat().st_size > 0]
    others = [file.name for file in files if file not in set(readable)]
    if not readable:
        kinds = ", ".join(KINDS)
        found = f"only {', '.join(others[:5])}" if others else "an empty folder"
        raise ConfigurationError(
            f"{folder}: found {found}, expected files of logs: one of {kinds} "
            "(text also with .gz or .zst), not empty"
        )
    alike: dict[str, list[Path]] = {}
    for file in readable:
        alike.setdefault(_pattern(file.relative_to(folder)), []).append(file)
    if len(readable) == 1 and not given:  # one file that was named, or stands alone
        (pattern,) = alike
        exact = glob.escape(readable[0].relative_to(folder).as_posix())
        alike = {exact if "/" not in pattern else pattern: readable}
    sets = tuple(FileSet(pattern, tuple(found)) for pattern, found in alike.items())
    return LogFolder(folder, sets, tuple(others), given)


def _pattern(relative: Path) -> str:
    """The glob of a file and of those that will differ from it in their numbers only."""
    ending = "".join(relative.suffixes[-2:]) if relative.suffix in COMPRESSED else relative.suffix
    whole = glob.escape(relative.as_posix().removesuffix(ending))
    parts = [_SEVERAL_NUMBERS.sub("*", _NUMBERS.sub("*", part)) for part in whole.split("/")]
    return "/".join(parts) + glob.escape(ending)
