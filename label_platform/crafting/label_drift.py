"""Whether a day's labels are like those of the days before.

Bins are quantiles of the trailing days' labels, on either side of 0, which is a bin of its own.

PSI: sum over bins of (q - p) ln(q / p), p the window's shares and q the day's, each with half a
label added per bin, so that an empty one is no infinity. Source: S. Lewis, An Introduction
to Credit Scoring (1994), where .1 is taken as a small change and .25 as a large one.

The test asks two questions, since days differ more in how much is clicked than in what it is worth.
How many labels are above 0? And how large are they: which share of those above 0 lies above each
further edge of the bins, and of the others above each edge below 0? For each edge, with X^2 the
chi-square statistic of the rows "day" and "window" and the columns "above" and "not",

    F = X^2 / phi,    phi = max(1, X^2 of the window's days among themselves / (days - 1))

phi is the over-dispersion: how much more the window's days differ from one another than draws from
one distribution would, so that a large log is held against its own unrest. Each edge has its own,
since what moves from day to day moves some labels and not others. F has the tail of Fisher's
distribution with (1, days - 1) degrees. Source: P. McCullagh and J. A. Nelder, Generalized Linear
Models (1989), section 4.5. The first question has half of the chance of a false alarm, the edges of
the second share the other half (Bonferroni): p = min(1, 2 p of the first, 2 k p of each of k).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, fdtrc

DAYS_NEEDED = 3
"""Fewer days say too little of how days differ."""
_MOST_BINS = 10
_LEAST_IN_A_BIN = 5
"""Labels that a day's bin should hold on average, for chi-square to be a fair approximation."""

Counts = Mapping[int, int]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelDrift:
    """A day's labels against those of its trailing window.

    Attributes:
        days: in the window.
        psi: population stability index; None if it cannot be told.
        p_value: of the test, 1 if there is nothing to tell apart; None if it cannot be told.
    """

    days: int
    psi: float | None = None
    p_value: float | None = None


def label_drift(day: Counts, window: Sequence[Counts]) -> LabelDrift:
    """Compare a day's counts of labels with those of the days before.

    Args:
        day: labels by bucket; 0 is that of labels that are 0, greater ones hold greater labels.
        window: likewise, one for each day with labels.
    """
    if len(window) < DAYS_NEEDED or not sum(day.values()):
        return LabelDrift(len(window))
    edges = bin_edges(window)
    seen = _binned(day, edges)
    before = np.array([_binned(each, edges) for each in window])
    return LabelDrift(
        len(window),
        round(_psi(seen, before.sum(axis=0)), 9),
        float(f"{_p_value(seen, before, edges):.4g}"),
    )


def bin_edges(window: Sequence[Counts]) -> _Floats:
    """Between which buckets the bins are divided, ascending.

    Edges lie halfway to the next bucket that holds anything, so that labels which move a little,
    as they do with each day's propensities, stay in their bin.
    """
    total: Counter[int] = Counter()
    for counts in window:
        total.update(counts)
    above = {bucket: rows for bucket, rows in total.items() if bucket > 0}
    below = {-bucket: rows for bucket, rows in total.items() if bucket < 0}
    positive = _quantile_edges(above, len(window))
    negative = [-edge for edge in reversed(_quantile_edges(below, len(window)))]
    return np.array([*negative, -0.5, 0.5, *positive])


def _quantile_edges(counts: Counts, days: int) -> list[float]:
    if not counts:
        return []
    buckets = np.array(sorted(counts))
    reached = np.cumsum([counts[int(bucket)] for bucket in buckets])
    bins = int(min(_MOST_BINS, reached[-1] // (days * _LEAST_IN_A_BIN)))
    wanted = reached[-1] * np.arange(1, bins) / max(bins, 1)
    ends = np.unique(np.searchsorted(reached, wanted))
    ends = ends[ends + 1 < len(buckets)]
    return [float(edge) for edge in (buckets[ends] + buckets[ends + 1]) / 2]


def _binned(counts: Counts, edges: _Floats) -> _Floats:
    buckets = np.fromiter(counts.keys(), dtype=np.float64, count=len(counts))
    rows = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
    binned = np.bincount(np.searchsorted(edges, buckets), weights=rows, minlength=len(edges) + 1)
    return binned.astype(np.float64)


def _psi(day: _Floats, window: _Floats) -> float:
    filled = (day + window) > 0
    shares = [
        (counts[filled] + 0.5) / (counts.sum() + 0.5 * filled.sum()) for counts in (day, window)
    ]
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())


def _p_value(day: _Floats, window: _Floats, edges: _Floats) -> float:
    """The p value of both questions together."""
    zero_ends = int(np.searchsorted(edges, 0.0))
    how_many = _tail(day, window, zero_ends, (0, len(day)))
    sides = [(edge, (0, zero_ends + 1)) for edge in range(zero_ends)]
    sides += [(edge, (zero_ends + 1, len(day))) for edge in range(zero_ends + 1, len(edges))]
    tails = [_tail(day, window, edge, side) for edge, side in sides]
    how_large = [tail for tail in tails if tail is not None]
    told = [] if how_many is None else [how_many]
    if how_large:
        told.append(len(how_large) * min(how_large))
    return min(1.0, len(told) * min(told, default=1.0))


def _tail(day: _Floats, window: _Floats, edge: int, side: tuple[int, int]) -> float | None:
    """The p value of one edge: the chance of so different a share above it.

    Args:
        day: labels by bin, shape (b,).
        window: likewise, shape (days, b).
        edge: the number of the bin that ends at it.
        side: the first bin that is looked at, and the first one after those.

    Returns:
        None where all labels are on one side of the edge.
    """
    first, end = side
    days = np.vstack([day, window])
    parts = [days[:, first : edge + 1].sum(axis=1), days[:, edge + 1 : end].sum(axis=1)]
    table = np.stack(parts, axis=1)
    statistic, freedom = _chi_square(np.stack([table[0], table[1:].sum(axis=0)]))
    if freedom == 0:
        return None
    unrest, days_freedom = _chi_square(table[1:])
    if days_freedom == 0:
        # none of the window's labels is on the other side: as draws from one distribution
        return float(chdtrc(1, statistic))
    return float(fdtrc(1, days_freedom, statistic / max(1.0, unrest / days_freedom)))


def _chi_square(table: _Floats) -> tuple[float, int]:
    """Pearson's statistic of a table of days and sides, and its degrees of freedom."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) <= 1:
        return 0.0, 0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return float(((table - expected) ** 2 / expected).sum()), freedom
