"""Logs drawn from the click models themselves, with the parameters they were drawn with."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from label_platform.propensity.list_clicks import ListClicks

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Size:
    lists: int = 30_000
    queries: int = 40
    items: int = 12
    positions: int = 6
    shortest: int | None = None


@dataclass(frozen=True, eq=False)
class DrawnLog:
    """examined: the share of the lists that have a position in which it was examined."""

    lists: ListClicks
    attractiveness: Floats
    satisfaction: Floats
    examined: Floats
    continuation: float = 1.0
    examination: Floats = field(default_factory=lambda: np.empty((0, 0)))


def dbn_log(seed: int, continuation: float = 0.8, size: Size | None = None) -> DrawnLog:
    """Readers leave when satisfied, or else with probability 1 - continuation."""
    size = size or Size()
    rng = np.random.default_rng([seed, 1])
    attractiveness = rng.uniform(0.05, 0.6, size.queries * size.items)
    satisfaction = rng.uniform(0.1, 0.8, size.queries * size.items)
    query, shown = _orders(size, attractiveness, rng)
    clicked = np.zeros(shown.shape, bool)
    examined = np.zeros(shown.shape, bool)
    reading = np.ones(len(query), bool)
    for place in range(size.positions):
        examined[:, place] = reading & (shown[:, place] >= 0)
        item = shown[:, place]
        clicked[:, place] = examined[:, place] & (rng.random(len(item)) < attractiveness[item])
        satisfied = clicked[:, place] & (rng.random(len(item)) < satisfaction[item])
        reading = reading & ~satisfied & (rng.random(len(item)) < continuation)
    share = examined.sum(axis=0) / (shown >= 0).sum(axis=0)
    lists = list_clicks(query, shown, clicked, len(attractiveness))
    return DrawnLog(lists, attractiveness, satisfaction, share, continuation)


def cascade_log(seed: int, size: Size | None = None) -> DrawnLog:
    """Readers go down to the first click: every click satisfies."""
    size = size or Size()
    rng = np.random.default_rng([seed, 2])
    attractiveness = rng.uniform(0.02, 0.4, size.queries * size.items)
    query, shown = _orders(size, attractiveness, rng)
    attracted = (rng.random(shown.shape) < attractiveness[shown]) & (shown >= 0)
    examined = (np.cumsum(attracted, axis=1) - attracted == 0) & (shown >= 0)
    share = examined.sum(axis=0) / (shown >= 0).sum(axis=0)
    lists = list_clicks(query, shown, attracted & examined, len(attractiveness))
    return DrawnLog(lists, attractiveness, np.ones(len(attractiveness)), share)


def ubm_log(seed: int, size: Size | None = None) -> DrawnLog:
    """Examination falls with rank and distance; near a click it is above that at the top."""
    size = size or Size()
    rng = np.random.default_rng([seed, 3])
    attractiveness = rng.uniform(0.05, 0.6, size.queries * size.items)
    rank = np.arange(1, size.positions + 1)[:, None]
    distance = np.arange(1, size.positions + 1)[None, :]
    examination = np.where(distance < rank, 1.2 / distance**0.7, 1 / rank**0.8)
    examination = np.where(distance <= rank, examination, np.nan)
    query, shown = _orders(size, attractiveness, rng)
    clicked = np.zeros(shown.shape, bool)
    chance = np.zeros(shown.shape)
    last = np.zeros(len(query), np.int64)
    for place in range(size.positions):
        item = shown[:, place]
        chance[:, place] = np.where(item >= 0, examination[place, place - last], 0)
        probability = attractiveness[item] * chance[:, place]
        clicked[:, place] = rng.random(len(item)) < probability
        last = np.where(clicked[:, place], place + 1, last)
    share = chance.sum(axis=0) / (shown >= 0).sum(axis=0)
    lists = list_clicks(query, shown, clicked, len(attractiveness))
    none = np.ones(len(attractiveness))
    return DrawnLog(lists, attractiveness, none, share, examination=examination)


def list_clicks(
    query: Integers, shown: Integers, clicked: Booleans, n_query_items: int
) -> ListClicks:
    """The lists, equal ones counted together."""
    rows = np.column_stack([query, shown, clicked])
    distinct, count = np.unique(rows, axis=0, return_counts=True)
    length = shown.shape[1]
    return ListClicks(
        query=distinct[:, 0],
        query_item=distinct[:, 1 : length + 1],
        clicked=distinct[:, length + 1 :].astype(bool),
        count=count.astype(np.float64),
        n_query_items=n_query_items,
    )


def written(lists: list[tuple[list[int], list[int], float]], n_query_items: int) -> ListClicks:
    """Lists of one query written out: items (-1 beyond the end), clicks, count."""
    return ListClicks(
        query=np.zeros(len(lists), np.int64),
        query_item=np.array([items for items, _, _ in lists], np.int64),
        clicked=np.array([clicks for _, clicks, _ in lists], bool),
        count=np.array([count for _, _, count in lists], np.float64),
        n_query_items=n_query_items,
    )


def _orders(
    size: Size, attractiveness: Floats, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Rankings that follow attractiveness a little, of different length if one is given."""
    query = rng.integers(0, size.queries, size.lists)
    code = query[:, None] * size.items + np.arange(size.items)
    score = 2 * attractiveness[code] + rng.random(code.shape)
    order = np.argsort(-score, axis=1)[:, : size.positions]
    shown = np.take_along_axis(code, order, axis=1)
    length = rng.integers(size.shortest or size.positions, size.positions + 1, size.lists)
    return query, np.where(np.arange(size.positions) < length[:, None], shown, -1)
