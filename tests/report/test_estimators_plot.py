from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from label_platform.report import plot_estimators
from label_platform.report.estimators_plot import estimators_figure

CHOSEN_COLOR, NAIVE_COLOR = "black", "0.55"
LONG = "position 8 lies between .011 and .18, 16.69 times as high as low, 1.5 is asked; " * 4


def curve_of(name: str, positions: int = 10, **changes: Any) -> pd.DataFrame:  # noqa: ANN401 - any column
    place = np.arange(1, positions + 1)
    values = {
        "estimator": name,
        "device": None,
        "position": place,
        "propensity": 1 / place,
        "ci_low": 0.9 / place,
        "ci_high": 1.1 / place,
        "impressions": 10_000,
        "clicks": 1_000 // place,
        "verdict": "ok",
        "reason": ["1,000 clicks at position 1", *[""] * (positions - 1)],
        "chosen": False,
    }
    return pd.DataFrame(values | changes)


def rates_of(positions: int = 10) -> pd.DataFrame:
    place = np.arange(1, positions + 1)
    clicks = 2_000 // place**2
    return pd.DataFrame({"position": place, "impressions": 10_000, "clicks": clicks})


def eight() -> pd.DataFrame:
    return pd.concat(
        [
            curve_of("affine", verdict="not_identified", reason=LONG, propensity=np.nan),
            curve_of("$dual_learning^{", reason=LONG),
            curve_of("harvest_adjacent", verdict="wide", reason=LONG),
            curve_of("_harvest_all_pairs", verdict="wide"),
            curve_of("pbm", chosen=True, reason=LONG),
            curve_of("randomized", clicks=3),
            curve_of("a_name_of_an_estimator_that_is_far_too_long", reason=LONG),
            curve_of("swap", verdict="insufficient_interventions", reason=LONG, clicks=0),
        ]
    )


def drawn(table: pd.DataFrame, naive: pd.DataFrame | None = None) -> Figure:
    figure = estimators_figure(table, rates_of() if naive is None else naive, ["device"], "title")
    FigureCanvasAgg(figure).draw()  # lays it out
    return figure


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[2].texts]


def texts_of(figure: Figure) -> list[Text]:
    """All that is written, but for ticks beyond the ends of their axis."""
    found = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    for axes in figure.axes[:2]:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = axis.get_view_interval()
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            found += [axis.label, *(tick.label1 for tick in ticks if low <= tick.get_loc() <= high)]
    return [text for text in found if text.get_text() and text.get_visible()]


def lines_of(figure: Figure) -> dict[str, Any]:
    """What is drawn as a curve, by its colour."""
    return {str(line.get_color()): line for line in figure.axes[0].lines}


@pytest.mark.parametrize("positions", [1, 10, 50])
def test_no_text_leaves_the_figure_or_lies_on_another(positions: int) -> None:
    table = eight()
    figure = drawn(table[table["position"] <= positions], rates_of(positions))
    width, height = figure.bbox.width, figure.bbox.height
    edges = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    for name, box in edges:
        assert 0 <= box.x0 <= box.x1 <= width, name
        assert 0 <= box.y0 <= box.y1 <= height, name
    for (one, box), (other, its) in combinations(edges, 2):
        assert not box.shrunk(0.9, 0.7).overlaps(its.shrunk(0.9, 0.7)), (one, other)


def test_the_chosen_one_comes_first_and_thick_and_refused_ones_last() -> None:
    figure = drawn(eight())
    said = words(figure)
    assert said[0] == "pbm"
    assert said[1] == "ok"
    names = [text for text in said[::3] if text != "naive click rate"]
    assert names[-2:] == ["affine", "swap"]
    assert "_harvest_all_pairs" in said
    assert "$dual_learning^{" in said
    assert sum(text.startswith("refused: not used.") for text in said) == 2
    assert "title\nauto uses pbm: ok" in [text.get_text() for text in texts_of(figure)]
    lines = lines_of(figure)
    widths = {color: line.get_linewidth() for color, line in lines.items()}
    assert max(widths, key=lambda color: widths[color]) == CHOSEN_COLOR
    top = max(figure.axes[0].lines, key=lambda line: line.get_zorder())
    assert top.get_color() == CHOSEN_COLOR


def test_refused_curves_are_dotted_and_hollow_and_others_are_not() -> None:
    table = pd.concat([curve_of("a"), curve_of("b", verdict="not_identified")])
    figure = drawn(table)
    kept, refused = (lines_of(figure)[color] for color in ("#0072B2", "#D55E00"))
    assert (refused.get_linestyle(), refused.get_markerfacecolor()) == (":", "white")
    assert (kept.get_linestyle(), kept.get_markerfacecolor()) == ("-", "#0072B2")
    assert "title\nauto uses none of these" in [text.get_text() for text in texts_of(figure)]


def test_a_single_refused_or_flagged_position_decides_the_verdict() -> None:
    verdicts = ["ok", "wide", "ok"]
    assert words(drawn(curve_of("a", 3, verdict=verdicts)))[1] == "wide"
    verdicts = ["wide", "ok", "insufficient_interventions"]
    assert words(drawn(curve_of("a", 3, verdict=verdicts)))[1] == "insufficient_interventions"


def test_the_naive_curve_is_the_click_rate_over_that_of_position_1() -> None:
    naive = pd.DataFrame(
        {
            "position": [1, 1, 2, 3, 4],
            "impressions": [50, 50, 200, 100, 0],
            "clicks": [9, 11, 8, 0, 0],
        }
    )
    line = lines_of(drawn(curve_of("a", 4), naive))[NAIVE_COLOR]
    assert line.get_linestyle() == "--"
    # .2 at position 1, .04 at position 2; no clicks at position 3 on a log axis, none shown at 4
    assert list(line.get_xdata()) == [1, 2]
    assert list(line.get_ydata()) == pytest.approx([1, 0.2])


def test_positions_without_an_estimate_and_other_contexts_are_left_out() -> None:
    gaps = curve_of("a", 4, propensity=[1, np.nan, 0.4, 0.0])
    strata = curve_of("a", 4, device="mobile", propensity=0.9)
    figure = drawn(pd.concat([strata, gaps]))
    line = lines_of(figure)["#0072B2"]
    assert list(line.get_ydata()) == [1, 0.4]
    assert np.round(line.get_xdata()).tolist() == [1, 3]
    assert len(figure.axes[0].lines) == 2


def test_estimators_do_not_hide_each_other() -> None:
    same = pd.concat([curve_of(name) for name in "abcdefgh"])
    starts = [line.get_xdata()[0] for line in figure_curves(drawn(same))]
    assert len(set(starts)) == 8
    assert np.ptp(starts) < 0.6


def figure_curves(figure: Figure) -> list[Any]:
    return [line for line in figure.axes[0].lines if line.get_color() != NAIVE_COLOR]


@pytest.mark.parametrize("clicks", [0, 2_000])
def test_nothing_but_refusals_is_drawn_too(clicks: int) -> None:
    none = dict.fromkeys(["propensity", "ci_low", "ci_high"], np.nan)
    table = pd.concat(
        [curve_of(name, verdict="insufficient_interventions", clicks=0, **none) for name in "ab"]
    )
    figure = drawn(table, rates_of().assign(clicks=clicks))
    shown = [text.get_text() for text in texts_of(figure)]
    assert "title\nevery estimator is refused" in shown
    assert "no estimator has a curve" in shown


def test_a_run_without_any_estimate_is_drawn() -> None:
    empty = curve_of("a").iloc[:0]
    assert plot_estimators(empty, rates_of().iloc[:0], ["device"], "t").startswith(b"\x89PNG")
    without_context = curve_of("a").drop(columns="device")
    assert plot_estimators(without_context, rates_of(), (), "50% $ of _ \\frac{ $")


def test_plots_are_repeatable_and_leave_no_global_state() -> None:
    before = dict(mpl.rcParams)
    arguments = (eight(), rates_of(), ["device"], "t")
    assert plot_estimators(*arguments) == plot_estimators(*arguments)
    assert dict(mpl.rcParams) == before
