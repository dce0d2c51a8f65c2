"""Training rows of one part of a policy's examples, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.policy import RankerSpec
from label_platform.ranking.comparable_lists import Floats, Integers
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.example_rows import ExampleRows, ResamplingUnits
from label_platform.ranking.feature_codes import Columns, FeatureCodes, as_columns
from label_platform.ranking.feature_matrix import FeatureMatrix, read_features

POSITION = "position"
AUXILIARY_LABEL = "auxiliary_label"


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training rows whose groups are contiguous.

    Attributes:
        features: with the logged position as the last feature where the ranker uses it.
        position_is_last: whether it does.
        label: of each row.
        weight: the row's own weight times what the ranker's spec multiplies it by.
        raw_label: what raw clicks say of the same row.
        raw_weight: how much they say of it.
        group_sizes: rows of each group; one group is a list, or a query at query-item grain.
        units: what resampling draws.
        auxiliary_label: of each row, for rankers that learn it too.
        logged_position: of each row, 0 where it was not shown, for LightGBM's own position bias.
    """

    features: FeatureMatrix
    position_is_last: bool
    label: Floats
    weight: Floats
    raw_label: Floats
    raw_weight: Floats
    group_sizes: Integers
    units: ResamplingUnits
    auxiliary_label: Floats | None = None
    logged_position: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def from_examples(
        cls,
        examples: Columns | pd.DataFrame,
        spec: RankerSpec,
        feature_names: Sequence[str],
        part: Literal["train", "validate"] = "train",
        codes: FeatureCodes | None = None,
    ) -> Self:
        """Rows of one part of the ``examples`` table.

        Rows are moved only if a group's rows are apart; a fixed order of rows is the caller's to
        give, since LightGBM's sums depend on it.

        Args:
            examples: in the layout of the ``examples`` table, all parts or one.
            spec: which ranker the rows are for.
            feature_names: the feature columns, without position.
            part: which rows to take.
            codes: of text features; None: those of the training rows among the examples.

        Raises:
            TrainingError: no rows, a column that is absent or null, or a feature that is neither
                numbers nor text.
        """
        columns = as_columns(examples)
        rows = ExampleRows.of_part(columns, part)
        units = rows.units()
        if codes is None:
            codes = FeatureCodes.of(columns, feature_names)
        last = rows.floats(POSITION) if spec.uses_position_feature else None
        names = (*feature_names, *([] if last is None else [POSITION]))
        matrix = read_features(columns, feature_names, last, codes, rows.kept)
        return cls(
            features=FeatureMatrix(matrix, names, codes),
            position_is_last=spec.uses_position_feature,
            label=rows.floats("label"),
            weight=_weight(rows, spec),
            raw_label=rows.floats("raw_label"),
            raw_weight=rows.floats("raw_weight"),
            group_sizes=rows.group_sizes,
            units=units,
            auxiliary_label=None if spec.auxiliary == "none" else rows.floats(AUXILIARY_LABEL),
            logged_position=_logged_position(rows, spec),
        )

    def with_labels(self, label: NDArray[np.floating], weight: NDArray[np.floating]) -> Self:
        """The same rows, features and bins under other labels, such as true relevance."""
        if len(label) != len(self) or len(weight) != len(self):
            raise TrainingError(
                f"found {len(label)} labels and {len(weight)} weights for {len(self)} rows"
            )
        return replace(
            self,
            label=np.asarray(label, dtype=np.float64),
            weight=np.asarray(weight, dtype=np.float64),
        )

    def raw_side(self) -> Self:
        """The same rows as raw clicks label and weight them, without position as a feature.

        Position as a feature is a way to debias, so it is part of what is compared.
        """
        rows = self
        if self.position_is_last:
            rows = replace(self, features=self.features.without_last(), position_is_last=False)
        return replace(rows.with_labels(self.raw_label, self.raw_weight), auxiliary_label=None)

    def auxiliary_side(self) -> Self:
        """The same rows as the auxiliary label labels them, and as the label weighs them.

        Raises:
            TrainingError: the rows were made for a ranker that does not use the auxiliary label.
        """
        if self.auxiliary_label is None:
            raise TrainingError(
                "the rows have no auxiliary label: they were made for a ranker without auxiliary"
            )
        return self.with_labels(self.auxiliary_label, self.weight)


def _logged_position(rows: ExampleRows, spec: RankerSpec) -> NDArray[np.int32] | None:
    """What was never shown has a place of its own."""
    if spec.position != "lightgbm_bias":
        return None
    return np.nan_to_num(rows.floats(POSITION), nan=0.0).astype(np.int32)


def _weight(rows: ExampleRows, spec: RankerSpec) -> Floats:
    weight = rows.floats("weight")
    if spec.weight == "one":
        return weight
    column = spec.weight.removeprefix("sqrt_")
    evidence = rows.floats(column)
    if column != spec.weight:
        evidence = np.sqrt(evidence)
    # what was never shown counts as its own weight says: nobody's looks are evidence of it
    evidence = np.where(rows.floats("impressions") == 0, 1.0, evidence)
    missing = int(np.isnan(evidence).sum())
    if missing:
        raise TrainingError(
            f"weight: {spec.weight} is null in {missing} of {len(evidence)} rows: this policy "
            "does not estimate it; use weight: one"
        )
    return weight * evidence
