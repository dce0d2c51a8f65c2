"""Feature columns as the one float32 matrix that training and scoring share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.ranking.feature_codes import (
    NUMBERS_ONLY,
    Columns,
    FeatureCodes,
    Rows,
    as_columns,
    column_of,
)

Matrix = NDArray[np.float32]
ALL_ROWS = slice(None)

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
        codes: of those columns that were text.
    """

    matrix: Matrix
    names: tuple[str, ...]
    codes: FeatureCodes = NUMBERS_ONLY
    _binned: dict[int, lgb.Dataset] = field(default_factory=dict, init=False, repr=False)

    def binned(self, max_bin: int) -> lgb.Dataset:
        """The LightGBM dataset that subsets with labels of their own are taken from.

        Args:
            max_bin: the most bins of a feature.
        """
        if max_bin not in self._binned:
            unlabelled = np.zeros(len(self.matrix), dtype=np.float32)
            self._binned[max_bin] = self.dataset(max_bin, label=unlabelled)
        return self._binned[max_bin]

    def binned_like(self, reference: lgb.Dataset, max_bin: int) -> lgb.Dataset:
        """The LightGBM dataset with another one's bins, for validation."""
        unlabelled = np.zeros(len(self.matrix), dtype=np.float32)
        return self.dataset(max_bin, label=unlabelled, reference=reference)

    def dataset(self, max_bin: int, **fields: Any) -> lgb.Dataset:  # noqa: ANN401 - as LightGBM's
        """A LightGBM dataset of all rows.

        Args:
            max_bin: the most bins of a feature.
            fields: what ``lightgbm.Dataset`` takes beside the matrix, such as label and group.
        """
        text = [n for n, name in enumerate(self.names) if name in self.codes.vocabularies]
        return lgb.Dataset(
            self.matrix,
            params={**_BIN_PARAMETERS, "max_bin": max_bin},
            categorical_feature=text or "auto",
            **fields,
        ).construct()

    def without_last(self) -> "FeatureMatrix":
        """The matrix without its last column."""
        return FeatureMatrix(self.matrix[:, :-1], self.names[:-1], self.codes)


def read_features(
    rows: Columns | pd.DataFrame,
    names: Sequence[str],
    last: NDArray[np.floating] | None = None,
    codes: FeatureCodes = NUMBERS_ONLY,
    kept: Rows = ALL_ROWS,
) -> Matrix:
    """Columns as a column-major float32 matrix; missing values become NaN, text its codes.

    Each column is converted straight into its place, so nothing is held twice.

    Args:
        rows: holds the columns, in any order.
        names: of the columns.
        last: values of one more column at the end, of the rows that are kept.
        codes: the vocabularies of those columns that are text.
        kept: which rows, in which order.

    Raises:
        TrainingError: a column is absent, or neither numbers nor text that ``codes`` knows.
    """
    columns = as_columns(rows)
    length = len(range(columns.num_rows)[kept]) if isinstance(kept, slice) else len(kept)
    width = len(names) + (last is not None)
    matrix: Matrix = np.empty((length, width), dtype=np.float32, order="F")
    for number, name in enumerate(names):
        matrix[:, number] = codes.numbers(name, column_of(columns, name))[kept]
    if last is not None:
        matrix[:, -1] = last
    return matrix
