"""What a simulated product search can be told to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.log_settings import LogSettings, require

ExaminationCurve = float | tuple[float, ...]


@dataclass(frozen=True)
class ProductSearchSettings(LogSettings):
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
        super().__post_init__()
        self.require_counts("n_queries", "candidates_per_query", "n_items", "list_length")
        self.require_shares("trust_bias", "bot_share", "duplicate_share", "malformed_share")
        require(self.n_unseen_queries >= 0, "n_unseen_queries", self.n_unseen_queries, "0 or more")
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


_CURVE = "an exponent >= 0, or one probability per position of which the first is 1"


def _is_curve(curve: ExaminationCurve, list_length: int) -> bool:
    if not isinstance(curve, tuple):
        return curve >= 0
    return len(curve) >= list_length and curve[0] == 1 and all(0 < value <= 1 for value in curve)
