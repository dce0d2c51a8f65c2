import numpy as np
import pytest
from propensity_logs import log_statistics
from propensity_settings_table import Setting

from benchmarks.row_by_row_pbm import ClickedList, Parameters, fit_row_by_row
from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity import ESTIMATORS, estimate_all
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimators.pbm import pbm_propensities
from label_platform.propensity.estimators.pbm_em import estimate_pbm_em, pbm_em_fit
from label_platform.propensity_settings import PropensitySettings
from tests.propensity.written_cells import Cell, cells_of, simulated

TRUTH = 1 / np.arange(1, 11)


def drawn(seed: int, n_lists: int) -> list[ClickedList]:
    """Lists of three to six places of items that any ranker could have chosen."""
    rng = np.random.default_rng(seed)
    gamma = rng.uniform(0.05, 0.9, (5, 8))
    lists = []
    for _ in range(n_lists):
        query, length = int(rng.integers(5)), int(rng.integers(3, 7))
        items = rng.permutation(8)[:length]
        clicked = rng.random(length) < gamma[query, items] / np.arange(1, length + 1)
        lists.append(ClickedList(query, tuple(items.tolist()), tuple(clicked.tolist())))
    return lists


def cells_of_lists(lists: list[ClickedList]) -> Cells:
    rows: list[Cell] = [
        (one.query, item, position, 1, int(clicked))
        for one in lists
        for position, (item, clicked) in enumerate(
            zip(one.items, one.clicked, strict=True), start=1
        )
    ]
    return cells_of(*rows)


def parameters_of(fitted: Parameters) -> tuple[list[float], list[float]]:
    """Examination by position and relevance by (query, item), as cells number them."""
    return (
        [fitted.examined[position].value() for position in sorted(fitted.examined)],
        [fitted.relevant[pair].value() for pair in sorted(fitted.relevant)],
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_compatible_equals_pyclicks_updates_row_by_row(seed: int) -> None:
    lists = drawn(seed, 150)
    theta, gamma = parameters_of(fit_row_by_row(lists))
    details = estimate_pbm_em(cells_of_lists(lists), replicates=2, compatible=True).details
    assert details["theta"] == pytest.approx(theta, abs=0.0005)
    assert details["gamma"] == pytest.approx(gamma, abs=0.0005)
    assert details["iterations"] == 50
    # they must have moved far for this to mean anything
    assert max(theta) - min(theta) > 0.3
    assert max(gamma) - min(gamma) > 0.3


def test_row_by_row_by_hand() -> None:
    # one list, both places shown once, the first clicked; every parameter starts at 1/2
    first = fit_row_by_row([ClickedList(0, (4, 7), (True, False))], iterations=1)
    theta, gamma = parameters_of(first)
    missed = 0.5 * (1 - 0.5) / (1 - 0.5 * 0.5)
    assert theta == pytest.approx([(1 + 1) / 3, (1 + missed) / 3])
    assert gamma == pytest.approx([(1 + 1) / 3, (1 + missed) / 3])


def test_a_second_iteration_reads_the_first_ones_values_only() -> None:
    lists = [ClickedList(0, (4,), (False,)), ClickedList(0, (4,), (True,))]
    once = (1 + 1 / 3 + 1) / 4
    missed = once * (1 - once) / (1 - once * once)
    theta, gamma = parameters_of(fit_row_by_row(lists, iterations=2))
    assert theta == pytest.approx([(1 + missed + 1) / 4])
    assert gamma == theta


def test_compatible_with_drawn_queries_equals_lists_written_as_often() -> None:
    lists = drawn(4, 80)
    weights = np.array([2.0, 0.0, 1.0, 3.0, 1.0])
    written = [one for one in lists for _ in range(int(weights[one.query]))]
    fit = pbm_em_fit(cells_of_lists(lists), weights, compatible=True)
    theta, _ = parameters_of(fit_row_by_row(written))
    assert fit.theta == pytest.approx(theta)


def test_converged_parameters_are_where_an_update_leaves_them() -> None:
    cells = simulated(5, ClickListSettings(20_000, 40, rankers=4))
    fit = pbm_em_fit(cells)
    assert fit.converged
    clicked = np.nan_to_num(fit.gamma)[cells.query_item] * fit.theta[cells.position - 1]
    rest = (cells.impressions - cells.clicks) / (1 - clicked)
    known = np.isfinite(fit.gamma)[cells.query_item]
    examined = cells.clicks + rest * (fit.theta[cells.position - 1] - clicked)
    mean = cells.by_position(examined * known) / cells.by_position(cells.impressions * known)
    assert np.log(mean) == pytest.approx(np.log(fit.theta), abs=1e-5)


def test_two_positions_by_hand() -> None:
    # rates of .4 and .1, and of .2 and .05: theta_2 / theta_1 = 1/4 fits both exactly
    cells = cells_of((0, 0, 1, 50, 20), (0, 0, 2, 100, 10), (0, 1, 1, 20, 4), (0, 1, 2, 60, 3))
    estimate = estimate_pbm_em(cells)
    assert estimate.propensity == pytest.approx([1, (10 / 100) / (20 / 50)], abs=1e-4)
    both = estimate.details["gamma"] * estimate.details["theta"][0]
    assert both == pytest.approx([20 / 50, 4 / 20], abs=1e-4)
    assert estimate.impressions.tolist() == [70, 160]
    assert estimate.clicks.tolist() == [24, 13]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_true_curve_is_recovered(seed: int) -> None:
    cells = simulated(seed, ClickListSettings(50_000, 250))
    fit = pbm_em_fit(cells)
    assert fit.converged
    assert np.abs(fit.propensity / TRUTH - 1)[1:].mean() < 0.08
    # with much evidence per item both models of the clicks have one answer
    assert fit.propensity == pytest.approx(pbm_propensities(cells), rel=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_few_lists_a_query_the_prior_makes_the_curve_too_steep(seed: int) -> None:
    cells = simulated(seed, ClickListSettings(50_000, 1_500))
    error, compatible = (
        (pbm_em_fit(cells, compatible=mode).propensity / TRUTH - 1)[1:].mean()
        for mode in (False, True)
    )
    assert compatible < -0.2
    assert abs(error) < 0.12


def test_the_relevance_is_recovered() -> None:
    settings = ClickListSettings(50_000, 20, rankers=4, top_click_rate=0.3)
    lists = simulate_click_lists(settings, 6)
    cells = Cells.from_table(lists.table())
    fit = pbm_em_fit(cells)
    pairs = np.unique(lists.query[:, None] * 25 + lists.item)
    truth = lists.relevance.ravel()[pairs]
    seen = cells.by_query_item(cells.impressions * TRUTH[cells.position - 1])
    known = np.isfinite(fit.gamma) & (seen > 300)
    assert known.sum() > 50
    scaled = fit.gamma[known] * fit.theta[0]
    assert np.abs(scaled - truth[known]).mean() < 0.03


def test_replicates_that_start_at_the_estimate_end_where_others_do() -> None:
    cells = simulated(7, ClickListSettings(10_000, 100, rankers=4))
    weights = np.random.default_rng(1).multinomial(100, np.full(100, 0.01)).astype(float)
    warm = pbm_em_fit(cells, weights, pbm_em_fit(cells))
    cold = pbm_em_fit(cells.reweighted(weights))
    assert warm.converged
    assert warm.propensity == pytest.approx(cold.propensity, rel=2e-3)
    assert np.abs(warm.propensity / pbm_em_fit(cells).propensity - 1).max() > 0.01


def test_items_that_say_nothing_are_left_out_unless_compatible() -> None:
    rows: list[Cell] = [(0, 0, 1, 50, 20), (0, 0, 2, 100, 10), (0, 1, 1, 70, 60), (0, 2, 2, 9, 0)]
    gamma = pbm_em_fit(cells_of(*rows)).gamma
    assert np.isnan(gamma).tolist() == [False, True, True]
    assert pbm_em_fit(cells_of(*rows)).propensity[1] == pytest.approx(0.25, abs=1e-4)
    assert np.isfinite(pbm_em_fit(cells_of(*rows), compatible=True).gamma).all()


def test_a_position_without_clicks_is_unknown() -> None:
    cells = cells_of(
        (0, 0, 1, 50, 20), (0, 0, 2, 100, 10), (0, 0, 3, 80, 0), (1, 0, 1, 5, 2), positions=4
    )
    estimate = estimate_pbm_em(cells)
    assert estimate.propensity[:2] == pytest.approx([1, 0.25], abs=1e-4)
    assert np.isnan(estimate.propensity[2:]).all()
    assert np.isnan(estimate.log_error[2:]).all()
    compatible = estimate_pbm_em(cells, compatible=True)
    assert np.isnan(compatible.propensity).tolist() == [False, False, False, True]


@pytest.mark.parametrize("compatible", [True, False])
def test_refusals_name_their_numbers(compatible: object) -> None:
    cells = cells_of((0, 0, 1, 1200, 0), (0, 0, 2, 800, 9))
    refusal = estimate_pbm_em(cells, compatible=bool(compatible)).refusal
    assert refusal.startswith("no click at position 1 on the 1,200 impressions there")
    assert ("another position" in refusal) is not compatible


@pytest.mark.parametrize("positions", [1, 3])
def test_no_cells_and_one_position_if_compatible(positions: int) -> None:
    empty, one = cells_of(positions=positions), cells_of((0, 0, 1, 9, 3), positions=positions)
    assert estimate_pbm_em(empty, compatible=True).refusal
    assert np.isnan(pbm_em_fit(empty).theta).all()
    compatible = estimate_pbm_em(one, compatible=True)
    assert compatible.propensity[0] == 1
    assert np.isnan(compatible.propensity[1:]).all()


def test_items_that_are_always_clicked_do_no_harm() -> None:
    cells = cells_of((0, 0, 1, 5, 5), (0, 0, 2, 5, 5), (1, 0, 1, 7, 7), (1, 0, 2, 7, 7))
    found: Floats = estimate_pbm_em(cells).propensity
    assert found == pytest.approx([1, 1])


def test_what_pyclick_fits_has_a_name_of_its_own() -> None:
    lists = ClickListSettings(n_lists=3_000, n_queries=100, candidates=8, curves=((1, 0.5, 0.3),))
    shown = simulate_click_lists(lists, 1)
    statistics = log_statistics(shown, Setting("small", lists), 1, with_lists=False)
    settings = PropensitySettings(estimators=("pbm_em_pyclick", "pbm_em"), replicates=20)
    answer = estimate_all(statistics, settings.estimators, settings)
    stopped = "its iterations were stopped before they converged"
    expected = pbm_em_fit(Cells.from_table(statistics.cells), compatible=True).propensity
    found = answer.tables["pbm_em_pyclick"]
    assert found["propensity"].tolist() == pytest.approx(expected, abs=1e-6)
    assert stopped in answer.curves["pbm_em_pyclick"].reason
    assert stopped not in answer.curves["pbm_em"].reason
    assert answer.choice.estimator == "pbm_em"
    alone = estimate_all(statistics, ("pbm_em_pyclick", "pbm"), settings)
    assert alone.choice.estimator == "pbm"
    named = PropensitySettings(estimator="pbm_em_pyclick", replicates=20)
    untested = estimate_all(statistics, ("pbm_em_pyclick",), named).curves["pbm_em_pyclick"]
    assert "no estimate that assumes less was at hand" in untested.reason


@pytest.mark.parametrize("name", ["pbm_em", "pbm_em_pyclick"])
def test_fifty_replicates_are_enough(name: str) -> None:
    lists = ClickListSettings(n_lists=600, n_queries=60, candidates=6, curves=((1, 0.5),))
    shown = simulate_click_lists(lists, 1)
    statistics = log_statistics(shown, Setting("small", lists), 1, with_lists=False)
    [stratum] = statistics.strata()
    run = ESTIMATORS[name].run
    many, fifty = run(stratum, 5_000), run(stratum, 50)
    assert many.log_error.tolist() == fifty.log_error.tolist()
