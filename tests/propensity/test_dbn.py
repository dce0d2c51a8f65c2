from itertools import pairwise

import numpy as np
import pytest

from label_platform.propensity.estimators.dbn import dbn_parameters, estimate_dbn
from label_platform.propensity.estimators.dbn_model import (
    DbnLists,
    DbnParameters,
    dbn_posterior,
    dbn_trials,
)
from label_platform.propensity.list_clicks import ListClicks
from tests.propensity.click_model_logs import Size, dbn_log, written

SMALL = Size(lists=12_000, queries=18)
HALF = DbnParameters(np.array([0.5, 0.4, 0.2]), np.array([0.6, 0.3, 0.1]), 0.8)


def posterior(clicks: list[int], parameters: DbnParameters) -> tuple[list[float], list[float]]:
    lists = DbnLists.of(written([([0, 1, 2], clicks, 1.0)], 3))
    found = dbn_posterior(lists, parameters)
    return list(found.examined[:, 0]), list(found.reading[:, 0])


def test_below_a_click_the_reader_may_be_satisfied_or_gone_or_not_attracted() -> None:
    left_at_second, left_at_third = 0.2, 0.8 * (1 - 0.4) * 0.2
    read_all = 0.8 * (1 - 0.4) * 0.8 * (1 - 0.2)
    silent = 0.6 + 0.4 * (left_at_second + left_at_third + read_all)
    examined, reading = posterior([1, 0, 0], HALF)
    assert examined[0] == 1
    assert reading[0] == pytest.approx(1 - 0.6 / silent)
    assert examined[1] == pytest.approx(0.4 * (left_at_third + read_all) / silent)
    assert examined[2] == pytest.approx(0.4 * read_all / silent)


def test_without_a_click_the_first_position_was_examined_all_the_same() -> None:
    left_at_second, left_at_third = 0.2, 0.8 * (1 - 0.4) * 0.2
    read_all = 0.8 * (1 - 0.4) * 0.8 * (1 - 0.2)
    examined, _ = posterior([0, 0, 0], HALF)
    silent = left_at_second + left_at_third + read_all
    assert examined == pytest.approx([1, (left_at_third + read_all) / silent, read_all / silent])


def test_sdbn_is_the_closed_form() -> None:
    sdbn = DbnParameters(HALF.attractiveness, HALF.satisfaction, 1.0)
    examined, reading = posterior([1, 0, 0], sdbn)
    unsatisfied = 1 - 0.6 / (0.6 + 0.4 * (1 - 0.4) * (1 - 0.2))
    assert reading[0] == pytest.approx(unsatisfied)
    assert examined == pytest.approx([1, unsatisfied, unsatisfied])


def test_a_click_above_another_did_not_satisfy() -> None:
    lists = DbnLists.of(written([([0, 1, 2], [1, 1, 0], 10.0)], 3))
    sdbn = DbnParameters(HALF.attractiveness, HALF.satisfaction, 1.0)
    trials = dbn_trials(lists, sdbn)
    satisfied = 0.3 / (0.3 + 0.7 * (1 - 0.2))
    assert trials.clicks == pytest.approx([10, 10, 0])
    assert trials.satisfied == pytest.approx([0, 10 * satisfied, 0])
    assert trials.examined == pytest.approx([10, 10, 10 * (1 - satisfied)])


def test_a_click_at_the_end_of_its_list_tells_nothing_of_satisfaction() -> None:
    lists = DbnLists.of(written([([0, 1, -1], [1, 1, 0], 10.0)], 3))
    trials = dbn_trials(lists, HALF)
    assert trials.telling_clicks == pytest.approx([10, 0, 0])
    assert trials.could_continue == pytest.approx([10])
    assert trials.continued == pytest.approx([10])


def test_shorter_lists_add_nothing_beyond_their_end() -> None:
    longer = dbn_posterior(DbnLists.of(written([([0, 1, -1], [0, 0, 0], 1.0)], 3)), HALF)
    short = dbn_posterior(DbnLists.of(written([([0, 1], [0, 0], 1.0)], 3)), HALF)
    assert longer.examined[:2] == pytest.approx(short.examined)
    drawn = dbn_log(3, 0.8, Size(6_000, 15, shortest=3))
    estimate = estimate_dbn(drawn.lists, 20)
    assert estimate.propensity == pytest.approx(drawn.examined, rel=0.1)
    assert estimate.impressions[5] < estimate.impressions[2]


@pytest.mark.parametrize("continuation", [1.0, 0.8])
def test_intervals_hold_the_parameters_a_log_was_drawn_with(continuation: float) -> None:
    attracted, satisfied, errors, expected = [], [], [], []
    for seed in (11, 12, 13):
        drawn = dbn_log(seed, continuation, SMALL)
        estimate = estimate_dbn(drawn.lists, 20, sdbn=continuation == 1)
        found = estimate.details
        seen = found["attractiveness_error"] < 0.1
        off = (found["attractiveness"] - drawn.attractiveness) / found["attractiveness_error"]
        attracted.append(np.abs(off[seen]) < 1.96)
        errors.append((found["attractiveness"] - drawn.attractiveness)[seen])
        expected.append(found["attractiveness_error"][seen])
        told = found["satisfaction_error"] < 0.15
        off = (found["satisfaction"] - drawn.satisfaction) / found["satisfaction_error"]
        satisfied.append(np.abs(off[told]) < 1.96)
        assert told.mean() > 0.4
        if continuation < 1:
            off = (found["continuation"] - continuation) / found["continuation_error"]
            assert abs(off) < 2.6
        assert estimate.propensity == pytest.approx(drawn.examined, rel=0.06)
    assert 0.92 < np.concatenate(attracted).mean() < 0.98
    assert 0.90 < np.concatenate(satisfied).mean() < 0.98
    assert abs(np.concatenate(errors).mean()) < 0.005
    normal = np.sqrt(2 / np.pi) * np.concatenate(expected).mean()
    assert np.abs(np.concatenate(errors)).mean() == pytest.approx(normal, rel=0.1)


def test_errors_are_those_of_the_likelihoods_second_derivative() -> None:
    """One query, so few parameters that the likelihood can be written out and differenced."""
    drawn = dbn_log(5, 0.7, Size(lists=5_000, queries=1, items=4, positions=4))
    found = estimate_dbn(drawn.lists, 2).details
    at = np.concatenate([found["attractiveness"], found["satisfaction"], [found["continuation"]]])
    step = 1e-4 * np.eye(len(at))
    hessian = np.array(
        [
            [
                sum(
                    left * right * log_likelihood(drawn.lists, at + left * one + right * other)
                    for left in (1, -1)
                    for right in (1, -1)
                )
                for one in step
            ]
            for other in step
        ]
    ) / (4 * 1e-8)
    error = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    assert found["attractiveness_error"] == pytest.approx(error[:4], rel=0.02)
    assert found["satisfaction_error"] == pytest.approx(error[4:8], rel=0.02)
    assert found["continuation_error"] == pytest.approx(error[8], rel=0.02)


def log_likelihood(lists: ListClicks, parameters: np.ndarray) -> float:
    """List by list, over where the reader may have left."""
    a, s, gamma = parameters[:4], parameters[4:8], parameters[8]
    total = 0.0
    for items, clicks, count in zip(lists.query_item, lists.clicked, lists.count, strict=True):
        reading, chance = 1.0, 0.0
        for place, (item, click) in enumerate(zip(items, clicks, strict=True)):
            seen = reading * (a[item] if click else 1 - a[item])
            silent_below = not clicks[place + 1 :].any()
            left = seen * (s[item] if click else 0.0)
            going_on = seen - left
            chance += left * silent_below
            is_end = place == len(items) - 1
            chance += (going_on if is_end else going_on * (1 - gamma)) * silent_below
            reading = going_on * gamma
        total += count * np.log(chance)
    return total


def test_the_point_estimate_is_a_maximum() -> None:
    drawn = dbn_log(6, 0.7, Size(lists=20_000, queries=1, items=4, positions=4))
    found = dbn_parameters(drawn.lists)
    at = np.concatenate([found.attractiveness, found.satisfaction, [found.continuation]])
    best = log_likelihood(drawn.lists, at)
    for step in 0.02 * np.vstack([np.eye(len(at)), -np.eye(len(at))]):
        assert log_likelihood(drawn.lists, at + step) < best


def test_the_short_cut_down_to_the_last_click_is_biased_and_this_is_not() -> None:
    drawn = dbn_log(7, 1.0, SMALL)
    lists = drawn.lists
    last = (np.arange(1, 7) * lists.clicked).max(axis=1)
    above = np.arange(1, 7) <= last[:, None]
    weight = np.broadcast_to(lists.count[:, None], above.shape)
    n = lists.n_query_items
    clicks = np.bincount(lists.query_item[lists.clicked], weight[lists.clicked], n)
    examined = np.bincount(lists.query_item[above], weight[above], n)
    known = examined > 100
    short_cut = (clicks[known] / examined[known] / drawn.attractiveness[known]).mean()
    found = dbn_parameters(lists, continuation=1.0).attractiveness
    assert short_cut > 1.1
    assert (found[known] / drawn.attractiveness[known]).mean() == pytest.approx(1, abs=0.02)


def test_a_replicate_by_the_slope_is_what_em_finds_in_the_drawn_queries() -> None:
    drawn = dbn_log(8, 0.7, Size(lists=3_000, queries=10, items=6, positions=4))
    error = estimate_dbn(drawn.lists, 10, seed=0).log_error
    rng = np.random.default_rng(0)  # draws the same queries
    refitted = []
    for _ in range(10):
        again = drawn.lists.reweighted(rng.multinomial(10, np.full(10, 0.1)).astype(float))
        refitted.append(np.log(estimate_dbn(again, 2).propensity))
    assert error[1:] == pytest.approx(np.std(refitted, axis=0, ddof=1)[1:], rel=0.1)


def test_what_was_hardly_seen_has_a_wide_interval() -> None:
    lists = written(
        [
            ([0, 1, 2], [1, 0, 0], 500.0),
            ([0, 2, 1], [0, 1, 0], 400.0),
            ([0, 2, 1], [1, 1, 0], 100.0),
            ([3, 2, 1], [0, 1, 0], 1.0),
        ],
        5,
    )
    found = estimate_dbn(lists, 5).details
    assert found["attractiveness_error"][3] > 0.2
    assert found["satisfaction_error"][3] > 0.2
    assert found["attractiveness_error"][0] < 0.02
    assert np.isnan(found["attractiveness_error"][4])  # no list shows it


def test_no_click_is_refused() -> None:
    estimate = estimate_dbn(written([([0, 1], [0, 0], 40.0)], 2))
    assert "no click in 40 lists" in estimate.refusal
    assert np.isnan(estimate.propensity).all()
    assert list(estimate.impressions) == [40, 40]


def test_too_few_lists_per_item_are_refused_for_they_would_mislead() -> None:
    thin = dbn_log(2, 0.8, Size(lists=400, queries=300))
    assert dbn_parameters(thin.lists).continuation > 0.9  # of .8
    assert "less than 10" in estimate_dbn(thin.lists).refusal
    enough = estimate_dbn(dbn_log(2, 0.8, Size(lists=4_000, queries=60)).lists, 5)
    assert not enough.refusal
    assert enough.details["impressions_of_an_item"] > 4_000 * 6 / (60 * 12)


def test_readers_who_never_give_up_are_found_to_be_so() -> None:
    drawn = dbn_log(1, 1.0, Size(lists=5_000, queries=10))
    estimate = estimate_dbn(drawn.lists, 10)
    assert estimate.details["continuation"] > 0.99
    assert estimate.propensity == pytest.approx(drawn.examined, rel=0.1)


def test_one_position_one_list_and_a_list_all_clicked() -> None:
    alone = estimate_dbn(written([([0], [1], 3.0), ([0], [0], 1.0)], 1), 5)
    assert list(alone.propensity) == [1]
    assert list(alone.log_error) == [0]
    assert alone.details["attractiveness"] == pytest.approx([3 / 4])
    assert alone.details["satisfaction_error"][0] >= 0.5
    one = written([([0, 1, 2], [0, 1, 0], 1.0)], 3)
    assert "shown 1.0 times" in estimate_dbn(one, 5).refusal
    assert np.isfinite(dbn_parameters(one).attractiveness).all()
    full = estimate_dbn(written([([0, 1], [1, 1], 19.0)], 2), 5)
    assert full.propensity == pytest.approx([1, 1])


def test_examination_never_rises_down_the_list() -> None:
    curve = estimate_dbn(dbn_log(9, 0.6, Size(5_000, 10)).lists, 10).propensity
    assert all(upper > lower for upper, lower in pairwise(curve))
