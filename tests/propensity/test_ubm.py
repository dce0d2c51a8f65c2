import numpy as np
import pytest

from label_platform.propensity.estimators.ubm import _Profile, estimate_ubm, ubm_parameters
from label_platform.propensity.estimators.ubm_model import (
    PRIOR_IMPRESSIONS,
    UbmCells,
    UbmCurvature,
    ubm_contexts,
)
from label_platform.propensity.list_clicks import ListClicks
from tests.propensity.click_model_logs import Size, ubm_log, written

SMALL = Size(lists=20_000, queries=30)


def test_contexts_are_rank_and_distance_to_the_last_click_above() -> None:
    lists = written([([0, 1, 2, 3], [1, 0, 1, 0], 1.0), ([0, 1, 2, 3], [0, 0, 0, 0], 1.0)], 4)
    number = {(1, 1): 0, (2, 1): 1, (2, 2): 2, (3, 2): 4, (3, 3): 5, (4, 1): 6, (4, 4): 9}
    expected = [
        [number[1, 1], number[2, 1], number[3, 2], number[4, 1]],
        [number[1, 1], number[2, 2], number[3, 3], number[4, 4]],
    ]
    assert ubm_contexts(lists).tolist() == expected


def test_one_item_at_two_ranks_gives_the_ratio_of_its_click_rates() -> None:
    # item 1 is a companion that is never clicked, so no distance but the rank itself occurs
    lists = written(
        [
            ([0, 1], [1, 0], 400.0),
            ([0, 1], [0, 0], 600.0),
            ([1, 0], [0, 1], 100.0),
            ([1, 0], [0, 0], 900.0),
        ],
        2,
    )
    found = estimate_ubm(lists, 5).details
    assert found["examination"][0, 0] == 1
    assert found["examination"][1, 1] == pytest.approx((100 / 1000) / (400 / 1000), rel=0.01)
    assert found["attractiveness"][0] == pytest.approx(400 / 1000, rel=0.01)
    # the logs of two binomial rates, independent
    log_error = np.sqrt(1 / 100 - 1 / 1000 + 1 / 400 - 1 / 1000)
    assert found["examination_error"][1, 1] == pytest.approx(0.25 * log_error, rel=0.02)


def test_scores_and_information_by_hand() -> None:
    cells = UbmCells.of(written([([0], [1], 3.0), ([0], [0], 5.0)], 1))
    rate = (3 + 0.5) / (8 + 1)
    clicks, misses = 3 + PRIOR_IMPRESSIONS * rate, 5 + PRIOR_IMPRESSIONS * (1 - rate)
    at = UbmCurvature.of(cells, np.log([0.4]), np.zeros(1))
    assert at.score == pytest.approx([clicks - misses * 0.4 / 0.6])
    assert at.information == pytest.approx([misses * 0.4 / 0.6**2])
    p = 0.4
    likelihood = clicks * np.log(p) + misses * np.log(1 - p)
    assert cells.log_likelihood(np.log([p]), np.zeros(1)) == pytest.approx(likelihood)


def em(lists: ListClicks, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The paper's EM, over places instead of counts, from examination .5 everywhere."""
    item, context, click = lists.query_item, ubm_contexts(lists), lists.clicked
    count = np.broadcast_to(lists.count[:, None], item.shape)
    a, g = np.full(lists.n_query_items, 0.5), np.full(context.max() + 1, 0.5)
    for _ in range(steps):
        p = a[item] * g[context]
        attracted = np.where(click, 1, a[item] * (1 - g[context]) / (1 - p))
        examined = np.where(click, 1, g[context] * (1 - a[item]) / (1 - p))
        a = np.bincount(item.ravel(), (attracted * count).ravel())
        a /= np.bincount(item.ravel(), count.ravel())
        g = np.bincount(context.ravel(), (examined * count).ravel())
        g /= np.bincount(context.ravel(), count.ravel())
    return a * g[0], g / g[0]


def test_one_step_of_the_papers_em_by_hand() -> None:
    a, g = em(written([([0], [1], 3.0), ([0], [0], 5.0)], 1), 1)
    attracted = 0.5 * (1 - 0.5) / (1 - 0.5 * 0.5)
    share = (3 + 5 * attracted) / 8
    assert a == pytest.approx([share * share])  # examination is the same, and moves into it
    assert g == pytest.approx([1])


def test_the_papers_em_ends_at_the_same_maximum() -> None:
    lists = ubm_log(4, Size(lists=20_000, queries=2, items=6, positions=4)).lists
    found = ubm_parameters(lists)
    a, g = em(lists, 1500)
    assert np.exp(found.log_examination) == pytest.approx(g, rel=0.005)
    assert np.exp(found.log_attractiveness) == pytest.approx(a, rel=0.01)


def test_intervals_hold_the_parameters_a_log_was_drawn_with() -> None:
    attracted, examined, off = [], [], []
    below_top = np.tril_indices(6)[0] > 0
    for seed in range(5):
        drawn = ubm_log(seed, SMALL)
        estimate = estimate_ubm(drawn.lists, 20)
        found = estimate.details
        enough = found["attractiveness_error"] < 0.1
        assert enough.mean() > 0.9
        difference = (found["attractiveness"] - drawn.attractiveness)[enough]
        attracted.append(np.abs(difference) < 1.96 * found["attractiveness_error"][enough])
        off.append(difference)
        difference = (found["examination"] - drawn.examination)[np.tril_indices(6)][below_top]
        error = found["examination_error"][np.tril_indices(6)][below_top]
        assert error.max() < 0.15
        assert np.abs(difference).mean() < 0.04
        examined.append(np.abs(difference) < 1.96 * error)
        assert estimate.propensity == pytest.approx(drawn.examined, rel=0.07)
    assert 0.90 < np.concatenate(attracted).mean() < 0.98
    assert 0.88 <= np.concatenate(examined).mean() <= 1
    assert abs(np.concatenate(off).mean()) < 0.01


def test_lists_of_different_length() -> None:
    drawn = ubm_log(2, Size(15_000, 20, shortest=2))
    estimate = estimate_ubm(drawn.lists, 5)
    assert estimate.propensity == pytest.approx(drawn.examined, rel=0.1)
    assert estimate.impressions[5] < estimate.impressions[1] / 3


def test_a_rank_whose_items_never_stand_elsewhere_has_no_examination() -> None:
    lists = written([([0, 1], [1, 0], 30.0), ([0, 1], [0, 1], 30.0), ([0, 1], [0, 0], 30.0)], 2)
    estimate = estimate_ubm(lists, 5)
    assert estimate.propensity[0] == 1
    assert np.isnan([estimate.propensity[1], estimate.log_error[1]]).all()
    assert np.isnan(estimate.details["attractiveness"][1])
    assert estimate.details["attractiveness"][0] == pytest.approx(30 / 90, rel=0.01)


def test_what_was_hardly_seen_has_a_wide_interval() -> None:
    drawn = ubm_log(3, Size(2_000, 1, items=5, positions=3)).lists
    rare = written([([5, 0, 1], [0, 0, 0], 1.0)], 6)
    joined = ListClicks(
        query=np.append(drawn.query, 0),
        query_item=np.vstack([drawn.query_item, rare.query_item]),
        clicked=np.vstack([drawn.clicked, rare.clicked]),
        count=np.append(drawn.count, 1.0),
        n_query_items=7,
    )
    found = estimate_ubm(joined, 5).details
    assert found["attractiveness_error"][5] > 0.4
    assert np.isnan(found["attractiveness"][6])  # no list shows it


def test_nothing_to_learn_from() -> None:
    nothing = estimate_ubm(written([([0, 1], [0, 0], 40.0)], 2))
    assert "no click at position 1 in 40 lists" in nothing.refusal
    below = estimate_ubm(written([([0, 1], [0, 1], 40.0)], 2))
    assert "no click at position 1" in below.refusal
    one = estimate_ubm(written([([0], [1], 1.0)], 1), 5)
    assert list(one.propensity) == [1]
    assert list(one.log_error) == [0]
    one_list = estimate_ubm(written([([0, 1], [1, 1], 1.0)], 2), 5)
    assert "shown 1.0 times" in one_list.refusal
    assert np.isnan(one_list.propensity).all()


def test_too_few_lists_per_item_are_refused_for_they_would_mislead() -> None:
    thin = [ubm_log(seed, Size(lists=1_500, queries=400)) for seed in range(3)]
    estimates = [estimate_ubm(log.lists, 5) for log in thin]
    assert all("less than 10" in each.refusal for each in estimates)
    biases = []
    for log in thin:
        cells = UbmCells.of(log.lists)
        whole = np.ones(log.lists.n_queries)
        biases.append(_Profile.of(cells, cells.climb(None)).curve(whole) / log.examined - 1)
    assert np.mean(biases, axis=0)[1:].mean() < -0.1


def test_a_log_that_is_just_not_refused_is_hardly_biased() -> None:
    biases = []
    for seed in range(4):
        drawn = ubm_log(seed, Size(lists=10_000, queries=700))
        estimate = estimate_ubm(drawn.lists, 5)
        assert not estimate.refusal
        assert 10 <= estimate.details["impressions_of_an_item"] < 12
        biases.append(estimate.propensity / drawn.examined - 1)
    assert abs(np.mean(biases, axis=0)[1:].mean()) < 0.05
