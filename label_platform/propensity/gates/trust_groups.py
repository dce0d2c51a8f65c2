"""Good, middling and poor items, grouped without a look at the clicks that are compared.

An item's tertile must not be found from the clicks that are tested: a click more at position 1
makes it look both better and steeper. So the impressions of each cell are dealt into two halves,
whose clicks are independent under the model, the tertile found from one and the curve tested on
the other; and the other way round, which both add up to one test.
"""

from dataclasses import replace

import numpy as np

from label_platform.propensity.cells import Cells, Floats, Integers
from label_platform.propensity.gates.score_test import GroupedClicks, stacked

TERTILES = 3


def quality_groups(cells: Cells, propensity: Floats, rng: np.random.Generator) -> GroupedClicks:
    """Both halves of the clicks, each in the tertiles that the other half tells.

    Args:
        cells: of one context; counts are whole numbers.
        propensity: the curve, shape (K,); positions where it is nan or 0 are left out.
        rng: deals the impressions.
    """
    first, second = _halves(cells, rng)
    tertile = np.concatenate([_tertile(second, propensity), _tertile(first, propensity)])
    return GroupedClicks.of(stacked([first, second]), tertile, TERTILES, propensity)


def trusting_clicks(tested: GroupedClicks, propensity: Floats, bias: float) -> Floats:
    """Mean clicks of each tested cell if a trust bias came on top of the clicks there are.

    Items have their tertile's relevance: their own is mostly chance, which would pass for power.

    Args:
        tested: of ``quality_groups``.
        propensity: the curve, shape (K,).
        bias: the chance that an irrelevant item is clicked at position 1 as it stands there.
    """
    cells = tested.cells
    gamma, exposure = relevance(cells, propensity)
    clicks = np.bincount(tested.group, gamma * exposure, TERTILES)
    looked_at = np.bincount(tested.group, exposure, TERTILES)
    of_tertile = clicks / np.where(looked_at > 0, looked_at, 1.0)
    gamma = np.minimum(of_tertile, 1.0)[tested.group[cells.query_item]]
    trust = bias / cells.position
    examined = cells.impressions * propensity[cells.position - 1]
    return np.asarray(examined * (gamma + (1 - gamma) * trust), dtype=np.float64)


def relevance(cells: Cells, propensity: Floats) -> tuple[Floats, Floats]:
    """What clicks say of each query_item's relevance, and on how much that rests.

    Returns:
        gamma_i = C_i / sum n theta, 0 if not shown; and sum n theta. Shape (n_query_items,).
    """
    theta = np.where(np.isfinite(propensity), propensity, 0.0)[cells.position - 1]
    exposure = cells.by_query_item(cells.impressions * theta)
    clicks = cells.by_query_item(np.where(theta > 0, cells.clicks, 0.0))
    return np.divide(clicks, exposure, out=np.zeros_like(clicks), where=exposure > 0), exposure


def _halves(cells: Cells, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Each cell's impressions dealt into two halves, with the clicks that fall on them."""
    total = np.rint(cells.impressions).astype(np.int64)
    clicks = np.rint(cells.clicks).astype(np.int64)
    half = total // 2 + (total % 2) * rng.integers(0, 2, len(total))
    dealt = rng.hypergeometric(clicks, total - clicks, half)
    return (
        replace(cells, impressions=half.astype(np.float64), clicks=dealt.astype(np.float64)),
        replace(
            cells,
            impressions=(total - half).astype(np.float64),
            clicks=(clicks - dealt).astype(np.float64),
        ),
    )


def _tertile(cells: Cells, propensity: Floats) -> Integers:
    """0, 1 or 2 for each query_item: thirds of what was looked at, from poor to good."""
    gamma, exposure = relevance(cells, propensity)
    if not len(gamma):
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(gamma, kind="stable")
    looked_at = np.cumsum(exposure[order])
    ends = np.searchsorted(looked_at, looked_at[-1] * np.array([1, 2]) / TERTILES)
    bounds = gamma[order][np.minimum(ends, len(order) - 1)]
    return np.asarray((gamma[:, None] > bounds).sum(axis=1), dtype=np.int64)
