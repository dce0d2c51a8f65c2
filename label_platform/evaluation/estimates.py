"""A value or a paired difference, with an interval that carries training variance.

A value is V = sum N / sum D over queries, of the main fit. Its standard error, and likewise that of
the paired difference to the baseline, is

    SE^2 = s_fit^2 + s_query^2 / Q

with s_fit^2 the variance of V over the resampled fits (not divided by their number: it stands for
what another log would have given, and averaging fits of one log does not take that away), and
s_query^2 the variance over queries of the mean over fits of (N_q - V D_q) / mean D, the
linearisation of the ratio (a query with several lists weighs as much as they do). Intervals and p
values are those of the sum of two errors (``two_errors``), of which that over fits is known from a
few fits only. Where the main fit lies apart from resampled ones that agree, s_fit counts it too,
and SE is never below the main fit's own error over queries.

The linearisation is good where no few queries hold most of the denominator. Beside it stands a
bootstrap over queries: where its standard error is larger by more than ``MOST_DISAGREEMENT``, it
counts instead. At 1.2 a 95% interval of the linearisation would cover 90% (1.96 / 1.2 = 1.63), and
the noise of 1,000 resamples alone (2%) never reaches it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.two_errors import TwoErrors

MOST_DISAGREEMENT = 1.2
"""Of the bootstrap's standard error over queries with the linearised one, as a ratio."""


@dataclass(frozen=True)
class Estimate:
    """A value or a difference with its uncertainty.

    Attributes:
        value: of the main fit.
        fit_error: the standard deviation over the resampled fits.
        query_error: the standard error over queries.
        fits: resampled ones, two or more.
        queries: two or more.
    """

    value: float
    fit_error: float
    query_error: float
    fits: int
    queries: int

    @property
    def standard_error(self) -> float:
        """Of fits and queries together."""
        return float(np.hypot(self.fit_error, self.query_error))

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided interval."""
        half = self._errors.within(confidence) if self.standard_error > 0 else 0.0
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided, of a value of 0."""
        if self.value == 0:
            return 1.0
        if self.standard_error == 0:
            return 0.0
        return self._errors.exceeds(abs(self.value))

    @property
    def _errors(self) -> TwoErrors:
        return TwoErrors(self.fit_error, self.fits - 1, self.query_error, self.queries - 1)


@dataclass(frozen=True, eq=False)
class FitValues:
    """One side's yardstick: parts by query (rows) and fit (columns, the main fit first)."""

    queries: NDArray[np.str_]
    numerator: Floats
    denominator: Floats

    @property
    def ratios(self) -> Floats:
        """The ratio of each fit."""
        ratios: Floats = self.numerator.sum(axis=0) / self.denominator.sum(axis=0)
        return ratios

    @property
    def excess(self) -> Floats:
        """Per query (rows) and fit (columns), its linearised deviation from the fit's ratio."""
        deviation = self.numerator - self.ratios * self.denominator
        found: Floats = deviation / self.denominator.mean(axis=0)
        return found

    @property
    def mean_parts(self) -> tuple[Floats, Floats]:
        """Numerators and denominators of each query, as the mean over fits."""
        numerator: Floats = self.numerator.mean(axis=1)
        denominator: Floats = self.denominator.mean(axis=1)
        return numerator, denominator


def query_error(side: FitValues, baseline: FitValues | None = None) -> float:
    """The linearised standard error over queries, of the mean over fits."""
    return _standard_error(_excess(side, baseline).mean(axis=1))


def _excess(side: FitValues, baseline: FitValues | None) -> Floats:
    return side.excess if baseline is None else side.excess - baseline.excess


def _standard_error(values: Floats) -> float:
    return float(np.sqrt(values.var(ddof=1) / len(values))) if len(values) > 1 else float("nan")


def estimate(
    side: FitValues, baseline: FitValues | None = None, bootstrap_error: float = 0.0
) -> Estimate:
    """A side's value, or its paired difference to a baseline measured on the same queries.

    Args:
        side: the contender's parts.
        baseline: the other side's.
        bootstrap_error: the bootstrap's standard error over queries of the same number.

    Raises:
        ValueError: fewer than two resampled fits or queries, or the two sides do not match.
    """
    values = side.ratios
    if baseline is not None:
        if not np.array_equal(side.queries, baseline.queries):
            raise ValueError("the two sides were not measured on the same queries")
        if len(values) != len(baseline.ratios):
            raise ValueError(f"{len(values)} fits against {len(baseline.ratios)} of the baseline")
        values = values - baseline.ratios
    resampled, queries = len(values) - 1, len(side.queries)
    if resampled < 2 or queries < 2:
        raise ValueError(
            f"{resampled} resampled fits and {queries} queries: an interval needs 2 of each"
        )
    excess = _excess(side, baseline)
    of_queries = _standard_error(excess.mean(axis=1))
    if bootstrap_error > MOST_DISAGREEMENT * of_queries:
        of_queries = bootstrap_error
    # resampled fits may agree with each other and not with the main fit, whose value this is: all
    # on one tree, say, where it has two. Then it is the odd one that says how far fits lie apart,
    # and no value is surer than its own queries make it.
    of_fits = float(max(values[1:].std(ddof=1), values.std(ddof=1)))
    of_main_fit = _standard_error(excess[:, 0])
    of_queries = max(of_queries, float(np.sqrt(max(0.0, of_main_fit**2 - of_fits**2))))
    return Estimate(float(values[0]), of_fits, of_queries, resampled, queries)


def holm(p_values: Floats) -> Floats:
    """Adjusted p values: below a level for all that Holm rejects at that level."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted
