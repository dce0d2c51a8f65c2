"""A trained ranker: text that scores the same wherever it is read."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from label_platform.ranking.errors import TrainingError
from label_platform.ranking.feature_matrix import Matrix, read_features

SCORING_POSITION = 1
"""All items are scored as if they stood here, so that only relevance tells them apart."""


@dataclass(frozen=True)
class Ranker:
    """A LightGBM ranker with position fixed.

    Attributes:
        objective: pointwise or lambdarank.
        position: the spec's position mode.
        feature_names: what a caller passes, in this order, without position.
        booster: LightGBM's own text.
        rounds: the trees it has.
    """

    objective: str
    position: str
    feature_names: tuple[str, ...]
    booster: str
    rounds: int

    @property
    def uses_position_feature(self) -> bool:
        """Whether the booster's last feature is the position."""
        return self.position in {"feature", "both"}

    @cached_property
    def _trees(self) -> lgb.Booster:
        return lgb.Booster(model_str=self.booster)

    def score(
        self,
        features: pd.DataFrame | pa.Table | NDArray[np.floating] | Sequence[Sequence[float]],
        threads: int = 1,
    ) -> NDArray[np.float64]:
        """Scores, one per row, higher is better; only comparable within one list.

        Args:
            features: columns by name, or an array whose columns are ``feature_names``.
            threads: that LightGBM may use.

        Raises:
            TrainingError: a feature is absent or not numeric, or the array's width differs.
        """
        matrix = self._matrix(features)
        if not len(matrix):
            return np.zeros(0)
        scores = self._trees.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(scores, dtype=np.float64)

    def _matrix(
        self, features: pd.DataFrame | pa.Table | NDArray[np.floating] | Sequence[Sequence[float]]
    ) -> Matrix:
        if isinstance(features, pd.DataFrame | pa.Table):
            position = np.full(len(features), SCORING_POSITION, dtype=np.float32)
            last = position if self.uses_position_feature else None
            return read_features(features, self.feature_names, last)
        values: Matrix = np.asarray(features, dtype=np.float32)
        width = len(self.feature_names)
        if values.ndim != 2 or values.shape[1] != width:
            raise TrainingError(
                f"found features of shape {values.shape}, expected (rows, {width}): "
                f"{', '.join(self.feature_names)}; position is added by the ranker itself"
            )
        if not self.uses_position_feature:
            return values
        position = np.full((len(values), 1), SCORING_POSITION, dtype=np.float32)
        return np.hstack([values, position])

    def to_json(self) -> str:
        """The ranker as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The ranker that ``to_json`` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "feature_names": tuple(fields["feature_names"])})
