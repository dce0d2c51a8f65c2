"""Which columns of a file are features, and of what type: fixed when a column is first seen.

A type that changed from file to file would change the table that reads them all.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from label_platform.lake import Engine
from label_platform.logs.contract import Wanted
from label_platform.logs.records import Rows
from label_platform.logs.value_sql import is_number, is_text
from label_platform.strict_yaml import ConfigurationError, nearest


def new_feature_types(
    engine: Engine, rows: Rows, relation: str, wanted: Wanted, known: Mapping[str, str]
) -> dict[str, str]:
    """The types of features that were not seen before: FLOAT for numbers, else VARCHAR.

    A text format does not say what is a number: a column is one if most of its values are. A
    column without any value is left for a later file to decide.

    Raises:
        ConfigurationError: a feature glob matches a column that is neither number nor text.
    """
    types, undecided = {}, []
    lower = {name.lower() for name in known}
    for name, column in rows.columns.items():
        if name.lower() in lower or not wanted.is_feature(name):
            continue
        if is_number(column.type):
            types[name] = "FLOAT"
        elif column.type == "VARCHAR" and not rows.typed:
            undecided.append(name)
        elif is_text(column.type):
            types[name] = "VARCHAR"
        elif column.type != '"NULL"':
            raise ConfigurationError(
                f"feature column {name!r}: found type {column.type}, expected numbers or text; "
                "name the features by a narrower pattern"
            )
    return types | _by_majority(engine, rows, relation, undecided)


def _by_majority(engine: Engine, rows: Rows, relation: str, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    counts = ", ".join(
        f"count(nullif({value}, '')),"
        f" count(try_cast({value} as double)) + count(case when lower({value}) in"
        " ('true', 'false') then 1 end)"
        for value in (rows.columns[name].sql for name in names)
    )
    found = engine.row(f"select {counts} from {relation}")
    pairs = zip(names, found[::2], found[1::2], strict=True)
    return {
        name: "FLOAT" if 2 * numbers >= values else "VARCHAR"
        for name, values, numbers in pairs
        if values
    }


def without_feedback(rows: Rows, feedback: Collection[str]) -> Rows:
    """Impressions without the columns that tell what came of them: those are no features.

    Args:
        rows: of any table.
        feedback: the columns of impressions that hold feedback.
    """
    if rows.table != "impressions" or not feedback:
        return rows
    columns = {name: column for name, column in rows.columns.items() if name not in feedback}
    return replace(rows, columns=columns)


def refuse_feedback(globs: Collection[str], feedback: Mapping[str, str], format_name: str) -> None:
    """Refuse features that name a column of feedback; a wildcard just does not match it.

    Args:
        globs: the problem's features.
        feedback: signals and the columns of impressions that hold them.
        format_name: the log format that says so.

    Raises:
        ConfigurationError: names the column and its signal.
    """
    for signal, column in feedback.items():
        if column in globs:
            raise ConfigurationError(
                f"features: {column!r} is the signal {signal} of the format {format_name}, "
                "expected what was known before the impression"
            )


def check_globs(key: str, globs: Iterable[str], names: Iterable[str]) -> None:
    """Refuse a feature glob that matches no column of any file.

    Args:
        key: the problem file's key that holds the globs.
        globs: the patterns.
        names: all columns that were ever seen.

    Raises:
        ConfigurationError: names the glob and the nearest columns.
    """
    known = set(names)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in known):
            raise ConfigurationError(
                f"{key}: {glob!r} matches no column of the logs; {nearest(glob, known)[:500]}"
            )
