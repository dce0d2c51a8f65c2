import numpy as np

from label_platform.ranking.comparable_lists import (
    quantize_labels,
    rows_of_comparable_groups,
    sizes_of_chosen,
)


def test_levels_are_even_and_start_at_the_lowest_label() -> None:
    levels = quantize_labels(np.array([-1.0, -0.5, 0.0, 3.0]), low=-1.0, high=3.0)

    assert levels.tolist() == [0, round(255 * 0.5 / 4), round(255 * 1 / 4), 255]


def test_labels_outside_the_trained_range_take_the_nearest_level() -> None:
    assert quantize_labels(np.array([-9.0, 9.0]), low=0.0, high=1.0).tolist() == [0, 255]


def test_groups_of_one_label_hold_nothing_to_compare() -> None:
    level = np.array([1, 1, 0, 5, 7])

    kept = rows_of_comparable_groups(level, np.array([2, 2, 1]))

    assert kept.tolist() == [False, False, True, True, False]


def test_sizes_count_repeated_rows_and_leave_out_empty_groups() -> None:
    sizes = sizes_of_chosen(np.array([0, 0, 1, 4]), np.array([2, 2, 1]))

    assert sizes.tolist() == [3, 1]
