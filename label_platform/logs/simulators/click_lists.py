"""Lists and clicks under a known examination curve, as arrays: for studies over many seeds.

Position-based model with trust bias: P(click at k on d | device x)
= theta_k(x) (gamma(q, d) + (1 - gamma(q, d)) trust / k).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FAITH = {"weak": 0.3, "strong": 3.0, "random": 0.0}


@dataclass(frozen=True)
class ClickListSettings:
    """What people see and how they click.

    Attributes:
        n_lists: lists shown.
        n_queries: queries, of which each list answers one, drawn by a mild Zipf law.
        candidates: items a query retrieves.
        curves: per device the examination probability by position, relative to position 1.
        logger: how closely rankers follow relevance; random draws a new order for each list.
        rankers: how many rankers take turns at random; each orders a query always alike, so that
            an item has at most that many ranks.
        randomized_share: share of lists in a random order, flagged.
        top_click_rate: the mean relevance, which is the click rate at position 1 of random lists.
        trust_bias: chance that an irrelevant item is clicked at position 1 as it stands there.
    """

    n_lists: int = 100_000
    n_queries: int = 3_000
    candidates: int = 25
    curves: tuple[tuple[float, ...], ...] = (tuple(1 / k for k in range(1, 11)),)
    logger: Literal["weak", "strong", "random"] = "weak"
    rankers: int = 2
    randomized_share: float = 0.0
    top_click_rate: float = 0.15
    trust_bias: float = 0.0


@dataclass(frozen=True, eq=False)
class ClickLists:
    """Simulated lists.

    Attributes:
        query: of each list, shape (lists,).
        item: candidate number at each position, shape (lists, K).
        clicked: shape (lists, K).
        device: of each list.
        randomized: whether chance alone ordered the list.
        relevance: gamma, shape (queries, candidates).
    """

    query: Integers
    item: Integers
    clicked: NDArray[np.bool_]
    device: Integers
    randomized: NDArray[np.bool_]
    relevance: Floats

    def table(self) -> pd.DataFrame:
        """Impressions and clicks by device, query, item, position and randomized."""
        n_lists, length = self.item.shape
        candidates = self.relevance.shape[1]
        place = np.tile(np.arange(length), n_lists)
        key = np.repeat((self.query * 64 + self.device) * 2 + self.randomized, length)
        key = (key * candidates + self.item.ravel()) * length + place
        keys, code = np.unique(key, return_inverse=True)
        rest, position = np.divmod(keys, length)
        rest, item = np.divmod(rest, candidates)
        rest, randomized = np.divmod(rest, 2)
        query, device = np.divmod(rest, 64)
        return pd.DataFrame(
            {
                "device": device,
                "query": query,
                "item": item,
                "position": position + 1,
                "randomized": randomized.astype(bool),
                "impressions": np.bincount(code),
                "clicks": np.bincount(code, self.clicked.ravel()).astype(np.int64),
            }
        )


def simulate_click_lists(settings: ClickListSettings, seed: int) -> ClickLists:
    """Draw lists and clicks; the same settings and seed give the same arrays."""
    rng = np.random.default_rng([seed, 7])
    curves = np.asarray(settings.curves, dtype=np.float64)
    length = curves.shape[1]
    shape = (settings.n_queries, settings.candidates)
    relevance = _relevance(shape, settings.top_click_rate, rng)
    logit = np.log(relevance / (1 - relevance))
    spread = (logit - logit.mean()) / logit.std()
    faith = _FAITH[settings.logger]
    scores = faith * spread + rng.normal(size=(settings.rankers, *shape))
    popularity = np.arange(1, settings.n_queries + 1) ** -0.5
    query = rng.choice(settings.n_queries, settings.n_lists, p=popularity / popularity.sum())
    device = rng.integers(0, len(curves), settings.n_lists)
    by_chance = rng.random(settings.n_lists) < settings.randomized_share
    ranked = np.argsort(-scores, axis=2, kind="stable")[:, :, :length]
    item = ranked[rng.integers(0, settings.rankers, settings.n_lists), query]
    shuffled = np.ones(settings.n_lists, bool) if settings.logger == "random" else by_chance
    item[shuffled] = np.argsort(rng.random((shuffled.sum(), settings.candidates)), axis=1)[
        :, :length
    ]
    gamma = relevance[query[:, None], item]
    trust = settings.trust_bias / np.arange(1, length + 1)
    chance = curves[device] * (gamma + (1 - gamma) * trust)
    return ClickLists(
        query=query.astype(np.int64),
        item=item.astype(np.int64),
        clicked=rng.random(chance.shape) < chance,
        device=device.astype(np.int64),
        randomized=by_chance,
        relevance=relevance,
    )


def _relevance(shape: tuple[int, int], mean: float, rng: np.random.Generator) -> Floats:
    """Beta distributed, most items hardly relevant and some very."""
    return np.clip(rng.beta(0.8, 0.8 * (1 - mean) / mean, shape), 0.001, 0.98)
