"""Pairs of positions, compared on the items that were seen at both.

Where rankers disagree, one (query, item) is shown at position k by one and at l by another. Over
the items i seen at both, weighted so that both positions show the same mix of items,

    C_kl = sum_i c_ik n_il / (n_ik + n_il)     M_kl = M_lk = sum_i n_ik n_il / (n_ik + n_il)

are clicks at k and impressions of the pair {k, l}.

Trap: pooling clicks and impressions of a pair without the weights is biased, because what is
shown more often at k is another mix of items.

Source: Agarwal et al., Estimating position bias without intrusive interventions, WSDM 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from label_platform.propensity.bootstrap import bootstrap_log_error
from label_platform.propensity.cells import Cells, Floats, Integers
from label_platform.propensity.estimate import Estimate, refused, without_first_click

MAX_POSITIONS = 50


def estimate_from_pairs(
    cells: Cells,
    fit: Callable[["PairStatistics", Floats, Floats | None], Floats],
    replicates: int,
    seed: int,
    *,
    max_distance: int | None = None,
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: of one context.
        fit: propensities, shape (K,), from the statistics, how often each query counts, shape
            (n_queries,), and where to begin: nowhere, and in the bootstrap the whole log's answer.
        replicates: of the bootstrap.
        seed: of the bootstrap.
        max_distance: leave out pairs of positions that are farther apart.

    Returns:
        Refused beyond 50 positions, and without a click at position 1 on an item of a pair.
        Impressions and clicks are those of the items of pairs.
    """
    compared = _compared(cells, max_distance or cells.positions)
    impressions = compared.by_position(compared.impressions)
    clicks = compared.by_position(compared.clicks)
    reason = _refusal(cells.positions, impressions, clicks)
    if reason:
        return refused(reason, impressions, clicks)
    pairs = PairStatistics.of(compared, max_distance)
    found = fit(pairs, np.ones(cells.n_queries), None)
    error = bootstrap_log_error(
        lambda weights: fit(pairs, weights, found), cells.n_queries, replicates, seed
    )
    return Estimate(found, error, impressions, clicks)


def _compared(cells: Cells, max_distance: int) -> Cells:
    """Only cells whose item was also shown at another position, no farther away than that."""
    shown = cells.where(cells.impressions > 0)
    # cells of an item stand in the order of positions, so the nearest one is next to each
    near = (np.diff(shown.query_item) == 0) & (np.diff(shown.position) <= max_distance)
    kept = np.zeros(len(shown), dtype=np.bool_)
    kept[:-1] |= near
    kept[1:] |= near
    return shown.where(kept)


def _refusal(positions: int, impressions: Floats, clicks: Floats) -> str:
    """Why pairs of positions cannot tell the curve, empty if they may.

    Args:
        positions: K.
        impressions: of items seen at several positions, shape (K,).
        clicks: likewise.
    """
    if positions > MAX_POSITIONS:
        return (
            f"{positions:,} positions make {positions * (positions - 1) // 2:,} pairs; pairs are "
            f"compared for up to {MAX_POSITIONS} positions, beyond that use the estimator pbm"
        )
    return without_first_click(impressions, clicks, of_several=True)


@dataclass(frozen=True, eq=False)
class PairStatistics:
    """Clicks and impressions of each pair of positions, per query.

    Attributes:
        shallow: the upper position of each unordered pair, from 1, shape (pairs,).
        deep: the lower one.
        positions: K.
        by_query: shape (3 * pairs, n_queries): C at the shallow position, C at the deep one, M.
    """

    shallow: Integers
    deep: Integers
    positions: int
    by_query: "sparse.csr_array"

    @classmethod
    def of(cls, cells: Cells, max_distance: int | None = None) -> "PairStatistics":
        """The statistics of all pairs of positions.

        Args:
            cells: of one context.
            max_distance: leave out pairs of positions that are farther apart.
        """
        shallow, deep = np.triu_indices(cells.positions, 1)
        code = np.zeros((cells.positions, cells.positions), dtype=np.int64)
        code[shallow, deep] = np.arange(len(shallow))
        upper, lower = pairs_of_cells(cells, max_distance)
        pair = code[cells.position[upper] - 1, cells.position[lower] - 1]
        query = cells.query_of[cells.query_item[upper]]
        shown, shown_below = cells.impressions[upper], cells.impressions[lower]
        values = (
            np.stack([cells.clicks[upper] * shown_below, cells.clicks[lower] * shown])
            / (shown + shown_below),
            (shown * shown_below / (shown + shown_below))[None],
        )
        row = pair + len(shallow) * np.arange(3)[:, None]
        by_query = sparse.coo_array(
            (np.concatenate(values).ravel(), (row.ravel(), np.tile(query, 3))),
            shape=(3 * len(shallow), cells.n_queries),
        )
        return cls(shallow + 1, deep + 1, cells.positions, by_query.tocsr())

    def summed(self, weights: Floats) -> Floats:
        """C at the shallow position, C at the deep one, and M, shape (3, pairs).

        Args:
            weights: how often each query counts, shape (n_queries,).
        """
        return np.asarray(self.by_query @ weights, dtype=np.float64).reshape(3, -1)


def pairs_of_cells(cells: Cells, max_distance: int | None = None) -> tuple[Integers, Integers]:
    """Places in ``cells`` of all two cells of one query_item that were shown, upper one first."""
    shown = np.flatnonzero(cells.impressions > 0)
    item = cells.query_item[shown]
    upper, lower = [shown[:0]], [shown[:0]]
    for apart in range(1, cells.positions):
        # cells of an item stand together, so those of other items are never in between
        same = np.flatnonzero(item[apart:] == item[:-apart])
        if len(same) == 0:
            break
        upper.append(shown[same])
        lower.append(shown[same + apart])
    first, second = np.concatenate(upper), np.concatenate(lower)
    distance = cells.position[second] - cells.position[first]
    near = distance <= (max_distance or cells.positions)
    return first[near], second[near]
