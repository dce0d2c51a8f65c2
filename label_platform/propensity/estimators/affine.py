"""Affine model: examination and trust, from items that were shown at several positions.

    P(click on i at k) = alpha_k gamma_i + beta_k

(Vardasbi, Oosterhuis and de Rijke 2020, "When Inverse Propensity Scoring does not Work"). People
who trust a ranking click what stands high although it is not relevant; that adds an offset to
position bias. Replacing gamma by (gamma - b) / a changes no click probability, so two numbers are
fixed: alpha_1 = 1 and beta_1 = 0, which makes gamma the click rate at position 1. beta_k then is
how far trust at k differs from trust at 1 (below 0 where trust fades), not trust itself.

With few impressions per cell gamma_i is known with much noise, and regressing clicks at k on it
bends the line towards flat: alpha too small, beta too large. So the other impressions of the item
are taken in pairs of different ones (a, b): a stands for gamma, b is its instrument, and no noise
is multiplied with itself. With y = click - beta and sums over the item's impressions at other
positions than k,

    M = sum alpha        G = sum y
    P = sum_{a != b} alpha_a y_b = M G - sum alpha y        U = sum_{a != b} y_a y_b = G^2 - sum y^2

every position has two moment equations over items, r = c / n being the click rate at k:

    sum v [(r - beta_k) - alpha_k G / M] = 0
    sum v / (M + s) [(r - beta_k) (1 + P / M) - alpha_k (G + U) / M] = 0

The instrument (1 + G) / (M + s), s = 1 / mean gamma, is gamma shrunk towards its mean. The weight
v = n M / (M + alpha_k n) is the inverse variance of r - alpha_k G / M but for a factor. Neither
s nor v depends on what an item's clicks are, so that they cost precision at worst.

Traps: an item's rank must change for reasons that have nothing to do with its relevance. Items
must differ in relevance: click rates by position alone cannot tell alpha from beta.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph, csr_array

from label_platform.propensity.bootstrap import REPLICATES, drawn_queries, log_error_of
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate, refused
from label_platform.propensity.estimators.pbm import pbm_propensities

_MIN_STRENGTH = 3.2
"""Standard errors that the covariance of gamma and its instrument lies above 0; squared, the
usual limit of 10 on the F statistic of an instrument."""
_MIN_ALPHA = 1e-3
_TOLERANCE = 1e-6
_MAX_ROUNDS = 1000
_DERIVATIVE_STEP = 1e-5


def estimate_affine(cells: Cells, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """Alpha and beta by position with bootstrap standard errors over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        ``propensity`` is alpha; nan at positions where items are too few or too alike, or that
        share no item with the others. ``details["trust_offset"]`` is beta,
        ``details["trust_offset_error"]`` its standard error, both of shape (K,) and 0 at
        position 1; ``details["strength"]`` says by how many standard errors the covariance of
        relevance with its instrument exceeds 0, by position. Refused if that is below 3.2 at
        position 1 or at all others.
    """
    several = cells.of_several_positions()
    impressions = several.by_position(several.impressions)
    clicks = several.by_position(several.clicks)
    prepared = _prepare(several)
    if isinstance(prepared, str):
        return refused(prepared, impressions, clicks)
    moments, strength, start = prepared
    found = moments.solved(start)
    if found is None:
        reason = f"no solution within {_MAX_ROUNDS:,} rounds from {clicks.sum():,.0f} clicks"
        return refused(f"{reason} of items seen at several positions", impressions, clicks)
    draws = drawn_queries(cells.n_queries, replicates, seed)
    # the bootstrap takes logs, and beta has none
    error = log_error_of(
        [np.concatenate([slope, np.exp(offset)]) for slope, offset in moments.redrawn(found, draws)]
    )
    alpha, beta = np.where(found[0] > 0, found, np.nan)
    unknown = np.isnan(alpha)
    details = {
        "trust_offset": beta,
        "trust_offset_error": np.where(unknown, np.nan, error[cells.positions :]),
        "strength": strength,
    }
    log_error = np.where(unknown, np.nan, error[: cells.positions])
    return Estimate(alpha, log_error, impressions, clicks, details=details)


def affine_parameters(cells: Cells, start: Floats | None = None) -> Floats:
    """Alpha and beta, shape (2, K), 1 and 0 at position 1.

    Args:
        cells: as for ``estimate_affine``.
        start: where to begin, shape (2, K); by default the position-based model's curve and 0.

    Returns:
        nan at positions that are not identified, and everywhere if none is.
    """
    prepared = _prepare(cells.of_several_positions())
    nothing = np.full((2, cells.positions), np.nan)
    if isinstance(prepared, str):
        return nothing
    moments, _, begin = prepared
    known = np.isfinite(begin)
    found = moments.solved(begin if start is None else np.where(known, start, np.nan))
    return nothing if found is None else found


@dataclass(frozen=True, eq=False)
class _Moments:
    """The moment equations of cells whose items were all seen at two positions or more."""

    cells: Cells
    prior: float

    def of_cells(self, found: Floats) -> tuple[Floats, Floats]:
        """Each cell's terms of both equations, shape (2, cells): of alpha_k, and of r - beta_k."""
        cells, at = self.cells, self.cells.position - 1
        alpha, beta = np.maximum(found[0, at], _MIN_ALPHA), found[1, at]
        n, c = cells.impressions, cells.clicks
        own = n * alpha, c - n * beta, c * (1 - beta) ** 2 + (n - c) * beta**2
        m, g, squares = (cells.by_query_item(value)[cells.query_item] - value for value in own)
        mixed = alpha * own[1]
        p = m * g - (cells.by_query_item(mixed)[cells.query_item] - mixed)
        u = g**2 - squares
        # an item that is left with one position has nothing to be compared with
        alone = m <= 0
        m = np.where(alone, 1.0, m)
        weight = np.where(alone, 0.0, n * m / (m + alpha * n))
        shrunk = weight / (m + self.prior)
        of_alpha = np.stack([weight * g / m, shrunk * (g + u) / m])
        return of_alpha, np.stack([weight, shrunk * (1 + p / m)])

    def next(self, found: Floats) -> Floats:
        """alpha_k and beta_k of each position from the others', shape (2, K)."""
        cells = self.cells
        return _of_sums(np.stack([cells.by_position(terms) for terms in self.terms(found)]))

    def terms(self, found: Floats) -> list[Floats]:
        """What the equations sum over each position's cells, 6 of shape (cells,)."""
        of_alpha, of_rest = self.of_cells(found)
        rate = self.cells.clicks / self.cells.impressions
        return [*of_alpha, *of_rest, *(of_rest * rate)]

    def solved(self, start: Floats) -> Floats | None:
        """The fixed point of ``next`` from there, None if it is not reached."""
        found = start
        known = np.isfinite(start[0])
        for _ in range(_MAX_ROUNDS):
            after = self.next(found)
            after[:, ~known] = np.nan
            if not np.isfinite(after[:, known]).all():
                return None
            change = np.abs(after - found)[:, known].max()
            found = after
            if change < _TOLERANCE:
                return found
        return None

    def redrawn(self, found: Floats, draws: Iterable[Floats]) -> list[Floats]:
        """Parameters of each draw of queries, one Newton step from those of the whole log.

        Spread is that of replicates solved to the end within 3%, at a twentieth of their price.

        Args:
            found: the whole log's parameters, shape (2, K).
            draws: how often each counts each query, shape (n_queries,).
        """
        cells = self.cells
        shape = cells.n_queries, cells.positions
        place = cells.query_of[cells.query_item] * cells.positions + cells.position - 1
        by_query = [
            np.bincount(place, terms, shape[0] * shape[1]).reshape(shape)
            for terms in self.terms(found)
        ]
        inverse = np.linalg.pinv(np.eye(found.size) - self.jacobian(found))
        redrawn = []
        for of_draw in draws:
            step = _of_sums(np.stack([of_draw @ each for each in by_query])) - found
            moved = found + (inverse @ np.nan_to_num(step).ravel()).reshape(found.shape)
            moved[:, 0] = 1, 0
            redrawn.append(np.where(np.isfinite(step), moved, np.nan))
        return redrawn

    def jacobian(self, found: Floats) -> Floats:
        """How ``next`` changes with each parameter, shape (2 K, 2 K)."""
        here = self.next(found)
        columns = []
        for index in range(found.size):
            moved = found.copy()
            moved.flat[index] += _DERIVATIVE_STEP
            columns.append((self.next(moved) - here).ravel() / _DERIVATIVE_STEP)
        return np.asarray(np.nan_to_num(np.stack(columns, axis=1)), dtype=np.float64)

    def strength(self, found: Floats) -> Floats:
        """Covariance of gamma and its instrument by its standard error over queries, shape (K,)."""
        cells, at = self.cells, self.cells.position - 1
        (a1, a2), (b1, b2) = self.of_cells(found)
        weights = np.maximum(cells.by_position(b1), np.finfo(float).tiny)
        gamma, instrument = cells.by_position(a1) / weights, cells.by_position(b2) / weights
        terms = a2 - instrument[at] * a1 - gamma[at] * b2 + (gamma * instrument)[at] * b1
        place = cells.query_of[cells.query_item] * cells.positions + at
        shape = cells.n_queries, cells.positions
        # of no cells, bincount has whole numbers
        of_query = np.bincount(place, terms, shape[0] * shape[1]).astype(np.float64).reshape(shape)
        error = np.sqrt((of_query**2).sum(axis=0))
        total: Floats = of_query.sum(axis=0)
        strength: Floats = np.divide(total, error, out=np.zeros_like(total), where=error > 0)
        return strength


def _of_sums(sums: Floats) -> Floats:
    """alpha_k and beta_k that solve both equations, shape (2, K), from the terms' sums (6, K)."""
    a1, a2, b1, b2, r1, r2 = sums
    determinant = a1 * b2 - a2 * b1
    with np.errstate(divide="ignore", invalid="ignore"):
        solved: Floats = np.stack([r1 * b2 - r2 * b1, a1 * r2 - a2 * r1]) / determinant
    solved[:, 0] = 1, 0
    return solved


def _prepare(several: Cells) -> tuple[_Moments, Floats, Floats] | str:
    """The equations, each position's strength and where to start; or why there are none."""
    clicks = several.by_position(several.clicks)
    evidence = f"{clicks.sum():,.0f} clicks on {several.impressions.sum():,.0f} impressions of"
    evidence = f"{evidence} items seen at several positions"
    if clicks[0] == 0:
        return f"no click at position 1 among {evidence}"
    theta = pbm_propensities(several)
    moments = _of_positions(several, np.isfinite(theta))
    start = np.stack([theta, np.where(np.isfinite(theta), 0.0, np.nan)])
    strength = moments.strength(start)
    moments = _of_positions(moments.cells, strength >= _MIN_STRENGTH)
    known = _joined_to_first(moments.cells)
    if not known[1:].any():
        below = strength[1:].max(initial=0)
        return (
            f"relevance cannot be told from trust: its covariance with its instrument is "
            f"{strength[0]:.1f} standard errors at position 1 and at most {below:.1f} at the "
            f"others, {_MIN_STRENGTH:g} are needed; there are {evidence}"
        )
    return _of_positions(moments.cells, known), strength, np.where(known, start, np.nan)


def _of_positions(cells: Cells, kept: NDArray[np.bool_]) -> _Moments:
    """The equations of the cells at these positions."""
    chosen = kept[cells.position - 1] & (cells.impressions > 0)
    inside = cells.where(chosen).of_several_positions()
    rated = inside.clicks.sum() / max(inside.impressions.sum(), 1)
    return _Moments(inside, prior=1 / max(rated, 1e-6))


def _joined_to_first(cells: Cells) -> NDArray[np.bool_]:
    """Which positions share items with position 1, directly or by way of others."""
    shape = cells.n_query_items, cells.positions
    seen = csr_array((np.ones(len(cells)), (cells.query_item, cells.position - 1)), shape=shape)
    _, component = csgraph.connected_components(seen.T @ seen, directed=False)
    joined: NDArray[np.bool_] = component == component[0]
    return joined
