"""Training a ranker: on the label alone, or with an auxiliary label beside or before it."""

import copy
from dataclasses import replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from label_platform.policy import BoosterParameters, RankerSpec
from label_platform.ranking.auxiliary import combine, continue_from
from label_platform.ranking.booster_trainer import BoosterTrainer
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.fit_options import FitOptions, Watch
from label_platform.ranking.ranker import Ranker
from label_platform.ranking.training_data import TrainingData

Tune = Literal["label", "both"]


def fit_ranker(
    train: TrainingData,
    validate: TrainingData | None,
    spec: RankerSpec,
    *,
    rounds: int,
    seed: int,
    multiplicity: NDArray[np.integer] | None = None,
    threads: int = 1,
    tune: Tune = "label",
) -> Ranker:
    """Train a ranker once.

    The arguments are those of ``RankerTrainer`` and of ``FitOptions``.

    Raises:
        TrainingError: the rows hold nothing that this objective can learn from.
    """
    trainer = RankerTrainer(train, validate, spec, tune, once=multiplicity is None)
    return trainer.fit(rounds=rounds, seed=seed, multiplicity=multiplicity, threads=threads)


class RankerTrainer:
    """Fits on the same rows, checked once; ``fit`` may be called from several threads.

    Args:
        train: rows to learn from.
        validate: rows that decide after which round to stop; None trains all rounds. Rows that
            have nothing to compare with count as none.
        spec: which ranker.
        tune: by which labels the validation rows choose the weight of auxiliary scores.
        once: there will be one fit, without multiplicity.

    Raises:
        TrainingError: the rows hold nothing that this objective can learn from, or no auxiliary
            label where the ranker wants one.
        ValueError: the rows were made for a ranker that uses position otherwise.
    """

    def __init__(
        self,
        train: TrainingData,
        validate: TrainingData | None,
        spec: RankerSpec,
        tune: Tune = "label",
        *,
        once: bool = False,
    ) -> None:
        self.train = train
        self.spec = spec
        self._tune = tune
        self._own = BoosterTrainer(train, validate, spec, once=once)
        self._auxiliary: BoosterTrainer | None = None
        if spec.auxiliary != "none":
            dense = None if validate is None else validate.auxiliary_side()
            try:
                second = train.auxiliary_side()
                self._auxiliary = BoosterTrainer(second, dense, spec, once=once)
            except TrainingError as error:
                raise TrainingError(f"auxiliary label: {error}") from error

    def with_parameters(self, parameters: BoosterParameters) -> Self:
        """The same rows under other parameters of LightGBM, not checked or binned again.

        Raises:
            ValueError: max_bin is not that of the bins.
        """
        other = copy.copy(self)
        own = self._own.with_parameters(parameters)
        other.spec = own.spec
        other._own = own  # noqa: SLF001 - another one of the same class
        if self._auxiliary is not None:
            second = self._auxiliary.with_parameters(parameters)
            other._auxiliary = second  # noqa: SLF001 - as above
        return other

    def fit(
        self,
        *,
        rounds: int,
        seed: int,
        multiplicity: NDArray[np.integer] | None = None,
        threads: int = 1,
        watch: Watch | None = None,
    ) -> Ranker:
        """Train once; see ``FitOptions`` for the arguments.

        Raises:
            TrainingError: what multiplicity leaves holds nothing to learn from.
        """
        options = FitOptions(rounds, seed, multiplicity, threads, watch)
        if self._auxiliary is None:
            return self._own.fit(options)
        try:
            second = self._auxiliary.fit(replace(options, watch=None))
        except TrainingError as error:
            raise TrainingError(f"auxiliary label: {error}") from error
        validate = self._own.validate
        start, continued = None, None
        if self.spec.auxiliary == "transfer":
            continued, start = continue_from(second, self.train, validate, multiplicity)
        own = self._own.fit(options, start)
        if continued is None:
            continued = combine(own, second, self.train, validate, multiplicity, self._tune)
        return replace(own, auxiliary=continued)
