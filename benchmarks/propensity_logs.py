"""Simulated lists as the tables that the product selects from a log, counted on integer codes."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from propensity_settings_table import Setting

from label_platform.logs.simulators.click_lists import ClickLists
from label_platform.propensity.log_statistics import LogStatistics
from label_platform.ranking.relevance_model import lightgbm_relevance

Integers = NDArray[np.int64]

DAYS = 5
FEATURE_NOISE = 0.5


def log_statistics(
    shown: ClickLists, setting: Setting, seed: int, *, with_lists: bool
) -> LogStatistics:
    """What estimators read of a simulated log of five days.

    Args:
        shown: the lists.
        setting: what they were simulated by.
        seed: draws each list's day, and the noise of features.
        with_lists: whether whole lists and features are wanted.
    """
    rng = np.random.default_rng([seed, 23])
    day = rng.integers(0, DAYS, len(shown.query))
    ranked = ~shown.randomized
    cells = _cells(shown, ranked)
    lists = _places(shown) if with_lists else None
    features = _features(shown, rng) if with_lists else None
    by_day = [
        _of_several_positions(_cells(shown, ranked & (day == number))).assign(day=str(number))
        for number in range(DAYS)
    ]
    return LogStatistics(
        context=setting.context,
        randomized=_by_position(shown, shown.randomized).assign(length=shown.item.shape[1]),
        counts=_by_position(shown, np.ones_like(ranked)).assign(
            length=shown.item.shape[1], viewable=0, viewed=np.nan
        ),
        cells=cells,
        cells_by_day=pd.concat(by_day, ignore_index=True),
        swapped=_swapped(cells, shown, setting),
        lists=lists,
        list_features=features,
        cell_features=features,
        relevance=lightgbm_relevance,
    )


def _by_position(shown: ClickLists, chosen: NDArray[np.bool_]) -> pd.DataFrame:
    """Impressions and clicks of the chosen lists by device and position; zeros stay."""
    devices, positions = int(shown.device.max()) + 1, shown.item.shape[1]
    clicked = shown.clicked & chosen[:, None]
    impressions = np.bincount(shown.device, chosen, devices).astype(np.int64)
    clicks = np.zeros((devices, positions), np.int64)
    np.add.at(clicks, shown.device, clicked)
    return pd.DataFrame(
        {
            "device": np.repeat(np.arange(devices), positions).astype(str),
            "position": np.tile(np.arange(1, positions + 1), devices),
            "impressions": np.repeat(impressions, positions),
            "clicks": clicks.ravel(),
        }
    )


def _item_codes(shown: ClickLists) -> Integers:
    """A code of (device, query, item) at each place, shape (lists, K)."""
    queries, candidates = shown.relevance.shape
    return (shown.device * queries + shown.query)[:, None] * candidates + shown.item


def _cells(shown: ClickLists, chosen: NDArray[np.bool_]) -> pd.DataFrame:
    """The cells of the chosen lists, ordered by item and position."""
    queries, candidates = shown.relevance.shape
    positions = shown.item.shape[1]
    length = (int(shown.device.max()) + 1) * queries * candidates * positions
    key = _item_codes(shown)[chosen] * positions + np.arange(positions)
    clicked = shown.clicked[chosen]
    below = (np.cumsum(clicked, axis=1) - clicked) > 0
    impressions = np.bincount(key.ravel(), minlength=length)
    kept = np.flatnonzero(impressions)

    def counted(places: NDArray[np.bool_]) -> Integers:
        return np.bincount(key[places], minlength=length)[kept]

    item, place = np.divmod(kept, positions)
    device, query = np.divmod(item // candidates, queries)
    return pd.DataFrame(
        {
            "device": device.astype(str),
            "query": query,
            "item": item,
            "position": place + 1,
            "impressions": impressions[kept],
            "clicks": counted(clicked),
            "impressions_below_click": counted(below),
            "clicks_below_click": counted(below & clicked),
        }
    )


def _of_several_positions(cells: pd.DataFrame) -> pd.DataFrame:
    several = np.bincount(cells["item"])[cells["item"]] > 1
    return cells[several]


def _swapped(cells: pd.DataFrame, shown: ClickLists, setting: Setting) -> pd.DataFrame:
    """Sums of 1 / probability; an item stands anywhere in a random order alike."""
    counts = {"impressions": "counted_impressions", "clicks": "counted_clicks"}
    columns = ["device", "query", "item", "position", *counts]
    cells = cells[columns].assign(**{new: cells[old] for old, new in counts.items()})
    if not setting.logged_chance:
        return cells.iloc[:0]
    candidates = shown.relevance.shape[1]
    weighted = cells[list(counts)].astype(np.float64) * candidates
    return cells.assign(**dict(weighted.items()))


def _places(shown: ClickLists) -> pd.DataFrame:
    """One row per place of a list."""
    n_lists, positions = shown.item.shape
    return pd.DataFrame(
        {
            "device": np.repeat(shown.device, positions).astype(str),
            "list": np.repeat(np.arange(n_lists), positions),
            "query": np.repeat(shown.query, positions),
            "item": _item_codes(shown).ravel(),
            "position": np.tile(np.arange(1, positions + 1), n_lists),
            "clicked": shown.clicked.ravel(),
        }
    )


def _features(shown: ClickLists, rng: np.random.Generator) -> pd.DataFrame:
    """What a shop knows of relevance: the truth with noise, and two columns of mere noise."""
    gamma = np.tile(shown.relevance.ravel(), int(shown.device.max()) + 1)
    logit = np.log(gamma / (1 - gamma))
    noise = rng.normal(size=(3, len(gamma)))
    return pd.DataFrame(
        {"match": logit + FEATURE_NOISE * noise[0], "noise": noise[1], "more_noise": noise[2]}
    )
