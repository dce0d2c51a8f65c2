from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.cells import Cells
from label_platform.propensity.estimators.pbm import estimate_pbm
from label_platform.propensity_settings import Grid
from label_platform.report import plot_grid
from label_platform.report.grid_plot import grid_figure

TWO_BY_FOUR = Grid(columns=4, rows=2)


def curve_of(positions: int, **changes: Any) -> pd.DataFrame:  # noqa: ANN401 - any column
    place = np.arange(1, positions + 1)
    theta = place**-0.6
    values = {
        "estimator": "pbm",
        "position": place,
        "propensity": theta,
        "ci_low": 0.9 * theta,
        "ci_high": 1.1 * theta,
        "verdict": "ok",
    }
    table = pd.DataFrame(values | changes)
    table.loc[0, ["propensity", "ci_low", "ci_high"]] = 1.0
    return table


def drawn(
    table: pd.DataFrame, grid: Grid = TWO_BY_FOUR, title: str = "title", deepest: int = 1
) -> Figure:
    figure = grid_figure(table, grid, title, deepest)
    FigureCanvasAgg(figure).draw()
    return figure


def panels(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if any(True for _ in cells_of(axes))]


def cells_of(axes: Any) -> list[Rectangle]:  # noqa: ANN401 - matplotlib's axes
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def cell_at(figure: Figure, page: int, row: int, column: int) -> tuple[Rectangle, list[str]]:
    """A slot's patch and the words in it."""
    axes = panels(figure)[page - 1]
    (patch,) = [
        each
        for each in cells_of(axes)
        if (round(each.get_x() + 0.48), round(each.get_y() + 0.47)) == (column, row)
    ]
    words = [
        text.get_text()
        for text in axes.texts
        if (round(text.get_position()[0]), round(text.get_position()[1])) == (column, row)
    ]
    return patch, words


def greyness(patch: Rectangle) -> float:
    """From 0, black, to 1, white, as a greyscale print shows it."""
    red, green, blue = to_rgb(patch.get_facecolor())
    return 0.299 * red + 0.587 * green + 0.114 * blue


def said(figure: Figure) -> str:
    (legend,) = figure.legends
    return "; ".join([legend.get_title().get_text(), *(text.get_text() for text in legend.texts)])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_curve_of_rows_and_columns_is_recovered_and_drawn(seed: int) -> None:
    """Two pages of two rows of four: theta = .9^row (1, .8, .6, .7)[column], rows go on."""
    rows, across = np.divmod(np.arange(16), 4)
    truth = 0.9**rows * np.array([1, 0.8, 0.6, 0.7])[across]
    settings = ClickListSettings(30_000, 200, curves=(tuple(truth),), top_click_rate=0.3)
    counts = simulate_click_lists(settings, seed).table()
    estimate = estimate_pbm(Cells.from_table(counts), replicates=100)
    inside = (estimate.ci_low <= truth) & (truth <= estimate.ci_high)
    assert inside[1:].mean() >= 13 / 15  # of 95% intervals, 14.25 on the average
    assert np.abs(estimate.propensity / truth - 1).max() < 0.15
    table = curve_of(
        16, propensity=estimate.propensity, ci_low=estimate.ci_low, ci_high=estimate.ci_high
    )
    figure = drawn(table)
    assert [axes.get_title(loc="left") for axes in panels(figure)] == ["page 1", "page 2"]
    patch, words = cell_at(figure, 2, 1, 4)  # position 12
    low, high = estimate.ci_low[11], estimate.ci_high[11]
    assert words == ["12", f"{estimate.propensity[11]:.3f}", f"{low:.3f}\N{EN DASH}{high:.3f}"]
    # the second row's end is darker than its third column, also in greyscale
    third, _ = cell_at(figure, 2, 1, 3)
    assert (greyness(patch) < greyness(third)) == (
        estimate.propensity[11] > estimate.propensity[10]
    )


def test_darker_means_higher_without_colours() -> None:
    figure = drawn(curve_of(16))
    shades = [greyness(patch) for axes in panels(figure) for patch in cells_of(axes)]
    assert len(shades) == 16
    assert shades == sorted(shades)
    assert shades[-1] - shades[0] > 0.4
    first, last = panels(figure)[0].texts[0], panels(figure)[1].texts[-1]
    assert (first.get_color(), last.get_color()) == ("white", "black")


def test_what_may_not_be_used_is_white_and_hatched() -> None:
    table = curve_of(10)
    table.loc[table["position"] == 3, "verdict"] = "wide"
    table.loc[table["position"] == 4, "verdict"] = "not_identified"
    table.loc[table["position"] == 6, ["propensity", "ci_low", "ci_high"]] = np.nan
    figure = drawn(table[table["position"] != 9], deepest=11)
    white = (1.0, 1.0, 1.0, 1.0)
    sound, _ = cell_at(figure, 1, 1, 2)
    wide, _ = cell_at(figure, 1, 1, 3)
    refused, words = cell_at(figure, 1, 1, 4)
    assert (sound.get_hatch(), sound.get_linestyle()) == (None, "-")
    assert (wide.get_hatch(), wide.get_linestyle()) == (None, "--")
    assert sound.get_facecolor() != white != wide.get_facecolor()
    assert refused.get_facecolor() == white
    assert words[1] == f"{4**-0.6:.3f}"
    # without an estimate, missing in the table, and shown below the last estimate
    for page, row, column, position in ((1, 2, 2, 6), (2, 1, 1, 9), (2, 1, 3, 11)):
        patch, words = cell_at(figure, page, row, column)
        assert patch.get_facecolor() == white
        assert patch.get_hatch() not in {None, refused.get_hatch()}
        assert words == [str(position), "unknown"]
    assert said(figure) == "; wide interval; refused: not used; without an estimate"
    assert sum(len(cells_of(axes)) for axes in panels(figure)) == 11  # nothing below the logs


@pytest.mark.parametrize(
    ("positions", "grid", "pages", "words"),
    [
        (8 * 4, TWO_BY_FOUR, 4, ""),
        (8 * 4 + 1, TWO_BY_FOUR, 4, "not drawn: 1 of 33 slots (page 5)"),
        (63, Grid(columns=3), 1, "not drawn: 3 of 63 slots (row 21)"),
        (97, Grid(columns=4, rows=4), 4, "not drawn: 33 of 97 slots (pages 5 to 7)"),
        (40, Grid(columns=20, rows=1), 2, "not drawn: 16 of 40 slots (columns 13 to 20)"),
    ],
)
def test_what_is_too_much_is_counted_in_words(
    positions: int, grid: Grid, pages: int, words: str
) -> None:
    figure = drawn(curve_of(positions), grid)
    assert len(panels(figure)) == pages
    assert [each.get_title().get_text() for each in figure.legends] == ([words] if words else [])


@pytest.mark.parametrize("grid", [TWO_BY_FOUR, Grid(columns=3), Grid(columns=20, rows=2)])
def test_words_fit_their_cells_and_do_not_cover_each_other(grid: Grid) -> None:
    wild = curve_of(60, propensity=1234.5, ci_low=0.0012, ci_high=56789.0, verdict="wide")
    figure = drawn(wild, grid, title="a very long name " * 30)
    for axes in panels(figure):
        boxes = [patch.get_window_extent() for patch in cells_of(axes)]
        for text in axes.texts:
            box = text.get_window_extent()
            inside = [
                cell.x0 <= box.x0 and box.x1 <= cell.x1 and cell.y0 <= box.y0 and box.y1 <= cell.y1
                for cell in boxes
            ]
            assert sum(inside) == 1, text.get_text()
        for one, other in combinations([text.get_window_extent() for text in axes.texts[:30]], 2):
            assert not one.overlaps(other)
    assert figure.get_suptitle().endswith("pbm: wide")
    heading = figure._suptitle.get_window_extent()  # noqa: SLF001 - there is no public way
    assert heading.x1 <= figure.bbox.x1
    assert all(heading.y0 > axes.get_tightbbox().y1 for axes in panels(figure))


@pytest.mark.parametrize("verdict", ["insufficient_interventions", "ok"])
def test_a_single_position_is_drawn(verdict: str) -> None:
    assert plot_grid(curve_of(1, verdict=verdict), TWO_BY_FOUR, "50% $ of _ \\frac{ $")


def test_a_curve_without_rows_is_drawn_as_unknown() -> None:
    figure = drawn(curve_of(1).iloc[:0], deepest=3)
    assert [cell_at(figure, 1, 1, column)[1][1] for column in (1, 2, 3)] == ["unknown"] * 3
    assert figure.get_suptitle() == "title\nno estimator: no curve"
    assert len(figure.axes) == 1  # no scale of colours where nothing has one


def test_plots_are_repeatable_and_leave_no_global_state() -> None:
    before = dict(mpl.rcParams)
    arguments = (curve_of(16), TWO_BY_FOUR, "t")
    assert plot_grid(*arguments) == plot_grid(*arguments)
    assert dict(mpl.rcParams) == before
