"""Changes of a problem file that a filled lake cannot follow: what was read is not read again."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from label_platform.logs.ledger import START_ANEW, Ledger, name_of_key
from label_platform.logs.records import LogFile
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

_READ_AS = "read_as"
_TABLE_OF = {"features": "impressions", "item_features": "items"}
"""The problem file's keys that name further columns, and the tables that get them."""


def note_problem(ledger: Ledger, file: LogFile, problem: Problem) -> None:
    """Note what a problem asked of a file that was read; on disk with the ledger's next save.

    Args:
        ledger: knows the file.
        file: which.
        problem: as the problem file is now.
    """
    globs = {key: list(getattr(problem, key)) for key in _TABLE_OF}
    ledger.files[file.ledger_key][_READ_AS] = {"ids": problem.ids} | globs


def require_same_problem(ledger: Ledger, problem: Problem) -> None:
    """Refuse to go on where rows are there that the problem would have read otherwise.

    To take a feature off the list changes nothing in the lake; nor does one that the list had
    when each file was read, by itself or by a wider pattern.

    Args:
        ledger: knows how files were read; of one without such a note nothing is asked.
        problem: as the problem file is now.

    Raises:
        ConfigurationError: names the key, what has changed, and a file that was read before.
    """
    for key, known in ledger.files.items():
        read_as = known.get(_READ_AS)
        if read_as is None:
            continue
        if read_as["ids"] != problem.ids and _rows(known["rows"].values()):
            raise _changed(
                ledger,
                key,
                f"ids was {read_as['ids']!r}, is {problem.ids!r}",
                "ids of two kinds do not find each other",
            )
        for name, table in _TABLE_OF.items():
            if not _rows([known["rows"].get(table, {})]):
                continue
            for glob in getattr(problem, name):
                if not any(_covers(before, glob) for before in read_as[name]):
                    raise _changed(
                        ledger,
                        key,
                        f"{name}: {glob!r} was added",
                        f"the {table} that are there would lack it",
                    )


def _rows(tables: Iterable[dict[str, int]]) -> int:
    return sum(sum(by_day.values()) for by_day in tables)


def _covers(before: str, glob: str) -> bool:
    """Whether all columns of a glob are columns of the earlier one."""
    is_plain = not set(before) & set("?[]")  # only of a star is it sure what it leaves out
    return glob == before or (is_plain and fnmatchcase(glob, before))


def _changed(ledger: Ledger, key: str, change: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{change} after {name_of_key(key)} was read, which is not read again: {why}. "
        f"Take the change back, or {START_ANEW.format(folder=ledger.path.parent)}"
    )
