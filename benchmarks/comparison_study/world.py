"""A small search whose truth is known: queries, a training log and a log to judge by.

Everything is drawn anew for each replication: the queries and their items, who asks what, where
items stand, and what is clicked. A click is P(click) = theta(position, device) * relevance(item).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from label_platform.propensity import PropensityCurve, Verdict

Floats = NDArray[np.float64]

DEVICES = ("desktop", "mobile")
STEEPNESS = {"desktop": 0.5, "mobile": 0.9}
MOBILE_SHARE = 0.6
FEATURES = tuple(f"f_{number}" for number in range(6))
_EFFECTS = np.array([1.2, 0.8, 0.5, 0.0, 0.0, 0.0])
_LOGGED_BY = np.array([0.8, 0.0, 0.0, 0.8, 0.0, 0.0])
"""The logging ranker sees one feature that matters, and one that does not."""


@dataclass(frozen=True)
class Sizes:
    """How much a replication draws.

    Attributes:
        queries: with their items; as many more are in no log.
        items: of each query, all of which a list shows.
        training_lists: of the training log.
        judged_lists: of the evaluation days.
        randomized_share: of the latter.
    """

    queries: int = 120
    items: int = 8
    training_lists: int = 300
    judged_lists: int = 800
    randomized_share: float = 0.4


class Log(NamedTuple):
    """Lists, as arrays of shape (lists, positions), items in the order they were shown.

    Attributes:
        query: of each list, shape (lists,).
        mobile: likewise.
        randomized: likewise.
        item: its number within the query.
        examination: of each position.
        relevance: of each item, its chance to be clicked when examined.
    """

    query: NDArray[np.int64]
    mobile: NDArray[np.bool_]
    randomized: NDArray[np.bool_]
    item: NDArray[np.int64]
    examination: Floats
    relevance: Floats

    def clicks(self, rng: np.random.Generator) -> Floats:
        """One draw of what is clicked."""
        chance = self.examination * self.relevance
        return (rng.random(chance.shape) < chance).astype(np.float64)


class Universe(NamedTuple):
    """Queries and items.

    Attributes:
        features: shape (queries, items, features).
        relevance: shape (queries, items).
        popularity: of each query, adds up to 1.
    """

    features: NDArray[np.float32]
    relevance: Floats
    popularity: Floats

    @classmethod
    def drawn(cls, sizes: Sizes, rng: np.random.Generator) -> "Universe":
        """Queries of unequal popularity, some of which are easier than others."""
        shape = (sizes.queries, sizes.items)
        features = rng.normal(size=(*shape, len(FEATURES))).astype(np.float32)
        ease = rng.normal(scale=0.5, size=(sizes.queries, 1))
        relevance = 1 / (1 + np.exp(1.2 - ease - features @ _EFFECTS))
        popularity = rng.gamma(3.0, size=sizes.queries)
        return cls(features, relevance, popularity / popularity.sum())

    def log(self, lists: int, randomized_share: float, rng: np.random.Generator) -> Log:
        """Lists as the logging ranker orders them, or as chance does."""
        query = rng.choice(len(self.popularity), lists, p=self.popularity)
        mobile = rng.random(lists) < MOBILE_SHARE
        randomized = rng.random(lists) < randomized_share
        noise = rng.normal(size=(lists, self.features.shape[1]))
        score = (self.features[query] @ _LOGGED_BY) * ~randomized[:, None] + noise
        item = np.argsort(-score, axis=1)
        return Log(
            query,
            mobile,
            randomized,
            item,
            np.where(
                mobile[:, None], theta("mobile", item.shape[1]), theta("desktop", item.shape[1])
            ),
            np.take_along_axis(self.relevance[query], item, axis=1),
        )

    def rows(self, log: Log) -> NDArray[np.float32]:
        """Features of a log's items, shape (lists * positions, features)."""
        found: NDArray[np.float32] = self.features[log.query[:, None], log.item]
        return found.reshape(-1, len(FEATURES))


def theta(device: str, positions: int) -> Floats:
    """P(examined) at each position."""
    ranks = np.arange(1, positions + 1)
    chances: Floats = ranks ** -STEEPNESS[device]
    return chances


def true_curve(positions: int) -> PropensityCurve:
    """The propensities as they are."""
    table = pd.concat(
        pd.DataFrame(
            {
                "device": device,
                "position": np.arange(1, positions + 1),
                "propensity": theta(device, positions),
            }
        )
        for device in DEVICES
    )
    return PropensityCurve("randomized", ("device",), table, Verdict.OK, "")


def impressions(universe: Universe, log: Log, clicks: Floats) -> pa.Table:
    """A log in the columns of ``impression_signals``."""
    lists, positions = log.item.shape
    rows = universe.rows(log)
    return pa.table(
        {
            "request_id": np.repeat(np.arange(lists), positions),
            "query_id": np.repeat(log.query, positions),
            "item_id": log.item.ravel(),
            "position": np.tile(np.arange(1, positions + 1, dtype=np.int32), lists),
            "device": np.array(DEVICES)[np.repeat(log.mobile, positions).astype(np.int64)],
            "randomized": np.repeat(log.randomized, positions),
            "click": clicks.ravel(),
            **{name: rows[:, number] for number, name in enumerate(FEATURES)},
        }
    )


def truth(universe: Universe) -> pa.Table:
    """True relevance of queries that no log holds."""
    queries, items = universe.relevance.shape
    rows = universe.features.reshape(-1, len(FEATURES))
    return pa.table(
        {
            "query_id": np.repeat(np.arange(queries), items),
            "item_id": np.tile(np.arange(items), queries),
            "relevance": universe.relevance.ravel(),
            "seen_in_log": np.zeros(queries * items, dtype=np.bool_),
            **{name: rows[:, number] for number, name in enumerate(FEATURES)},
        }
    )


def examples(universe: Universe, log: Log, part: str) -> pd.DataFrame:
    """A log in the columns of ``examples``, without labels."""
    lists, positions = log.item.shape
    rows = universe.rows(log)
    return pd.DataFrame(
        {
            "part": part,
            "group_id": np.repeat(np.arange(lists), positions),
            "query_id": np.repeat(log.query, positions),
            "item_id": log.item.ravel(),
            "weight": 1.0,
            "raw_weight": 1.0,
            **{name: rows[:, number] for number, name in enumerate(FEATURES)},
        }
    )
