"""A simulated product search: logs as a shop would have them, and the truth beside them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from label_platform.logs.simulators import writing
from label_platform.logs.simulators.browsing import Browsing, browse_day
from label_platform.logs.simulators.catalogue import WEAK_LOGGER, Catalogue, build_catalogue
from label_platform.logs.simulators.feedback import (
    SIGNALS,
    Events,
    join_events,
    react,
    stray_clicks,
)
from label_platform.logs.simulators.output_folder import all_or_nothing, write_description
from label_platform.logs.simulators.settings import ProductSearchSettings
from label_platform.logs.simulators.shown_lists import DAY_MS, epoch_ms
from label_platform.logs.simulators.summary import SimulationSummary

Progress = Callable[[int, int], None]


def simulate_product_search(
    settings: ProductSearchSettings, out: Path, progress: Progress | None = None
) -> SimulationSummary:
    """Writes logs in the native format, and the truth that made them.

    `out/logs/` holds impressions (one Parquet file a day), interactions (gzipped JSON lines by the
    day on which they happen; what happens after the last day is not written) and items;
    `out/truth/` holds relevance and examination; `out/simulation.json` the settings and counts.
    The folders appear when all is written.

    Lists are made by the logger, the same for a query but for small random changes, except the
    randomised share: a uniformly random choice and order of the query's candidates.

    Args:
        settings: what to simulate.
        out: folder for the files.
        progress: called after each day with the days done and the days in all.

    Returns:
        Counts of what was written, faults included.

    Raises:
        FileExistsError: `out` already holds a simulation.
    """
    with all_or_nothing(out) as folder:
        rng = np.random.default_rng([settings.seed, 1])
        catalogue = build_catalogue(settings, rng)
        summary = _write_days(settings, catalogue, folder / "logs", progress)
        items = folder / "logs" / "items.parquet"
        writing.write_items(catalogue, settings.start_date, settings.days, items, rng)
        truth, curves = folder / "truth", settings.examination_table()
        writing.write_relevance(catalogue, catalogue.items.features, truth / "relevance.parquet")
        writing.write_examination(curves, settings.devices, truth / "examination.parquet")
        write_description("product_search", settings.as_json(), summary, folder)
    return summary


def _write_days(
    settings: ProductSearchSettings, catalogue: Catalogue, logs: Path, progress: Progress | None
) -> SimulationSummary:
    rng = np.random.default_rng([settings.seed, 4])
    scores = catalogue.logging_scores(settings.logger, WEAK_LOGGER, rng)
    summary = SimulationSummary()
    pending: list[Events] = []
    for number, day in enumerate(settings.log_days):
        start_ms = epoch_ms(day)
        rng = np.random.default_rng([settings.seed, 3, number])
        browsing = browse_day(settings, catalogue, scores, number, start_ms)
        path = logs / "impressions" / f"day={day}.parquet"
        written = writing.write_impressions(browsing, catalogue, settings, path, rng)
        _count_lists(summary, browsing, written)
        strangers, early = stray_clicks(browsing, catalogue, rng)
        early = early[early.occurred_at_ms >= start_ms]
        strangers = strangers[strangers.occurred_at_ms < start_ms + DAY_MS]
        summary.clicks_without_impression += len(strangers)
        summary.clicks_before_impression += len(early)
        events = join_events([*pending, react(browsing, catalogue, rng), strangers, early])
        today = events.occurred_at_ms < start_ms + DAY_MS
        path = logs / "interactions" / f"day={day}.jsonl.gz"
        written = writing.write_interactions(events[today], settings, path, rng)
        _count_events(summary, events[today], written)
        pending = [events[~today]]
        if progress is not None:
            progress(number + 1, settings.days)
    summary.unwritten_interactions = sum(map(len, pending))
    return summary


def _count_lists(summary: SimulationSummary, browsing: Browsing, written: writing.Written) -> None:
    summary.count_lists(browsing)
    summary.bot_sessions += browsing.bot_sessions
    summary.impressions += written.sound
    summary.duplicate_impressions += written.repeated
    summary.malformed_impressions += written.broken


def _count_events(summary: SimulationSummary, events: Events, written: writing.Written) -> None:
    summary.count_events(events, SIGNALS)
    summary.duplicate_interactions += written.repeated
    summary.malformed_interactions += written.broken
