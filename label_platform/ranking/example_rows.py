"""The rows of one part of a policy's examples, column by column, groups together."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.ranking.comparable_lists import Floats, Integers
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.feature_codes import Columns, Rows

MAX_GROUP_ROWS = 10_000
"""LightGBM fails on larger groups."""
MIN_RESAMPLING_UNITS = 30


@dataclass(frozen=True)
class ResamplingUnits:
    """What a bootstrap draws as a whole: queries, or lists, or items where there are too few.

    Attributes:
        kind: the column that names them.
        names: of the distinct units, as text.
        codes: index into ``names`` of each row.
    """

    kind: str
    names: NDArray[np.str_]
    codes: Integers


@dataclass(frozen=True, eq=False)
class ExampleRows:
    """Rows of one part whose groups are contiguous; no column is copied before it is asked for.

    Attributes:
        columns: of all parts.
        kept: which rows, in which order; a slice where they already stand together.
        group_sizes: of the kept rows, none above LightGBM's limit.
    """

    columns: Columns
    kept: Rows
    group_sizes: Integers

    @classmethod
    def of_part(cls, columns: Columns, part: str) -> Self:
        """The rows of a part; they are moved only if a group's rows are apart.

        Raises:
            TrainingError: no such rows, or one without a group.
        """
        is_kept = pc.equal(columns.column("part"), part).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(is_kept)
        if len(rows) == 0:
            raise TrainingError(f"there are no rows with part {part!r} to learn from")
        kept = _as_slice(rows)
        codes, _ = _codes(_taken(columns.column("group_id"), kept))
        sizes = split_large_groups(np.bincount(codes))
        if (np.diff(codes) < 0).any():
            kept = rows[np.argsort(codes, kind="stable")]
        return cls(columns, kept, sizes)

    def floats(self, name: str) -> Floats:
        """A column of numbers, NaN where one is missing.

        Raises:
            TrainingError: there is no such column.
        """
        if name not in self.columns.column_names:
            raise TrainingError(f"examples have no column {name!r}")
        values = _taken(self.columns.column(name), self.kept)
        found: Floats = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return found

    def units(self) -> ResamplingUnits:
        """Queries if there are enough of them; a log without queries calls them all one."""
        for kind in ("query_id", "group_id", "item_id"):
            codes, names = _codes(_taken(self.columns.column(kind), self.kept))
            if len(names) >= MIN_RESAMPLING_UNITS or kind == "item_id":
                break
        texts = np.array(names.cast(pa.string()).to_pylist(), dtype=np.str_)
        return ResamplingUnits(kind, texts, codes)


def split_large_groups(sizes: NDArray[np.integer]) -> Integers:
    """Group sizes with each group over the limit cut into full pieces and a rest."""
    if sizes.max(initial=0) <= MAX_GROUP_ROWS:
        return sizes.astype(np.int64)
    pieces: list[int] = []
    for size in sizes.tolist():
        full, rest = divmod(size, MAX_GROUP_ROWS)
        pieces += [MAX_GROUP_ROWS] * full + [rest] * (rest > 0)
    return np.array(pieces, dtype=np.int64)


def _as_slice(rows: Integers) -> Rows:
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first == len(rows) - 1 else rows


def _taken(column: pa.ChunkedArray, kept: Rows) -> pa.ChunkedArray:
    if isinstance(kept, slice):
        return column.slice(kept.start, kept.stop - kept.start)
    return column.take(kept)


def _codes(column: pa.ChunkedArray) -> tuple[Integers, pa.Array]:
    """Each row's index into the distinct values, in the order of first appearance."""
    if column.null_count:
        raise TrainingError(f"{column.null_count} rows have no group, query or item")
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary
