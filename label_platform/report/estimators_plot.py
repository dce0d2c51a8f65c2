"""All estimators of one run in one figure: curves, the evidence, and what each is good for."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from label_platform.propensity import Verdict, is_pooled
from label_platform.report.curve_axes import (
    clear_frame,
    finish_click_axes,
    finish_propensity_axis,
    lower_ends,
)

# Okabe and Ito's palette, told apart also by people who do not see red and green (a brown stands in
# for their pale yellow); the markers tell the curves apart without any colour.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#6B4226")
_MARKERS = ("o", "s", "^", "D", "v", "P", "<", ">", "p", "h", "*")
_CHOSEN_COLOR, _CHOSEN_MARKER = "black", "X"
_NAIVE_COLOR = "0.55"
_WIDTH_INCHES = 10
_LINE_INCHES = 0.165
_NAME_LETTERS = 24
_REASON_LETTERS = 82
_REASON_LINES = 2


@dataclass(frozen=True)
class _Curve:
    """One estimator's pooled curve and how it is drawn."""

    name: str
    rows: pd.DataFrame
    verdict: str
    reason: str
    chosen: bool
    color: str
    marker: str

    @property
    def refused(self) -> bool:
        return Verdict(self.verdict).is_refusal

    @property
    def drawn(self) -> pd.DataFrame:
        """The positions that have an estimate; a log axis shows none of 0."""
        return self.rows[self.rows["propensity"] > 0]


def plot_estimators(
    table: pd.DataFrame, naive: pd.DataFrame, context: Sequence[str], title: str
) -> bytes:
    """Draw the pooled curve of every estimator, the clicks behind each, and the verdicts, as a PNG.

    The estimator that policies use with ``auto`` is black, thick and named first. Refused curves
    are dotted and hollow, for people to look at. Positions without an estimate are left out.

    Args:
        table: rows of the propensities table of all estimators, and ``chosen``: whether it is the
            one for ``auto``.
        naive: the columns position, impressions and clicks of all lists, whatever their order.
        context: the context columns; rows that are not null in one of them are left out.
        title: what the curves are of.
    """
    image = BytesIO()
    estimators_figure(table, naive, context, title).savefig(image, format="png")
    return image.getvalue()


def estimators_figure(
    table: pd.DataFrame, naive: pd.DataFrame, context: Sequence[str], title: str
) -> Figure:
    """The figure of ``plot_estimators``."""
    pooled = table[is_pooled(table, context)] if len(context) else table
    curves = _curves(pooled)
    texts = [_reason(curve) for curve in curves]
    lines = sum(text.count("\n") + 1.35 for text in [*texts, ""]) + 1.2
    heights = [4.2, 1.4, lines * _LINE_INCHES]
    figure = Figure(figsize=(_WIDTH_INCHES, sum(heights) + 1.5), dpi=110, layout="constrained")
    upper, lower, strip = figure.subplots(3, 1, height_ratios=heights)
    lower.sharex(upper)
    step = min(0.12, 0.56 / max(len(curves) - 1, 1))
    deepest = int(max([1, *pooled["position"], *naive["position"]]))
    size = 6.0 if deepest <= 15 else 4.0 if deepest <= 30 else 2.6
    _draw_naive(upper, naive, size)
    for number, curve in reversed(list(enumerate(curves))):  # the chosen one last, on top
        _draw_curve(upper, lower, curve, step * (number - (len(curves) - 1) / 2), size)
    _finish_curves(upper, curves, naive)
    _finish_clicks(lower, pooled["clicks"], deepest)
    _draw_strip(strip, curves, texts, lines)
    heading = f"{textwrap.shorten(title, 100, placeholder=' ...')}\n{_used(curves)}"
    figure.suptitle(heading, x=0.02, ha="left", fontsize=11, weight="bold", parse_math=False)
    return figure


def _curves(pooled: pd.DataFrame) -> list[_Curve]:
    """The chosen one first, then those that may be used, then the refused ones."""
    found, others = [], 0
    for name, rows in pooled.groupby("estimator", sort=True):
        chosen = bool(rows["chosen"].any())
        style = (_CHOSEN_COLOR, _CHOSEN_MARKER)
        if not chosen:  # by the order of names: the same estimators look the same in every run
            style = (_COLORS[others % len(_COLORS)], _MARKERS[others % len(_MARKERS)])
            others += 1
        ordered = rows.sort_values("position")
        verdict = Verdict.worst(ordered["verdict"]).value
        reasons = [str(text) for text in ordered["reason"].dropna() if str(text)]
        reason = reasons[0] if reasons else ""
        found.append(_Curve(str(name), ordered, verdict, reason, chosen, *style))
    return sorted(found, key=lambda curve: (not curve.chosen, curve.refused, curve.name))


def _draw_naive(axes: Axes, naive: pd.DataFrame, size: float) -> None:
    relative = _relative_click_rates(naive)
    axes.plot(
        relative.index,
        relative,
        color=_NAIVE_COLOR,
        linestyle="--",
        linewidth=1.4,
        marker=".",
        markersize=size,
        zorder=1.5,
    )


def _relative_click_rates(naive: pd.DataFrame) -> pd.Series:
    """Click rate by position over that at position 1; empty where position 1 has no clicks."""
    counts = naive.groupby("position")[["impressions", "clicks"]].sum()
    counts = counts[counts["impressions"] > 0]
    rates = counts["clicks"] / counts["impressions"]
    if rates.get(1, 0) == 0:
        return rates.iloc[:0]
    return pd.Series(rates[rates > 0] / rates[1])


def _draw_curve(upper: Axes, lower: Axes, curve: _Curve, shift: float, size: float) -> None:
    rows = curve.drawn
    places = rows["position"] + shift
    floor = lower_ends(rows)
    order = 4.0 if curve.chosen else 2.0 if curve.refused else 3.0
    face = "white" if curve.refused else curve.color
    upper.fill_between(
        places,
        floor,
        rows["ci_high"],
        color=curve.color,
        alpha=0.15 if curve.chosen else 0.04 if curve.refused else 0.08,
        linewidth=0,
        zorder=1,
    )
    upper.vlines(
        places,
        floor,
        rows["ci_high"],
        color=curve.color,
        linewidth=1.8 if curve.chosen else 1.0,
        linestyle=":" if curve.refused else "-",
        zorder=order,
    )
    upper.plot(
        places,
        rows["propensity"],
        color=curve.color,
        linestyle=":" if curve.refused else "-",
        linewidth=2.6 if curve.chosen else 1.2,
        marker=curve.marker,
        markersize=size * (1.4 if curve.chosen else 1),
        markeredgewidth=0.0 if curve.chosen else 1.0,
        markerfacecolor=face,
        zorder=order,
    )
    shown = curve.rows[curve.rows["clicks"] > 0]
    lower.plot(
        shown["position"] + shift,
        shown["clicks"],
        color=curve.color,
        marker=curve.marker,
        markerfacecolor=face,
        markersize=size * 0.75,
        linestyle="none",
        zorder=order,
    )


def _finish_curves(axes: Axes, curves: Sequence[_Curve], naive: pd.DataFrame) -> None:
    """A log axis around the estimates; the widest intervals leave it, or nothing else were seen."""
    drawn = [curve.drawn["propensity"] for curve in curves]
    values = pd.concat([*drawn, _relative_click_rates(naive)]) if drawn else pd.Series([1.0])
    axes.set_yscale("log")
    low, high = (values.min(), values.max()) if len(values) else (0.1, 1.0)
    sound = [curve.drawn for curve in curves if not curve.refused]
    ends = [(rows["ci_low"], rows["ci_high"]) for rows in sound]
    lowest = min([low, *(low_end[low_end > 0].min() for low_end, _ in ends if (low_end > 0).any())])
    highest = max([high, *(end.max() for _, end in ends if end.notna().any())])
    axes.set_ylim(min(max(lowest, low / 4), 0.5) / 1.3, max(min(highest, high * 4), 1) * 1.3)
    if all(rows.empty for rows in drawn):
        axes.text(
            0.5, 0.5, "no estimator has a curve", ha="center", color="0.3", transform=axes.transAxes
        )
    finish_propensity_axis(axes)
    axes.tick_params(axis="x", labelbottom=False)
    axes.set_ylabel("propensity, 95% intervals\n(position 1 = 1, log scale)")
    clear_frame(axes)


def _finish_clicks(axes: Axes, clicks: pd.Series, deepest: int) -> None:
    finish_click_axes(axes, clicks)
    axes.set_ylabel("clicks behind\neach estimate")
    axes.set_xlim(0.4, deepest + 0.6)
    clear_frame(axes)


def _draw_strip(axes: Axes, curves: Sequence[_Curve], texts: Sequence[str], lines: float) -> None:
    """The legend: how each estimator is drawn, its verdict and the reason for it."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(lines, 0)
    place = 0.7
    for curve, text in zip(curves, texts, strict=True):
        axes.plot(
            [0.0, 0.02, 0.04],
            [place] * 3,
            color=curve.color,
            linestyle=":" if curve.refused else "-",
            linewidth=2.6 if curve.chosen else 1.2,
            marker=curve.marker,
            markevery=[1],
            markerfacecolor="white" if curve.refused else curve.color,
            clip_on=False,
        )
        cut = len(curve.name) > _NAME_LETTERS
        name = f"{curve.name[: _NAME_LETTERS - 3]}..." if cut else curve.name
        weight = "bold" if curve.chosen else "normal"
        _write(axes, 0.055, place, name, weight)
        _write(axes, 0.25, place, curve.verdict, weight)
        _write(axes, 0.44, place, text)
        place += text.count("\n") + 1.35
    axes.plot([0.0, 0.04], [place] * 2, color=_NAIVE_COLOR, linestyle="--", clip_on=False)
    _write(axes, 0.055, place, "naive click rate")
    _write(axes, 0.44, place, "relative to position 1: position and relevance in one")


def _write(axes: Axes, across: float, down: float, words: str, weight: str = "normal") -> None:
    written = axes.text(
        across, down - 0.5, words, fontsize=8, weight=weight, va="top", parse_math=False
    )
    written.set_in_layout(False)  # long words must not squeeze the axes


def _reason(curve: _Curve) -> str:
    said = "refused: not used. " if curve.refused else ""
    lines = textwrap.wrap(
        f"{said}{curve.reason}", _REASON_LETTERS, max_lines=_REASON_LINES, placeholder=" ..."
    )
    return "\n".join(lines)


def _used(curves: Sequence[_Curve]) -> str:
    for curve in curves:
        if curve.chosen:
            return f"auto uses {curve.name}: {curve.verdict}"
    if curves and all(curve.refused for curve in curves):
        return "every estimator is refused"
    return "auto uses none of these"
