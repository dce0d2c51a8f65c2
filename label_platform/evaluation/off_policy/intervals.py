"""Intervals of off-policy estimates, over whole queries.

The lists of a query share its items, so the query is what would have been drawn anew: with psi_u
the sum of a unit's influences (``OffPolicyEstimate.influence``), U units and V the estimate,

    SE^2 = U / (U - 1) * sum_u (psi_u - mean psi)^2

Weighted clicks are skewed to the right, and Student's V +- t SE then ends too low. So the
studentised deviation T = (V - truth) / SE is first made symmetric (Hall 1992, "On the removal of
skewness by transformation"): with a = sum psi^3 / (sum psi^2)^(3/2),

    g(T) = T + a T^2 / 3 + a^2 T^3 / 27 + a / 6        g(T) ~ t(U - 1)

The gate on clicks is one on the estimate, too: logs that pass it narrowly are those that happen to
have many clicks, and among them such intervals held the truth in .81. So where it passes, the
interval is that of V given that it passes (as Lee et al. 2016 for selected models): V and the
effective number of clicks are about jointly normal, what of the latter does not go along with V
is given, and the gate passes if V >= b. The ends are the truths under which

    P(V' >= V | V' >= b) = P(g >= g(T)) / P(g >= g(T_b)),   T_b = (b - truth) / SE

is 2.5% and 97.5%. Well above the gate, b is far below and nothing changes.

Where logging propensities are counted within the query they change with it, and this carries it;
the examination curve is taken as known.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr

from label_platform.evaluation.metrics import Floats

MIN_UNITS = 30
"""Queries below which a log hardly tells them apart, and its lists are the units instead."""

UnitKind = Literal["queries", "lists"]

_FARTHEST = 30.0
"""Standard errors from the estimate within which ends are looked for; with a gate that was passed
by nothing at all the lower one is without end."""


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


@dataclass(frozen=True, eq=False)
class PassedGate:
    """A gate that was passed, on a figure that goes along with the estimate.

    Attributes:
        margin: by how much the figure exceeds its limit, 0 or more.
        influence: of each ranking on the figure, shape (lists,).
    """

    margin: float
    influence: Floats


def interval_by_unit(
    value: float,
    influence: Floats,
    unit: NDArray[np.generic],
    confidence: float = 0.95,
    gate: PassedGate | None = None,
) -> Interval:
    """The interval over units, corrected for skewness and for a gate.

    Args:
        value: the estimate.
        influence: of each ranking, shape (lists,).
        unit: the query that each ranking belongs to, shape (lists,).
        confidence: of the interval, between 0 and 1.
        gate: that let the estimate pass; None if it would have been shown anyway.

    Raises:
        ValueError: fewer than two units.
    """
    codes = np.unique(unit, return_inverse=True)[1]
    parts = np.bincount(codes, influence).astype(np.float64)
    units = len(parts)
    if units < 2:
        raise ValueError(f"{units} queries or lists: an interval needs 2")
    error = float(np.sqrt(units * parts.var(ddof=1)))
    if not error > 0:
        # nothing was clicked, or there is no estimate at all
        return Interval(value, value, error, units)
    skewness = _skewness(parts)
    least = -np.inf
    if gate is not None:
        figure = np.bincount(codes, gate.influence).astype(np.float64)
        slope = float(np.cov(parts, figure)[0, 1] / parts.var(ddof=1))
        least = -gate.margin / slope / error if slope > 0 else -np.inf

    def tail(deviation: float) -> float:
        """P(g >= g(T)), for a truth that lies T standard errors below."""
        return float(stdtr(units - 1, -_symmetric(deviation, skewness)))

    def end(share: float) -> float:
        """How many standard errors below the estimate the truth lies that has this P."""

        def excess(deviation: float) -> float:
            possible = tail(deviation + least) if np.isfinite(least) else 1.0
            return tail(deviation) / possible - share if possible > 0 else -share

        if excess(_FARTHEST) > 0:
            return _FARTHEST
        return float(brentq(excess, -_FARTHEST, _FARTHEST))

    tails = (1 - confidence) / 2
    return Interval(value - error * end(tails), value - error * end(1 - tails), error, units)


def _skewness(parts: Floats) -> float:
    """Of the sum of the parts."""
    centred = parts - parts.mean()
    return float((centred**3).sum() / (centred**2).sum() ** 1.5)


def _symmetric(deviation: float, skewness: float) -> float:
    """Hall's g."""
    return deviation + skewness * deviation**2 / 3 + skewness**2 * deviation**3 / 27 + skewness / 6


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
