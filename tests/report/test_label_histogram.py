from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from label_platform.report import plot_label_histogram

BAR = np.array([0, 0x72, 0xB2]) / 255


def bar_heights(image: bytes) -> list[int]:
    """Bar pixels per quarter of the x axis."""
    shades = np.asarray(imread(BytesIO(image)))[..., :3]
    expected = 0.85 * BAR + 0.15
    is_bar = np.abs(shades - expected).max(axis=-1) < 0.02
    is_dark = shades.max(axis=-1) < 0.2
    axis = np.flatnonzero(is_dark[is_dark.sum(axis=1).argmax()])  # the longest dark row
    centers = axis.min() + (np.ptp(axis) * np.array([1, 3, 5, 7])) // 8
    return [int(is_bar[:, center].sum()) for center in centers]


def test_bars_stand_in_proportion() -> None:
    first, second, third, fourth = bar_heights(
        plot_label_histogram([0, 0.25, 0.5, 0.75, 1], [10, 20, 40, 20], "labels")
    )
    # Grid lines behind the bars shade a pixel or two.
    assert second == pytest.approx(2 * first, rel=0.05)
    assert third == pytest.approx(4 * first, rel=0.05)
    assert fourth == second


def test_rare_positives_are_not_hidden_by_the_zeros() -> None:
    heights = bar_heights(
        plot_label_histogram([0, 0.25, 0.5, 0.75, 1], [1_000_000, 3, 3, 3], "labels")
    )
    assert heights[1] > 0.05 * heights[0]


@pytest.mark.parametrize(
    ("edges", "counts"), [([0, 1], [1, 2]), ([0, 0, 1], [1, 2]), ([0, 1, 2], [1, -2])]
)
def test_edges_and_counts_must_fit(edges: list[float], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="expected ascending edges"):
        plot_label_histogram(edges, counts, "labels")


def test_no_rows_and_odd_titles_are_drawn() -> None:
    assert plot_label_histogram([0, 1], [0], "$x^{ _ %$").startswith(b"\x89PNG")
