"""Features that give away where an item was shown, or what became of it."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from label_platform.problem import Problem

_POSITION = "position"
_LIKE_POSITION = ("position", "rank", "slot", "page", "row", "column")
_WORDS = {"position", "rank"}


def check_features(problem: Problem) -> Iterator[str]:
    """Feature columns that no ranker may see, named in full."""
    for key, globs in _features(problem):
        for glob in globs:
            if glob.lower() == _POSITION:
                yield (
                    f"rankers: the problem's {key} name {glob!r}: a ranker that sees where an item "
                    "was shown repeats the logging ranker; take it out, and write position: "
                    "feature in a ranker, which fixes it to 1 when scoring"
                )
            elif glob in problem.signals:
                yield (
                    f"rankers: the problem's {key} name {glob!r}, a signal: it is what became of "
                    "the impression and is not known when items are ranked; take it out"
                )


def feature_warnings(problem: Problem) -> Iterator[str]:
    """Feature columns, or patterns of them, that may say where an item was shown."""
    for key, globs in _features(problem):
        for glob in globs:
            if glob.lower() == _POSITION or glob in problem.signals:
                continue  # refused
            if not _is_pattern(glob):
                if glob.lower() in _LIKE_POSITION or _WORDS & _words(glob):
                    yield (
                        f"rankers: the problem's {key} name {glob!r}: if it says where the item "
                        "was shown, rankers repeat the logging ranker; take it out then"
                    )
                continue
            caught = [
                name for name in (*_LIKE_POSITION[1:], *problem.signals) if fnmatchcase(name, glob)
            ]
            if caught:
                yield (
                    f"rankers: the problem's {key} pattern {glob!r} also names {', '.join(caught)} "
                    "where logs have such columns: where an item was shown and what became of it "
                    "are no features; name them by a narrower pattern"
                )
            elif _WORDS & _words(glob):
                yield (
                    f"rankers: the problem's {key} pattern {glob!r}: if such columns say where "
                    "the item was shown, rankers repeat the logging ranker; take it out then"
                )


def _features(problem: Problem) -> tuple[tuple[str, tuple[str, ...]], ...]:
    tables = [
        # their patterns only meet columns that are no signals and no position
        (
            f"feature_tables.{name}.columns",
            tuple(glob for glob in table.columns if not _is_pattern(glob)),
        )
        for name, table in problem.feature_tables.items()
    ]
    return (("features", problem.features), ("item_features", problem.item_features), *tables)


def _is_pattern(glob: str) -> bool:
    return any(sign in glob for sign in "*?[")


def _words(name: str) -> set[str]:
    """The words of shown_position and of shownPosition: shown, position."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return {word for word in re.split(r"[^a-z]+", parted.lower()) if word}
