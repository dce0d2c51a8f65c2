"""Lines that say again what an earlier line has said: the first one counts."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

from label_platform.explain.evidence import Event, Shown

Line = TypeVar("Line", Event, Shown)


def without_repeats(
    lines: Iterable[Line], key: Callable[[Line], tuple[str, date]], order: Callable[[Line], object]
) -> tuple[list[Line], list[tuple[Line, Line]]]:
    """The lines that count, and those that do not with the one that they repeat.

    Lines of one id are one where they are of the same day or of neighbouring ones.

    Args:
        lines: in any order.
        key: id and day of a line.
        order: the files in the order in which they were read; within one the earliest moment first.
    """
    by_id: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_id[key(line)[0]].append(line)
    kept, repeated = [], []
    for same in by_id.values():
        same.sort(key=order)  # type: ignore[arg-type]
        first_of: list[Line] = []
        previous: dict[str, date] = {}
        for line in same:
            day, file = key(line)[1], line.place.file
            earlier = next((e for e in first_of if abs((key(e)[1] - day).days) <= 1), None)
            # within a file a chain of neighbouring days is one event, however long
            chained = file in previous and abs((day - previous[file]).days) <= 1
            previous[file] = day
            if earlier is None and not chained:
                first_of.append(line)
            else:
                repeated.append((line, earlier or first_of[-1]))
        kept += first_of
    return kept, repeated
