"""Several yardsticks at once: what they all need scored is scored once per ranker."""

import hashlib
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.yardsticks import Measurement, Yardstick
from label_platform.ranking import Ranker


@dataclass(frozen=True, eq=False)
class Panel:
    """The yardsticks that arms are judged by.

    Attributes:
        yardsticks: with different names.
    """

    yardsticks: tuple[Yardstick, ...]

    @classmethod
    def of(cls, yardsticks: "Panel | Sequence[Yardstick]") -> "Panel":
        """A panel of these yardsticks; reuse it, since it prepares what rankers score."""
        return yardsticks if isinstance(yardsticks, Panel) else cls(tuple(yardsticks))

    @property
    def names(self) -> list[str]:
        """The yardsticks' names."""
        return [yardstick.name for yardstick in self.yardsticks]

    def measure(self, ranker: Ranker) -> dict[str, Measurement]:
        """What each yardstick says of a ranker."""
        distinct, rows = self._pooled
        scores = ranker.score(distinct) if len(distinct) else np.zeros(0)
        return {
            yardstick.name: yardstick.measure(scores[row])
            for yardstick, row in zip(self.yardsticks, rows, strict=True)
        }

    def refusal(self, reason: str) -> dict[str, Measurement]:
        """Every yardstick refused for the same reason."""
        return {name: Measurement(refused=reason) for name in self.names}

    @cached_property
    def _pooled(self) -> tuple[NDArray[np.float32], list[NDArray[np.intp]]]:
        """All distinct feature rows, and which of them each yardstick's rows are.

        The same items stand in many lists and yardsticks, and scoring is most of the work.
        """
        sizes = [len(yardstick.features) for yardstick in self.yardsticks]
        filled = [y.features for y, size in zip(self.yardsticks, sizes, strict=True) if size]
        if not filled:
            return np.zeros((0, 0), dtype=np.float32), [np.zeros(0, dtype=np.intp) for _ in sizes]
        stacked = np.ascontiguousarray(np.concatenate(filled), dtype=np.float32)
        row_bytes = np.dtype((np.void, stacked.shape[1] * stacked.itemsize))
        _, first, inverse = np.unique(
            stacked.view(row_bytes).ravel(), return_index=True, return_inverse=True
        )
        return stacked[first], np.split(inverse, np.cumsum(sizes)[:-1])

    @cached_property
    def digest(self) -> bytes:
        """Equal for panels of equal content within a process."""
        return hashlib.blake2b(pickle.dumps(self.yardsticks, protocol=5)).digest()

    def __iter__(self) -> Iterator[Yardstick]:
        return iter(self.yardsticks)
