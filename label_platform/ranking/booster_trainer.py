"""Training one booster with LightGBM.

Fits run in one thread each, so that resampled fits can run side by side: on two busy cores two
threads in one fit waited for each other and took 6 to 20 times as long as one alone.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from label_platform.policy import BoosterParameters, RankerSpec
from label_platform.ranking.comparable_lists import (
    Floats,
    Integers,
    rows_of_comparable_groups,
    sizes_of_chosen,
)
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.feature_warnings import feature_warnings
from label_platform.ranking.fit_options import FitOptions, Start, Watch
from label_platform.ranking.objectives import LabelScale, check_labels, objective_parameters
from label_platform.ranking.ranker import Ranker
from label_platform.ranking.training_checks import (
    check_numbers,
    learnable_labels,
    list_warnings,
    nothing_to_compare,
)
from label_platform.ranking.training_data import TrainingData

_ALWAYS: dict[str, Any] = {
    "deterministic": True,
    "force_col_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
}
_MIN_ROWS_IN_LEAF = 50
_WORTH_LEAVING_OUT = 0.05
"""The share of rows in lists with nothing to compare from which on they are left out. They pull at
no tree; leaving them out takes a copy of the rest, and fits are quicker by their share."""


class BoosterTrainer:
    """Fits on the same rows, checked once; ``fit`` may be called from several threads.

    Args:
        train: rows to learn from.
        validate: rows that decide after which round to stop; None trains all rounds. Rows that
            have nothing to compare with count as none.
        spec: which ranker; its auxiliary is not read.
        once: there will be one fit, so the rows need no bins that others could share.

    Raises:
        TrainingError: the rows hold nothing that this objective can learn from.
        ValueError: the rows were made for a ranker that uses position otherwise.
    """

    def __init__(
        self,
        train: TrainingData,
        validate: TrainingData | None,
        spec: RankerSpec,
        *,
        once: bool = False,
    ) -> None:
        biased = spec.position == "lightgbm_bias"
        if train.position_is_last != spec.uses_position_feature or (
            biased and train.logged_position is None
        ):
            raise ValueError(f"the rows were not made for a ranker with position: {spec.position}")
        self.train = train
        self.validate = validate
        self.spec = spec
        self._max_bin = spec.parameters.max_bin
        check_numbers(train)
        self._scale = LabelScale.of(learnable_labels(train), spec)
        self._rows = self._usable(train)
        if not self._rows.comparable.any():
            raise TrainingError(nothing_to_compare(train, spec.objective))
        as_they_are = (
            once and bool(self._rows.known.all()) and _are_worth_keeping(self._rows.comparable)
        )
        self._binned = None if as_they_are else train.features.binned(self._max_bin)
        self._validated = None if validate is None else self._usable_to_validate(validate)
        self._validation_bins: lgb.Dataset | None = None
        if self._binned is not None and validate is not None and not once:
            self._validation_bins = validate.features.binned_like(self._binned, self._max_bin)
        self._warnings = (*feature_warnings(train.features), *list_warnings(train, spec))

    def with_parameters(self, parameters: BoosterParameters) -> Self:
        """The same rows under other parameters of LightGBM, not checked or binned again.

        Raises:
            ValueError: max_bin is not that of the bins.
        """
        if parameters.max_bin != self._max_bin:
            raise ValueError(f"the rows have {self._max_bin} bins, found {parameters.max_bin}")
        other = copy.copy(self)
        other.spec = self.spec.model_copy(update={"parameters": parameters})
        return other

    def fit(self, options: FitOptions, start: Start | None = None) -> Ranker:
        """Train once.

        Args:
            options: of this fit.
            start: scores that the trees are added to; they are not part of the ranker.

        Raises:
            TrainingError: what multiplicity leaves holds nothing to learn from.
        """
        rows = self._training_rows(options.multiplicity, start)
        validation = self._validation_rows(rows, start)
        patience = self.spec.parameters.early_stopping_rounds
        judged = [] if validation is None or patience == 0 else [validation]
        callbacks: list[Callable[..., Any]] = []
        if judged:
            callbacks.append(lgb.early_stopping(patience, verbose=False))
        if options.watch is not None:
            callbacks.append(_told(options.watch))
        booster = lgb.train(
            self._parameters(options),
            rows,
            num_boost_round=self.spec.parameters.rounds or options.rounds,
            valid_sets=judged,
            callbacks=callbacks,
        )
        return self._ranker(booster)

    def _ranker(self, booster: lgb.Booster) -> Ranker:
        best = booster.best_iteration if booster.best_iteration > 0 else booster.num_trees()
        text = booster.model_to_string(num_iteration=best)
        names = self.train.features.names
        return Ranker(
            objective=self.spec.objective,
            position=self.spec.position,
            feature_names=names[:-1] if self.train.position_is_last else names,
            booster=re.sub(r"\[num_threads: \d+\]\n", "", text),
            rounds=best,
            loss=self.spec.loss,
            codes=self.train.features.codes,
            warnings=self._warnings,
        )

    def _parameters(self, options: FitOptions) -> dict[str, Any]:
        rows = len(self.train)
        return {
            **_ALWAYS,
            # a few dozen rows are still to be told apart
            "min_data_in_leaf": min(_MIN_ROWS_IN_LEAF, max(5, rows // 50)),
            **self.spec.parameters.of_trees(),
            **objective_parameters(self.spec),
            "seed": options.seed,
            # LightGBM sums what it learns of positions by thread
            "num_threads": 1 if self.spec.position == "lightgbm_bias" else options.threads,
        }

    def _usable(self, data: TrainingData) -> "_Usable":
        """What LightGBM is to predict, and which rows it can learn from."""
        known = data.weight > 0
        target = self._scale.targets(data.label)
        if not self.spec.compares_within_lists:
            return _Usable(target, known, known)
        # a row without weight must not make its list look comparable
        rows = np.flatnonzero(known)
        comparable = np.zeros(len(data), dtype=np.bool_)
        if len(rows):
            sizes = sizes_of_chosen(rows, data.group_sizes)
            comparable[rows] = rows_of_comparable_groups(target[rows], sizes)
        return _Usable(target, known, comparable)

    def _usable_to_validate(self, validate: TrainingData) -> "_Usable":
        check_numbers(validate)
        try:
            check_labels(validate.label[validate.weight > 0], self.spec)
        except TrainingError as error:
            raise TrainingError(f"validation rows: {error}") from error
        return self._usable(validate)

    def _training_rows(
        self, multiplicity: NDArray[np.integer] | None, start: Start | None
    ) -> lgb.Dataset:
        if self._binned is not None:
            chosen = self._chosen(multiplicity)
            first = None if start is None else start.train
            return self._subset(self._binned, self.train, self._rows.target, chosen, first)
        if multiplicity is not None:
            raise ValueError("rows that are prepared for one fit cannot be resampled")
        within_lists = self.spec.compares_within_lists
        biased = self.spec.position == "lightgbm_bias"
        return self.train.features.dataset(
            self._max_bin,
            label=self._rows.target,
            weight=_unless_one(self.train.weight),
            group=self.train.group_sizes if within_lists else None,
            position=self.train.logged_position if biased else None,
            init_score=None if start is None else start.train,
        )

    def _chosen(self, multiplicity: NDArray[np.integer] | None) -> "_Chosen":
        rows = np.flatnonzero(self._rows.known)
        counts = np.ones(len(rows), dtype=np.int64)
        if multiplicity is not None:
            counts = np.asarray(multiplicity)[rows]
        if self.spec.compares_within_lists and self.train.units.kind == "item_id":
            # unequal weights within a list would bend its pairs: rows are repeated instead
            rows, counts = np.repeat(rows, counts), np.ones(counts.sum(), dtype=np.int64)
        rows, counts = rows[counts > 0], counts[counts > 0]
        comparable = self._rows.comparable[rows]
        compared = self._rows.target[rows][comparable]
        if len(compared) == 0 or np.ptp(compared) == 0:
            raise TrainingError("a resample of the training rows left nothing to compare")
        if not _are_worth_keeping(comparable):
            rows, counts = rows[comparable], counts[comparable]
        return _Chosen(rows, self.train.weight[rows] * counts)

    def _subset(
        self,
        binned: lgb.Dataset,
        data: TrainingData,
        target: Floats,
        chosen: "_Chosen",
        start: Floats | None,
    ) -> lgb.Dataset:
        rows = chosen.rows
        subset = binned.subset(rows.astype(np.int32))  # type: ignore[arg-type] # arrays are taken too
        subset.construct()
        subset.set_label(target[rows])
        subset.set_weight(_unless_one(chosen.weight))
        if self.spec.compares_within_lists:
            subset.set_group(sizes_of_chosen(rows, data.group_sizes))
        if self.spec.position == "lightgbm_bias" and data.logged_position is not None:
            subset.set_position(data.logged_position[rows])
        if start is not None:
            subset.set_init_score(start[rows])
        return subset

    def _validation_rows(self, reference: lgb.Dataset, start: Start | None) -> lgb.Dataset | None:
        if self.validate is None or self._validated is None or not self._validated.comparable.any():
            return None
        binned = self._validation_bins
        if binned is None:
            like = self._binned or reference
            binned = self.validate.features.binned_like(like, self._max_bin)
        rows = np.flatnonzero(self._validated.comparable)
        chosen = _Chosen(rows, self.validate.weight[rows])
        first = None if start is None else start.validate
        return self._subset(binned, self.validate, self._validated.target, chosen, first)


@dataclass(frozen=True, eq=False)
class _Usable:
    """What each row is to be predicted as, which have weight, and which of those say something."""

    target: Floats
    known: NDArray[np.bool_]
    comparable: NDArray[np.bool_]


@dataclass(frozen=True)
class _Chosen:
    """Rows of one fit, ascending, and their weights."""

    rows: Integers
    weight: Floats


def _told(watch: Watch) -> Callable[[lgb.callback.CallbackEnv], None]:
    def callback(state: lgb.callback.CallbackEnv) -> None:
        for _, _, value, higher_is_better, *_ in state.evaluation_result_list or ():
            watch(state.iteration + 1, value if higher_is_better else -value)

    return callback


def _are_worth_keeping(comparable: NDArray[np.bool_]) -> bool:
    return bool(comparable.mean() >= 1 - _WORTH_LEAVING_OUT)


def _unless_one(weight: Floats) -> Floats | None:
    """Weights of 1 left out, which spares LightGBM a histogram."""
    return None if (weight == 1).all() else weight
