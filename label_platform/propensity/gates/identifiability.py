"""Which positions can be compared at all.

An edge joins two positions if some (query, item) with a click was shown at both: its relevance
cancels, and the ratio of the two propensities can be estimated. Positions that no path of edges
joins have curves that may be scaled against each other at will; the clicks are the same (Chen et
al. 2023, "Identifiability matters: revealing the hidden recoverable condition in unbiased learning
to rank"). Each context has a graph of its own, as an item's relevance may differ between them.

A swap of two neighbouring positions (or showing their order by chance) on some lists adds the edge
that is missing; merging them, which assumes that they are examined equally, removes the need.
Components can always be joined across places where neighbours belong to different ones, so one
swap or merge per missing component suffices, and fewer cannot.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from label_platform.propensity.cells import Cells, Integers
from label_platform.propensity.curve import REFERENCE_POSITION

_SHOWN_ITEMS = 4


@dataclass(frozen=True)
class Identifiability:
    """What one context's positions can be compared with.

    Attributes:
        components: positions that can be compared with each other; the one with position 1 comes
            first.
        fixes: pairs of neighbouring positions to swap or merge, one per missing component.
    """

    components: tuple[tuple[int, ...], ...]
    fixes: tuple[tuple[int, int], ...]

    @property
    def connected(self) -> bool:
        """Whether every position can be compared with position 1."""
        return len(self.components) <= 1

    @property
    def comparable(self) -> tuple[int, ...]:
        """The positions that can be compared with position 1, itself included."""
        return self.components[0]

    def reason(self) -> str:
        """Which positions cannot be compared and the least that would change it, or no words."""
        if self.connected:
            return ""
        groups = " | ".join(_positions(component) for component in self.components)
        swaps = _joined([f"{upper} and {lower}" for upper, lower in self.fixes])
        merges = _joined([f"{upper} with {lower}" for upper, lower in self.fixes])
        return (
            "no clicked item was seen on both sides of the bars, so that positions "
            f"{groups} cannot be compared; to compare them, swap positions {swaps} on some lists, "
            f"or merge position {merges} if people look at them equally often"
        )


def identify(cells: Cells) -> Identifiability:
    """Which positions the clicks of lists can compare.

    Args:
        cells: of one context.
    """
    return _of_labels(_components(cells))


def _components(cells: Cells) -> Integers:
    """The component of each position. An item links its positions in a row, which joins them."""
    has_click = cells.by_query_item(cells.clicks) > 0
    kept = cells.where((cells.impressions > 0) & has_click[cells.query_item])
    # cells of an item stand together
    same = np.diff(kept.query_item) == 0
    place = kept.position - 1
    edges = (np.ones(same.sum()), (place[:-1][same], place[1:][same]))
    graph = sparse.coo_array(edges, shape=(cells.positions, cells.positions))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)


def _of_labels(labels: Integers) -> Identifiability:
    """Components as lists of positions, and the pairs of neighbours that join them all."""
    positions = np.arange(1, len(labels) + 1)
    firsts = np.sort(np.unique(labels, return_index=True)[1])
    components = [tuple(positions[labels == labels[first]].tolist()) for first in firsts]
    # Kruskal's spanning tree over neighbours, from the top, where traffic and clicks are most
    joined = labels.copy()
    fixes = []
    for upper in range(len(labels) - 1):
        if joined[upper] != joined[upper + 1]:
            fixes.append((upper + REFERENCE_POSITION, upper + 1 + REFERENCE_POSITION))
            joined[joined == joined[upper + 1]] = joined[upper]
    return Identifiability(tuple(components), tuple(fixes))


def _positions(component: tuple[int, ...]) -> str:
    """Positions in words: 1-3, 5."""
    values = np.asarray(component)
    runs = np.split(values, np.flatnonzero(np.diff(values) > 1) + 1)
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _joined(texts: list[str]) -> str:
    """Texts in a row, only the first few of many."""
    if len(texts) > _SHOWN_ITEMS:
        texts = [*texts[:_SHOWN_ITEMS], f"{len(texts) - _SHOWN_ITEMS} more such pairs"]
    return ", ".join(texts)
