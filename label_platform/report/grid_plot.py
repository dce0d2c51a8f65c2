"""The chosen examination curve as it lies on the screen: a heat map of pages, rows and columns."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MultipleLocator

from label_platform.propensity import Verdict, slots
from label_platform.propensity_settings import Grid

MOST_PAGES, MOST_ROWS, MOST_COLUMNS = 4, 20, 12
"""What is drawn; the rest is counted in words."""

_CELL_INCHES = (1.05, 0.62)
_PANEL_INCHES = (0.95, 0.95)
_COLUMNS_ABREAST = 12
_BAR_INCHES = 0.14
_NARROWEST_INCHES = 6.2
_LETTERS_PER_INCH = 14
_HATCHES = {"refused": "///", "unknown": "xxx"}
_REFUSALS = frozenset(verdict.value for verdict in Verdict if verdict.is_refusal)
# From near white to dark blue, ever darker, so that greys tell the same; the darkest third is left
# out, as numbers stand on it.
_COLORS = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.03, 0.85, 256)), name="propensity")


@dataclass(frozen=True)
class _Scale:
    """How dark a propensity is drawn."""

    norm: Normalize

    def color(self, propensity: float) -> tuple[float, float, float, float]:
        red, green, blue, alpha = _COLORS(float(self.norm(propensity)))
        return red, green, blue, alpha

    def ink(self, propensity: float) -> str:
        """White on dark cells: by the luminance that eyes see."""
        red, green, blue, _ = self.color(propensity)
        return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else "black"


def plot_grid(table: pd.DataFrame, grid: Grid, title: str, deepest: int = 1) -> bytes:
    """Draw one curve over a grid as a PNG: a panel per page, a cell per slot.

    The darker a cell, the higher its propensity; the number and its 95% interval stand in it, in
    its corner the position. White hatched cells are refused or without an estimate, dashed ones
    wide. What is too much to draw is counted under the panels.

    Args:
        table: position, propensity, ci_low, ci_high, verdict and estimator of one curve.
        grid: rows and columns of a page.
        title: what the curve is of.
        deepest: the deepest position that the logs show: slots down to it are drawn also where
            the table has none.
    """
    image = BytesIO()
    grid_figure(table, grid, title, deepest).savefig(image, format="png")
    return image.getvalue()


def grid_figure(table: pd.DataFrame, grid: Grid, title: str, deepest: int = 1) -> Figure:
    """The figure of ``plot_grid``."""
    cells = _cells(table, grid, deepest)
    drawn = _drawn(cells)
    pages = int(drawn["page"].max())
    rows, columns = int(drawn["row"].max()), min(grid.columns, MOST_COLUMNS)
    abreast = min(pages, max(1, _COLUMNS_ABREAST // columns))
    width = abreast * (columns * _CELL_INCHES[0] + _PANEL_INCHES[0]) + 0.9
    width = max(width, _NARROWEST_INCHES)
    words = _words(table, title, cells, grid, int(width * _LETTERS_PER_INCH))
    down = ceil(pages / abreast)
    height = down * (rows * _CELL_INCHES[1] + _PANEL_INCHES[1]) + 0.17 * sum(
        text.count("\n") + 1 for text in words
    )
    figure = Figure(figsize=(width, height + 0.7), dpi=110, layout="constrained")
    panels = figure.subplots(down, abreast, squeeze=False).ravel()
    sound = drawn.loc[drawn["state"].isin(["sound", "wide"]), "propensity"]
    # by the square root, or the lower half of a curve would look all the same
    scale = _Scale(PowerNorm(0.5, 0, max([1.0, *sound]), clip=True))
    for page, axes in enumerate(panels, start=1):
        if page > pages:
            axes.set_axis_off()
            continue
        _draw_page(axes, drawn[drawn["page"] == page], scale)
        _finish_page(axes, rows, columns, "" if grid.rows is None else f"page {page}")
    if len(sound):
        _add_bar(figure, panels, scale, height)
    figure.suptitle(words[0], x=0.02, ha="left", fontsize=11, weight="bold", parse_math=False)
    _add_legend(figure, drawn, words[1])
    return figure


def _add_bar(figure: Figure, panels: Iterable[Axes], scale: _Scale, height_inches: float) -> None:
    bar = figure.colorbar(
        ScalarMappable(scale.norm, _COLORS),
        ax=list(panels),
        shrink=0.8,
        aspect=max(10.0, 0.8 * height_inches / _BAR_INCHES),
        pad=0.02,
    )
    bar.set_label("propensity (position 1 = 1)", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _cells(table: pd.DataFrame, grid: Grid, deepest: int) -> pd.DataFrame:
    """A row per slot down to the deepest position, with its place and its state."""
    known = table.set_index("position")[["propensity", "ci_low", "ci_high", "verdict"]]
    last = max([deepest, 1, *known.index])
    cells = known.reindex(range(1, last + 1)).rename_axis("position").reset_index()
    cells = pd.concat([cells, slots(cells["position"], grid)], axis=1)
    cells["state"] = "sound"
    cells.loc[cells["verdict"] == Verdict.WIDE.value, "state"] = "wide"
    cells.loc[cells["verdict"].isin(_REFUSALS), "state"] = "refused"
    cells.loc[cells["propensity"].isna(), "state"] = "unknown"
    return cells


def _drawn(cells: pd.DataFrame) -> pd.DataFrame:
    fits = cells["page"].le(MOST_PAGES) & cells["row"].le(MOST_ROWS)
    return cells[fits & cells["column"].le(MOST_COLUMNS)]


def _words(
    table: pd.DataFrame, title: str, cells: pd.DataFrame, grid: Grid, letters: int
) -> tuple[str, str]:
    """The heading, and what is not drawn; each in lines that fit."""
    name = table["estimator"].iloc[0] if len(table) else "no estimator"
    verdict = Verdict.worst(table["verdict"]).value if len(table) else "no curve"
    left_out = len(cells) - len(_drawn(cells))
    said = ""
    if left_out:
        limits = {"page": MOST_PAGES, "row": MOST_ROWS, "column": MOST_COLUMNS}
        beyond = [
            _span(key, limit + 1, int(cells[key].max()))
            for key, limit in limits.items()
            if cells[key].max() > limit and not (key == "page" and grid.rows is None)
        ]
        said = f"not drawn: {left_out:,} of {len(cells):,} slots ({', '.join(beyond)})"
    # the heading's letters are bold and larger
    lines = textwrap.wrap(title, int(letters * 0.68), max_lines=2, placeholder=" ...")
    return "\n".join([*lines, f"{name}: {verdict}"]), textwrap.fill(said, letters)


def _span(name: str, first: int, last: int) -> str:
    return f"{name} {first}" if first == last else f"{name}s {first} to {last}"


def _draw_page(axes: Axes, cells: pd.DataFrame, scale: _Scale) -> None:
    for cell in cells.to_dict(orient="records"):
        row, column, state = int(cell["row"]), int(cell["column"]), str(cell["state"])
        value = float(cell["propensity"])
        colored = state in {"sound", "wide"}
        face, ink = (scale.color(value), scale.ink(value)) if colored else ("white", "0.15")
        axes.add_patch(
            Rectangle(
                (column - 0.48, row - 0.47),
                0.96,
                0.94,
                facecolor=face,
                edgecolor="0.15" if state == "wide" else "0.7",
                linestyle="--" if state == "wide" else "-",
                linewidth=1.8 if state == "wide" else 0.8,
                hatch=_HATCHES.get(state),
            )
        )
        # numbers on hatching need a ground of their own
        ground = None if colored else {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        place: dict[str, Any] = {"color": ink, "ha": "center", "va": "center", "bbox": ground}
        axes.text(
            column - 0.43,
            row - 0.42,
            str(cell["position"]),
            fontsize=6,
            **(place | {"ha": "left", "va": "top"}),
        )
        if state == "unknown":
            axes.text(column, row + 0.05, "unknown", fontsize=8, **place)
            continue
        axes.text(column, row - 0.06, _number(value), fontsize=10, weight="bold", **place)
        axes.text(
            column, row + 0.28, _interval(cell["ci_low"], cell["ci_high"]), fontsize=7, **place
        )


def _number(value: float) -> str:
    """Three digits."""
    if value >= 1000:
        return f"{value:.1e}"
    digits = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{digits}f}"


def _interval(low: float, high: float) -> str:
    if low == high:
        return "fixed"
    if not low < high:  # also where one of them is not known
        return "no interval"
    return f"{_number(low)}–{_number(high)}"  # noqa: RUF001 - a dash between numbers


def _finish_page(axes: Axes, rows: int, columns: int, title: str) -> None:
    axes.set_xlim(0.5, columns + 0.5)
    axes.set_ylim(rows + 0.5, 0.5)
    axes.set_aspect(_CELL_INCHES[1] / _CELL_INCHES[0])
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.yaxis.set_major_locator(MultipleLocator(1))
    axes.tick_params(length=0, labelsize=8)
    axes.set_xlabel("column", fontsize=8)
    axes.set_ylabel("row", fontsize=8)
    axes.set_title(title, fontsize=9, loc="left")
    axes.spines[:].set_visible(False)


def _add_legend(figure: Figure, cells: pd.DataFrame, said: str) -> None:
    """What white and dashed cells are, where there are any, and what is not drawn."""
    samples = {
        "wide": Patch(facecolor="white", edgecolor="0.15", linestyle="--", linewidth=1.8),
        "refused": Patch(facecolor="white", edgecolor="0.7", hatch=_HATCHES["refused"]),
        "unknown": Patch(facecolor="white", edgecolor="0.7", hatch=_HATCHES["unknown"]),
    }
    names = {
        "wide": "wide interval",
        "refused": "refused: not used",
        "unknown": "without an estimate",
    }
    shown = [state for state in samples if (cells["state"] == state).any()]
    if shown or said:
        legend = figure.legend(
            [samples[state] for state in shown],
            [names[state] for state in shown],
            loc="outside lower left",
            ncols=3,
            fontsize=8,
            frameon=False,
            title=said or None,
            title_fontsize=8,
            alignment="left",
        )
        legend.get_title().set_parse_math(False)
