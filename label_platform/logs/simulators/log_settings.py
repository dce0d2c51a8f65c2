"""What every simulated log can be told to be, whatever people do in it."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal, get_args

Logger = Literal["weak", "strong", "random"]


@dataclass(frozen=True)
class LogSettings(ABC):
    """Days, size and logging ranker.

    Attributes:
        days: log days, one file each.
        start_date: the first of them.
        lists_per_day: lists shown a day.
        seed: the same settings and seed give byte-identical files.
        logger: the ranker that made the lists.
        randomized_share: share of lists that are a uniformly random choice and order of
            candidates, flagged `randomized`.
    """

    days: int = 10
    start_date: date = date(2026, 10, 1)
    lists_per_day: int = 5000
    seed: int = 0
    logger: Logger = "weak"
    randomized_share: float = 0.03

    def __post_init__(self) -> None:
        self.require_counts("days", "lists_per_day")
        self.require_shares("randomized_share")
        require(self.seed >= 0, "seed", self.seed, "0 or more")
        known = get_args(Logger)
        require(self.logger in known, "logger", self.logger, " | ".join(known))

    @property
    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """The devices that people use."""

    @property
    def log_days(self) -> list[date]:
        """All days of the log."""
        return [self.start_date + timedelta(days=n) for n in range(self.days)]

    def as_json(self) -> dict[str, object]:
        """The settings as JSON holds them."""
        return {**asdict(self), "start_date": self.start_date.isoformat()}

    def require_counts(self, *names: str) -> None:
        """Refuse settings of these names that are not 1 or more."""
        for name in names:
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")

    def require_shares(self, *names: str) -> None:
        """Refuse settings of these names that are not between 0 and 1."""
        for name in names:
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")


def require(fine: bool, name: str, found: object, expected: str) -> None:  # noqa: FBT001
    """Refuse a setting that is not fine.

    Raises:
        ValueError: names the setting, what was found and what was expected.
    """
    if not fine:
        raise ValueError(f"{name}: found {found!r}, expected {expected}")
