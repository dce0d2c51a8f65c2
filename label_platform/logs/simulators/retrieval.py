"""What queries retrieve, how it is scored, and the draws that all simulators make."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.log_settings import Logger

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FEATURE_STEP = 1 / 256
_STYLE_DIMENSIONS = 6
_QUERY_EXPONENT = 0.5
_SCORE_NOISE = 0.3


@dataclass(frozen=True)
class Retrieval:
    """Queries with their candidates; arrays of shape (queries, candidates) unless stated.

    Attributes:
        query_texts: one per query.
        n_logged: the first so many queries are logged, the others stand only in the truth.
        candidates: item indices.
        features: query-item features, as logged with an impression.
        utility: what relevance and a strong ranker follow.
        relevance: gamma, how likely it is that who comes upon an item wants it.
    """

    query_texts: list[str]
    n_logged: int
    candidates: Integers
    features: Mapping[str, NDArray[np.float32]]
    utility: Floats
    relevance: Floats

    def logging_scores(
        self, logger: Logger, weak: Mapping[str, float], rng: np.random.Generator
    ) -> Floats:
        """Scores by which the logger ranks, of standard deviation 1.

        Args:
            logger: the strong one follows utility, the random one nothing.
            weak: what the weak one follows, by feature its weight.
            rng: where chance comes from.

        Returns:
            Shape (queries, candidates).
        """
        noise = rng.normal(size=self.utility.shape)
        if logger == "random":
            return standardized(noise)
        if logger == "strong":
            score = standardized(self.utility)
        else:
            score = np.zeros(noise.shape)
            for name, weight in weak.items():
                score += weight * standardized(self.features[name])
        return standardized(score + _SCORE_NOISE * noise)


def draw_queries(n_queries: int, n: int, rng: np.random.Generator) -> Integers:
    """So many query indices by a mild Zipf law; queries are exchangeable, so rank is index."""
    popularity = np.arange(1, n_queries + 1) ** -_QUERY_EXPONENT
    cumulative = np.cumsum(popularity / popularity.sum())
    drawn = np.searchsorted(cumulative, rng.random(n), side="right")
    return np.minimum(drawn, n_queries - 1).astype(np.int64)


def directions(n: int, rng: np.random.Generator) -> Floats:
    """Unit vectors in style space, uniform over the sphere, shape (n, dimensions)."""
    vectors = rng.normal(size=(n, _STYLE_DIMENSIONS))
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def as_feature(values: Floats) -> NDArray[np.float32]:
    """Coarse enough to compress well, and what relevance is computed from is what is logged."""
    return (np.round(values / _FEATURE_STEP) * _FEATURE_STEP).astype(np.float32)


def standardized(values: NDArray[np.floating]) -> Floats:
    """The values moved and scaled to mean 0 and standard deviation 1."""
    scaled: Floats = ((values - values.mean()) / values.std()).astype(np.float64)
    return scaled
