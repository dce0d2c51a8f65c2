"""Which positions can be compared at all.

An edge joins two positions if some (query, item) with a click was shown at both: its relevance
cancels, and the ratio of the two propensities can be estimated. Positions that no path of edges
joins have curves that may be scaled against each other at will; the clicks are the same (Chen et
al. 2023, "Identifiability matters: revealing the hidden recoverable condition in unbiased learning
to rank"). With curves per context a node is a (context, position), and items that are shown in
several contexts join those too.

A swap of two neighbouring positions (or showing their order by chance) on some lists adds the edge
that is missing; merging them, which assumes that they are examined equally, removes the need.
Components can always be joined across places where neighbours belong to different ones, so one
swap or merge per missing component suffices, and fewer cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
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
        context: what the curve is of, for the sentence; may be empty.
    """

    components: tuple[tuple[int, ...], ...]
    fixes: tuple[tuple[int, int], ...]
    context: str = ""

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
        where = f"in {self.context}, " if self.context else ""
        return (
            f"{where}no clicked item was seen on both sides of the bars, so that positions "
            f"{groups} cannot be compared; to compare them, swap positions {swaps} on some lists, "
            f"or merge position {merges} if people look at them equally often"
        )


def identify(cells: Cells) -> Identifiability:
    """Which positions the clicks of lists can compare.

    Args:
        cells: of one context.
    """
    node = cells.position - 1
    labels = _components(cells.query_item, node, cells.impressions, cells.clicks, cells.positions)
    return _of_labels(labels, "")


def identify_contexts(
    table: pd.DataFrame, context: Sequence[str], positions: int | None = None
) -> tuple[Identifiability, ...]:
    """Which positions each context's clicks can compare, if contexts share (query, item).

    An item has one relevance in all contexts here: one that phones show at 1 and desktops at 3,
    another that phones show at 2 and desktops at 3, together compare 1 and 2 on phones.

    Args:
        table: columns query, item, position, impressions, clicks, and the context columns.
        context: columns that name the context.
        positions: K; by default each context's deepest position.

    Returns:
        One per context, ordered by its values.
    """
    columns = list(context)
    keys = table[columns].drop_duplicates().sort_values(columns).reset_index(drop=True)
    code = table[columns].merge(keys.assign(_code=keys.index), how="left", on=columns)["_code"]
    length = int(positions or table["position"].max())
    labels = _components(
        table.groupby(["query", "item"]).ngroup().to_numpy().astype(np.int64),
        (code.to_numpy(np.int64) * length + table["position"].to_numpy(np.int64) - 1),
        table["impressions"].to_numpy(np.float64),
        table["clicks"].to_numpy(np.float64),
        length * len(keys),
    ).reshape(len(keys), length)
    deepest = table.groupby(code.to_numpy())["position"].max().to_numpy()
    found = []
    for number, values in enumerate(keys.itertuples(index=False)):
        name = ", ".join(f"{column} {value}" for column, value in zip(columns, values, strict=True))
        found.append(_of_labels(labels[number, : positions or deepest[number]], name))
    return tuple(found)


def _components(
    query_item: Integers,
    node: Integers,
    impressions: NDArray[np.float64],
    clicks: NDArray[np.float64],
    n_nodes: int,
) -> Integers:
    """The component of each node. An item links its nodes in a row, which joins them all."""
    has_click = np.bincount(query_item, clicks, int(query_item.max(initial=-1)) + 1) > 0
    kept = (impressions > 0) & has_click[query_item]
    order = np.lexsort((node[kept], query_item[kept]))
    item, place = query_item[kept][order], node[kept][order]
    same = item[1:] == item[:-1]
    edges = (np.ones(same.sum()), (place[:-1][same], place[1:][same]))
    graph = sparse.coo_array(edges, shape=(n_nodes, n_nodes))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)


def _of_labels(labels: Integers, context: str) -> Identifiability:
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
    return Identifiability(tuple(components), tuple(fixes), context)


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
