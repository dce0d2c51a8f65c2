"""Several yardsticks at once: what they all need scored is scored once per ranker."""

import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.metrics import Integers
from label_platform.evaluation.off_policy_rankings import Rankings
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation.yardsticks import Measurement, Yardstick
from label_platform.ranking import Ranker

Key = tuple[str, str]
"""A yardstick's name and slice."""


@dataclass(frozen=True, eq=False)
class Panel:
    """The yardsticks that arms are judged by.

    Attributes:
        yardsticks: with different names or slices.
    """

    yardsticks: tuple[Yardstick, ...]

    @classmethod
    def of(cls, yardsticks: "Panel | Sequence[Yardstick]") -> "Panel":
        """A panel of these yardsticks; reuse it, since it prepares what rankers score."""
        return yardsticks if isinstance(yardsticks, Panel) else cls(tuple(yardsticks))

    @property
    def keys(self) -> list[Key]:
        """The yardsticks' names and slices."""
        return [(yardstick.name, yardstick.slice) for yardstick in self.yardsticks]

    @cached_property
    def evidence(self) -> Mapping[Key, Evidence]:
        """What each yardstick's numbers rest on."""
        found = zip(self.keys, map(_evidence, self.yardsticks), strict=True)
        return MappingProxyType(dict(found))

    def measure(self, ranker: Ranker) -> dict[Key, Measurement]:
        """What each yardstick says of a ranker."""
        distinct, rows = self._pooled
        scores = ranker.score(distinct) if len(distinct) else np.zeros(0)
        return {
            key: yardstick.measure(scores[row])
            for key, yardstick, row in zip(self.keys, self.yardsticks, rows, strict=True)
        }

    def refusal(self, reason: str) -> dict[Key, Measurement]:
        """Every yardstick refused for the same reason."""
        return {key: Measurement(refused=reason) for key in self.keys}

    @cached_property
    def _pooled(self) -> tuple[NDArray[np.float32], list[Integers]]:
        """All distinct feature rows, and which of them each yardstick's rows are.

        The same items stand in many lists, slices and yardsticks, and scoring is most of the work.
        """
        asked = [_rows_to_score(yardstick) for yardstick in self.yardsticks]
        matrices = {id(matrix): matrix for matrix, _ in asked if matrix.size}
        if not matrices:
            return np.zeros((0, 0), dtype=np.float32), [np.zeros(0, dtype=np.int64) for _ in asked]
        stacked = np.ascontiguousarray(np.concatenate([*matrices.values()]), dtype=np.float32)
        lengths = [len(matrix) for matrix in matrices.values()]
        starts = dict(zip(matrices, np.cumsum([0, *lengths[:-1]]).tolist(), strict=True))
        places = [rows + starts.get(id(matrix), 0) for matrix, rows in asked]
        used = np.zeros(len(stacked), dtype=np.bool_)
        for rows in places:
            used[rows] = True
        row_bytes = np.dtype((np.void, stacked.shape[1] * stacked.itemsize))
        kept = stacked[used]
        _, first, inverse = np.unique(
            kept.view(row_bytes).ravel(), return_index=True, return_inverse=True
        )
        distinct = np.zeros(len(stacked), dtype=np.int64)
        distinct[used] = inverse
        return kept[first], [distinct[rows] for rows in places]

    @cached_property
    def digest(self) -> bytes:
        """Equal for panels of equal content within a process."""
        return hashlib.blake2b(pickle.dumps(self.yardsticks, protocol=5)).digest()

    def __iter__(self) -> Iterator[Yardstick]:
        return iter(self.yardsticks)


def _rows_to_score(yardstick: Yardstick) -> tuple[NDArray[np.float32], Integers]:
    """A matrix and rows of it; slices of the same lists have the same matrix."""
    for source in (getattr(yardstick, "shown", None), getattr(yardstick, "rankings", None)):
        if isinstance(source, ShownLists | Rankings):
            return source.matrix, source.rows
    matrix = yardstick.features
    return matrix, np.arange(len(matrix))


def _evidence(yardstick: Yardstick) -> Evidence:
    own = getattr(yardstick, "evidence", None)
    if isinstance(own, Evidence):
        return own
    shown = getattr(yardstick, "shown", None)
    return shown.evidence if isinstance(shown, ShownLists) else Evidence()
