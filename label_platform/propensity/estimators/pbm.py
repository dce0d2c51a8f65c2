"""Position-based model, conditional on each item's clicks (conditional Poisson).

With gamma_i the relevance of a (query, item), clicks c_ik of its n_ik impressions at position k
are Poisson with mean n_ik theta_k gamma_i. Given the item's total C_i they are multinomial:

    P(click was at k) = n_ik theta_k / sum_l n_il theta_l

so gamma is gone, and the log likelihood in log theta is concave:

    L = sum_ik c_ik log theta_k - sum_i C_i log sum_l n_il theta_l

Its maximum is also the fixed point of gamma_i = sum_k c_ik / sum_k n_ik theta_k,
theta_k = sum_i c_ik / sum_i n_ik gamma_i. Newton's method gets there in about six steps. Items
seen at one position only drop out by themselves.

Trap: an item's rank must change for reasons that have nothing to do with its relevance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate, refused, without_first_click

_TOLERANCE = 1e-8
_REPLICATE_TOLERANCE = 1e-4
"""Far below any standard error."""
_MAX_STEPS = 100
_BORROWED_STEPS = 6
_MAX_FULL = 4_000_000

Matrix = Floats | sparse.csr_array
_MAX_CHANGE = 2.0


def estimate_pbm(cells: Cells, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    several = cells.of_several_positions()
    impressions = several.by_position(several.impressions)
    clicks = several.by_position(several.clicks)
    reason = without_first_click(impressions, clicks, of_several=True)
    if reason:
        return refused(reason, impressions, clicks)
    fit = _Fit.of(several)
    found = fit.log_theta(np.ones(cells.n_queries))
    hessian = fit.information(np.ones(len(fit.totals)), found)
    error = bootstrap_log_error(
        lambda weights: np.exp(fit.log_theta(weights, found, hessian)),
        cells.n_queries,
        replicates,
        seed,
    )
    return Estimate(np.exp(found), error, impressions, clicks)


def pbm_propensities(cells: Cells) -> Floats:
    """theta, shape (K,), 1 at position 1.

    Returns:
        nan at positions without a click, and everywhere if position 1 has none.
    """
    return np.exp(_Fit.of(cells).log_theta(np.ones(cells.n_queries)))


@dataclass(frozen=True, eq=False)
class _Fit:
    """The cells as matrices of query_items x positions, built once for all replicates."""

    shown: Matrix
    clicked: Matrix
    totals: Floats
    query_of: NDArray[np.int64]

    @classmethod
    def of(cls, cells: Cells) -> "_Fit":
        # items without a click have no share in L
        totals = cells.by_query_item(cells.clicks)
        clicked = np.flatnonzero(totals > 0)
        kept = (totals > 0)[cells.query_item]
        place = (np.searchsorted(clicked, cells.query_item[kept]), cells.position[kept] - 1)
        shape = (len(clicked), cells.positions)
        return cls(
            _matrix(cells.impressions[kept], place, shape),
            _matrix(cells.clicks[kept], place, shape),
            totals[clicked],
            cells.query_of[clicked],
        )

    def log_theta(
        self, weights: Floats, start: Floats | None = None, hessian: Floats | None = None
    ) -> Floats:
        """The maximum with each query counted weights[query] times.

        Args:
            weights: shape (n_queries,).
            start: where to begin.
            hessian: of the whole log at ``start``. A large log's replicate has nearly the same,
                so the first steps go by it; a small log's takes its own from then on.
        """
        of_item = weights[self.query_of]
        clicks = np.asarray(self.clicked.T @ of_item, dtype=np.float64)
        estimated = clicks > 0
        log_theta = np.where(estimated, 0.0 if start is None else start, -np.inf)
        if not estimated[0]:
            return np.full(len(clicks), np.nan)
        free = np.flatnonzero(estimated)[1:]
        tolerance = _TOLERANCE if hessian is None else _REPLICATE_TOLERANCE
        for number in range(_MAX_STEPS):
            score = clicks - self._expected_clicks(of_item, log_theta)
            if hessian is not None and number < _BORROWED_STEPS:
                curvature = hessian
            else:
                curvature = self.information(of_item, log_theta)
            step = np.linalg.lstsq(curvature[np.ix_(free, free)], score[free], rcond=None)[0]
            log_theta[free] += np.clip(step, -_MAX_CHANGE, _MAX_CHANGE)
            if np.abs(step).max(initial=0) < tolerance:
                break
        return np.where(estimated, log_theta, np.nan)

    def information(self, of_item: Floats, log_theta: Floats) -> Floats:
        """Minus the second derivative of L in log theta, shape (K, K)."""
        theta = np.exp(np.nan_to_num(log_theta, nan=-np.inf))
        expected = self.shown @ theta
        rate = _ratio(of_item * self.totals, expected)
        share = np.sqrt(_ratio(rate, expected))[:, None]
        if isinstance(self.shown, np.ndarray):
            scaled = self.shown * share
            crossed = scaled.T @ scaled
        else:
            thin = sparse.csr_array(self.shown.multiply(share))
            crossed = np.asarray((thin.T @ thin).todense())
        crossed = crossed * np.outer(theta, theta)
        return np.asarray(np.diag(theta * (self.shown.T @ rate)) - crossed, dtype=np.float64)

    def _expected_clicks(self, of_item: Floats, log_theta: Floats) -> Floats:
        """Where the clicks of each item would be on average, summed over items."""
        theta = np.exp(log_theta)
        rate = _ratio(of_item * self.totals, self.shown @ theta)
        return np.asarray(theta * (self.shown.T @ rate), dtype=np.float64)


def _matrix(
    values: Floats, place: tuple[NDArray[np.int64], NDArray[np.int64]], shape: tuple[int, int]
) -> Matrix:
    """Values at their places, full where that is small: products are several times faster."""
    if shape[0] * shape[1] > _MAX_FULL:
        return sparse.csr_array((values, place), shape=shape)
    full = np.zeros(shape)
    full[place] = values
    return full


def _ratio(over: Floats, under: Floats) -> Floats:
    """The quotient, 0 where nothing is under."""
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)
