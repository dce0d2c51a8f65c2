"""What can be watched and by whom it is liked: videos, segments, features, true interest.

Interest is gamma(s, v) = 0.92 sigmoid(-0.4 + 1.3 utility), where the utility is a nonlinear
function of topic, style and creator plus parts that no feature knows, and nothing of durations.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.retrieval import (
    Floats,
    Integers,
    Retrieval,
    as_feature,
    directions,
)
from label_platform.logs.simulators.short_video.settings import ShortVideoSettings

TOPICS = (
    *("cooking", "football", "dance", "travel", "comedy", "pets", "gardening", "gaming"),
    *("make-up", "science", "cars", "music", "fitness", "history", "crafts", "fashion"),
)
SHORTEST_S, LONGEST_S = 5, 300
WEAK_LOGGER = {"f_trending": 1.0, "f_past_watch_log": 0.7, "f_freshness": 0.5}
"""What trends, what was watched for long (so what is long), what is new: by feature its weight."""

_SECOND_TOPIC = 0.6
_UNOBSERVED_SD = 0.35
_BLOCK = 256


@dataclass(frozen=True)
class Videos:
    """All videos, by video index.

    Attributes:
        topic: index into `TOPICS`.
        style: direction in style space, shape (videos, dimensions).
        duration_s: a heavy right tail, from 5 seconds to 5 minutes, in half seconds.
        quality: how well made, of standard deviation 1.
        features: the features that the platform knows.
        titles: what their creators call them.
    """

    topic: Integers
    style: Floats
    duration_s: Floats
    quality: Floats
    features: Mapping[str, NDArray[np.float32]]
    titles: list[str]


@dataclass(frozen=True)
class Offer(Retrieval):
    """What is retrieved for segments, which logs call queries; `duration_ms` is a feature.

    Relevance is interest: the probability that somebody of the segment who comes upon the video
    watches it instead of skipping it at once.

    Attributes:
        videos: the videos.
    """

    videos: Videos


def build_offer(settings: ShortVideoSettings, rng: np.random.Generator) -> Offer:
    """Draws videos, segments and how much they interest each other."""
    videos = _draw_videos(settings.n_videos, rng)
    n_segments = settings.n_segments + settings.n_unseen_segments
    first = rng.integers(0, len(TOPICS), n_segments)
    second = (first + rng.integers(1, len(TOPICS), n_segments)) % len(TOPICS)
    candidates = np.concatenate(
        [
            _retrieve(videos, first[rows], second[rows], settings.candidates_per_segment, rng)
            for rows in np.array_split(np.arange(n_segments), n_segments // _BLOCK + 1)
        ]
    )
    topic = videos.topic[candidates]
    match = 1.0 * (topic == first[:, None]) + _SECOND_TOPIC * (topic == second[:, None])
    taste = directions(n_segments, rng)
    style = np.einsum("sd,scd->sc", taste, videos.style[candidates])
    features = _features(videos, candidates, match, style, rng)
    utility = _utility(videos.quality[candidates], match, style, features)
    utility += rng.normal(0, _UNOBSERVED_SD, utility.shape)
    return Offer(
        query_texts=[
            f"{TOPICS[one]} and {TOPICS[other]}" for one, other in zip(first, second, strict=True)
        ],
        n_logged=settings.n_segments,
        videos=videos,
        candidates=candidates,
        features=features,
        utility=utility,
        relevance=0.92 / (1 + np.exp(0.4 - 1.3 * utility)),
    )


def _draw_videos(n: int, rng: np.random.Generator) -> Videos:
    topic = rng.integers(0, len(TOPICS), n)
    long = rng.random(n) < 0.3
    duration = np.where(long, rng.lognormal(4.1, 0.7, n), rng.lognormal(2.6, 0.5, n))
    quality = rng.normal(size=n)
    features = {
        "item_sharpness": quality + rng.normal(0, 0.6, n),
        "item_followers_log": rng.normal(8, 2, n) + 0.3 * quality,
        "item_age_days": rng.exponential(20, n),
    }
    return Videos(
        topic=topic,
        style=directions(n, rng),
        # halves are exact in every kind of float, so that a video seen to its end is known as such
        duration_s=np.round(2 * np.clip(duration, SHORTEST_S, LONGEST_S)) / 2,
        quality=quality,
        features={name: as_feature(value) for name, value in features.items()},
        titles=[f"{TOPICS[index]} {number}" for number, index in enumerate(topic.tolist(), 1)],
    )


def _retrieve(
    videos: Videos, first: Integers, second: Integers, n: int, rng: np.random.Generator
) -> Integers:
    """Videos of the segments' topics more often than others."""
    match = 1.0 * (videos.topic == first[:, None]) + _SECOND_TOPIC * (
        videos.topic == second[:, None]
    )
    keys = 3 * match + rng.gumbel(size=match.shape)
    best = np.argpartition(-keys, n - 1, axis=1)[:, :n]
    return np.asarray(rng.permuted(best, axis=1), dtype=np.int64)


def _features(
    videos: Videos, candidates: Integers, match: Floats, style: Floats, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    shape = candidates.shape
    duration, quality = videos.duration_s[candidates], videos.quality[candidates]
    age = videos.features["item_age_days"][candidates]
    features = {
        "f_topic_match": match + rng.normal(0, 0.1, shape),
        "f_style_match": style + rng.normal(0, 0.12, shape),
        "f_creator_affinity": rng.random(shape),
        "f_trending": rng.normal(size=shape) + 0.2 * quality,
        "f_past_watch_log": 0.7 * np.log(duration) + 0.3 * quality + rng.normal(0, 0.4, shape),
        "f_freshness": np.exp(-age / 15),
        "duration_ms": 1000 * duration,
    }
    return {name: as_feature(value) for name, value in features.items()}


def _utility(
    quality: Floats, match: Floats, style: Floats, features: Mapping[str, NDArray[np.float32]]
) -> Floats:
    """Topic and style must both fit; a creator one knows and good craft help."""
    return (
        1.2 * (match - 0.5)
        + 1.2 * style
        + 1.5 * np.maximum(style, 0) * match
        + 0.8 * (features["f_creator_affinity"].astype(np.float64) - 0.5)
        + 0.5 * quality
        - 0.4
    )
