"""Position-based model by expectation maximisation, with and without PyClick's prior.

A click is examination and relevance, P(C) = theta_k gamma_i for (query, item) i at position k.
Of an impression without a click either may have been missing:

    P(E | no click) = theta_k (1 - gamma_i) / (1 - theta_k gamma_i)
    P(R | no click) = gamma_i (1 - theta_k) / (1 - theta_k gamma_i)

Each iteration sets every parameter to the mean of these (1 where clicked) over the impressions it
belongs to, all computed from the previous iteration's values. A prior adds one examination, or
relevance, and two impressions to each: (1 + sum) / (2 + n).

Two modes. ``compatible`` is what PyClick fits: the prior, every parameter starting at 1/2, and
50 iterations, which with some 30 lists a query is far from convergence: errors of 21-29% were
measured where the maximum of the likelihood has 2-3%. The default has no prior and goes on until
log theta stands still, each two iterations extrapolated by SQUAREM (Varadhan and Roland 2008):
plain ones need up to thousands, these 150 to 400.

Without a prior, items seen at one position say nothing of theta and are left out, as are items
without a click: whatever theta, their gamma is 0, and they would only slow the iterations.

Traps: iterations, or a change of the likelihood, are no sign of convergence here; theta and
gamma are known up to a common factor, so only theta relative to position 1 is comparable; gamma
cannot exceed 1, so of items with few impressions a click far down speaks for theta instead, and
the curve comes out too flat (by 6% with 30 lists a query, where pbm is 3% off and its intervals
hold the truth more often); and an item's rank must change for reasons that have nothing to do
with its relevance.

Source: Chuklin, Markov and de Rijke, Click Models for Web Search, 2015, sections 3.3 and 4.2.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.special import xlogy

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Cells, Floats, Integers
from label_platform.propensity.estimate import Estimate, refused, without_first_click

COMPATIBLE_ITERATIONS = 50
_START = 0.5
_TOLERANCE = 1e-6
_REPLICATE_TOLERANCE = 3e-5
"""Replicates start close by. This makes their spread 1-2% too small, 1e-4 made it 4%."""
_MAX_ITERATIONS = 5_000
_SMALLEST = 1e-300
"""In place of 0, which has no logarithm."""
_LEAST_UNCLICKED = 1e-12


def estimate_pbm_em(
    cells: Cells,
    replicates: int = REPLICATES,
    seed: int = 0,
    *,
    compatible: bool = False,
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        replicates: of the bootstrap. Compatible ones run all 50 iterations from 1/2; others
            start from the whole log's estimate and stop at a change of log theta below 3e-5.
        seed: of the bootstrap.
        compatible: fit what PyClick fits.

    Returns:
        Refused without a click at position 1, nan at positions without a click or that no items
        connect with position 1, all of items seen at several positions; if compatible, of all
        items, and nan without an impression only, as the prior fills in the rest. Details:
        ``theta``, shape (K,), before it was divided by that of position 1; ``gamma``, shape
        (n_query_items,), on the scale of ``theta``, nan for items left out; ``iterations``;
        ``converged``, always false if compatible.

    Source: Chuklin et al. 2015, sections 3.3 and 4.2.
    """
    used = cells if compatible else cells.of_several_positions()
    impressions = used.by_position(used.impressions)
    clicks = used.by_position(used.clicks)
    reason = without_first_click(impressions, clicks, of_several=not compatible)
    if reason:
        return refused(reason, impressions, clicks)
    updates = _Updates.of(cells, compatible=compatible)
    found = updates.fit(np.ones(cells.n_queries))
    error = bootstrap_log_error(
        lambda weights: updates.fit(weights, found, _REPLICATE_TOLERANCE).propensity,
        cells.n_queries,
        replicates,
        seed,
    )
    details = {
        "theta": found.theta,
        "gamma": found.gamma,
        "iterations": found.iterations,
        "converged": found.converged,
    }
    return Estimate(found.propensity, error, impressions, clicks, details=details)


@dataclass(frozen=True, eq=False)
class PbmEmFit:
    """Parameters of the position-based model.

    Attributes:
        theta: P(examined) by position, shape (K,), nan without a click there or a connection with
            position 1 (if compatible: without an impression).
        gamma: P(relevant) by query_item, shape (n_query_items,), nan where left out.
        iterations: how often the parameters were updated.
        converged: whether log theta stood still.
    """

    theta: Floats
    gamma: Floats
    iterations: int
    converged: bool

    @property
    def propensity(self) -> Floats:
        """Theta relative to position 1, shape (K,)."""
        relative: Floats = self.theta / self.theta[0]
        return relative


def pbm_em_fit(
    cells: Cells,
    weights: Floats | None = None,
    start: PbmEmFit | None = None,
    *,
    compatible: bool = False,
) -> PbmEmFit:
    """The parameters alone.

    Args:
        cells: of one context.
        weights: how often each query counts, shape (n_queries,); once each by default.
        start: where to begin, of the same cells; without effect if compatible.
        compatible: fit what PyClick fits: with its prior, 50 iterations, all items.
    """
    counted = np.ones(cells.n_queries) if weights is None else weights
    return _Updates.of(cells, compatible=compatible).fit(counted, start)


@dataclass(frozen=True, eq=False)
class _Updates:
    """What an iteration needs of the cells, built once for all replicates.

    Attributes:
        place: of each cell in theta, shape (cells,).
        item: of each cell in gamma.
        clicks: of each cell.
        unclicked: its impressions without a click.
        items: the query_item of each gamma, shape (items,).
        cells: all of them.
        compatible: whether there is a prior, and a count of iterations.
    """

    place: Integers
    item: Integers
    clicks: Floats
    unclicked: Floats
    items: Integers
    cells: Cells
    compatible: bool

    @classmethod
    def of(cls, cells: Cells, *, compatible: bool) -> "_Updates":
        used = cells if compatible else cells.of_several_positions()
        kept = used.impressions > 0
        if not compatible:
            kept &= (used.by_query_item(used.clicks) > 0)[used.query_item]
        items, item = np.unique(used.query_item[kept], return_inverse=True)
        clicks = used.clicks[kept]
        unclicked = used.impressions[kept] - clicks
        return cls(used.position[kept] - 1, item, clicks, unclicked, items, cells, compatible)

    def fit(
        self, weights: Floats, start: PbmEmFit | None = None, tolerance: float = _TOLERANCE
    ) -> PbmEmFit:
        """The parameters with each query counted weights[query] times."""
        of_item = weights[self.cells.query_of[self.items]]
        counted = _Counted(self, of_item, of_item[self.item])
        theta = np.full(self.cells.positions, _START)
        gamma = np.full(len(self.items), _START)
        if self.compatible:
            for _ in range(COMPATIBLE_ITERATIONS):
                theta, gamma = counted.iterate(theta, gamma)
            known = counted.by_position(self.clicks + self.unclicked) > 0
            iterations, converged = COMPATIBLE_ITERATIONS, False
        else:
            known = counted.by_position(self.clicks) > 0
            if start is not None:
                theta, gamma = np.nan_to_num(start.theta, nan=_START), start.gamma[self.items]
            theta = np.where(known, theta, 0)
            theta, gamma, iterations, converged = counted.converge(theta, gamma, tolerance)
        all_gamma = np.full(self.cells.n_query_items, np.nan)
        all_gamma[self.items] = gamma
        known &= self.compatible | self._connected(of_item)
        return PbmEmFit(np.where(known, theta, np.nan), all_gamma, iterations, converged)

    def _connected(self, of_item: Floats) -> NDArray[np.bool_]:
        """Positions that items of several positions connect with position 1, shape (K,)."""
        kept = of_item[self.item] > 0
        place, item = self.place[kept], self.item[kept] + self.cells.positions
        nodes = self.cells.positions + len(self.items)
        graph = sparse.csr_array((np.ones(len(place)), (place, item)), shape=(nodes, nodes))
        component = connected_components(graph, directed=False)[1]
        return np.asarray(component == component[0])[: self.cells.positions]


@dataclass(frozen=True, eq=False)
class _Counted:
    """Updates with each item and its cells counted as often as their query."""

    updates: _Updates
    of_item: Floats
    of_cell: Floats

    def by_position(self, values: Floats) -> Floats:
        places = self.updates.cells.positions
        return np.bincount(self.updates.place, self.of_cell * values, places).astype(np.float64)

    def by_item(self, values: Floats) -> Floats:
        return np.bincount(self.updates.item, values, len(self.of_item)).astype(np.float64)

    @cached_property
    def shown(self) -> tuple[Floats, Floats]:
        """Impressions by position and by item."""
        shown = self.updates.clicks + self.updates.unclicked
        return self.by_position(shown), self.by_item(shown)

    def iterate(self, theta: Floats, gamma: Floats) -> tuple[Floats, Floats]:
        """One iteration: both from the values before it."""
        at, of = theta[self.updates.place], gamma[self.updates.item]
        clicked = at * of
        rest = self.updates.unclicked / np.maximum(1 - clicked, _LEAST_UNCLICKED)
        examined = self.by_position(self.updates.clicks + rest * (at - clicked))
        relevant = self.by_item(self.updates.clicks + rest * (of - clicked))
        shown_at, shown_of = self.shown
        if self.updates.compatible:
            new_gamma = (1 + self.of_item * relevant) / (2 + self.of_item * shown_of)
            return (1 + examined) / (2 + shown_at), new_gamma
        # an item's own mean is the same however often it is counted
        return examined / np.maximum(shown_at, _SMALLEST), relevant / shown_of

    def converge(
        self, theta: Floats, gamma: Floats, tolerance: float
    ) -> tuple[Floats, Floats, int, bool]:
        """Iterations, each two extrapolated, until log theta moves less than the tolerance."""
        size, known, likelihood = len(theta), theta > 0, -np.inf
        for done in range(0, _MAX_ITERATIONS, 2):
            first = self.iterate(theta, gamma)
            moved = np.log(first[0][known] / theta[known])
            if np.abs(moved).max(initial=0) < tolerance:
                return *first, done + 1, True
            second = self.iterate(*first)
            logs = [_logs(*values) for values in ((theta, gamma), first, second)]
            step = logs[1] - logs[0]
            bend = logs[2] - logs[1] - step
            stretch = max(1.0, _length(step) / max(_length(bend), _SMALLEST))
            ahead = np.exp(np.minimum(logs[0] + 2 * stretch * step + stretch**2 * bend, 0))
            theta, gamma = ahead[:size], ahead[size:]
            reached = self.likelihood(theta, gamma)
            if reached < likelihood:  # went too far
                theta, gamma = second
                reached = self.likelihood(theta, gamma)
            likelihood = reached
        return theta, gamma, _MAX_ITERATIONS, False

    def likelihood(self, theta: Floats, gamma: Floats) -> float:
        """The logarithm of the probability of these clicks."""
        clicked = theta[self.updates.place] * gamma[self.updates.item]
        unclicked = np.maximum(1 - clicked, _LEAST_UNCLICKED)
        logs = xlogy(self.updates.clicks, clicked) + self.updates.unclicked * np.log(unclicked)
        return float(self.of_cell @ np.where(self.of_cell > 0, logs, 0))


def _logs(theta: Floats, gamma: Floats) -> Floats:
    values: Floats = np.maximum(np.concatenate([theta, gamma]), _SMALLEST)
    return np.log(values)


def _length(vector: Floats) -> float:
    return float(np.linalg.norm(vector))
