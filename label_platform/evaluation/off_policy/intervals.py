"""Intervals of off-policy estimates, over whole queries.

The lists of a query share its items, so the query is what would have been drawn anew: with psi_u
the sum of a unit's influences (``OffPolicyEstimate.influence``), U units and V the estimate,

    SE^2 = U / (U - 1) * sum_u (psi_u - mean psi)^2

Weighted clicks are skewed to the right, and Student's V +- t SE then ends too low: with 250
effective clicks it held the truth in .938 to .945 of the studies in docs/off-policy.md. So the
studentised deviation T = (V - truth) / SE is first made symmetric (Hall 1992, "On the removal of
skewness by transformation"): with a = sum psi^3 / (sum psi^2)^(3/2),

    g(T) = T + a T^2 / 3 + a^2 T^3 / 27 + a / 6      V - SE g^-1(+-t(U - 1))

Where logging propensities are counted within the query they change with it, and this carries it;
the examination curve is taken as known.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from label_platform.evaluation.metrics import Floats

MIN_UNITS = 30
"""Queries below which a log hardly tells them apart, and its lists are the units instead."""

_NO_SKEWNESS = 1e-6

UnitKind = Literal["queries", "lists"]


@dataclass(frozen=True)
class Interval:
    """A two-sided interval.

    Attributes:
        low: its lower end; the estimate itself need not be positive.
        high: its upper end.
        standard_error: of the estimate.
        units: how many there were.
    """

    low: float
    high: float
    standard_error: float
    units: int


def interval_by_unit(
    value: float, influence: Floats, unit: NDArray[np.generic], confidence: float = 0.95
) -> Interval:
    """The interval over units, corrected for skewness.

    Args:
        value: the estimate.
        influence: of each ranking, shape (lists,).
        unit: the query that each ranking belongs to, shape (lists,).
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: fewer than two units.
    """
    codes = np.unique(unit, return_inverse=True)[1]
    parts = np.bincount(codes, influence)
    units = len(parts)
    if units < 2:
        raise ValueError(f"{units} queries or lists: an interval needs 2")
    error = float(np.sqrt(units * parts.var(ddof=1)))
    quantile = float(stdtrit(units - 1, (1 + confidence) / 2))
    skewness = _skewness(parts)
    low, high = (value - error * _untransformed(end, skewness) for end in (quantile, -quantile))
    return Interval(low, high, error, units)


def _skewness(parts: Floats) -> float:
    """Of the sum of the parts."""
    centred = parts - parts.mean()
    spread = float((centred**2).sum())
    return float((centred**3).sum()) / spread**1.5 if spread > 0 else 0.0


def _untransformed(quantile: float, skewness: float) -> float:
    """The inverse of Hall's g."""
    if abs(skewness) < _NO_SKEWNESS:
        return quantile
    root = np.cbrt(1 + skewness * (quantile - skewness / 6))
    return float(3 / skewness * (root - 1))


def units_of(
    query: NDArray[np.str_], request: NDArray[np.str_]
) -> tuple[UnitKind, NDArray[np.str_]]:
    """What is resampled: queries, or lists where there are fewer than 30 queries.

    Args:
        query: of each list.
        request: of each list.
    """
    if len(np.unique(query)) < MIN_UNITS:
        return "lists", request
    return "queries", query
