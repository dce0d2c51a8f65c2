"""What can be searched and found: queries, items, features, true relevance.

Relevance is gamma(q, d) = 0.92 sigmoid(-1.4 + 1.5 utility), where the utility is a nonlinear
function of the features plus a part that no feature knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators import vocabulary
from label_platform.logs.simulators.retrieval import (
    Floats,
    Integers,
    Retrieval,
    as_feature,
    directions,
)
from label_platform.logs.simulators.settings import ProductSearchSettings

WEAK_LOGGER = {
    "f_past_sales": 1.0,
    "f_sponsored_bid": 0.7,
    "f_freshness": 0.5,
    "f_text_match": 0.1,
}
"""What sold before, what is paid for and what is new, by feature its weight."""

_ATTRIBUTES = 3
_BRANDS = 60
_UNOBSERVED_SD = 0.35


@dataclass(frozen=True)
class Items:
    """All items of the catalogue, by item index.

    Attributes:
        attributes: index of colour, material and audience, shape (items, 3).
        brand: index of the brand.
        style: direction in style space, shape (items, dimensions).
        features: the features that the catalogue knows.
        titles: what the shop calls them.
    """

    attributes: Integers
    brand: Integers
    style: Floats
    features: Mapping[str, NDArray[np.float32]]
    titles: list[str]


@dataclass(frozen=True)
class Catalogue(Retrieval):
    """What is retrieved, whose relevance is the probability that an examined item is clicked.

    Attributes:
        items: the items.
    """

    items: Items


def build_catalogue(settings: ProductSearchSettings, rng: np.random.Generator) -> Catalogue:
    """Draws queries, items and how relevant they are to each other."""
    n_categories = max(1, min(len(vocabulary.NOUNS), settings.n_items // 100))
    if settings.n_items // n_categories < settings.candidates_per_query:
        n_categories = settings.n_items // settings.candidates_per_query
    items = _draw_items(settings.n_items, n_categories, rng)
    n_queries = settings.n_queries + settings.n_unseen_queries
    wanted = vocabulary.draw_descriptions(n_queries, n_categories, rng)
    pool = np.arange(settings.n_items // n_categories * n_categories).reshape(-1, n_categories).T
    candidates = _retrieve(items, wanted, pool, settings.candidates_per_query, rng)
    features = _match_features(items, wanted, candidates, rng)
    utility = _utility(items, features, candidates)
    utility += rng.normal(0, _UNOBSERVED_SD, utility.shape)
    return Catalogue(
        query_texts=vocabulary.describe(wanted),
        n_logged=settings.n_queries,
        items=items,
        candidates=candidates,
        features=features,
        utility=utility,
        relevance=0.92 / (1 + np.exp(1.4 - 1.5 * utility)),
    )


def _draw_items(n_items: int, n_categories: int, rng: np.random.Generator) -> Items:
    words = vocabulary.draw_descriptions(n_items, n_categories, rng, in_turn=True)
    brand = rng.integers(0, _BRANDS, n_items)
    reviews = rng.lognormal(3, 1.2, n_items).round()
    features = {
        "item_price_z": rng.normal(size=n_items),
        "item_rating": np.clip(rng.normal(3.9, 0.6, n_items), 1, 5),
        "item_reviews_log": np.log1p(reviews),
        "item_age_days": rng.exponential(200, n_items).round(),
    }
    return Items(
        attributes=words[:, :_ATTRIBUTES],
        brand=brand,
        style=directions(n_items, rng),
        features={name: as_feature(value) for name, value in features.items()},
        titles=vocabulary.name_items(words, brand),
    )


def _retrieve(
    items: Items,
    wanted: Integers,
    pool: Integers,
    n_candidates: int,
    rng: np.random.Generator,
) -> Integers:
    """Items of the query's category, those that match its words more often."""
    in_category = pool[wanted[:, _ATTRIBUTES]]
    matches = (items.attributes[in_category] == wanted[:, None, :_ATTRIBUTES]).sum(axis=2)
    keys = 1.5 * matches + rng.gumbel(size=matches.shape)
    best = np.argsort(-keys, axis=1, kind="stable")[:, :n_candidates]
    best = rng.permuted(best, axis=1)
    return np.take_along_axis(in_category, best, axis=1)


def _match_features(
    items: Items, wanted: Integers, candidates: Integers, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    shape = candidates.shape
    overlap = (items.attributes[candidates] == wanted[:, None, :_ATTRIBUTES]).mean(axis=2)
    style = directions(len(wanted), rng)
    cosine = np.einsum("qd,qcd->qc", style, items.style[candidates])
    budget = rng.normal(0, 0.7, (len(wanted), 1))
    price = items.features["item_price_z"][candidates]
    reviews = items.features["item_reviews_log"][candidates]
    appeal = rng.random((wanted[:, _ATTRIBUTES].max() + 1, _BRANDS))
    bid = np.maximum(0, rng.normal(-0.3, 1, shape) - 0.2 * cosine)
    features = {
        "f_text_match": 0.6 * overlap + 0.2 * cosine + rng.normal(0.3, 0.12, shape),
        "f_title_overlap": overlap,
        "f_semantic": cosine + rng.normal(0, 0.12, shape),
        "f_price_fit": np.exp(-np.abs(price - budget)),
        "f_brand_affinity": appeal[wanted[:, [_ATTRIBUTES]], items.brand[candidates]],
        "f_past_sales": 0.3 * (reviews - 3) + rng.normal(0, 1, shape),
        "f_sponsored_bid": bid,
        "f_freshness": np.exp(-items.features["item_age_days"][candidates] / 120),
    }
    return {name: as_feature(value) for name, value in features.items()}


def _utility(
    items: Items, features: Mapping[str, NDArray[np.float32]], candidates: Integers
) -> Floats:
    """Words and style must both fit, a good price helps what fits, a poor rating hurts."""
    fit = {name: value.astype(np.float64) for name, value in features.items()}
    rating = items.features["item_rating"].astype(np.float64)[candidates]
    style = fit["f_semantic"]
    return (
        1.3 * (fit["f_title_overlap"] - 0.3)
        + 1.2 * style
        + 1.5 * np.maximum(style, 0) * fit["f_title_overlap"]
        + 1.2 * (fit["f_price_fit"] - 0.5) * (0.6 + np.maximum(style, -0.6))
        + 0.8 * (fit["f_brand_affinity"] - 0.5)
        - 0.7 * np.maximum(0, 3.6 - rating)
    )
