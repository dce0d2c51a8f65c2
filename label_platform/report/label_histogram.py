"""A histogram of labels: are there positives at all, and how are they spread?"""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

_BAR = "#0072B2"
_LOG_BEYOND = 50


def plot_label_histogram(edges: Sequence[float], counts: Sequence[int], title: str) -> bytes:
    """Draw counted labels as a PNG.

    Most impressions earn nothing, so that counts are drawn on a log scale when the tallest bar
    would hide the others, which the axis says.

    Args:
        edges: bin edges, ascending; one more than counts.
        counts: rows per bin.
        title: what was counted.

    Raises:
        ValueError: edges and counts do not fit together.
    """
    heights, borders = np.asarray(counts, dtype=np.int64), np.asarray(edges, dtype=np.float64)
    if len(borders) != len(heights) + 1 or (np.diff(borders) <= 0).any() or (heights < 0).any():
        raise ValueError(
            f"expected ascending edges, one more than counts, found {len(borders)} edges "
            f"and {len(heights)} counts"
        )
    figure = Figure(figsize=(7, 3.8), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(heights, borders, fill=True, color=_BAR, alpha=0.85)
    filled = heights[heights > 0]
    is_log = len(filled) > 0 and filled.max() > _LOG_BEYOND * filled.min()
    if is_log:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)  # a bin with a single row still shows
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel("rows (log scale)" if is_log else "rows")
    axes.set_xlabel("label")
    axes.set_xlim(borders[0], borders[-1])
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    heading = f"{title}\n{_summary(borders, heights)}"
    axes.set_title(heading, fontsize=10, loc="left", parse_math=False)
    image = BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _summary(edges: np.ndarray, counts: np.ndarray) -> str:
    total = int(counts.sum())
    if total == 0:
        return "no rows"
    fullest = int(np.argmax(counts))
    span = f"{edges[fullest]:.3g} to {edges[fullest + 1]:.3g}"
    return f"{total:,} rows, {counts[fullest] / total:.1%} of them from {span}"
