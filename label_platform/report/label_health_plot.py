"""The health of a policy's labels over days: one panel per number, with its limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

_LINE = "#0072B2"
_ILL = "#D55E00"
_PANEL_INCHES = 1.25
_HALF_A_DAY = np.timedelta64(12, "h")
_ROOM = 0.15
"""Of an axis above and below what is drawn."""


@dataclass(frozen=True)
class HealthPanel:
    """One number over days.

    Attributes:
        name: what it is.
        values: one per day; None where it is not known.
        ill: one per day: whether it breaks a limit.
        limits: drawn as dashed lines.
    """

    name: str
    values: Sequence[float | None]
    ill: Sequence[bool]
    limits: Sequence[float] = ()


def plot_label_health(days: Sequence[date], panels: Sequence[HealthPanel], title: str) -> bytes:
    """Draw numbers of labels over days as a PNG, those that break a limit as squares.

    A limit far outside of what is drawn is written instead, so that it does not flatten the line.

    Args:
        days: ascending.
        panels: one or more, each as long as days.
        title: whose labels they are.

    Raises:
        ValueError: a panel has not one value per day, or there is none.
    """
    if not panels or any(len(each.values) != len(days) for each in panels):
        raise ValueError(f"expected panels with {len(days)} values each")
    height = _PANEL_INCHES * len(panels) + 1.0
    figure = Figure(figsize=(7.5, height), dpi=120, layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    moments = np.array(list(days), dtype="datetime64[D]").astype("datetime64[h]")
    for axes, panel in zip(rows, panels, strict=True):
        _draw(axes, moments, panel)
    if len(days) > 0:
        rows[-1].set_xlim(moments[0] - _HALF_A_DAY, moments[-1] + _HALF_A_DAY)
    rows[0].set_title(title, fontsize=10, loc="left", parse_math=False)
    drawn = [
        Line2D([], [], color=_LINE, marker="o", markersize=4, label="of the day"),
        Line2D([], [], color=_ILL, marker="s", markersize=6, linestyle="", label="breaks a limit"),
        Line2D([], [], color=_ILL, linestyle="--", linewidth=1, label="limit"),
    ]
    figure.legend(handles=drawn, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    image = BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _draw(axes: Axes, moments: np.ndarray, panel: HealthPanel) -> None:
    values = np.array([np.nan if each is None else each for each in panel.values], dtype=float)
    ill = np.array(panel.ill, dtype=bool)
    axes.plot(moments, values, color=_LINE, marker="o", markersize=4, linewidth=1.2)
    axes.plot(moments[ill], values[ill], color=_ILL, marker="s", markersize=7, linestyle="")
    axes.set_ylabel(panel.name, fontsize=8, rotation=0, ha="right", va="center")
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    known = values[np.isfinite(values)]
    if len(known) == 0:
        axes.set_yticks([])
        axes.text(0.01, 0.5, "not known", transform=axes.transAxes, fontsize=8, color="0.4")
        return
    low, high = min(0.0, float(known.min())), max(float(known.max()), 1e-9)
    near = [limit for limit in panel.limits if low - (high - low) <= limit <= 2 * high]
    for limit in near:
        axes.axhline(limit, color=_ILL, linestyle="--", linewidth=1)
        low, high = min(low, limit), max(high, limit)
    far = [f"{limit:.3g}" for limit in panel.limits if limit not in near]
    if far:
        words = f"limit {' and '.join(far)}"
        axes.text(0.99, 0.93, words, transform=axes.transAxes, fontsize=7, color=_ILL, ha="right")
    axes.set_ylim(low - _ROOM / 2 * (high - low), high + _ROOM * (high - low))
