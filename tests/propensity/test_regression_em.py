import numpy as np
import pytest

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.cells import Cells
from label_platform.propensity.estimators.regression_em import (
    estimate_regression_em,
    regression_em_propensities,
)
from tests.propensity.written_cells import Cell, cells_of

CURVE = np.array([1, 0.6, 0.4, 0.25])
RANDOM = ClickListSettings(
    n_lists=6000,
    n_queries=200,
    candidates=8,
    curves=(tuple(CURVE),),
    logger="random",
    top_click_rate=0.3,
)
STRONG = ClickListSettings(**{**vars(RANDOM), "logger": "strong"})


def mean_by_bin(features: np.ndarray, posterior: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A relevance model: the weighted mean posterior in each of 40 bins of the first feature."""
    order = np.argsort(np.argsort(features[:, 0]))
    group = order * 40 // len(order)
    shown = np.maximum(np.bincount(group, weights), 1e-9)
    return (np.bincount(group, weights * posterior) / shown)[group]


def simulated(
    settings: ClickListSettings, seed: int, noise: float = 0.0
) -> tuple[Cells, np.ndarray]:
    """Cells, and as only feature log relevance with noise."""
    lists = simulate_click_lists(settings, seed)
    table = lists.table()
    shown = np.unique(table["query"] * settings.candidates + table["item"])
    relevance = np.log(lists.relevance).ravel()[shown]
    rng = np.random.default_rng([seed, 11])
    features = relevance + noise * rng.normal(size=relevance.size)
    return Cells.from_table(table), features[:, None]


def test_the_curve_is_recovered_within_its_intervals() -> None:
    inside, missed = [], []
    for seed in range(12):
        cells, features = simulated(RANDOM, seed)
        found = estimate_regression_em(cells, features, mean_by_bin, replicates=12)
        assert (found.propensity[0], found.log_error[0]) == (1, 0)
        assert found.details["converged"]
        inside.append((found.ci_low <= CURVE) & (found.ci_high >= CURVE))
        missed.append(np.log(found.propensity / CURVE))
    assert 0.85 <= np.array(inside)[:, 1:].mean() <= 1
    assert np.abs(np.mean(missed, axis=0)).max() < 0.04


@pytest.mark.parametrize("curve", [(1, 2, 0.6), (0.5, 0.25, 1), (1, 1, 0.6)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_position_may_be_examined_more_than_the_first(
    curve: tuple[float, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    relevance = rng.uniform(0.05, 0.45, 150)
    rows = []
    for item, gamma in enumerate(relevance):
        for position, theta in enumerate(curve, start=1):
            clicks = int(rng.binomial(200, theta * gamma))
            rows.append((item, item, position, 200, clicks))
    cells = cells_of(*rows)
    features = np.log(relevance)[:, None]
    found = estimate_regression_em(cells, features, mean_by_bin, replicates=8)
    assert found.propensity == pytest.approx(np.array(curve) / curve[0], rel=0.06)
    assert found.details["converged"]
    start = found.propensity[::-1] / found.propensity[-1]
    warm = regression_em_propensities(cells, features, mean_by_bin, start)
    assert warm == pytest.approx(found.propensity, rel=0.02)


def test_ranks_that_follow_relevance_bend_the_curve() -> None:
    for seed in (1, 2):
        cells, features = simulated(STRONG, seed, noise=2.0)
        confounded = regression_em_propensities(cells, features, mean_by_bin)
        assert confounded[-1] < 0.8 * CURVE[-1]
        cells, features = simulated(STRONG, seed)
        informed = regression_em_propensities(cells, features, mean_by_bin)
        assert abs(informed[-1] / CURVE[-1] - 1) < 0.2


def loglikelihood(cells: Cells, theta: np.ndarray, gamma: np.ndarray) -> float:
    chance = theta[cells.position - 1] * gamma[cells.query_item]
    unclicked = cells.impressions - cells.clicks
    return float((cells.clicks * np.log(chance) + unclicked * np.log(1 - chance)).sum())


def test_the_likelihood_falls_beside_the_answer() -> None:
    cells, features = simulated(RANDOM, 3)
    kept: list[np.ndarray] = []

    def keeping(*arguments: np.ndarray) -> np.ndarray:
        kept.append(mean_by_bin(*arguments))
        return kept[-1]

    theta = regression_em_propensities(cells, features, keeping)
    best = loglikelihood(cells, theta, kept[-1])
    for index in (1, 2, 3):
        for factor in (0.98, 1.02):
            moved = theta.copy()
            moved[index] *= factor
            assert loglikelihood(cells, moved, kept[-1]) < best
    for factor in (0.95, 1.05):
        assert loglikelihood(cells, theta, np.minimum(kept[-1] * factor, 0.999)) < best


def test_trees_that_jitter_do_not_keep_it_from_an_end() -> None:
    for seed in (1, 2):
        cells, features = simulated(RANDOM, seed)
        rng = np.random.default_rng(seed)

        def jittering(
            features: np.ndarray,
            posterior: np.ndarray,
            weights: np.ndarray,
            rng: np.random.Generator = rng,
        ) -> np.ndarray:
            smooth = mean_by_bin(features, posterior, weights)
            return smooth * np.exp(0.05 * rng.normal(size=len(smooth)))

        found = estimate_regression_em(cells, features, jittering, replicates=2)
        assert found.details["converged"]
        assert found.details["rounds"] < 100
        smooth = regression_em_propensities(cells, features, mean_by_bin)
        assert found.propensity == pytest.approx(smooth, rel=0.05)


def test_intervals_of_few_replicates_are_those_of_students_t() -> None:
    cells, features = simulated(RANDOM, 5)

    def same(features: np.ndarray, posterior: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.full(len(features), weights @ posterior / weights.sum())

    found = estimate_regression_em(cells, features, same, replicates=10)
    rng = np.random.default_rng(0)  # the seed of the bootstrap
    chances = np.full(cells.n_queries, 1 / cells.n_queries)
    drawn = [
        regression_em_propensities(
            cells.reweighted(rng.multinomial(cells.n_queries, chances).astype(float)),
            features,
            same,
        )
        for _ in range(10)
    ]
    spread = np.std(np.log(drawn), axis=0, ddof=1)
    # 2.262: Student's t of 9 degrees of freedom at 97.5%
    assert found.log_error == pytest.approx(spread * 2.262 / 1.96, rel=0.1)


def test_one_relevance_for_all_leaves_the_ratio_of_click_rates() -> None:
    cells = cells_of((1, 1, 1, 100, 40), (1, 2, 2, 200, 20), (2, 1, 1, 100, 20))

    def mean(_: np.ndarray, posterior: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.full(len(posterior), np.average(posterior, weights=weights))

    found = estimate_regression_em(cells, np.ones((3, 1)), mean, replicates=3)
    assert found.propensity[1] == pytest.approx((20 / 200) / (60 / 200), rel=0.01)
    assert (found.impressions.tolist(), found.clicks.tolist()) == ([200, 200], [60, 20])


def test_the_model_is_given_posteriors_and_impressions() -> None:
    cells = cells_of((1, 1, 1, 100, 40), (1, 1, 2, 100, 10), (1, 2, 2, 50, 5))
    given: list[tuple[np.ndarray, np.ndarray]] = []

    def asked(_: np.ndarray, posterior: np.ndarray, weights: np.ndarray) -> np.ndarray:
        given.append((posterior, weights))
        return posterior

    regression_em_propensities(cells, np.ones((2, 1)), asked)
    posterior, weights = given[0]
    # all start at position 1's click rate; theta_2 then solves
    # 15 / theta = 135 * .4 / (1 - .4 theta), which is 15 / theta = 60
    unclicked = 0.4 * (1 - 0.25) / (1 - 0.4 * 0.25)
    assert posterior[0] == pytest.approx((40 + 10 + 90 * unclicked) / 200)
    assert posterior[1] == pytest.approx((5 + 45 * unclicked) / 50)
    assert weights.tolist() == [200, 50]


def test_a_start_leads_to_the_same_answer() -> None:
    cells, features = simulated(RANDOM, 4)
    cold = regression_em_propensities(cells, features, mean_by_bin)
    start = np.array([1, 0.1, 0.9, 0.5])
    warm = regression_em_propensities(cells, features, mean_by_bin, start)
    assert warm == pytest.approx(cold, rel=0.02)


def test_a_position_without_a_click_is_unknown() -> None:
    cells = cells_of((1, 1, 1, 10, 4), (1, 1, 2, 10, 0), (1, 1, 4, 10, 1))
    found = estimate_regression_em(cells, np.ones((1, 1)), mean_by_bin, replicates=3)
    assert np.isnan(found.propensity[[1, 2]]).all()
    assert np.isnan(found.log_error[[1, 2]]).all()
    assert np.isfinite(found.propensity[[0, 3]]).all()


def test_one_position_is_the_reference_itself() -> None:
    found = estimate_regression_em(
        cells_of((1, 1, 1, 10, 4)), np.ones((1, 1)), mean_by_bin, replicates=3
    )
    assert (found.propensity.tolist(), found.log_error.tolist()) == ([1], [0])


@pytest.mark.parametrize(
    "rows", [[(1, 1, 1, 10, 0), (1, 1, 2, 10, 3)], [(1, 1, 2, 10, 3)]], ids=["none", "nothing at 1"]
)
def test_no_click_at_position_one_is_refused(rows: list[Cell]) -> None:
    cells = cells_of(*rows)
    found = estimate_regression_em(cells, np.ones((1, 1)), mean_by_bin, replicates=3)
    assert found.refusal.startswith("no click at position 1 on the")
    assert np.isnan(regression_em_propensities(cells, np.ones((1, 1)), mean_by_bin)).all()


def test_features_of_other_items_are_refused() -> None:
    cells = cells_of((1, 1, 1, 10, 4))
    with pytest.raises(ValueError, match="features of 1 query_items, found 2 rows"):
        estimate_regression_em(cells, np.ones((2, 1)), mean_by_bin)
