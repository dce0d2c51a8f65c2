import numpy as np
import pytest

from label_platform.logs.simulators.click_lists import ClickListSettings
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimators import pbm
from label_platform.propensity.estimators.pbm import estimate_pbm, pbm_propensities
from tests.propensity.written_cells import Cell, cells_of, simulated

TRUTH = 1 / np.arange(1, 11)


def fixed_point(cells: Cells, iterations: int) -> Floats:
    """gamma_i = sum_k c_ik / sum_k n_ik theta_k and theta_k = sum_i c_ik / sum_i n_ik gamma_i."""
    theta = np.ones(cells.positions)
    for _ in range(iterations):
        examined = cells.by_query_item(cells.impressions * theta[cells.position - 1])
        gamma = cells.by_query_item(cells.clicks) / examined
        relevant = cells.by_position(cells.impressions * gamma[cells.query_item])
        theta = cells.by_position(cells.clicks) / relevant
        theta /= theta[0]
    return theta


def test_two_positions_by_hand() -> None:
    # one item: gamma is free, so theta_2 is the ratio of the two click rates
    one = cells_of((0, 0, 1, 100, 40), (0, 0, 2, 300, 30))
    assert pbm_propensities(one) == pytest.approx([1, (30 / 300) / (40 / 100)])
    # Two items with 1 : 1 and 1 : 3 impressions. Given its clicks, an item's share of them at
    # position 2 is theta / (1 + theta) and 3 theta / (1 + 3 theta). The score is zero where
    # 6 - 16 theta / (1 + theta) + 15 - 35 * 3 theta / (1 + 3 theta) = 0; times both
    # denominators, 21 + (84 - 16 - 105) theta + (63 - 48 - 105) theta^2 = 0.
    two = cells_of((0, 0, 1, 50, 10), (0, 0, 2, 50, 6), (0, 1, 1, 40, 20), (0, 1, 2, 120, 15))
    linear, square = 21 * 4 - 16 - 35 * 3, 21 * 3 - 16 * 3 - 35 * 3
    theta = (-linear - np.sqrt(linear**2 - 4 * square * 21)) / (2 * square)
    assert theta > 0
    assert pbm_propensities(two) == pytest.approx([1, theta])


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rankers", [2, 4])
def test_it_is_the_fixed_point_of_the_two_ratios(seed: int, rankers: int) -> None:
    cells = simulated(seed, ClickListSettings(5_000, 50, rankers=rankers, top_click_rate=0.3))
    used = cells.of_several_positions()
    kept = (used.by_query_item(used.clicks) > 0)[used.query_item]
    columns = (used.query_item, used.position, used.impressions, used.clicks)
    rows = zip(*(column[kept].tolist() for column in columns), strict=True)
    clear = cells_of(*((0, *row) for row in rows), positions=10)
    assert pbm_propensities(cells) == pytest.approx(fixed_point(clear, 3_000), rel=1e-6)


def test_the_curve_is_exact_without_noise() -> None:
    theta = np.array([1, 0.7, 0.3, 0.5, 0.25])
    rng = np.random.default_rng(2)
    rows: list[Cell] = []
    for item in range(30):
        for k in np.sort(rng.permutation(5)[:3]):
            n, gamma = int(rng.integers(20, 900)), (item + 1) / 31
            rows.append((item % 4, item, int(k) + 1, n, n * theta[k] * gamma))
    estimate = estimate_pbm(cells_of(*rows), replicates=2)
    assert estimate.propensity == pytest.approx(theta, rel=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_true_curve_is_recovered(seed: int) -> None:
    cells = simulated(seed, ClickListSettings(60_000, 500))
    assert np.abs(pbm_propensities(cells) / TRUTH - 1)[1:].mean() < 0.06


@pytest.mark.parametrize("seed", [1, 2])
def test_a_second_page_that_is_seen_more_than_the_end_of_the_first(seed: int) -> None:
    curve = (1, 0.6, 0.4, 0.3, 0.5, 0.35)
    cells = simulated(seed, ClickListSettings(60_000, 500, curves=(curve,), rankers=4))
    assert np.abs(pbm_propensities(cells) / curve - 1).max() < 0.12


def test_replicates_end_where_a_fit_of_the_drawn_log_does() -> None:
    cells = simulated(3, ClickListSettings(5_000, 80, rankers=4))
    # the drawn queries of one replicate of the bootstrap, by the same generator
    drawn = [
        pbm_propensities(cells.reweighted(weights.astype(float)))
        for weights in np.random.default_rng(9).multinomial(80, np.full(80, 1 / 80), size=20)
    ]
    expected = np.log(np.stack(drawn)).std(axis=0, ddof=1)
    found = estimate_pbm(cells, replicates=20, seed=9).log_error
    assert found == pytest.approx(expected, abs=1e-3)
    assert expected[1:].min() > 0.01


def test_items_of_one_position_change_nothing() -> None:
    rows: list[Cell] = [(0, 0, 1, 50, 20), (0, 0, 2, 100, 10)]
    more: list[Cell] = [(0, 1, 1, 70, 60), (0, 2, 2, 90, 1), (1, 2, 2, 90, 80)]
    with_them = estimate_pbm(cells_of(*rows, *more))
    assert with_them.propensity == pytest.approx(estimate_pbm(cells_of(*rows)).propensity)
    assert with_them.impressions.tolist() == [50, 100]
    assert with_them.clicks.tolist() == [20, 10]


def test_empty_cells_and_items_without_a_click_change_nothing() -> None:
    rows: list[Cell] = [(0, 0, 1, 50, 20), (0, 0, 2, 100, 10), (1, 3, 1, 20, 3), (1, 3, 2, 20, 1)]
    more: list[Cell] = [(0, 0, 3, 0, 0), (0, 4, 1, 800, 0), (0, 4, 2, 90, 0), (1, 5, 1, 0, 0)]
    with_them = pbm_propensities(cells_of(*rows, *more))
    assert with_them[:2] == pytest.approx(pbm_propensities(cells_of(*rows)))
    assert np.isnan(with_them[2])


def test_a_position_without_clicks_is_unknown_and_the_others_are_not() -> None:
    cells = cells_of((0, 0, 1, 50, 20), (0, 0, 2, 100, 10), (0, 0, 3, 80, 0), positions=4)
    estimate = estimate_pbm(cells)
    assert estimate.propensity[:2] == pytest.approx([1, (10 / 100) / (20 / 50)])
    assert np.isnan(estimate.propensity[2:]).all()
    assert np.isnan(estimate.log_error[2:]).all()
    assert estimate.impressions.tolist() == [50, 100, 80, 0]


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    cells = simulated(1, ClickListSettings(3_000, 50))
    first, again, other = (estimate_pbm(cells, 20, seed).log_error for seed in (4, 4, 5))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_thin_matrices_of_long_lists_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = simulated(3, ClickListSettings(n_lists=2_000, n_queries=60))
    full = estimate_pbm(cells, replicates=5)
    monkeypatch.setattr(pbm, "_MAX_FULL", 0)
    thin = estimate_pbm(cells, replicates=5)
    assert thin.propensity == pytest.approx(full.propensity, rel=1e-9)
    assert thin.log_error == pytest.approx(full.log_error, rel=1e-9)
