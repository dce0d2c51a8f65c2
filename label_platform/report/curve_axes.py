"""What the axes of curves and of the clicks behind them look like in every figure."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

_PLAIN = FuncFormatter(lambda value, _: f"{value:,.6g}")
_SPREAD = 30
"""Highest by lowest, from which on a log axis names powers of ten alone, and clicks need one."""


def lower_ends(rows: pd.DataFrame) -> pd.Series:
    """Where intervals begin that reach down to 0, which a log axis does not have."""
    return rows["ci_low"].clip(lower=rows["propensity"] / 1000)


def finish_propensity_axis(axes: Axes) -> None:
    """Plain numbers on an axis that is logarithmic and has its limits already."""
    axes.yaxis.set_major_formatter(_PLAIN)
    bottom, top = axes.get_ylim()
    # between powers of ten, ticks are only named where the axis would otherwise show one number
    axes.yaxis.set_minor_formatter(_PLAIN if top / bottom < _SPREAD else NullFormatter())
    axes.tick_params(axis="y", which="minor", labelsize=8)


def finish_click_axes(axes: Axes, clicks: pd.Series) -> None:
    """Clicks by position, on a log axis where they differ much."""
    some = clicks[clicks > 0]
    if len(some) and some.max() > _SPREAD * some.min():
        axes.set_yscale("log")
        axes.set_ylim(some.min() / 2, some.max() * 2)
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, 1.15 * max([1, *some]))
    axes.yaxis.set_major_formatter(_PLAIN)
    axes.set_xlabel("position")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=20, integer=True, min_n_ticks=1))


def clear_frame(axes: Axes) -> None:
    """A pale grid below everything, and no frame above and to the right."""
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
