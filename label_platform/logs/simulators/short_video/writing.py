"""The simulated feeds as files, in the native format."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from label_platform.logs.simulators.browsing import DAY_MS, epoch_ms
from label_platform.logs.simulators.catalogue import Floats
from label_platform.logs.simulators.short_video.people import People
from label_platform.logs.simulators.short_video.settings import ShortVideoSettings
from label_platform.logs.simulators.short_video.videos import Offer
from label_platform.logs.simulators.short_video.watching import Feeds
from label_platform.logs.simulators.writing import MOMENT, write_table


def impression_table(
    feeds: Feeds, offer: Offer, people: People, settings: ShortVideoSettings
) -> pa.Table:
    """One row per video of a feed, looked at or not, sorted by request and position.

    `logging_probability` is the probability of this video at this position given the segment and
    the ranker that made the feed: exact where chance made it, else null.
    """
    n_lists, length = feeds.shown.shape
    segment = people.segment[feeds.user]
    pair = (segment[:, None] * offer.candidates.shape[1] + feeds.shown).ravel()
    by_chance = feeds.randomized | (settings.logger == "random")
    columns = {
        "request_id": feeds.request_id,
        "query_id": segment + 1,
        "query_text": pa.array(offer.segment_texts).take(segment),
        "user_id": feeds.user + 1,
        "session_id": feeds.session_id,
        "shown_at": pa.array(feeds.shown_at_ms).cast(MOMENT),
        "surface": pa.array(["feed"] * n_lists),
        "device": pa.array(settings.devices).take(people.device[feeds.user]),
        "ranker_id": pa.array([settings.logger, "randomized"]).take(
            feeds.randomized.astype(np.int8)
        ),
        "randomized": feeds.randomized,
        "logging_probability": pa.array(
            np.full(n_lists, 1 / settings.candidates_per_segment), mask=~by_chance
        ),
    }
    table = pa.table(columns).take(np.repeat(np.arange(n_lists), length))
    positions = np.tile(np.arange(1, length + 1, dtype=np.int32), n_lists)
    table = table.add_column(5, "item_id", [offer.candidates.ravel()[pair] + 1])
    table = table.add_column(6, "position", [positions])
    for name, values in offer.features.items():
        table = table.append_column(name, [values.ravel()[pair]])
    return table


def visit_table(feeds: Feeds, people: People, day: date) -> pa.Table:
    """One row per visitor of a day: how much there was to see, and how satisfying it was."""
    visitors, n_feeds, satisfaction = feeds.satisfaction()
    columns = {
        "day": [day] * len(visitors),
        "user_id": visitors + 1,
        "query_id": people.segment[visitors] + 1,
        "feeds": n_feeds,
        "satisfaction": satisfaction,
    }
    return pa.table(columns)


def write_items(offer: Offer, first_day: date, path: Path) -> None:
    """Writes the videos and what is known of them."""
    n = len(offer.videos.titles)
    columns = {
        "item_id": np.arange(1, n + 1),
        "valid_from": pa.array(np.full(n, epoch_ms(first_day) - 30 * DAY_MS)).cast(MOMENT),
        "title": offer.videos.titles,
        **offer.videos.features,
    }
    write_table(pa.table(columns), path)


def write_relevance(offer: Offer, path: Path) -> None:
    """Writes what no log may hold: true interest, beside all features."""
    n_segments, n_candidates = offer.candidates.shape
    item = offer.candidates.ravel()
    segment = np.repeat(np.arange(n_segments), n_candidates)
    columns = {
        "query_id": segment + 1,
        "item_id": item + 1,
        "relevance": offer.interest.ravel(),
        "seen_in_log": segment < offer.n_logged,
        **{name: values.ravel() for name, values in offer.features.items()},
        **{name: values[item] for name, values in offer.videos.features.items()},
    }
    write_table(pa.table(columns), path)


def write_examination(examination: Floats, settings: ShortVideoSettings, path: Path) -> None:
    """Writes the share of feeds in which people came as far as a position.

    Args:
        examination: by device and position.
        settings: name the devices.
        path: the file.
    """
    length = settings.list_length
    columns = {
        "device": np.repeat(settings.devices, length),
        "position": np.tile(np.arange(1, length + 1, dtype=np.int32), len(settings.devices)),
        "examination": examination.ravel(),
    }
    write_table(pa.table(columns), path)
