"""What a simulated product search can be told to be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Logger = Literal["weak", "strong", "random"]
ExaminationCurve = float | tuple[float, ...]

_SHARES = ("randomized_share", "trust_bias", "bot_share", "duplicate_share", "malformed_share")
_COUNTS = ("days", "lists_per_day", "n_queries", "candidates_per_query", "n_items", "list_length")


@dataclass(frozen=True)
class ProductSearchSettings:
    """Size, people and faults of a simulated product search.

    Attributes:
        days: log days, one file each.
        start_date: the first of them.
        lists_per_day: result lists shown a day, those of bots included.
        seed: the same settings and seed give byte-identical tables.
        logger: the ranker that made the lists: by a score that has little to do with relevance
            (weak), by about the true utility (strong), or in a new random order each time.
        randomized_share: share of lists that are a uniformly random choice and order of
            `list_length` of the query's candidates, flagged `randomized`.
        n_queries: queries that are logged.
        n_unseen_queries: queries that stand only in the truth, for judging rankers on new ones.
        candidates_per_query: items a query retrieves, of which a list shows some.
        n_items: items of the catalogue.
        list_length: positions of a list.
        examination: per device the probability that a position is looked at, given that the first
            is: an exponent e (position to the power of -e), or the probabilities themselves.
            Sessions are spread evenly over the devices.
        trust_bias: chance that an irrelevant item is clicked at position 1 because it stands
            there; at position k it is this / k. 0 is the pure position-based model.
        bot_share: share of sessions that show many lists in minutes and click on nearly all.
        duplicate_share: share of records sent twice.
        malformed_share: share of records of which a broken copy was sent too.
    """

    days: int = 10
    start_date: date = date(2026, 10, 1)
    lists_per_day: int = 5000
    seed: int = 0
    logger: Logger = "weak"
    randomized_share: float = 0.03
    n_queries: int = 3000
    n_unseen_queries: int = 1000
    candidates_per_query: int = 25
    n_items: int = 6000
    list_length: int = 10
    examination: Mapping[str, ExaminationCurve] = field(
        default_factory=lambda: {"desktop": 1.0, "mobile": 1.3}
    )
    trust_bias: float = 0.0
    bot_share: float = 0.002
    duplicate_share: float = 0.001
    malformed_share: float = 0.0005

    def __post_init__(self) -> None:
        for name in _COUNTS:
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in _SHARES:
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        require(self.seed >= 0, "seed", self.seed, "0 or more")
        require(self.n_unseen_queries >= 0, "n_unseen_queries", self.n_unseen_queries, "0 or more")
        known = get_args(Logger)
        require(self.logger in known, "logger", self.logger, " | ".join(known))
        most = self.candidates_per_query
        require(self.list_length <= most, "list_length", self.list_length, f"at most {most}")
        require(self.n_items >= most, "n_items", self.n_items, f"at least {most}")
        require(bool(self.examination), "examination", "no device", "at least one")
        for device, curve in self.examination.items():
            require(_is_curve(curve, self.list_length), f"examination[{device}]", curve, _CURVE)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that people use."""
        return tuple(self.examination)

    @property
    def log_days(self) -> list[date]:
        """All days of the log."""
        return [self.start_date + timedelta(days=n) for n in range(self.days)]

    def examination_table(self) -> NDArray[np.float64]:
        """P(examined) relative to position 1, of shape (devices, positions)."""
        positions = np.arange(1, self.list_length + 1, dtype=np.float64)
        return np.stack(
            [
                np.asarray(curve[: self.list_length], dtype=np.float64)
                if isinstance(curve, tuple)
                else positions**-curve
                for curve in self.examination.values()
            ]
        )

    def as_json(self) -> dict[str, object]:
        """The settings as JSON holds them."""
        return {**asdict(self), "start_date": self.start_date.isoformat()}


_CURVE = "an exponent >= 0, or one probability per position of which the first is 1"


def _is_curve(curve: ExaminationCurve, list_length: int) -> bool:
    if not isinstance(curve, tuple):
        return curve >= 0
    return len(curve) >= list_length and curve[0] == 1 and all(0 < value <= 1 for value in curve)


def require(fine: bool, name: str, found: object, expected: str) -> None:  # noqa: FBT001
    """Refuse a setting that is not fine.

    Raises:
        ValueError: names the setting, what was found and what was expected.
    """
    if not fine:
        raise ValueError(f"{name}: found {found!r}, expected {expected}")
