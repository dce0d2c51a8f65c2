import numpy as np
import pytest

from label_platform.propensity.estimators.cascade import cascade_attractiveness, estimate_cascade
from tests.propensity.click_model_logs import (
    Size,
    cascade_log,
    dbn_log,
    written,
)


def test_everything_down_to_the_first_click_was_examined() -> None:
    lists = written(
        [([0, 1, 2], [0, 1, 0], 6.0), ([0, 1, 2], [0, 0, 0], 2.0), ([1, 0, 2], [0, 0, 1], 2.0)], 3
    )
    attractiveness, examined = cascade_attractiveness(lists)
    assert list(examined) == [6 + 2 + 2, 6 + 2 + 2, 2 + 2]
    assert list(attractiveness) == [0, 6 / 10, 2 / 4]
    estimate = estimate_cascade(lists, 5)
    assert estimate.propensity == pytest.approx([1, 1, 4 / 10])
    assert list(estimate.clicks) == [0, 6, 2]


def test_a_second_click_is_counted_and_not_used() -> None:
    lists = written([([0, 1, 2], [1, 0, 1], 5.0), ([0, 1, 2], [0, 1, 0], 15.0)], 3)
    estimate = estimate_cascade(lists, 5)
    assert estimate.details["lists_with_several_clicks"] == 5
    assert estimate.details["share_of_lists_with_several_clicks"] == 5 / 20
    assert estimate.propensity[:2] == pytest.approx([1, 15 / 20])
    assert np.isnan([estimate.propensity[2], estimate.log_error[2]]).all()
    assert np.isnan(estimate.details["attractiveness"][2])  # shown, never examined


def test_lists_too_short_for_a_position_do_not_count_there() -> None:
    lists = written([([0, 1, -1], [0, 0, 0], 10.0), ([0, 1, 2], [0, 0, 0], 1.0)], 3)
    clicked = written([([0, 1, 2], [1, 0, 0], 1.0)], 3)
    joined = type(lists)(
        query=np.zeros(3, np.int64),
        query_item=np.vstack([lists.query_item, clicked.query_item]),
        clicked=np.vstack([lists.clicked, clicked.clicked]),
        count=np.append(lists.count, clicked.count),
        n_query_items=3,
    )
    assert estimate_cascade(joined, 5).propensity == pytest.approx([1, 11 / 12, 1 / 2])


def test_intervals_hold_the_attractiveness_a_log_was_drawn_with() -> None:
    inside, off = [], []
    for seed in (1, 2, 3):
        drawn = cascade_log(seed, Size(20_000, 30, shortest=4))
        estimate = estimate_cascade(drawn.lists, 20)
        error = estimate.details["attractiveness_error"]
        difference = estimate.details["attractiveness"] - drawn.attractiveness
        enough = error < 0.05
        assert enough.mean() > 0.8
        inside.append(np.abs(difference[enough]) < 1.96 * error[enough])
        off.append(difference[enough])
        assert estimate.propensity == pytest.approx(drawn.examined, abs=1e-12)
        assert estimate.details["lists_with_several_clicks"] == 0
    assert 0.92 < np.concatenate(inside).mean() < 0.98
    assert abs(np.concatenate(off).mean()) < 0.003


def test_lists_whose_readers_go_on_say_so() -> None:
    estimate = estimate_cascade(dbn_log(1, 0.9, Size(3_000, 10)).lists, 5)
    assert estimate.details["share_of_lists_with_several_clicks"] > 0.1


def test_nothing_to_learn_from() -> None:
    estimate = estimate_cascade(written([([0, 1], [0, 0], 40.0)], 2))
    assert "no click in 40 lists" in estimate.refusal
    one = estimate_cascade(written([([0], [1], 1.0)], 1), 5)
    assert list(one.propensity) == [1]
    assert list(one.log_error) == [0]
    assert one.details["attractiveness_error"][0] > 0.2
