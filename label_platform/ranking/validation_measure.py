"""How good a ranker is on the validation rows, in the terms of what it was trained for.

    lists: mean nDCG@10 over the lists that have two different labels
    pointwise: sum w l(y, s) / sum w over all rows, l the squared error, or the log loss of log odds

Both are ratios of sums over lists, so lists can be drawn anew without ranking them again.
"""

from dataclasses import dataclass

import numpy as np

from label_platform.policy import RankerSpec
from label_platform.ranking.agreement import ndcg_at_10_by_list
from label_platform.ranking.comparable_lists import Floats, sizes_of_chosen
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.ranker import Ranker
from label_platform.ranking.training_data import TrainingData

_RESAMPLES = 1000
_AT_ONCE = 50
_BLOCKS = 20_000
"""Of more lists than this several are summed up and drawn together, so that memory is bounded: 50
resamples drawn at once take 8 MB."""


@dataclass(frozen=True, eq=False)
class Judgment:
    """What one ranker did in each validation list, or block of lists where they are many.

    Attributes:
        total: sum of the measure over each.
        mass: what it is divided by: of nDCG 1 a list, of a loss the weight.
    """

    total: Floats
    mass: Floats

    @property
    def value(self) -> float:
        """The measure over all lists."""
        return float(self.total.sum() / self.mass.sum())


@dataclass(frozen=True)
class PairedGain:
    """By how much one ranker is better than another on the same lists.

    Attributes:
        value: how much, above 0 is better whichever way the measure goes.
        low: of the 95% interval.
        high: likewise.
    """

    value: float
    low: float
    high: float

    @property
    def is_within_noise(self) -> bool:
        """Whether other lists of the same kind might have shown none."""
        return self.low <= 0


class ValidationMeasure:
    """Judges rankers of one spec on the same validation rows.

    Scores of ``auxiliary: combine`` are sums of two standardised ones and predict no label: their
    order is judged, also where the objective is pointwise.

    Args:
        validate: the rows; those without weight do not count.
        spec: what the rankers are trained for.

    Attributes:
        of_order: whether the order within lists is judged, not the prediction.
        lists: how many lists are judged.

    Raises:
        TrainingError: the rows say nothing of such a ranker.
    """

    def __init__(self, validate: TrainingData, spec: RankerSpec) -> None:
        self._validate = validate
        self._rows = np.flatnonzero(validate.weight > 0)
        if not len(self._rows):
            raise TrainingError(f"validation rows: all {len(validate)} have weight 0")
        self._sizes = sizes_of_chosen(self._rows, validate.group_sizes)
        self._label = validate.label[self._rows]
        self._loss = spec.loss
        self.of_order = spec.compares_within_lists or spec.auxiliary == "combine"
        self.lists = len(self._sizes)
        if self.of_order:
            self.lists = len(self._ndcg(np.zeros(len(validate))))
        if self.lists == 0:
            raise TrainingError(
                f"validation rows: none of {len(self._sizes)} lists has two different labels, so "
                "they tell no order from another; search a pointwise ranker, or validate on more "
                "days"
            )

    @property
    def name(self) -> str:
        """For people."""
        if self.of_order:
            return "nDCG@10 of the policy's label"
        return "weighted squared error" if self._loss == "squared" else "weighted log loss"

    @property
    def higher_is_better(self) -> bool:
        """False of a loss."""
        return self.of_order

    def judge(self, ranker: Ranker) -> Judgment:
        """What the ranker does in each list.

        An order is judged as it would be shown, with position fixed; a prediction where the label
        was observed.
        """
        matrix = self._validate.features.matrix
        if self.of_order:
            by_list = self._ndcg(ranker.score_rows(matrix))
            return self._judgment(by_list, np.ones(len(by_list)))
        score = ranker.score_rows(matrix, position_fixed=False)[self._rows]
        weight = self._validate.weight[self._rows]
        starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        total = np.add.reduceat(weight * self._losses(score), starts)
        return self._judgment(total, np.add.reduceat(weight, starts))

    def goodness(self, judgment: Judgment) -> float:
        """The measure turned so that higher is better."""
        return judgment.value if self.higher_is_better else -judgment.value

    def gain(self, of: Judgment, over: Judgment, seed: int) -> PairedGain:
        """The gain of one ranker over another, by a paired bootstrap over lists.

        Args:
            of: the one that may be better.
            over: the other.
            seed: of the resamples.
        """
        sign = 1 if self.higher_is_better else -1
        difference = sign * (of.total - over.total)
        lists, rng = len(difference), np.random.default_rng(seed)
        drawn = np.empty(_RESAMPLES)
        for first in range(0, _RESAMPLES, _AT_ONCE):
            chosen = rng.integers(0, lists, (_AT_ONCE, lists))
            mass = of.mass[chosen].sum(axis=1)
            drawn[first : first + _AT_ONCE] = difference[chosen].sum(axis=1) / mass
        low, high = np.quantile(drawn, (0.025, 0.975))
        return PairedGain(float(difference.sum() / of.mass.sum()), float(low), float(high))

    def _judgment(self, total: Floats, mass: Floats) -> Judgment:
        block = np.arange(len(total)) % _BLOCKS
        total, mass = (np.bincount(block, each).astype(np.float64) for each in (total, mass))
        return Judgment(total, mass)

    def _ndcg(self, score: Floats) -> Floats:
        return ndcg_at_10_by_list(self._label, score[self._rows], self._sizes)

    def _losses(self, score: Floats) -> Floats:
        if self._loss == "squared":
            return (score - self._label) ** 2
        losses: Floats = np.logaddexp(0, score) - self._label * score
        return losses
