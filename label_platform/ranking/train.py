"""Training a ranker: on the label alone, or with an auxiliary label beside or before it."""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from label_platform.policy import RankerSpec
from label_platform.ranking.auxiliary import combine, continue_from
from label_platform.ranking.booster_trainer import BoosterTrainer
from label_platform.ranking.errors import TrainingError
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
    """Train a ranker once; see ``RankerTrainer`` for several fits on the same rows.

    Args:
        train: rows to learn from.
        validate: rows that decide after which round to stop; None trains all rounds.
        spec: which ranker.
        rounds: the most trees.
        seed: of LightGBM.
        multiplicity: how often each row counts; rows with 0 are left out.
        threads: that LightGBM may use; the trees do not depend on it.
        tune: by which labels the validation rows choose the weight of auxiliary scores.

    Raises:
        TrainingError: the rows hold nothing that this objective can learn from.
    """
    trainer = RankerTrainer(train, validate, spec, tune)
    return trainer.fit(rounds=rounds, seed=seed, multiplicity=multiplicity, threads=threads)


class RankerTrainer:
    """Fits on the same rows, binned and checked once; ``fit`` may be called from several threads.

    Args:
        train: rows to learn from.
        validate: rows that decide after which round to stop; None trains all rounds. Rows that
            have nothing to compare with count as none.
        spec: which ranker.
        tune: by which labels the validation rows choose the weight of auxiliary scores.

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
    ) -> None:
        self.train = train
        self.spec = spec
        self._tune = tune
        self._own = BoosterTrainer(train, validate, spec)
        self._auxiliary: BoosterTrainer | None = None
        if spec.auxiliary != "none":
            dense = None if validate is None else validate.auxiliary_side()
            try:
                self._auxiliary = BoosterTrainer(train.auxiliary_side(), dense, spec)
            except TrainingError as error:
                raise TrainingError(f"auxiliary label: {error}") from error

    def fit(
        self,
        *,
        rounds: int,
        seed: int,
        multiplicity: NDArray[np.integer] | None = None,
        threads: int = 1,
    ) -> Ranker:
        """Train once.

        Args:
            rounds: the most trees, of each of two boosters where there are two.
            seed: of LightGBM.
            multiplicity: how often each row counts; rows with 0 are left out.
            threads: that LightGBM may use; the trees do not depend on it.

        Raises:
            TrainingError: what multiplicity leaves holds nothing to learn from.
        """
        if self._auxiliary is None:
            return self._own.fit(
                rounds=rounds, seed=seed, multiplicity=multiplicity, threads=threads
            )
        try:
            second = self._auxiliary.fit(
                rounds=rounds, seed=seed, multiplicity=multiplicity, threads=threads
            )
        except TrainingError as error:
            raise TrainingError(f"auxiliary label: {error}") from error
        validate = self._own.validate
        start, continued = None, None
        if self.spec.auxiliary == "transfer":
            continued, start = continue_from(second, self.train, validate, multiplicity)
        own = self._own.fit(
            rounds=rounds, seed=seed, multiplicity=multiplicity, threads=threads, start=start
        )
        if continued is None:
            continued = combine(own, second, self.train, validate, multiplicity, self._tune)
        return replace(own, auxiliary=continued)
