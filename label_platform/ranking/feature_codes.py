"""Text features as numbers: each value's place among those of the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.ranking.errors import TrainingError
from label_platform.strict_yaml import nearest

MOST_VALUES = 10_000
"""Of a text feature. More are ids or free text, of which trees learn single rows by heart."""

Column = NDArray[np.float32]
Rows = slice | NDArray[np.int64]


class Columns(Protocol):
    """What features are read from: an Arrow table, or a file that is read column by column."""

    @property
    def column_names(self) -> list[str]:
        """Of all columns."""

    @property
    def num_rows(self) -> int:
        """Of each column."""

    @property
    def schema(self) -> pa.Schema:
        """The types of all columns, known without reading them."""

    def column(self, name: str, /) -> pa.ChunkedArray:
        """All values of a column."""


@dataclass(frozen=True)
class FeatureCodes:
    """The vocabularies of text features; a value's code is its place, counted from 0.

    Attributes:
        vocabularies: by feature, the distinct values of the training rows, sorted. Features that
            are not here are numbers.
    """

    vocabularies: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Columns | pd.DataFrame, names: Sequence[str]) -> Self:
        """The vocabularies of training rows; those of other parts, where rows have any, are not.

        Args:
            rows: hold the columns; where they have a column ``part``, those of train count.
            names: of the features; those that are not text are left out.

        Raises:
            TrainingError: a feature is absent, or has too many values.
        """
        columns = as_columns(rows)
        kept: pa.Array | None = None
        found = {}
        for name in names:
            if name in columns.column_names and not is_text(columns.schema.field(name).type):
                continue
            values = column_of(columns, name)
            if kept is None and "part" in columns.column_names:
                kept = pc.equal(columns.column("part"), "train")
            texts = _as_strings(values)
            found[name] = _vocabulary(name, texts if kept is None else texts.filter(kept))
        return cls(found)

    def numbers(self, name: str, values: pa.ChunkedArray | pa.Array) -> Column:
        """A column as float32: codes of text, and NaN where a value is missing or never seen.

        Raises:
            TrainingError: neither numbers nor text, or not what it was in training.
        """
        kind = values.type
        if pa.types.is_null(kind):
            return np.full(len(values), np.nan, dtype=np.float32)
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
            values = values.cast(kind)
        if is_text(kind):
            values = pc.index_in(_as_strings(values), value_set=self._values(name, kind))
        elif name in self.vocabularies:
            raise TrainingError(f"feature {name!r} is of type {kind}, it was text in training")
        elif not _is_number(kind):
            raise TrainingError(
                f"feature {name!r} is of type {kind}, rankers learn from numbers and text: leave "
                "it out of the problem's features, or log a number instead"
            )
        found: Column = values.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
        return found

    def _values(self, name: str, kind: pa.DataType) -> pa.Array:
        if name not in self.vocabularies:
            raise TrainingError(
                f"feature {name!r} is of type {kind}, and there are no training rows that say "
                "which of its values there are: here it must be a number"
            )
        return pa.array(self.vocabularies[name], pa.string())

    @classmethod
    def from_fields(cls, fields: dict[str, Any] | None) -> Self:
        """From the fields as JSON holds them; None: from a time when all features were numbers."""
        found = {} if fields is None else fields["vocabularies"]
        return cls({name: tuple(values) for name, values in found.items()})


NUMBERS_ONLY = FeatureCodes()


def as_columns(rows: Columns | pd.DataFrame) -> Columns:
    """The rows as something that has columns of Arrow."""
    if not isinstance(rows, pd.DataFrame):
        return rows
    table: Columns = _FrameColumns(rows)
    return table


def column_of(rows: Columns, name: str) -> pa.ChunkedArray:
    """A feature's column.

    Raises:
        TrainingError: there is no such column.
    """
    if name not in rows.column_names:
        hint = nearest(name, rows.column_names)
        raise TrainingError(f"feature {name!r} is not among the columns; {hint}")
    return rows.column(name)


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are text, be they stored once or many times."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


@dataclass(frozen=True, eq=False)
class _FrameColumns:
    """A data frame whose columns become Arrow's when they are asked for."""

    frame: pd.DataFrame

    @property
    def column_names(self) -> list[str]:
        return [str(name) for name in self.frame.columns]

    @property
    def num_rows(self) -> int:
        return len(self.frame)

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([(name, self._kind(name)) for name in self.column_names])

    def _kind(self, name: str) -> pa.DataType:
        kind = self.frame[name].dtype
        if isinstance(kind, np.dtype) and kind.kind in "biuf":
            return pa.from_numpy_dtype(kind)
        try:
            return self.column(name).type
        except TrainingError:
            return pa.null()  # who reads it is told then

    def column(self, name: str, /) -> pa.ChunkedArray:
        try:
            values = pa.array(self.frame[name], from_pandas=True)
        except pa.ArrowException as error:
            kind = self.frame[name].dtype
            raise TrainingError(
                f"feature {name!r} is of type {kind} with values of different kinds: {error}"
            ) from error
        return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )


def _as_strings(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    return values if values.type == pa.string() else values.cast(pa.string())


def _vocabulary(name: str, values: pa.ChunkedArray) -> tuple[str, ...]:
    distinct = pc.unique(values).drop_null()
    if len(distinct) > MOST_VALUES:
        raise TrainingError(
            f"feature {name!r} has {len(distinct):,} distinct values, expected at most "
            f"{MOST_VALUES:,}: leave it out of the problem's features, or log a coarser one"
        )
    return tuple(sorted(distinct.to_pylist()))
