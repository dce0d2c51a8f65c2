"""What lambdarank can learn from: lists with two different labels, labels as fine integers."""

import numpy as np
from numpy.typing import NDArray

LEVELS = 256
"""Five grades cost .02 to .05 nDCG; gains are linear in the level, so they stay those of labels."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def quantize_labels(label: Floats, low: float, high: float) -> Integers:
    """Labels as levels 0 (low) to 255 (high), evenly spaced; labels outside take the nearest.

    Labels may be negative: they are shifted by the lowest, not clipped at 0.

    Args:
        label: of each row.
        low: the lowest label that was trained on.
        high: the highest.
    """
    share = np.clip((label - low) / (high - low), 0, 1)
    return np.rint(share * (LEVELS - 1)).astype(np.int64)


def rows_of_comparable_groups(level: Integers | Floats, group_sizes: Integers) -> NDArray[np.bool_]:
    """Which rows are in groups with two different labels; no pair of the others can be compared.

    Args:
        level: the label of each row, groups contiguous.
        group_sizes: of all groups, none of them empty.
    """
    starts = np.concatenate([[0], np.cumsum(group_sizes)[:-1]])
    lowest = np.minimum.reduceat(level, starts)
    highest = np.maximum.reduceat(level, starts)
    return np.repeat(lowest < highest, group_sizes)


def sizes_of_chosen(rows: Integers, group_sizes: Integers) -> Integers:
    """Sizes of the groups of chosen rows, empty ones left out.

    Args:
        rows: indices of the chosen rows, ascending, possibly repeated.
        group_sizes: of all groups.
    """
    group = np.repeat(np.arange(len(group_sizes)), group_sizes)
    sizes = np.bincount(group[rows])
    return sizes[sizes > 0]
