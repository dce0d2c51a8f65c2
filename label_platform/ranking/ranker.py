"""A trained ranker: text that scores the same wherever it is read."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from label_platform.ranking.errors import TrainingError
from label_platform.ranking.feature_codes import NUMBERS_ONLY, FeatureCodes
from label_platform.ranking.feature_matrix import Matrix, read_features

SCORING_POSITION = 1
"""All items are scored as if they stood here, so that only relevance tells them apart."""


@dataclass(frozen=True)
class Standardisation:
    """z(s) = (s - mean) / deviation, by numbers that do not depend on what is scored together."""

    mean: float
    deviation: float

    def of(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scores, standardised."""
        return (scores - self.mean) / self.deviation


@dataclass(frozen=True)
class AuxiliaryScores:
    """A second booster, trained on the auxiliary label, and how it enters the ranker's scores.

        score = own(s1) + weight * second(s2)

    Attributes:
        booster: LightGBM's own text.
        rounds: the trees it has.
        own: what the ranker's own scores s1 go through: combine: to mean 0 and deviation 1 of the
            training rows; transfer: back to the scale of the label.
        second: what the scores s2 go through: to mean 0 and deviation 1 of the training rows.
        weight: lambda of combine; the scale of the start of transfer.
        tuned_by: what the weight was chosen by.
    """

    booster: str
    rounds: int
    own: Standardisation
    second: Standardisation
    weight: float
    tuned_by: str

    @cached_property
    def _trees(self) -> lgb.Booster:
        return lgb.Booster(model_str=self.booster)

    def added_to(
        self, scores: NDArray[np.float64], matrix: Matrix, threads: int
    ) -> NDArray[np.float64]:
        """The ranker's scores, given what its own booster says of the rows."""
        return self.own.of(scores) + self.weight * self.second.of(
            _predict(self._trees, matrix, threads)
        )

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """From the fields as JSON holds them."""
        own, second = (Standardisation(**fields[name]) for name in ("own", "second"))
        return cls(**{**fields, "own": own, "second": second})


@dataclass(frozen=True)
class Ranker:
    """A LightGBM ranker with position fixed.

    Attributes:
        objective: pointwise, lambdarank or rank_xendcg.
        position: the spec's position mode.
        feature_names: what a caller passes, in this order, without position.
        booster: LightGBM's own text.
        rounds: the trees it has.
        auxiliary: what a second booster, on the policy's auxiliary label, adds to the scores.
        loss: of pointwise; scores of binary and cross_entropy are log odds.
        codes: the vocabularies of the features that are text.
        warnings: what was wrong with the training rows and did not keep them from training.
    """

    objective: str
    position: str
    feature_names: tuple[str, ...]
    booster: str
    rounds: int
    auxiliary: AuxiliaryScores | None = None
    loss: str = "squared"
    codes: FeatureCodes = NUMBERS_ONLY
    warnings: tuple[str, ...] = ()

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
            features: columns by name, or an array of numbers whose columns are ``feature_names``;
                what is text stands in an array as its codes.
            threads: that LightGBM may use.

        Raises:
            TrainingError: a feature is absent or not of training's kind, or the array's width
                differs.
        """
        return self._score(self._matrix(features), threads)

    def score_rows(self, matrix: Matrix, *, position_fixed: bool = True) -> NDArray[np.float64]:
        """Scores of training rows, whose last column is the position where the ranker uses it.

        Args:
            matrix: in the layout of training rows.
            position_fixed: score as if all stood at the scoring position, as ``score`` does.
        """
        if self.uses_position_feature and position_fixed:
            matrix = matrix.copy(order="K")
            matrix[:, -1] = SCORING_POSITION
        return self._score(matrix, threads=1)

    def _score(self, matrix: Matrix, threads: int) -> NDArray[np.float64]:
        if not len(matrix):
            return np.zeros(0)
        scores = _predict(self._trees, matrix, threads)
        if self.auxiliary is None:
            return scores
        return self.auxiliary.added_to(scores, matrix, threads)

    def _matrix(
        self, features: pd.DataFrame | pa.Table | NDArray[np.floating] | Sequence[Sequence[float]]
    ) -> Matrix:
        if isinstance(features, pd.DataFrame | pa.Table):
            position = np.full(len(features), SCORING_POSITION, dtype=np.float32)
            last = position if self.uses_position_feature else None
            return read_features(features, self.feature_names, last, self.codes)
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
        auxiliary = fields.get("auxiliary")
        return cls(
            **{
                **fields,
                "feature_names": tuple(fields["feature_names"]),
                "auxiliary": AuxiliaryScores.from_fields(auxiliary) if auxiliary else None,
                "codes": FeatureCodes.from_fields(fields.get("codes")),
                "warnings": tuple(fields.get("warnings", ())),
            }
        )


def _predict(trees: lgb.Booster, matrix: Matrix, threads: int) -> NDArray[np.float64]:
    scores = trees.predict(matrix, raw_score=True, num_threads=threads)
    return np.asarray(scores, dtype=np.float64)
