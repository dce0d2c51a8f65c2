"""What all estimators have in common that compare positions on items seen at several."""

from collections.abc import Callable

import numpy as np
import pytest

from label_platform.logs.simulators.click_lists import ClickListSettings
from label_platform.propensity.estimate import Estimate
from label_platform.propensity.estimators.harvest_adjacent import estimate_harvest_adjacent
from label_platform.propensity.estimators.harvest_all_pairs import estimate_harvest_all_pairs
from label_platform.propensity.estimators.pbm import estimate_pbm
from label_platform.propensity.estimators.pbm_em import estimate_pbm_em
from label_platform.propensity.estimators.swap import estimate_swap
from tests.propensity.written_cells import cells_of, simulated

TRUTH = 1 / np.arange(1, 11)
Estimator = Callable[..., Estimate]
OF_PAIRS = [estimate_harvest_all_pairs, estimate_harvest_adjacent, estimate_swap]
ALL = [*OF_PAIRS, estimate_pbm, estimate_pbm_em]


@pytest.mark.parametrize(
    ("estimator", "replicates", "n_lists", "n_queries"),
    [
        (estimate_harvest_all_pairs, 60, 10_000, 200),
        (estimate_harvest_adjacent, 60, 10_000, 200),
        (estimate_pbm, 40, 10_000, 200),
        (estimate_pbm_em, 30, 6_000, 60),
    ],
)
def test_intervals_hold_the_truth(
    estimator: Estimator, replicates: int, n_lists: int, n_queries: int
) -> None:
    held = []
    for seed in range(20):
        cells = simulated(seed, ClickListSettings(n_lists, n_queries, rankers=4))
        estimate = estimator(cells, replicates, seed)
        held.append((estimate.ci_low <= TRUTH) & (estimate.ci_high >= TRUTH))
        assert estimate.log_error[0] == 0
    assert 0.88 <= np.stack(held)[:, 1:].mean() <= 1


@pytest.mark.parametrize("estimator", [*OF_PAIRS, estimate_pbm_em])
def test_positions_that_nothing_connects_with_the_first_are_unknown(estimator: Estimator) -> None:
    # positions 3 and 4 are compared with each other, but not with 1 or 2
    cells = cells_of(
        *((0, 0, 1, 90, 30), (0, 0, 2, 90, 20)),
        *((1, 1, 3, 90, 30), (1, 1, 4, 90, 20)),
    )
    estimate = estimator(cells)
    assert estimate.propensity[:2] == pytest.approx([1, 20 / 30], abs=1e-4)
    assert np.isnan(estimate.propensity[2:]).all()
    assert np.isnan(estimate.log_error[2:]).all()
    assert estimate.refusal == ""


@pytest.mark.parametrize("estimator", ALL)
def test_no_click_at_position_one_is_refused_with_its_numbers(estimator: Estimator) -> None:
    estimate = estimator(cells_of((0, 0, 1, 1200.5, 0), (0, 0, 2, 800, 9), (0, 1, 1, 70, 60)))
    assert estimate.refusal == (
        "no click at position 1 on the 1,200 impressions there of items that were seen at another "
        "position too"
    )
    assert np.isnan(estimate.propensity).all()
    assert np.isnan(estimate.log_error).all()


@pytest.mark.parametrize("estimator", OF_PAIRS)
def test_pairs_of_too_many_positions_are_refused(estimator: Estimator) -> None:
    refusal = estimator(cells_of((0, 0, 1, 9, 3), (0, 0, 51, 9, 3))).refusal
    assert "51 positions make 1,275 pairs" in refusal
    assert "pbm" in refusal


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("positions", [1, 3])
def test_no_cells_and_one_position_are_refused(estimator: Estimator, positions: int) -> None:
    for cells in (cells_of(positions=positions), cells_of((0, 0, 1, 9, 3), positions=positions)):
        estimate = estimator(cells)
        assert estimate.refusal
        assert np.isnan(estimate.propensity).tolist() == [True] * positions
