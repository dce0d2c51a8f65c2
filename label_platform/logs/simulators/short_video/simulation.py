"""A simulated feed of short videos: logs as a platform has them, and the truth beside them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from label_platform.logs.simulators.feedback import Events, join_events
from label_platform.logs.simulators.output_folder import all_or_nothing, write_description
from label_platform.logs.simulators.product_search import Progress
from label_platform.logs.simulators.retrieval import Floats
from label_platform.logs.simulators.short_video import writing
from label_platform.logs.simulators.short_video.people import People, draw_people, remember_day
from label_platform.logs.simulators.short_video.reactions import SIGNALS, react
from label_platform.logs.simulators.short_video.settings import ShortVideoSettings
from label_platform.logs.simulators.short_video.videos import WEAK_LOGGER, Offer, build_offer
from label_platform.logs.simulators.short_video.watching import Feeds, watch_day
from label_platform.logs.simulators.shown_lists import DAY_MS, epoch_ms
from label_platform.logs.simulators.summary import SimulationSummary
from label_platform.logs.simulators.writing import (
    impression_table,
    interaction_lines,
    write_examination,
    write_lines,
    write_relevance,
    write_table,
)


def simulate_short_video(
    settings: ShortVideoSettings, out: Path, progress: Progress | None = None
) -> SimulationSummary:
    """Writes logs in the native format, and the truth that made them.

    `out/logs/` holds impressions (one Parquet file a day), interactions (gzipped JSON lines by the
    day on which they happen; what happens after the last day is not written) and items;
    `out/truth/` holds relevance (interest, free of duration), examination and visits (who came on
    which day, how satisfied); `out/simulation.json` the settings and counts. The folders appear
    when all is written. Nothing in the logs is broken or repeated, and nobody is a program.

    A feed has no query. Its `query_id` is the segment of its user: people with like interests see
    the same candidates, so that a video is seen at several positions by people to whom it means
    about the same, without anybody's having to see it often.

    Args:
        settings: what to simulate.
        out: folder for the files.
        progress: called after each day with the days done and the days in all.

    Returns:
        Counts of what was written.

    Raises:
        FileExistsError: `out` already holds a simulation.
    """
    with all_or_nothing(out) as folder:
        rng = np.random.default_rng([settings.seed, 1])
        offer = build_offer(settings, rng)
        people = draw_people(settings, rng)
        summary = _write_days(settings, offer, people, folder, progress)
        writing.write_items(offer, settings.start_date, folder / "logs" / "items.parquet")
        relevance = folder / "truth" / "relevance.parquet"
        write_relevance(offer, offer.videos.features, relevance)
        write_description("short_video", settings.as_json(), summary, folder)
    return summary


def _write_days(
    settings: ShortVideoSettings,
    offer: Offer,
    people: People,
    folder: Path,
    progress: Progress | None,
) -> SimulationSummary:
    rng = np.random.default_rng([settings.seed, 4])
    scores = offer.logging_scores(settings.logger, WEAK_LOGGER, rng)
    summary = SimulationSummary()
    pending: list[Events] = []
    visits = []
    reach = np.zeros((len(settings.devices), settings.list_length))
    for number, day in enumerate(settings.log_days):
        start_ms = epoch_ms(day)
        feeds = watch_day(settings, offer, scores, people, number, start_ms)
        table = impression_table(feeds, offer, settings, "feed")
        write_table(table, folder / "logs" / "impressions" / f"day={day}.parquet")
        rng = np.random.default_rng([settings.seed, 3, number])
        events = join_events([*pending, react(feeds, offer, rng)])
        today = events.occurred_at_ms < start_ms + DAY_MS
        lines = interaction_lines(events[today], SIGNALS)
        write_lines(lines, folder / "logs" / "interactions" / f"day={day}.jsonl.gz")
        pending = [events[~today]]
        visits.append(writing.visit_table(feeds, people, day))
        reach += _reach(feeds, people, settings)
        visitors, _, satisfaction = feeds.satisfaction()
        remember_day(people, visitors, satisfaction, settings)
        _count(summary, feeds, events[today])
        if progress is not None:
            progress(number + 1, settings.days)
    summary.unwritten_interactions = sum(map(len, pending))
    write_table(pa.concat_tables(visits), folder / "truth" / "visits.parquet")
    examination = reach / np.maximum(reach[:, :1], 1)
    path = folder / "truth" / "examination.parquet"
    write_examination(examination, settings.devices, path)
    return summary


def _reach(feeds: Feeds, people: People, settings: ShortVideoSettings) -> Floats:
    """Expected number of feeds in which a position is looked at, by device and position.

    Who comes changes from day to day, and patience with it: so this is known only of the feeds
    that there were.
    """
    chance = people.patience[feeds.user][:, None] ** np.arange(settings.list_length)
    device = people.device[feeds.user]
    return np.stack([chance[device == code].sum(axis=0) for code in range(len(settings.devices))])


def _count(summary: SimulationSummary, feeds: Feeds, events: Events) -> None:
    summary.count_lists(feeds)
    summary.impressions += feeds.shown.size
    summary.count_events(events, SIGNALS)
