"""Which columns rankers could learn from: numbers that are no keys and no outcomes."""

import glob
import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from label_platform.examples.features import RESERVED_COLUMNS
from label_platform.first_contact.guess.samples import Sample
from label_platform.lake import Engine
from label_platform.logs.contract import Table, Wanted, is_named_by

_ALIKE = 3
"""So many columns that begin alike are named by one glob."""

_OUTCOME = re.compile(
    r"(is_)?(click(s|ed)?|purchase[sd]?|bought|like[sd]?|follow|comment|label|relevance|grade|"
    r"rating|judge?ment|target|reward|conversion)",
    re.IGNORECASE,
)


def numeric_columns(
    engine: Engine, samples: Sequence[Sample], table: Table, taken: Iterable[str] = ()
) -> tuple[list[str], list[str]]:
    """The columns that can be features, and those that look like an outcome, both sorted.

    Args:
        engine: has the samples.
        samples: of the files of one table.
        table: which table.
        taken: names that something else has already.
    """
    names = sorted(feature_names(samples, table) - RESERVED_COLUMNS - set(taken))
    numbers = [name for name in names if _is_number(engine, samples, name)]
    outcomes = [name for name in numbers if _OUTCOME.fullmatch(name)]
    return [name for name in numbers if name not in outcomes], outcomes


def feature_names(samples: Sequence[Sample], table: Table) -> set[str]:
    """The columns that a glob of features could match: neither keys nor what tells people apart."""
    wanted = Wanted(table, ("*",))
    return {name for sample in samples for name in sample.columns if wanted.is_feature(name)}


def numeric_fields(engine: Engine, pairs: str) -> list[str]:
    """The names whose values are numbers, of a relation of name and value, sorted."""
    return [
        name
        for (name,) in engine.rows(
            f"select name from ({pairs}) where name <> '' and value is not null group by name"
            f" having bool_and({_NUMBER.format('value')}) order by name"
        )
        if name not in RESERVED_COLUMNS and is_named_by(name, ["*"])
    ]


_NUMBER = "(try_cast({0} as double) is not null or lower({0}) in ('true', 'false'))"


def _is_number(engine: Engine, samples: Sequence[Sample], name: str) -> bool:
    values = " union all ".join(
        f"select {sample.text(name)} as value from {sample.table}"
        for sample in samples
        if name in sample.columns
    )
    given, numbers = engine.row(
        f"select count(value), count(*) filter ({_NUMBER.format('value')}) from ({values})"
    )
    return bool(given == numbers > 0)


def as_globs(names: Sequence[str], others: Iterable[str]) -> list[str]:
    """Names of features as globs: many that begin alike as one, if it matches nothing else.

    Args:
        names: the features, sorted.
        others: the files' other columns.
    """
    rest = set(others) - set(names)
    found: list[str] = []
    left = list(names)
    for beginning in (_before_number, _first_word):
        kept = []
        for prefix, group in groupby(sorted(left, key=beginning), key=beginning):
            alike = list(group)
            clashes = any(name.startswith(prefix) for name in rest)
            if prefix and len(alike) >= _ALIKE and not clashes:
                found.append(glob.escape(prefix) + "*")
            else:
                kept += alike
        left = kept
    return sorted([*found, *(glob.escape(name) for name in left)])


def _before_number(name: str) -> str:
    match = re.fullmatch(r"(.*[^0-9])[0-9]+", name)
    return match[1] if match else ""


def _first_word(name: str) -> str:
    match = re.match(r"[^_.-]+[_.-]", name)
    return match[0] if match else ""
