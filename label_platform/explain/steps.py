"""The arithmetic of a label, a step at a time: each with its formula, its numbers, its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Number = float | int | str | None
DIGITS = 6
"""Labels are kept with so many digits after the point."""
TOLERANCE = 2e-6
"""Above this, a stored number and a recomputed one are not the same."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: what is computed.
        formula: in symbols.
        numbers: what the symbols stand for.
        result: what comes out.
        note: what else a reader should know.
    """

    name: str
    formula: str
    numbers: Mapping[str, Number]
    result: float
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The step for programs."""
        return {
            "name": self.name,
            "formula": self.formula,
            "numbers": dict(self.numbers),
            "result": self.result,
            "note": self.note,
        }


@dataclass
class Steps:
    """The steps so far, in order.

    Attributes:
        done: each of them.
    """

    done: list[Step] = field(default_factory=list)

    def add(
        self, name: str, formula: str, numbers: Mapping[str, Number], result: float, note: str = ""
    ) -> float:
        """Write a step down; gives its result back."""
        self.done.append(Step(name, formula, dict(numbers), result, note))
        return result


@dataclass(frozen=True)
class Comparison:
    """A number as it is stored and as it was computed again.

    Attributes:
        name: which number.
        stored: None where nothing is stored.
        recomputed: None where there is nothing to compute, as of an excluded impression.
    """

    name: str
    stored: float | None
    recomputed: float | None

    @property
    def differs(self) -> bool:
        """Whether they are not the same number."""
        if self.stored is None or self.recomputed is None:
            return self.stored is not self.recomputed
        # also where one of them is not a number
        return not abs(self.stored - self.recomputed) <= TOLERANCE

    def as_json(self) -> dict[str, Any]:
        """The comparison for programs."""
        return {
            "name": self.name,
            "stored": self.stored,
            "recomputed": self.recomputed,
            "mismatch": self.differs,
        }
