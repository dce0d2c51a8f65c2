"""Videos and visits as files."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from label_platform.logs.simulators.short_video.people import People
from label_platform.logs.simulators.short_video.videos import Offer
from label_platform.logs.simulators.short_video.watching import Feeds
from label_platform.logs.simulators.shown_lists import DAY_MS, epoch_ms
from label_platform.logs.simulators.writing import MOMENT, write_table


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
