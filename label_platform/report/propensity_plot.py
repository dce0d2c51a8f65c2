"""The examination curves of a problem with their intervals, verdict and evidence."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from label_platform.propensity import PropensityCurve, Verdict, is_pooled
from label_platform.report.curve_axes import (
    clear_frame,
    finish_click_axes,
    finish_propensity_axis,
    lower_ends,
)

# Okabe and Ito's palette, told apart also by people who do not see red and green; the markers
# tell the curves apart without any colour.
_STYLES = [
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#56B4E9", "v"),
    ("#E69F00", "P"),
]
_POOLED_STYLE = ("black", "X")


@dataclass(frozen=True)
class _Line:
    label: str
    rows: pd.DataFrame
    color: str
    marker: str
    dashes: Literal["-", "--"]


def plot_propensities(curve_table: pd.DataFrame, context: Sequence[str], title: str) -> bytes:
    """Draw a ``propensities`` partition as a PNG: curves above, the clicks behind them below.

    Hollow markers are positions that are wide or refused. With more contexts than can be told
    apart, those with the most clicks are drawn and the rest are counted in the legend.

    Args:
        curve_table: rows of the propensities table, of one estimator and day.
        context: the context columns.
        title: what the curve is of.
    """
    curve = PropensityCurve.from_table(curve_table, context)
    lines, omitted = _lines(curve)
    figure = Figure(figsize=(8, 6), dpi=120, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    # Curves drawn on top of each other would hide each other's intervals.
    shifts = [0.12 * (number - (len(lines) - 1) / 2) for number in range(len(lines))]
    for line, shift in zip(lines, shifts, strict=True):
        _draw_curve(upper, line, shift)
        shown = line.rows[line.rows["clicks"] > 0]
        lower.plot(
            shown["position"] + shift,
            shown["clicks"],
            color=line.color,
            marker=line.marker,
            markersize=4,
            linestyle="none",
        )
    _finish_axes(upper, lower, curve.table)
    _add_legend(upper, lines, omitted)
    heading = f"{title}\nverdict: {curve.verdict.value}"
    figure.suptitle(heading, x=0.02, ha="left", fontsize=11, weight="bold", parse_math=False)
    reason = textwrap.shorten(curve.reason, 360, placeholder=" ...")
    upper.set_title(
        textwrap.fill(reason, 122), loc="left", fontsize=8, color="0.25", parse_math=False
    )
    image = BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _lines(curve: PropensityCurve) -> tuple[list[_Line], int]:
    pooled = is_pooled(curve.table, curve.context)
    strata = list(_strata(curve.table[~pooled], curve.context))
    by_clicks = sorted(strata, key=lambda stratum: (-stratum[1]["clicks"].sum(), stratum[0]))
    drawn = [name for name, _ in by_clicks[: len(_STYLES)]]
    kept = [(name, rows) for name, rows in strata if name in drawn]
    lines = [
        _Line(name, rows, *style, "-") for (name, rows), style in zip(kept, _STYLES, strict=False)
    ]
    if pooled.any():
        name = "all contexts" if curve.context else "all lists"
        lines.append(_Line(name, curve.table[pooled], *_POOLED_STYLE, "--"))
    return lines, len(strata) - len(kept)


def _strata(table: pd.DataFrame, context: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    if not table.empty:
        for key, rows in table.groupby(list(context), sort=True, dropna=False):
            values = zip(context, key, strict=True)
            yield ", ".join(f"{column} = {value}" for column, value in values), rows


def _draw_curve(axes: Axes, line: _Line, shift: float) -> None:
    rows = line.rows[line.rows["propensity"] > 0].sort_values("position")
    places = rows["position"] + shift
    floor = lower_ends(rows)
    axes.fill_between(places, floor, rows["ci_high"], color=line.color, alpha=0.12, linewidth=0)
    axes.vlines(places, floor, rows["ci_high"], color=line.color, linewidth=1.1)
    axes.plot(places, rows["propensity"], color=line.color, linestyle=line.dashes, linewidth=1.4)
    for is_sound, face in ((True, line.color), (False, "white")):
        chosen = rows[(rows["verdict"] == Verdict.OK.value) == is_sound]
        axes.plot(
            chosen["position"] + shift,
            chosen["propensity"],
            color=line.color,
            marker=line.marker,
            markerfacecolor=face,
            markersize=6,
            linestyle="none",
            zorder=3,
        )


def _finish_axes(upper: Axes, lower: Axes, table: pd.DataFrame) -> None:
    upper.set_yscale("log")
    finish_propensity_axis(upper)
    upper.set_ylabel("propensity (position 1 = 1, log scale)")
    lower.set_ylabel("clicks")
    finish_click_axes(lower, table["clicks"])
    lower.set_xlim(table["position"].min() - 0.6, table["position"].max() + 0.6)
    for axes in (upper, lower):
        clear_frame(axes)


def _add_legend(axes: Axes, lines: Sequence[_Line], omitted: int) -> None:
    handles = [
        Line2D([], [], color=line.color, marker=line.marker, linestyle=line.dashes)
        for line in lines
    ]
    labels = [line.label for line in lines]
    if (pd.concat([line.rows["verdict"] for line in lines]) != Verdict.OK.value).any():
        handles.append(
            Line2D([], [], color="0.4", marker="o", markerfacecolor="white", linestyle="none")
        )
        labels.append("hollow: wide or refused")
    if omitted:
        handles.append(Line2D([], [], linestyle="none"))
        labels.append(f"{omitted} contexts with fewer clicks not drawn")
    legend = axes.legend(handles, [str(number) for number in range(len(labels))], fontsize=8)
    # Names come from logs: as legend labels, a leading _ would hide and a $ would be parsed.
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_parse_math(False)
        text.set_text(label)
