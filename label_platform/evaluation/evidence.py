"""What a number rests on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """The data that a yardstick looks at, whatever the ranker.

    Attributes:
        lists: that are re-ranked; queries of a simulation's truth, people of a feed.
        positives: clicks on them, or items with anything good.
        days: on which they were shown; 0 where that is not known.
        randomized_share: of the lists; NaN where it means nothing.
    """

    lists: int = 0
    positives: int = 0
    days: int = 0
    randomized_share: float = float("nan")
