"""How likely an impression was looked at, looked up in the table of propensities.

The rows of the impression's own context decide; where they lack the position, those that pool all
contexts, at this position or the nearest one above that they have. A position below the deepest
one of the table counts as that deepest one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from label_platform.explain.evidence import Shown
from label_platform.explain.gain import as_text

Row = Mapping[str, Any]


class CurveError(LookupError):
    """The table of propensities says nothing of a position."""


@dataclass(frozen=True)
class Examination:
    """What the table says of an impression.

    Attributes:
        theta: P(examined), relative to position 1.
        trust_offset: beta, the clicks that trust alone explains; 0 where it is not known.
        row: the table's row that says so.
        is_pooled: whether that row is of all contexts together.
        looked_up: the position that was looked up.
    """

    theta: float
    trust_offset: float
    row: Row
    is_pooled: bool
    looked_up: int


@dataclass(frozen=True)
class Curve:
    """One estimator's rows of a day's propensities.

    Attributes:
        rows: position, propensity, trust_offset, the context, and what else the table has.
        context: the names of the context's columns.
    """

    rows: Sequence[Row]
    context: tuple[str, ...]

    def of(self, shown: Shown) -> Examination:
        """What the curve says of an impression.

        Raises:
            CurveError: neither the context nor the pool has this position or one above it.
        """
        if not self.rows:
            raise CurveError("the propensities have no row of the policy's estimator")
        position = min(shown.position, max(row["position"] for row in self.rows))
        pooled = max(
            (row for row in self.rows if self._is_pooled(row) and row["position"] <= position),
            key=lambda row: row["position"],
            default=None,
        )
        own = next((row for row in self.rows if self._is_own(row, shown, position)), None)
        row = own if own is not None and own["propensity"] is not None else pooled
        if row is None:
            raise CurveError(f"the propensities have no pooled row at or above position {position}")
        # a context's own row keeps its own offset
        offset = (own if own is not None else row).get("trust_offset")
        is_pooled = row is pooled
        return Examination(row["propensity"], offset or 0.0, row, is_pooled, position)

    def _is_pooled(self, row: Row) -> bool:
        return all(row[name] is None for name in self.context)

    def _is_own(self, row: Row, shown: Shown, position: int) -> bool:
        return (
            bool(self.context)
            and row["position"] == position
            and all(
                row[name] is not None and row[name] == as_text(shown.columns.get(name))
                for name in self.context
            )
        )
