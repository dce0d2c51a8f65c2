"""The columns that a logged ranker reads: the same for batches, for the server and for MLflow."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from label_platform.ranking import Ranker


@dataclass(frozen=True)
class InputColumn:
    """A column that a caller passes.

    Attributes:
        name: of the feature.
        kind: MLflow's name of its type.
    """

    name: str
    kind: Literal["double", "string"]


def input_columns(ranker: Ranker) -> tuple[InputColumn, ...]:
    """What a ranker reads, in its order; position is not among it, the ranker fixes it itself."""
    text = ranker.codes.vocabularies
    return tuple(
        InputColumn(name, "string" if name in text else "double") for name in ranker.feature_names
    )


def as_inputs(rows: pa.Table, columns: tuple[InputColumn, ...]) -> pa.Table:
    """Rows as they would arrive over HTTP: numbers as doubles, whatever a file stores them as.

    A 64-bit whole number has more digits than a double; both ways must lose the same ones.

    Args:
        rows: hold the columns, among others.
        columns: what the ranker reads; a column of another kind is left to its refusal.
    """
    for column in columns:
        index = rows.schema.get_field_index(column.name)
        if index >= 0 and column.kind == "double" and _is_number(rows.schema.field(index).type):
            numbers = rows.column(index).cast(pa.float64(), safe=False)
            rows = rows.set_column(index, column.name, numbers)
    return rows


def example_rows(columns: tuple[InputColumn, ...]) -> pd.DataFrame:
    """Two made-up rows for MLflow: noughts and ones, never a row that somebody caused.

    Args:
        columns: what the ranker reads.
    """
    made_up: dict[str, list[float] | list[str]] = {
        column.name: [0.0, 1.0] if column.kind == "double" else ["a", "b"] for column in columns
    }
    return pd.DataFrame(made_up)


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests) or bool(pa.types.is_null(kind))
