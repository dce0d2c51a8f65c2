import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from scipy.optimize import minimize

from label_platform.logs.simulators.click_lists import ClickListSettings
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate
from label_platform.propensity.estimators.harvest_adjacent import (
    adjacent_propensities,
    estimate_harvest_adjacent,
)
from label_platform.propensity.estimators.harvest_all_pairs import (
    all_pairs_propensities,
    estimate_harvest_all_pairs,
)
from label_platform.propensity.estimators.pairs import PairStatistics, pairs_of_cells
from tests.propensity.written_cells import Cell, cells_of, simulated

TRUTH = 1 / np.arange(1, 11)
Estimator = Callable[..., Estimate]


def without_noise(theta: Floats, pairs: list[tuple[int, int]], shown: Floats) -> Cells:
    """Expected clicks of items that each stand at one pair of positions, relevances all unlike."""
    gamma = np.linspace(0.1, 0.8, len(pairs))
    return cells_of(
        *(
            (query, 0, k, n, n * theta[k - 1] * gamma[query])
            for query, pair in enumerate(pairs)
            for k, n in zip(pair, shown[query], strict=True)
        )
    )


def test_two_positions_by_hand() -> None:
    cells = cells_of((0, 0, 1, 100, 30), (0, 0, 2, 300, 40), (1, 5, 1, 60, 20), (1, 5, 2, 20, 4))
    above = 30 * 300 / 400 + 20 * 20 / 80
    below = 40 * 100 / 400 + 4 * 60 / 80
    for estimate in (estimate_harvest_all_pairs(cells), estimate_harvest_adjacent(cells)):
        assert estimate.propensity == pytest.approx([1, below / above])
        assert estimate.impressions.tolist() == [160, 320]
        assert estimate.clicks.tolist() == [50, 44]


def test_a_chain_by_hand() -> None:
    # item 2 stands at positions 1 and 3, which are no neighbours
    cells = cells_of(
        *((0, 0, 1, 10, 5), (0, 0, 2, 10, 4)),
        *((1, 1, 2, 40, 12), (1, 1, 3, 10, 1)),
        *((2, 2, 1, 50, 50), (2, 2, 3, 50, 1)),
    )
    second = (4 * 10 / 20) / (5 * 10 / 20)
    third = second * (1 * 40 / 50) / (12 * 10 / 50)
    estimate = estimate_harvest_adjacent(cells)
    assert estimate.propensity == pytest.approx([1, second, third])
    assert estimate.impressions.tolist() == [10, 50, 10]
    assert estimate.clicks.tolist() == [5, 16, 1]


def test_statistics_of_pairs_by_hand_and_by_query() -> None:
    cells = cells_of(
        *((0, 0, 1, 10, 5), (0, 0, 3, 30, 6), (0, 0, 4, 0, 0), (0, 1, 3, 20, 4)),
        *((1, 0, 1, 50, 5), (1, 0, 3, 50, 10)),
    )
    pairs = PairStatistics.of(cells)
    named = list(zip(pairs.shallow.tolist(), pairs.deep.tolist(), strict=True))
    assert named == [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]
    # query 0 drawn twice and query 1 three times
    above = 2 * 5 * 30 / 40 + 3 * 5 * 50 / 100
    below = 2 * 6 * 10 / 40 + 3 * 10 * 50 / 100
    shown = 2 * 10 * 30 / 40 + 3 * 50 * 50 / 100
    expected = np.zeros((3, 6))
    expected[:, 1] = above, below, shown
    assert pairs.summed(np.array([2.0, 3.0])) == pytest.approx(expected)
    upper, lower = pairs_of_cells(cells)
    assert (upper.tolist(), lower.tolist()) == ([0, 4], [1, 5])
    assert len(pairs_of_cells(cells, max_distance=1)[0]) == 0


def test_a_drawn_query_counts_as_its_cells_would() -> None:
    cells = simulated(0, ClickListSettings(4_000, 50))
    weights = np.random.default_rng(5).integers(0, 3, cells.n_queries).astype(float)
    once, drawn = np.ones(cells.n_queries), cells.reweighted(weights)
    assert PairStatistics.of(cells).summed(weights) == pytest.approx(
        PairStatistics.of(drawn).summed(once)
    )


def test_the_curve_is_exact_without_noise() -> None:
    theta = np.array([1, 0.7, 0.3, 0.5, 0.25, 0.2])
    pairs = [(1, 2), (1, 3), (2, 6), (3, 4), (4, 5), (5, 6), (1, 6), (2, 3)]
    shown = np.random.default_rng(2).integers(20, 900, (len(pairs), 2)).astype(float)
    estimate = estimate_harvest_all_pairs(without_noise(theta, pairs, shown), replicates=2)
    assert estimate.propensity == pytest.approx(theta, rel=1e-6)


def test_pairs_of_the_same_product_have_relevances_of_their_own() -> None:
    # The pairs (2, 6) and (3, 4) hold the best and the worst items; one r for both would
    # pull 6 up against 2 no more than 3 against 4 and miss every one of these.
    theta = np.array([1, 0.5, 0.4, 0.3, 0.2, 0.1])
    rows: list[Cell] = []
    for query, (pair, gamma) in enumerate({(2, 6): 0.9, (3, 4): 0.05, (1, 2): 0.4}.items()):
        rows += [(query, 0, k, 1000, 1000 * theta[k - 1] * gamma) for k in pair]
    rows += [(3, 0, k, 50, 50 * theta[k - 1] * 0.5) for k in (1, 3)]
    found = estimate_harvest_all_pairs(cells_of(*rows), replicates=2).propensity
    assert found[[0, 1, 2, 3, 5]] == pytest.approx(theta[[0, 1, 2, 3, 5]], rel=1e-6)
    assert np.isnan(found[4])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_search_over_theta_and_r_finds_a_higher_likelihood(seed: int) -> None:
    cells = simulated(seed, ClickListSettings(3_000, 40, curves=((1, 0.5, 0.4, 0.2),)))
    pairs = PairStatistics.of(cells)
    above, below, shown = pairs.summed(np.ones(cells.n_queries))

    def negative_likelihood(logs: Floats) -> float:
        theta, r = np.concatenate([[0], logs[:3]]), logs[3:]
        total = 0.0
        for clicks, ends in ((above, pairs.shallow), (below, pairs.deep)):
            rate = np.minimum(np.exp(theta[ends - 1] + r), 1 - 1e-9)
            total += float((clicks * np.log(rate) + (shown - clicks) * np.log1p(-rate)).sum())
        return -total

    searched = minimize(
        negative_likelihood, np.full(9, -1.0), method="L-BFGS-B", options={"ftol": 1e-15}
    )
    found = all_pairs_propensities(pairs, np.ones(cells.n_queries))
    assert np.log(found[1:]) == pytest.approx(searched.x[:3], abs=1e-3)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("logger", ["weak", "random"])
def test_the_true_curve_is_recovered(seed: int, logger: Literal["weak", "random"]) -> None:
    cells = simulated(seed, ClickListSettings(50_000, 250, logger=logger))
    error = np.abs(estimate_harvest_all_pairs(cells, replicates=2).propensity / TRUTH - 1)
    assert error[1:].mean() < 0.08


@pytest.mark.parametrize("seed", [1, 2])
def test_a_second_page_that_is_seen_more_than_the_end_of_the_first(seed: int) -> None:
    curve = (1, 0.6, 0.4, 0.3, 0.5, 0.35)
    cells = simulated(seed, ClickListSettings(50_000, 250, curves=(curve,), rankers=4))
    for estimate in (estimate_harvest_all_pairs(cells, 2), estimate_harvest_adjacent(cells, 2)):
        assert np.abs(estimate.propensity / curve - 1).mean() < 0.12
        assert estimate.propensity[4] > 1.3 * estimate.propensity[3]


def test_the_same_seed_gives_the_same_interval_and_more_evidence_a_narrower_one() -> None:
    few, many = (simulated(1, ClickListSettings(n, 200)) for n in (5_000, 50_000))
    first, again = (estimate_harvest_all_pairs(few, 50, seed=4).log_error for _ in range(2))
    assert first.tolist() == again.tolist()
    assert (estimate_harvest_all_pairs(many, 50, seed=4).log_error[1:] < first[1:]).all()


@pytest.mark.parametrize("estimator", [estimate_harvest_all_pairs, estimate_harvest_adjacent])
def test_a_link_without_clicks_below_is_open(estimator: Estimator) -> None:
    cells = cells_of(
        *((0, 0, 1, 90, 30), (0, 0, 2, 90, 0)),
        *((1, 1, 2, 90, 30), (1, 1, 3, 90, 20)),
    )
    estimate = estimator(cells)
    assert estimate.propensity[0] == 1
    assert np.isnan(estimate.propensity[1:]).all()


def test_all_pairs_bridge_what_neighbours_do_not() -> None:
    cells = cells_of(
        *((0, 0, 1, 90, 30), (0, 0, 3, 90, 15)),
        *((1, 1, 3, 80, 20), (1, 1, 2, 80, 40)),
    )
    assert estimate_harvest_all_pairs(cells).propensity == pytest.approx(
        [1, 15 / 30 * 40 / 20, 15 / 30]
    )
    reason = estimate_harvest_adjacent(cells).refusal
    assert reason.startswith("no click at position 1 on the 0 impressions there")


def test_items_that_are_always_clicked_do_no_harm() -> None:
    cells = cells_of((0, 0, 1, 5, 5), (0, 0, 2, 5, 5), (1, 0, 1, 7, 7), (1, 0, 2, 7, 7))
    assert estimate_harvest_all_pairs(cells).propensity == pytest.approx([1, 1])


def test_fifty_positions_are_compared() -> None:
    curve = tuple(1 / math.sqrt(k) for k in range(1, 51))
    settings = ClickListSettings(5_000, 50, candidates=60, curves=(curve,), logger="random")
    cells = simulated(1, settings)
    estimate = estimate_harvest_all_pairs(cells, replicates=20)
    assert np.abs(estimate.propensity / curve - 1).mean() < 0.1
    assert np.isfinite(estimate.log_error).all()


def test_a_drawn_log_may_lack_what_the_whole_log_has() -> None:
    cells = cells_of(
        *((0, 0, 1, 90, 30), (0, 0, 2, 90, 20)),
        *((1, 1, 2, 90, 30), (1, 1, 3, 90, 20)),
    )
    pairs = PairStatistics.of(cells)
    one_only = np.array([2.0, 0.0])
    for found in (all_pairs_propensities(pairs, one_only), adjacent_propensities(pairs, one_only)):
        assert found[:2] == pytest.approx([1, 20 / 30])
        assert np.isnan(found[2])
    assert np.isnan(estimate_harvest_adjacent(cells).log_error[2])
