"""Training one booster with LightGBM.

pointwise: least squares on the label. lambdarank: pairs of a list, gains linear in the label.

Fits run in one thread each, so that resampled fits can run side by side: on two busy cores two
threads in one fit waited for each other and took 6 to 20 times as long as one alone.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from label_platform.policy import RankerSpec
from label_platform.ranking.comparable_lists import (
    LEVELS,
    quantize_labels,
    rows_of_comparable_groups,
    sizes_of_chosen,
)
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.ranker import Ranker
from label_platform.ranking.training_data import Floats, Integers, TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable

_PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 31,
    "deterministic": True,
    "force_col_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
}
_OBJECTIVES: dict[str, dict[str, Any]] = {
    "pointwise": {"objective": "regression", "metric": "l2"},
    "lambdarank": {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "label_gain": list(range(LEVELS)),
        "lambdarank_truncation_level": 20,
    },
}
_PATIENCE = 20
_MIN_ROWS_IN_LEAF = 50


@dataclass(frozen=True, eq=False)
class Start:
    """Scores that training goes on from.

    Attributes:
        train: of each training row.
        validate: of each validation row, where there are such rows.
    """

    train: Floats
    validate: Floats | None


class BoosterTrainer:
    """Fits on the same rows, binned and checked once; ``fit`` may be called from several threads.

    Args:
        train: rows to learn from.
        validate: rows that decide after which round to stop; None trains all rounds. Rows that
            have nothing to compare with count as none.
        spec: which ranker; its auxiliary is not read.

    Raises:
        TrainingError: the rows hold nothing that this objective can learn from.
        ValueError: the rows were made for a ranker that uses position otherwise.
    """

    def __init__(
        self, train: TrainingData, validate: TrainingData | None, spec: RankerSpec
    ) -> None:
        if train.position_is_last != spec.uses_position_feature:
            raise ValueError(f"the rows were not made for a ranker with position: {spec.position}")
        self.train = train
        self.spec = spec
        _check_numbers(train)
        if validate is not None:
            _check_numbers(validate)
        self._low, self._high = _label_range(train)
        self._target, self._usable = self._targets(train)
        if not self._usable.any():
            raise TrainingError(_nothing_to_compare(train))
        self._binned = train.features.binned
        self.validate = validate
        self._validation = self._validation_rows()

    def fit(
        self,
        *,
        rounds: int,
        seed: int,
        multiplicity: NDArray[np.integer] | None = None,
        threads: int = 1,
        start: Start | None = None,
    ) -> Ranker:
        """Train once.

        Args:
            rounds: the most trees.
            seed: of LightGBM.
            multiplicity: how often each row counts; rows with 0 are left out.
            threads: that LightGBM may use; the trees do not depend on it.
            start: scores that the trees are added to; they are not part of the ranker.

        Raises:
            TrainingError: what multiplicity leaves holds nothing to learn from.
        """
        chosen = self._chosen(multiplicity)
        rows = self._subset(self._binned, self.train, self._target, chosen)
        validation = self._validation
        if start is not None:
            rows.set_init_score(start.train[chosen.rows])
            validation = self._validation_rows(start)
        stopping: list[Callable[..., Any]] = []
        if validation is not None:
            stopping.append(lgb.early_stopping(_PATIENCE, verbose=False))
        booster = lgb.train(
            self._parameters(seed, threads),
            rows,
            num_boost_round=rounds,
            valid_sets=[] if validation is None else [validation],
            callbacks=stopping,
        )
        best = booster.best_iteration if booster.best_iteration > 0 else booster.num_trees()
        text = booster.model_to_string(num_iteration=best)
        return Ranker(
            objective=self.spec.objective,
            position=self.spec.position,
            feature_names=self._feature_names,
            booster=re.sub(r"\[num_threads: \d+\]\n", "", text),
            rounds=best,
        )

    @property
    def _feature_names(self) -> tuple[str, ...]:
        names = self.train.features.names
        return names[:-1] if self.train.position_is_last else names

    def _parameters(self, seed: int, threads: int) -> dict[str, Any]:
        rows = len(self.train)
        return {
            **_PARAMETERS,
            **_OBJECTIVES[self.spec.objective],
            # a few dozen rows are still to be told apart
            "min_data_in_leaf": min(_MIN_ROWS_IN_LEAF, max(5, rows // 50)),
            "seed": seed,
            "num_threads": threads,
        }

    def _targets(self, rows: TrainingData) -> tuple[Floats, NDArray[np.bool_]]:
        """What LightGBM is to predict, and which rows it can learn from."""
        usable = rows.weight > 0
        if self.spec.objective == "pointwise":
            return rows.label, usable
        levels = quantize_labels(rows.label, self._low, self._high)
        # a row without weight must not make its list look comparable
        known = np.flatnonzero(usable)
        sizes = sizes_of_chosen(known, rows.group_sizes)
        comparable = np.zeros(len(rows), dtype=np.bool_)
        if len(known):
            comparable[known] = rows_of_comparable_groups(levels[known], sizes)
        return levels.astype(np.float64), comparable

    def _chosen(self, multiplicity: NDArray[np.integer] | None) -> "_Chosen":
        rows = np.flatnonzero(self._usable)
        weight = self.train.weight
        if multiplicity is None:
            return _Chosen(rows, weight[rows])
        counts = np.asarray(multiplicity)[rows]
        if self.spec.objective == "lambdarank" and self.train.units.kind == "item_id":
            # unequal weights within a list would bend its pairs: rows are repeated instead
            rows = np.repeat(rows, counts)
            chosen = _Chosen(rows, weight[rows])
        else:
            rows = rows[counts > 0]
            chosen = _Chosen(rows, weight[rows] * counts[counts > 0])
        if len(rows) == 0 or np.ptp(self._target[rows]) == 0:
            raise TrainingError("a resample of the training rows left nothing to compare")
        return chosen

    def _subset(
        self,
        binned: lgb.Dataset,
        data: TrainingData,
        target: Floats,
        chosen: "_Chosen",
    ) -> lgb.Dataset:
        subset = binned.subset(chosen.rows.astype(np.int32))  # type: ignore[arg-type] # arrays are taken too
        subset.construct()
        subset.set_label(target[chosen.rows])
        subset.set_weight(chosen.weight)
        if self.spec.objective == "lambdarank":
            subset.set_group(sizes_of_chosen(chosen.rows, data.group_sizes))
        return subset

    def _validation_rows(self, start: Start | None = None) -> lgb.Dataset | None:
        validate = self.validate
        if validate is None:
            return None
        target, usable = self._targets(validate)
        rows = np.flatnonzero(usable)
        if len(rows) == 0:
            return None
        binned = validate.features.binned_like(self.train.features)
        subset = self._subset(binned, validate, target, _Chosen(rows, validate.weight[rows]))
        if start is not None and start.validate is not None:
            subset.set_init_score(start.validate[rows])
        return subset


@dataclass(frozen=True)
class _Chosen:
    """Rows of one fit, ascending, and their weights."""

    rows: Integers
    weight: Floats


def _check_numbers(data: TrainingData) -> None:
    for name, values in (("label", data.label), ("weight", data.weight)):
        wrong = int((~np.isfinite(values)).sum())
        if wrong:
            raise TrainingError(
                f"{name}: {wrong} of {len(values)} rows are NaN or infinite, expected numbers"
            )
    if (data.weight < 0).any():
        raise TrainingError(f"weight: found {data.weight.min():g}, expected 0 or more")


def _label_range(train: TrainingData) -> tuple[float, float]:
    known = train.label[train.weight > 0]
    if len(known) == 0:
        raise TrainingError(f"all {len(train)} rows have weight 0: nothing to learn from")
    low, high = float(known.min()), float(known.max())
    if low == high == 0:
        raise TrainingError(f"no positives: the label is 0 in all {len(known)} rows")
    if low == high:
        raise TrainingError(f"constant labels: the label is {low:g} in all {len(known)} rows")
    return low, high


def _nothing_to_compare(train: TrainingData) -> str:
    if train.group_sizes.max() == 1:
        return (
            f"lambdarank has nothing to compare: all lists have one item "
            f"({len(train.group_sizes)} lists); use objective: pointwise"
        )
    return (
        f"lambdarank has nothing to compare: none of {len(train.group_sizes)} lists has two "
        "different labels; use objective: pointwise"
    )
