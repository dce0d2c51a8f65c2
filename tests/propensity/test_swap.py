import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimators.harvest_all_pairs import estimate_harvest_all_pairs
from label_platform.propensity.estimators.pairs import PairStatistics
from label_platform.propensity.estimators.swap import estimate_swap, swap_propensities
from tests.propensity.written_cells import Cell, cells_of

TRUTH = np.array([1, 0.6, 0.45, 0.3, 0.35, 0.2])
CHANCE = 0.15


def swapped_lists(seed: int, n_lists: int, swaps: Sequence[tuple[int, int]]) -> Cells:
    """Lists in the order of relevance, in which at most one swap is drawn, all with one chance.

    Attention varies by list together with the chance of a swap, which doubles for the
    inattentive: without the weights, deep places of good items would look unattended.
    """
    rng = np.random.default_rng(seed)
    n_queries, length = 200, len(TRUTH)
    gamma = np.sort(rng.beta(1, 3, (n_queries, length)), axis=1)[:, ::-1]
    query = rng.integers(0, n_queries, n_lists)
    attentive = rng.random(n_lists) < 0.5
    chance = np.where(attentive, 0.5, 1.0) * CHANCE
    drawn = np.where(
        rng.random(n_lists) < chance * len(swaps), rng.integers(0, len(swaps), n_lists), -1
    )
    place = np.tile(np.arange(length), (n_lists, 1))
    probability = np.ones((n_lists, length))
    for number, (one, other) in enumerate(swaps):
        these = np.flatnonzero(drawn == number)
        place[these, one - 1], place[these, other - 1] = other - 1, one - 1
        probability[:, [one - 1, other - 1]] -= chance[:, None]
    moved = place != np.arange(length)
    probability = np.where(moved, chance[:, None], probability)
    seen = TRUTH[place] * np.where(attentive, 1.0, 0.4)[:, None]
    clicked = rng.random((n_lists, length)) < seen * gamma[query]
    known = probability < 1
    weight = 1 / probability
    rows = {
        "query": np.repeat(query, length),
        "item": np.tile(np.arange(length), n_lists),
        "position": place.ravel() + 1,
        "impressions": weight.ravel(),
        "clicks": (weight * clicked).ravel(),
    }
    return Cells.from_table(pd.DataFrame(rows)[known.ravel()], length)


CHAIN = [(k, k + 1) for k in range(1, 6)]
STAR = [(1, k) for k in range(2, 7)]


def test_two_positions_by_hand() -> None:
    cells = cells_of((0, 0, 1, 2.5, 1.25), (0, 0, 2, 5, 1.5), (1, 5, 1, 8, 2), (1, 5, 2, 2, 0.5))
    above = 1.25 * 5 / 7.5 + 2 * 2 / 10
    below = 1.5 * 2.5 / 7.5 + 0.5 * 8 / 10
    estimate = estimate_swap(cells)
    assert estimate.propensity == pytest.approx([1, below / above])
    assert estimate.impressions.tolist() == [2.5 + 8, 5 + 2]
    assert estimate.clicks.tolist() == [1.25 + 2, 1.5 + 0.5]


def test_three_pairs_that_disagree_meet_by_their_weights() -> None:
    # equal impressions halve the clicks: 12 and 6, 10 and 5, 8 and 2
    cells = cells_of(
        *((0, 0, 1, 90, 24), (0, 0, 2, 90, 12)),
        *((1, 1, 2, 90, 20), (1, 1, 3, 90, 10)),
        *((2, 2, 1, 90, 16), (2, 2, 3, 90, 4)),
    )
    first, second, third = 1 / (1 / 12 + 1 / 6), 1 / (1 / 10 + 1 / 5), 1 / (1 / 8 + 1 / 2)
    # minimise first (x + log 2)^2 + second (y - x + log 2)^2 + third (y + log 4)^2
    x, y = np.linalg.solve(
        [[first + second, -second], [-second, second + third]],
        [-first * math.log(2) + second * math.log(2), -second * math.log(2) - third * math.log(4)],
    )
    assert (x, y) == pytest.approx((-math.log(2), -2 * math.log(2)))
    found = estimate_swap(cells).propensity
    assert found == pytest.approx([1, 0.5, 0.25])

    steeper = cells_of(
        *((0, 0, 1, 90, 24), (0, 0, 2, 90, 12)),
        *((1, 1, 2, 90, 20), (1, 1, 3, 90, 10)),
        *((2, 2, 1, 90, 40), (2, 2, 3, 90, 4)),
    )
    third = 1 / (1 / 20 + 1 / 2)
    x, y = np.linalg.solve(
        [[first + second, -second], [-second, second + third]],
        [-first * math.log(2) + second * math.log(2), -second * math.log(2) - third * math.log(10)],
    )
    assert estimate_swap(steeper).propensity == pytest.approx([1, math.exp(x), math.exp(y)])


def test_weights_make_up_for_who_was_swapped() -> None:
    # 1,000 attentive people, swapped with chance .1, and 1,000 who look at 40% as much, with .5
    def shown(at_first: float, at_second: float, of: float) -> list[Cell]:
        looks = ((at_first, of * 0.3), (at_second, of * 0.3 * 0.5))
        return [(0, 0, k, n, n * rate) for k, (n, rate) in enumerate(looks, start=1)]

    weighted = shown(900 / 0.9, 100 / 0.1, 1.0) + shown(500 / 0.5, 500 / 0.5, 0.4)
    counted = shown(900, 100, 1.0) + shown(500, 500, 0.4)
    assert estimate_swap(cells_of(*weighted)).propensity[1] == pytest.approx(0.5)
    naive = ((100 + 500 * 0.4) / 600) / ((900 + 500 * 0.4) / 1400) * 0.5
    assert estimate_swap(cells_of(*counted)).propensity[1] == pytest.approx(naive)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("swaps", [CHAIN[::2] + CHAIN[1::2], [*STAR[:4], (3, 6)]])
def test_the_true_curve_is_recovered(seed: int, swaps: list[tuple[int, int]]) -> None:
    found = estimate_swap(swapped_lists(seed, 100_000, swaps), replicates=2).propensity
    assert np.abs(found / TRUTH - 1)[1:].mean() < 0.08


def test_intervals_hold_the_truth() -> None:
    held = []
    for seed in range(20):
        estimate = estimate_swap(swapped_lists(seed, 15_000, STAR), 100, seed)
        held.append((estimate.ci_low <= TRUTH) & (estimate.ci_high >= TRUTH))
        assert estimate.log_error[0] == 0
    assert 0.88 <= np.stack(held)[:, 1:].mean() <= 1


def test_a_factor_of_an_item_changes_its_weight_only() -> None:
    theta = np.array([1, 0.5, 0.2])

    def expected(factors: Floats) -> Cells:
        items = [(0, (1, 2), 0.4), (1, (2, 3), 0.1), (2, (1, 3), 0.7)]
        return cells_of(
            *(
                (item, item, k, factors[item] * n, factors[item] * n * theta[k - 1] * gamma)
                for item, ends, gamma in items
                for k, n in zip(ends, (300, 500), strict=True)
            )
        )

    for factors in ([1.0, 1.0, 1.0], [0.2, 7.0, 1.5]):
        found = estimate_swap(expected(np.array(factors)), replicates=2).propensity
        assert found == pytest.approx(theta)


def test_positions_that_nothing_connects_with_the_first_are_unknown() -> None:
    cells = cells_of(
        *((0, 0, 1, 90, 30), (0, 0, 2, 90, 20)),
        *((1, 1, 3, 90, 30), (1, 1, 4, 90, 20)),
        *((2, 2, 2, 90, 30), (2, 2, 5, 90, 0)),
    )
    estimate = estimate_swap(cells)
    assert estimate.propensity[:2] == pytest.approx([1, 20 / 30])
    assert np.isnan(estimate.propensity[2:]).all()
    assert np.isnan(estimate.log_error[2:]).all()


def test_a_drawn_query_counts_as_its_cells_would() -> None:
    cells = swapped_lists(3, 4_000, STAR)
    weights = np.random.default_rng(5).integers(0, 3, cells.n_queries).astype(float)
    drawn = PairStatistics.of(cells.reweighted(weights))
    expected = swap_propensities(drawn, np.ones(cells.n_queries))
    assert swap_propensities(PairStatistics.of(cells), weights) == pytest.approx(expected)
    assert np.isfinite(expected).all()


def test_swaps_and_pairs_agree_where_both_apply() -> None:
    cells = swapped_lists(4, 50_000, STAR)
    swap, pairs = estimate_swap(cells, 2), estimate_harvest_all_pairs(cells, 2)
    assert swap.propensity == pytest.approx(pairs.propensity, rel=0.05)
