from datetime import date, timedelta
from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from label_platform.report import HealthPanel, plot_label_health

DAYS = [date(2026, 10, 1) + timedelta(days=n) for n in range(20)]
CALM = [False] * len(DAYS)
STEADY = [0.05] * len(DAYS)


def ill_pixels(image: bytes) -> int:
    """Pixels in the colour of limits and of what breaks them, thin lines' paler ones included."""
    shades = np.asarray(imread(BytesIO(image)))
    return int((shades[..., 0] - shades[..., 2] > 0.2).sum())


def drawn(values: list[float | None], ill: list[bool], *limits: float) -> int:
    return ill_pixels(plot_label_health(DAYS, [HealthPanel("share", values, ill, limits)], "mine"))


def test_what_breaks_a_limit_is_marked() -> None:
    one, two = ([n in marked for n in range(len(DAYS))] for marked in ({3}, {3, 9}))
    legend, first, second = (drawn([*STEADY], ill) for ill in (CALM, one, two))
    assert first > legend
    assert second - first == pytest.approx(first - legend, abs=40)


def test_limits_are_drawn_or_written_where_they_are_far() -> None:
    near, far = drawn([*STEADY], CALM, 0.06), drawn([*STEADY], CALM, 0.9)
    none = drawn([*STEADY], CALM)
    assert near - none > 400  # a dashed line from side to side
    assert 0 < far - none < 200  # a few letters


@pytest.mark.parametrize("days", [1, 2, 6, 20])
def test_unknown_numbers_leave_a_gap(days: int) -> None:
    values: list[float | None] = [None] * days
    panels = [HealthPanel("PSI\nand more", values, CALM[:days])] * 7
    values[0] = 0.0
    panels.append(HealthPanel("mean", values, CALM[:days], [0.0]))
    assert plot_label_health(DAYS[:days], panels, "$x^{ _ %$").startswith(b"\x89PNG")


def test_panels_must_fit_the_days() -> None:
    with pytest.raises(ValueError, match="expected panels with 20 values"):
        plot_label_health(DAYS, [HealthPanel("mean", [1.0], [False])], "mine")
    with pytest.raises(ValueError, match="expected panels"):
        plot_label_health(DAYS, [], "mine")
