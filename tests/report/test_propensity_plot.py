from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from label_platform.propensity import PropensityCurve, estimate_randomized
from label_platform.propensity_settings import PropensityGates
from label_platform.report import plot_propensities


def curve_of(*devices: str, clicks: int = 1000) -> PropensityCurve:
    cells = [
        (device, 3, k, 9_000, (clicks + number) // k)
        for number, device in enumerate(devices)
        for k in (1, 2, 3)
    ]
    columns = ["device", "length", "position", "impressions", "clicks"]
    return estimate_randomized(pd.DataFrame(cells, columns=columns), ["device"], PropensityGates())


def pixels(image: bytes) -> np.ndarray:
    assert image.startswith(b"\x89PNG")
    return np.asarray(imread(BytesIO(image)))


def has_color(image: bytes, hex_color: str) -> bool:
    wanted = np.array([int(hex_color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return bool((np.abs(pixels(image)[..., :3] - wanted).max(axis=-1) < 0.01).any())


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_each_context_has_its_own_colour(devices: int) -> None:
    curve = curve_of(*"abc"[:devices])
    image = plot_propensities(curve.table, ["device"], "title")
    palette = ["#0072B2", "#D55E00", "#009E73"]
    assert [has_color(image, color) for color in palette] == [n < devices for n in range(3)]


def test_many_contexts_and_odd_names_are_drawn_without_a_warning() -> None:
    names = [*"cdefghij", "_hidden", "$x^{$", "a\\b"]  # the last have the most clicks
    assert plot_propensities(curve_of(*names).table, ["device"], "50% $ of _ \\frac{ $")


def test_a_refused_curve_is_drawn_too() -> None:
    for clicks in (0, 3):
        curve = curve_of("a", clicks=clicks)
        assert curve.verdict == "insufficient_interventions"
        plot_propensities(curve.table, ["device"], "refused")


def test_a_problem_without_context_is_drawn() -> None:
    statistics = pd.DataFrame(
        [(3, 1, 9000, 900), (3, 2, 9000, 500)],
        columns=["length", "position", "impressions", "clicks"],
    )
    table = estimate_randomized(statistics, (), PropensityGates()).table
    assert has_color(plot_propensities(table, (), "no context"), "#000000")


def test_plots_are_repeatable_and_leave_no_global_state() -> None:
    before = dict(mpl.rcParams)
    table = curve_of("a", "b").table
    assert plot_propensities(table, ["device"], "t") == plot_propensities(table, ["device"], "t")
    assert dict(mpl.rcParams) == before
