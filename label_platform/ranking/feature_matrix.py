"""Feature columns as the one float32 matrix that training and scoring share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from label_platform.ranking.errors import TrainingError
from label_platform.strict_yaml import nearest

Matrix = NDArray[np.float32]

_BIN_PARAMETERS = {
    "feature_pre_filter": False,  # resampled fits see the same features, however rare a value is
    "num_threads": 1,
    "verbosity": -1,
}


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Features of training rows, binned once for all fits on them.

    Attributes:
        matrix: shape (rows, features).
        names: of the columns.
    """

    matrix: Matrix
    names: tuple[str, ...]

    @cached_property
    def binned(self) -> lgb.Dataset:
        """The LightGBM dataset that subsets with labels of their own are taken from."""
        unlabelled = np.zeros(len(self.matrix), dtype=np.float32)
        return lgb.Dataset(self.matrix, unlabelled, params=dict(_BIN_PARAMETERS)).construct()

    def binned_like(self, reference: "FeatureMatrix") -> lgb.Dataset:
        """The LightGBM dataset with another matrix's bins, for validation."""
        unlabelled = np.zeros(len(self.matrix), dtype=np.float32)
        parameters = dict(_BIN_PARAMETERS)
        rows = lgb.Dataset(self.matrix, unlabelled, reference=reference.binned, params=parameters)
        return rows.construct()

    def without_last(self) -> "FeatureMatrix":
        """The matrix without its last column."""
        return FeatureMatrix(self.matrix[:, :-1], self.names[:-1])


def read_features(
    rows: pa.Table | pd.DataFrame, names: Sequence[str], last: NDArray[np.floating] | None = None
) -> Matrix:
    """Columns as a column-major float32 matrix; missing values become NaN.

    Each column is converted straight into its place, so nothing is held twice.

    Args:
        rows: holds the columns, in any order.
        names: of the columns.
        last: values of one more column at the end.

    Raises:
        TrainingError: a column is absent or not numeric.
    """
    width = len(names) + (last is not None)
    known = rows.column_names if isinstance(rows, pa.Table) else list(rows.columns)
    matrix: Matrix = np.empty((len(rows), width), dtype=np.float32, order="F")
    for number, name in enumerate(names):
        if name not in known:
            raise TrainingError(
                f"feature {name!r} is not among the columns; {nearest(name, known)}"
            )
        matrix[:, number] = _numbers(rows, name)
    if last is not None:
        matrix[:, -1] = last
    return matrix


def _numbers(rows: pa.Table | pd.DataFrame, name: str) -> Matrix:
    if isinstance(rows, pa.Table):
        column = rows.column(name)
        kind = column.type
        numeric = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        if numeric or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
            found: Matrix = column.cast(pa.float32(), safe=False).to_numpy()
            return found
    else:
        kind = rows[name].dtype
        if pd.api.types.is_numeric_dtype(kind):
            return rows[name].to_numpy(dtype=np.float32, na_value=np.nan)
    raise TrainingError(
        f"feature {name!r} is of type {kind}, rankers learn from numbers: leave it out of the "
        "problem's features, or log a number instead"
    )
