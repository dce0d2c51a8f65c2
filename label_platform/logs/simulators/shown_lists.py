"""The lists of one day: who asked, when, and what was shown."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.retrieval import Floats, Integers

DAY_MS = 86_400_000

_JITTER = 0.25


@dataclass(frozen=True)
class ShownLists:
    """One day of lists, in the order in which they were shown.

    Attributes:
        request_id: of each list.
        query: query index of each list.
        session_id: of each list.
        user: user index of each list.
        device: device index of each list.
        shown_at_ms: epoch milliseconds of each list.
        randomized: whether chance alone made the list.
        shown: candidate index by list and position, shape (lists, positions).
    """

    request_id: Integers
    query: Integers
    session_id: Integers
    user: Integers
    device: Integers
    shown_at_ms: Integers
    randomized: NDArray[np.bool_]
    shown: Integers


def epoch_ms(day: date) -> int:
    """The midnight with which a day begins, in UTC."""
    return int(np.datetime64(day, "ms").astype(np.int64))


def rank(
    scores: Floats, by_chance: NDArray[np.bool_], list_length: int, rng: np.random.Generator
) -> Integers:
    """What lists show.

    Args:
        scores: of the candidates, shape (lists, candidates).
        by_chance: lists in random order; in the others, only small changes are random.
        list_length: positions of a list.
        rng: where chance comes from.

    Returns:
        Candidate index by list and position.
    """
    noise = rng.normal(size=scores.shape)
    drawn = np.where(by_chance[:, None], noise, scores + _JITTER * noise)
    return np.argsort(-drawn, axis=1, kind="stable")[:, :list_length]
