import numpy as np
import pytest

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.estimators.dual_learning import (
    dual_learning_propensities,
    estimate_dual_learning,
)
from label_platform.propensity.list_clicks import ListClicks

CURVE = np.array([1, 0.6, 0.4, 0.25])
RANDOM = ClickListSettings(
    n_lists=4000,
    n_queries=300,
    candidates=8,
    curves=(tuple(CURVE),),
    logger="random",
    top_click_rate=0.25,
)
STRONG = ClickListSettings(**{**vars(RANDOM), "logger": "strong"})


def simulated(
    settings: ClickListSettings, seed: int, noise: float = 0.0
) -> tuple[ListClicks, np.ndarray]:
    """Lists, and as features log relevance with noise and nothing but noise."""
    lists = simulate_click_lists(settings, seed)
    of_lists = lists_of(
        lists.query[:, None] * settings.candidates + lists.item,
        lists.clicked,
        lists.query,
        lists.relevance.size,
    )
    rng = np.random.default_rng([seed, 11])
    relevance = np.log(lists.relevance).ravel()
    seen = relevance + noise * rng.normal(size=relevance.size)
    return of_lists, np.stack([seen, rng.normal(size=relevance.size)], axis=1)


def lists_of(
    query_item: np.ndarray, clicked: np.ndarray, query: np.ndarray, n_query_items: int
) -> ListClicks:
    return ListClicks(
        query=np.asarray(query),
        query_item=np.asarray(query_item),
        clicked=np.asarray(clicked, dtype=bool),
        count=np.ones(len(query)),
        n_query_items=n_query_items,
    )


def moderate(seed: int, n_lists: int = 3000) -> tuple[ListClicks, np.ndarray]:
    """Lists in random order of items whose relevances differ by a factor of 9 at most."""
    rng = np.random.default_rng([seed, 13])
    query = rng.integers(0, 200, n_lists)
    item = np.argsort(rng.random((n_lists, 8)), axis=1)[:, :4]
    relevance = 0.9 * np.exp(-np.log(9) * rng.random((200, 8)))
    clicked = rng.random(item.shape) < CURVE * relevance[query[:, None], item]
    features = np.stack([np.log(relevance).ravel(), rng.normal(size=relevance.size)], axis=1)
    return lists_of(query[:, None] * 8 + item, clicked, query, relevance.size), features


def test_the_curve_is_recovered_within_its_intervals() -> None:
    inside, missed = [], []
    for seed in range(10):
        found = estimate_dual_learning(*moderate(seed))
        assert (found.propensity[0], found.log_error[0]) == (1, 0)
        assert found.details["capped_share"] == 0
        inside.append((found.ci_low <= CURVE) & (found.ci_high >= CURVE))
        missed.append(np.log(found.propensity / CURVE))
    assert 0.85 <= np.array(inside)[:, 1:].mean() <= 1
    assert np.abs(np.mean(missed, axis=0)).max() < 0.05


def test_standard_errors_are_those_of_curves_trained_on_the_drawn_queries() -> None:
    for seed in (3, 4):
        lists, features = moderate(seed, 1500)
        found = estimate_dual_learning(lists, features, replicates=200)
        rng = np.random.default_rng(seed)
        n_queries = lists.n_queries
        trained = [
            dual_learning_propensities(
                lists.reweighted(rng.multinomial(n_queries, np.full(n_queries, 1 / n_queries))),
                features,
                start=found.propensity,
            )
            for _ in range(40)
        ]
        spread = np.std(np.log(trained), axis=0, ddof=1)[1:]
        # the spread of 40 is known to 1 / sqrt(2 * 40) = 11%, the mean of three positions better
        assert np.mean(found.log_error[1:] / spread) == pytest.approx(1, abs=0.2)


def test_ranks_that_follow_relevance_bend_the_curve() -> None:
    # what the features do not say of relevance is taken for position
    for seed in (1, 2):
        found = estimate_dual_learning(*simulated(STRONG, seed, noise=1.0), replicates=4)
        assert found.propensity[-1] < 0.8 * CURVE[-1]
        chance = estimate_dual_learning(*simulated(RANDOM, seed, noise=1.0), replicates=4)
        assert found.propensity[-1] < 0.85 * chance.propensity[-1]


def losses_by_row(
    lists: ListClicks, scores: np.ndarray, logits: np.ndarray, fixed: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float]:
    """L_f and L_g, list by list, with weights from the fixed scores and logits."""
    of_f = of_g = 0.0
    for items, clicked, count in zip(lists.query_item, lists.clicked, lists.count, strict=True):
        held = items[items >= 0]
        f, g = scores[held], logits[: len(held)]
        weight_f, weight_g = fixed[0][held], fixed[1][: len(held)]
        for k in np.flatnonzero(clicked[: len(held)]):
            of_f -= (
                count * np.exp(weight_g[0] - weight_g[k]) * np.log(np.exp(f) / np.exp(f).sum())[k]
            )
            of_g -= (
                count * np.exp(weight_f[0] - weight_f[k]) * np.log(np.exp(g) / np.exp(g).sum())[k]
            )
    return of_f, of_g


def test_neither_loss_falls_beside_the_answer() -> None:
    lists, features = simulated(RANDOM, 3)
    rows = 300
    query_item = lists.query_item[:rows].copy()
    query_item[::3, 3] = -1
    few = lists_of(query_item, lists.clicked[:rows], lists.query[:rows], lists.n_query_items)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    found = estimate_dual_learning(few, features, replicates=2)
    weights, logits = found.details["feature_weights"], np.log(found.propensity)
    scores = scaled @ weights
    best = losses_by_row(few, scores, logits, (scores, logits))
    step = 0.05
    for index in range(2):
        for sign in (-1, 1):
            moved = scores + sign * step * scaled[:, index]
            assert losses_by_row(few, moved, logits, (scores, logits))[0] > best[0]
    for index in range(1, 4):
        for sign in (-1, 1):
            moved = logits.copy()
            moved[index] += sign * step
            assert losses_by_row(few, scores, moved, (scores, logits))[1] > best[1]


def four_lists(clicked: list[list[int]]) -> ListClicks:
    query = np.arange(len(clicked))
    return lists_of(np.tile([0, 1], (len(clicked), 1)), np.array(clicked), query, 2)


def test_features_that_say_nothing_leave_the_ratio_of_clicks() -> None:
    lists = four_lists([[1, 0], [1, 0], [1, 1], [1, 0]])
    found = estimate_dual_learning(lists, np.ones((2, 1)), replicates=3)
    assert found.propensity.tolist() == pytest.approx([1, 1 / 4], rel=1e-3)
    assert (found.impressions.tolist(), found.clicks.tolist()) == ([4, 4], [4, 1])


def test_a_start_leads_to_the_same_answer() -> None:
    lists, features = simulated(RANDOM, 4)
    cold = dual_learning_propensities(lists, features)
    warm = dual_learning_propensities(lists, features, start=np.array([1, 0.2, 0.9, 0.5]))
    assert warm == pytest.approx(cold, rel=0.01)


def test_a_position_without_a_click_is_unknown() -> None:
    found = estimate_dual_learning(four_lists([[1, 0], [0, 0]]), np.ones((2, 1)), replicates=3)
    assert np.isnan([found.propensity[1], found.log_error[1]]).all()
    assert found.propensity[0] == 1


@pytest.mark.parametrize("clicked", [[[0, 1], [0, 0]], [[0, 0]], []])
def test_no_click_at_position_one_is_refused(clicked: list[list[int]]) -> None:
    lists = (
        four_lists(clicked)
        if clicked
        else lists_of(np.zeros((0, 2), int), np.zeros((0, 2)), np.zeros(0, int), 2)
    )
    found = estimate_dual_learning(lists, np.ones((2, 1)), replicates=3)
    assert f"no click at position 1 on the {len(clicked)} impressions" in found.refusal
    assert np.isnan(dual_learning_propensities(lists, np.ones((2, 1)))).all()


def test_features_that_do_not_fit_are_named() -> None:
    lists = four_lists([[1, 0]])
    with pytest.raises(ValueError, match=r"expected features of shape \(2, F\), found \(3, 1\)"):
        estimate_dual_learning(lists, np.ones((3, 1)))
    with pytest.raises(ValueError, match="nan or infinite"):
        estimate_dual_learning(lists, np.full((2, 1), np.nan))
