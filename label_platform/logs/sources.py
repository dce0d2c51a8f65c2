"""The files that a problem's globs match."""

import glob
import os
from pathlib import Path

from label_platform.logs.formats import format_of
from label_platform.logs.records import LogFile, LogPattern
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError, nearest


def log_files(problem: Problem) -> list[LogFile]:
    """All log files of a problem, each once, in the order in which they are read.

    Raises:
        ConfigurationError: a format or option that is not known, or a glob matches nothing.
    """
    found: dict[str, LogFile] = {}
    for number, source in enumerate(problem.logs):
        try:
            patterns = list(format_of(source.format).patterns(source))
        except ConfigurationError as error:
            raise ConfigurationError(f"problem {problem.name}: logs.{number}: {error}") from error
        for pattern in patterns:
            for path in _matches(problem, pattern, f"logs.{number}.{pattern.key}"):
                relative = os.path.relpath(path, problem.resolve("."))
                file = LogFile(path, Path(relative).as_posix(), pattern.table, source)
                found.setdefault(file.ledger_key, file)
    return list(found.values())


def _matches(problem: Problem, pattern: LogPattern, key: str) -> list[Path]:
    absolute = Path(os.path.normpath(problem.resolve(pattern.pattern)))
    matched = sorted(map(Path, glob.glob(str(absolute), recursive=True)))  # noqa: PTH207 - ** too
    files = [path for path in matched if path.is_file() and path.name != pattern.without]
    if not files and not pattern.optional:
        raise ConfigurationError(
            f"problem {problem.name}: {key}: found no file that matches {absolute}; "
            f"{_what_is_there(absolute)}"
        )
    return files


def _what_is_there(pattern: Path) -> str:
    folder = next(folder for folder in pattern.parents if folder.is_dir())
    names = [entry.name + "/" * entry.is_dir() for entry in folder.iterdir()]
    if not names:
        return f"{folder} is empty"
    wanted = pattern.relative_to(folder).parts[0]
    return f"in {folder}: {nearest(wanted, names)[:500]}"
