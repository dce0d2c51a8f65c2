"""The position-based model fitted as PyClick fits it, one impression after the other.

Written from the formulas of Chuklin, Markov and de Rijke (2015, section 4.2), without arrays: what
the vectorised fit is compared with, in its parameters and in its speed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Parameter:
    """A probability: the mean of what was observed, with one success in two beforehand."""

    successes: float = 1.0
    trials: float = 2.0

    def value(self) -> float:
        """The probability as far as it was observed."""
        return self.successes / self.trials

    def observe(self, chance: float) -> None:
        """One more trial that succeeded with this chance."""
        self.successes += chance
        self.trials += 1


@dataclass
class Parameters:
    """Examination by position and relevance by (query, item), each 1/2 until observed."""

    examined: defaultdict[int, Parameter] = field(default_factory=lambda: defaultdict(Parameter))
    relevant: defaultdict[tuple[int, int], Parameter] = field(
        default_factory=lambda: defaultdict(Parameter)
    )


@dataclass(frozen=True)
class ClickedList:
    """One list as it was shown, and which of its places were clicked."""

    query: int
    items: tuple[int, ...]
    clicked: tuple[bool, ...]


def fit_row_by_row(lists: Iterable[ClickedList], iterations: int = 50) -> Parameters:
    """Examination and relevance after some iterations over all impressions."""
    lists = list(lists)
    before = Parameters()
    for _ in range(iterations):
        after = Parameters()
        for shown in lists:
            places = zip(shown.items, shown.clicked, strict=True)
            for position, (item, clicked) in enumerate(places, start=1):
                update(before, after, (shown.query, item, position), clicked=clicked)
        before = after
    return before


def update(
    before: Parameters, after: Parameters, place: tuple[int, int, int], *, clicked: bool
) -> None:
    """Add what one impression says, by the values of the iteration before."""
    query, item, position = place
    examined, relevant = before.examined[position].value(), before.relevant[query, item].value()
    if clicked:
        chance_examined = chance_relevant = 1.0
    else:
        no_click = 1 - examined * relevant
        chance_examined = examined * (1 - relevant) / no_click
        chance_relevant = relevant * (1 - examined) / no_click
    after.examined[position].observe(chance_examined)
    after.relevant[query, item].observe(chance_relevant)
