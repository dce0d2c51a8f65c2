import numpy as np
import pandas as pd
import pytest

from label_platform.logs.simulators.click_lists import ClickListSettings
from label_platform.propensity.bootstrap import drawn_queries
from label_platform.propensity.cells import Cells
from label_platform.propensity.estimators.affine import affine_parameters, estimate_affine
from tests.propensity.written_cells import simulated

CURVE = np.arange(1, 6) ** -0.5
RANDOM = ClickListSettings(
    n_lists=10_000, n_queries=100, candidates=10, curves=(tuple(CURVE),), logger="random"
)
WEAK = ClickListSettings(
    n_lists=12_000, n_queries=600, candidates=10, curves=(tuple(CURVE),), rankers=4
)


def trusting(settings: ClickListSettings, trust: float) -> ClickListSettings:
    return ClickListSettings(**{**vars(settings), "trust_bias": trust})


def relative_to_first(trust: float) -> tuple[np.ndarray, np.ndarray]:
    # P_k = theta_k ((1 - t/k) relevance + t/k), so position 1's click rate is
    # gamma = (1 - t) relevance + t, and relevance = (gamma - t) / (1 - t):
    # P_k = theta_k (1 - t/k) / (1 - t) gamma + theta_k (t/k - t (1 - t/k) / (1 - t))
    k = np.arange(1, len(CURVE) + 1)
    slope = CURVE * (1 - trust / k) / (1 - trust)
    return slope, CURVE * (trust / k - trust * (1 - trust / k) / (1 - trust))


@pytest.mark.parametrize("trust", [0.0, 0.3])
@pytest.mark.parametrize("settings", [RANDOM, WEAK], ids=["random", "weak"])
def test_slopes_and_offsets_are_recovered_within_their_intervals(
    settings: ClickListSettings, trust: float
) -> None:
    alpha, beta = relative_to_first(trust)
    inside, offsets_inside, ratios, offsets = [], [], [], []
    for seed in range(10):
        found = estimate_affine(simulated(seed, trusting(settings, trust)), replicates=30)
        assert found.refusal == ""
        assert (found.propensity[0], found.log_error[0]) == (1, 0)
        offset, error = found.details["trust_offset"], found.details["trust_offset_error"]
        assert (offset[0], error[0]) == (0, 0)
        inside.append((found.ci_low <= alpha) & (alpha <= found.ci_high))
        offsets_inside.append(np.abs(offset - beta) <= 1.96 * error)
        ratios.append(np.log(found.propensity / alpha))
        offsets.append(offset - beta)
    assert 0.85 <= np.mean(np.array(inside)[:, 1:]) <= 1
    assert 0.85 <= np.mean(np.array(offsets_inside)[:, 1:]) <= 1
    for missed in (np.array(ratios)[:, 1:], np.array(offsets)[:, 1:]):
        # without bias the mean over seeds is within its own standard error
        spread = missed.std(axis=0, ddof=1) / np.sqrt(len(missed))
        assert (np.abs(missed.mean(axis=0)) <= 3.5 * spread).all()


def test_offsets_tell_trust_from_none() -> None:
    for seed in (1, 2):
        found = estimate_affine(simulated(seed, trusting(RANDOM, 0.3)), replicates=30)
        offset, error = found.details["trust_offset"], found.details["trust_offset_error"]
        assert (offset[1:] < -3 * error[1:]).all()


def drawn(cells: Cells, weights: np.ndarray) -> Cells:
    # a query drawn twice is two queries: its items' impressions are not more of one item
    times = weights.astype(int)[cells.query_of][cells.query_item]
    which = np.repeat(np.arange(len(cells)), times)
    turn = np.arange(len(which)) - np.repeat(times.cumsum() - times, times)
    query = cells.query_of[cells.query_item][which] * 1000 + turn
    names = ["position", "impressions", "clicks"]
    rows = {name: getattr(cells, name)[which] for name in names}
    return Cells.from_table(pd.DataFrame({"query": query, "item": cells.query_item[which], **rows}))


@pytest.mark.parametrize("seed", [1, 2])
def test_one_step_per_draw_spreads_as_draws_solved_to_the_end(seed: int) -> None:
    cells = simulated(seed, trusting(RANDOM, 0.3))
    found = estimate_affine(cells, replicates=40, seed=seed)
    start = np.stack([found.propensity, found.details["trust_offset"]])
    solved = np.stack(
        [
            affine_parameters(drawn(cells, weights), start)
            for weights in drawn_queries(cells.n_queries, 40, seed)
        ]
    )
    slopes = np.log(solved[:, 0, 1:]).std(axis=0, ddof=1)
    offsets = solved[:, 1, 1:].std(axis=0, ddof=1)
    assert found.log_error[1:].tolist() == pytest.approx(slopes.tolist(), rel=0.1)
    errors = found.details["trust_offset_error"][1:]
    assert errors.tolist() == pytest.approx(offsets.tolist(), rel=0.1)


def table(rows: list[tuple[int, int, int, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["query", "item", "position", "impressions", "clicks"])


def exact(
    relevance: list[float], alpha: list[float], beta: list[float], shown: float = 1e6
) -> pd.DataFrame:
    """Clicks without noise: each item at each position in its own query."""
    return table(
        [
            (item, item, k + 1, shown, shown * (alpha[k] * gamma + beta[k]))
            for item, gamma in enumerate(relevance)
            for k in range(len(alpha))
        ]
    )


RELEVANCE = [0.3 + 0.4 * (i % 7) / 7 for i in range(60)]


def test_a_line_through_points_without_noise() -> None:
    cells = Cells.from_table(exact(RELEVANCE, [1, 0.8, 0.5], [0, -0.1, 0.05]))
    found = affine_parameters(cells)
    assert found[0].tolist() == pytest.approx([1, 0.8, 0.5], abs=1e-4)
    assert found[1].tolist() == pytest.approx([0, -0.1, 0.05], abs=1e-4)
    again = affine_parameters(cells, start=np.array([[1, 0.3, 0.3], [0, 0.1, 0.1]]))
    assert again == pytest.approx(found, abs=1e-4)


def test_a_position_is_reached_by_way_of_another() -> None:
    pairs = exact(RELEVANCE, [1, 0.8, 0.5], [0, -0.1, 0.05])
    # no item is seen at both 1 and 3
    half = pairs["item"] < 30
    chained = pairs[(half & (pairs["position"] < 3)) | (~half & (pairs["position"] > 1))]
    found = affine_parameters(Cells.from_table(chained))
    assert found[0].tolist() == pytest.approx([1, 0.8, 0.5], abs=1e-3)
    assert found[1].tolist() == pytest.approx([0, -0.1, 0.05], abs=1e-3)


def test_positions_that_share_no_item_with_the_first_are_unknown() -> None:
    pairs = exact(RELEVANCE, [1, 0.8, 0.5, 0.4], [0, -0.1, 0.05, 0])
    half = pairs["item"] < 30
    apart = pairs[(half & (pairs["position"] < 3)) | (~half & (pairs["position"] > 2))]
    found = estimate_affine(Cells.from_table(apart), replicates=5)
    assert found.propensity[:2].tolist() == pytest.approx([1, 0.8], abs=1e-3)
    assert np.isnan(found.propensity[2:]).all()
    assert np.isnan(found.details["trust_offset_error"][2:]).all()


def test_items_that_are_all_alike_cannot_tell_slope_from_offset() -> None:
    rng = np.random.default_rng(3)
    rows = [
        (item, item, k, 200.0, float(rng.binomial(200, 0.3 / k)))
        for item in range(200)
        for k in (1, 2)
    ]
    found = estimate_affine(Cells.from_table(table(rows)), replicates=5)
    assert "relevance cannot be told from trust" in found.refusal
    assert "3.2 are needed" in found.refusal
    assert np.isnan(found.propensity).all()


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 1, 1, 10.0, 3.0)],
        [(1, 1, 1, 10.0, 0.0), (1, 1, 2, 10.0, 3.0)],
        [(1, 1, 1, 10.0, 3.0), (1, 2, 2, 10.0, 3.0)],
        [(1, 1, 2, 10.0, 3.0), (1, 1, 3, 10.0, 3.0)],
    ],
    ids=["one position", "no click at 1", "no item at two positions", "nothing at 1"],
)
def test_poor_evidence_is_refused(rows: list[tuple[int, int, int, float, float]]) -> None:
    cells = Cells.from_table(table(rows))
    assert "no click at position 1" in estimate_affine(cells, replicates=5).refusal
    assert np.isnan(affine_parameters(cells)).all()


def test_clicks_at_position_one_alone_are_refused() -> None:
    cells = Cells.from_table(table([(1, 1, 1, 3.0, 1.0), (1, 1, 2, 3.0, 0.0)]))
    found = estimate_affine(cells, replicates=5)
    assert "relevance cannot be told from trust" in found.refusal
    assert np.isnan(affine_parameters(cells)).all()


def test_the_same_seed_gives_the_same_estimate() -> None:
    cells = simulated(5, RANDOM)
    first, second = (estimate_affine(cells, replicates=10, seed=4) for _ in range(2))
    assert first.propensity.tolist() == second.propensity.tolist()
    assert first.log_error.tolist() == second.log_error.tolist()
