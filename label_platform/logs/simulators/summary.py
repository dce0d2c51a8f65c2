"""What a simulation wrote, so that whoever reads its logs can check that nothing was lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from label_platform.logs.simulators.feedback import Events
from label_platform.logs.simulators.shown_lists import ShownLists


@dataclass
class SimulationSummary:
    """Counts of one simulation.

    Attributes:
        lists: lists shown.
        randomized_lists: those in random order.
        impressions: items shown in lists, each counted once.
        bot_sessions: sessions of bots.
        interactions: events written per signal, each counted once and with those below that are
            out of place; events later than the last log day are not written.
        unwritten_interactions: events that happen after the log's end.
        duplicate_impressions: rows written a second time.
        duplicate_interactions: lines written a second time.
        malformed_impressions: broken rows, beside the sound ones.
        malformed_interactions: broken lines, beside the sound ones.
        clicks_without_impression: clicks on items that were not shown in that list.
        clicks_before_impression: clicks that claim to precede what they click on.
    """

    lists: int = 0
    randomized_lists: int = 0
    impressions: int = 0
    bot_sessions: int = 0
    interactions: dict[str, int] = field(default_factory=dict)
    unwritten_interactions: int = 0
    duplicate_impressions: int = 0
    duplicate_interactions: int = 0
    malformed_impressions: int = 0
    malformed_interactions: int = 0
    clicks_without_impression: int = 0
    clicks_before_impression: int = 0

    def count_lists(self, lists: ShownLists) -> None:
        """Adds lists that were shown."""
        self.lists += len(lists.request_id)
        self.randomized_lists += int(lists.randomized.sum())

    def count_events(self, events: Events, signals: Sequence[str]) -> None:
        """Adds events that were written, whose signals are indices of these names."""
        counts = np.bincount(events.signal, minlength=len(signals)).tolist()
        for signal, count in zip(signals, counts, strict=True):
            self.interactions[signal] = self.interactions.get(signal, 0) + count
