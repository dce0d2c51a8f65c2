"""What a search for parameters is told, and what it finds."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from label_platform.policy import BoosterParameters
from label_platform.ranking.train import Tune
from label_platform.ranking.validation_measure import Judgment, PairedGain

_HALVINGS = 200

State = Literal["complete", "ended early", "out of time", "failed"]


@dataclass(frozen=True)
class Trial:
    """One choice of parameters, and what came of it.

    Attributes:
        number: from 1; 0 for the ranker as the policy has it.
        parameters: of LightGBM.
        state: only complete trials are judged.
        value: the measure on the validation rows; None if the trial was not judged.
        rounds: trees of the ranker; None likewise.
        judgment: list by list.
        reason: why it failed.
    """

    number: int
    parameters: BoosterParameters
    state: State
    value: float | None = None
    rounds: int | None = None
    judgment: Judgment | None = field(default=None, repr=False, compare=False)
    reason: str = ""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        measure: what trials were judged by.
        higher_is_better: whether it is no loss.
        lists: validation lists that were judged.
        before: the ranker as the policy has it.
        trials: in their order.
        best: the best of both.
        gain: of the best over the ranker as it is, on the lists that chose it.
        gain_elsewhere: the mean of what the best on a random half of the lists gains on the other
            half, which did not choose it.
    """

    measure: str
    higher_is_better: bool
    lists: int
    before: Trial
    trials: tuple[Trial, ...]
    best: Trial
    gain: PairedGain
    gain_elsewhere: float

    @property
    def is_within_noise(self) -> bool:
        """Whether the gain may be chance: of these lists, or of having been chosen by them."""
        return self.gain.is_within_noise or self.gain_elsewhere <= 0


@dataclass(frozen=True)
class SearchOptions:
    """How long and where from.

    Attributes:
        trials: how many choices are tried, besides the ranker as it is.
        seed: of the choices and of the resamples.
        timeout_s: no trial goes on after it; None for no limit.
        rounds: the most trees of the ranker as it is, where it does not say it itself.
        training_seed: of LightGBM, in every fit the same.
        tune: by which labels the weight of auxiliary scores is chosen.
    """

    trials: int
    seed: int
    rounds: int
    timeout_s: float | None = None
    training_seed: int = 0
    tune: Tune = "label"


def gain_elsewhere(judged: list[Judgment], *, higher_is_better: bool, seed: int) -> float:
    """What the best on half of the lists gains over the first on the other half, on average."""
    sign = 1 if higher_is_better else -1
    total = sign * np.stack([each.total for each in judged])
    mass = judged[0].mass
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(_HALVINGS):
        order = rng.permutation(len(mass))
        choosing, judging = np.array_split(order, 2)
        if not len(judging):
            return 0.0
        best = int(np.argmax(total[:, choosing].sum(axis=1)))
        difference = total[best, judging] - total[0, judging]
        gains.append(difference.sum() / mass[judging].sum())
    return float(np.mean(gains))
