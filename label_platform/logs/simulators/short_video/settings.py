"""What a simulated feed of short videos can be told to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from label_platform.logs.simulators.log_settings import LogSettings, require

LONGEST_RETENTION = 0.8


@dataclass(frozen=True)
class ShortVideoSettings(LogSettings):
    """Size and people of a simulated feed of short videos.

    Attributes:
        days: log days, one file each.
        start_date: the first of them.
        lists_per_day: feeds of `list_length` videos that are asked for a day; as many people use
            the platform, of whom some come on a given day and ask for several.
        seed: the same settings and seed give byte-identical files.
        logger: the ranker that made the feeds: by a score that has little to do with interest and
            favours long videos (weak), by about the true utility (strong), or in a new random
            order each time.
        randomized_share: share of feeds that are a uniformly random choice and order of
            `list_length` of the segment's candidates, flagged `randomized`.
        n_segments: groups of people with like interests; a segment is what logs call a query.
        n_unseen_segments: segments that stand only in the truth, for judging rankers on new ones.
        candidates_per_segment: videos retrieved for a segment, of which a feed shows some.
        n_videos: videos of the platform.
        list_length: positions of a feed.
        patience: per device the chance, on average over people, of going on to the next video.
            People are spread evenly over the devices.
        retention: how much likelier somebody comes back the next day whom everything interested
            than somebody whom nothing did.
    """

    n_segments: int = 600
    n_unseen_segments: int = 300
    candidates_per_segment: int = 30
    n_videos: int = 4000
    list_length: int = 10
    patience: Mapping[str, float] = field(default_factory=lambda: {"phone": 0.85, "tablet": 0.75})
    retention: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts("n_segments", "candidates_per_segment", "n_videos", "list_length")
        fine = 0 <= self.retention <= LONGEST_RETENTION
        require(fine, "retention", self.retention, f"0 to {LONGEST_RETENTION}")
        unseen = self.n_unseen_segments
        require(unseen >= 0, "n_unseen_segments", unseen, "0 or more")
        most = self.candidates_per_segment
        require(self.list_length <= most, "list_length", self.list_length, f"at most {most}")
        require(self.n_videos >= most, "n_videos", self.n_videos, f"at least {most}")
        require(bool(self.patience), "patience", "no device", "at least one")
        for device, chance in self.patience.items():
            require(0 < chance < 1, f"patience[{device}]", chance, "between 0 and 1")

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that people use."""
        return tuple(self.patience)

    @property
    def n_users(self) -> int:
        """How many people use the platform."""
        return max(20, self.lists_per_day)
