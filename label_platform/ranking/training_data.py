"""Training rows of one part of a policy's examples, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from label_platform.policy import RankerSpec
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.feature_matrix import FeatureMatrix, read_features

POSITION = "position"
AUXILIARY_LABEL = "auxiliary_label"
MAX_GROUP_ROWS = 10_000
"""LightGBM fails on larger groups."""
MIN_RESAMPLING_UNITS = 30

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def from_examples(
        cls,
        examples: pa.Table | pd.DataFrame,
        spec: RankerSpec,
        feature_names: Sequence[str],
        part: Literal["train", "validate"] = "train",
    ) -> Self:
        """Rows of one part of the ``examples`` table.

        Rows are moved only if a group's rows are apart; a fixed order of rows is the caller's to
        give, since LightGBM's sums depend on it.

        Args:
            examples: in the layout of the ``examples`` table, all parts or one.
            spec: which ranker the rows are for.
            feature_names: the feature columns, without position.
            part: which rows to take.

        Raises:
            TrainingError: no rows, or a column that is absent, null or not numeric.
        """
        table = _rows_of(examples, part)
        if table.num_rows == 0:
            raise TrainingError(f"there are no rows with part {part!r} to learn from")
        table, group_sizes = _grouped(table)
        position = None
        names = tuple(feature_names)
        if spec.uses_position_feature:
            position = _floats(table, POSITION)
            names = (*names, POSITION)
        values = read_features(table, feature_names, position)
        return cls(
            features=FeatureMatrix(values, names),
            position_is_last=spec.uses_position_feature,
            label=_floats(table, "label"),
            weight=_weight(table, spec),
            raw_label=_floats(table, "raw_label"),
            raw_weight=_floats(table, "raw_weight"),
            group_sizes=group_sizes,
            units=_units(table),
            auxiliary_label=None if spec.auxiliary == "none" else _floats(table, AUXILIARY_LABEL),
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


def _rows_of(examples: pa.Table | pd.DataFrame, part: str) -> pa.Table:
    if isinstance(examples, pd.DataFrame):
        examples = pa.Table.from_pandas(examples, preserve_index=False)
    return examples.filter(pc.equal(examples.column("part"), part))


def _codes(column: pa.ChunkedArray) -> tuple[Integers, pa.Array]:
    """Each row's index into the distinct values, in the order of first appearance."""
    encoded = column.combine_chunks().dictionary_encode()
    if encoded.null_count:
        raise TrainingError(f"{encoded.null_count} rows have no group, query or item")
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary


def _grouped(table: pa.Table) -> tuple[pa.Table, Integers]:
    codes, _ = _codes(table.column("group_id"))
    if (np.diff(codes) < 0).any():
        order = np.argsort(codes, kind="stable")
        table, codes = table.take(order), codes[order]
    return table, split_large_groups(np.bincount(codes))


def split_large_groups(sizes: NDArray[np.integer]) -> Integers:
    """Group sizes with each group over the limit cut into full pieces and a rest."""
    if sizes.max(initial=0) <= MAX_GROUP_ROWS:
        return sizes.astype(np.int64)
    pieces: list[int] = []
    for size in sizes.tolist():
        full, rest = divmod(size, MAX_GROUP_ROWS)
        pieces += [MAX_GROUP_ROWS] * full + [rest] * (rest > 0)
    return np.array(pieces, dtype=np.int64)


def _units(table: pa.Table) -> ResamplingUnits:
    """Queries if there are enough of them; a log without queries calls them all one."""
    for kind in ("query_id", "group_id", "item_id"):
        codes, names = _codes(table.column(kind))
        if len(names) >= MIN_RESAMPLING_UNITS or kind == "item_id":
            break
    texts = np.array(names.cast(pa.string()).to_pylist(), dtype=np.str_)
    return ResamplingUnits(kind, texts, codes)


def _weight(table: pa.Table, spec: RankerSpec) -> Floats:
    weight = _floats(table, "weight")
    if spec.weight == "one":
        return weight
    evidence = _floats(table, spec.weight)
    missing = int(np.isnan(evidence).sum())
    if missing:
        raise TrainingError(
            f"weight: {spec.weight} is null in {missing} of {len(evidence)} rows: this policy "
            "does not estimate it; use weight: one"
        )
    return weight * evidence


def _floats(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        raise TrainingError(f"examples have no column {name!r}")
    found: Floats = table.column(name).cast(pa.float64(), safe=False).to_numpy()
    return found
