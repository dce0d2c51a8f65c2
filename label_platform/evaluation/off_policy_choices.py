"""Targets on logs of single items: the uniform choice, or what logging did itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Integers
from label_platform.evaluation.off_policy import (
    DEFAULT_CLIP,
    OffPolicyEstimate,
    estimate_click_rate,
    units_of,
)
from label_platform.evaluation.off_policy_answer import Side, TargetAnswer, TargetValue
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation_settings import OffPolicyEstimator
from label_platform.ranking.relevance_model import cross_fitted_labels

MAX_MODELLED_ROWS = 5_000_000
"""Rows times items: what a model is asked about for doubly robust estimates."""


@dataclass(frozen=True, eq=False)
class ChoiceTargets:
    """A log whose lists have one item each, chosen by chance with a known probability.

    Attributes:
        shown: all of it; items with ids.
        clip: weights are cut at 1 / clip by clipped and doubly robust estimates.
    """

    shown: ShownLists
    clip: float = DEFAULT_CLIP

    def answer(
        self,
        target: Literal["uniform", "logging"],
        wanted: str,
        estimators: Sequence[OffPolicyEstimator],
    ) -> TargetAnswer:
        """A target's click rate from the old log, beside that seen on randomised impressions.

        Args:
            target: what it chooses: every item as often, or as logging does.
            wanted: where logging propensities come from: ``auto``, ``logged`` or ``estimated``.
            estimators: in the order of the answer.
        """
        measure = f"click rate of one item of {self.items}, at the positions of the log"
        old, by_chance = ~self.shown.randomized, self.shown.randomized
        if target == "logging":
            seen, beside = self._seen(old), "the randomised slice does not choose as logging does"
            return TargetAnswer(measure, seen, self._refused("own_choice", by_chance, beside))
        passed_over = {}
        probability = self._logged(old)
        source = "logged_choice"
        if wanted == "estimated" or (wanted == "auto" and isinstance(probability, str)):
            if wanted == "auto":
                passed_over["logged"] = str(probability)
            probability, source = self._counted(old), "counted_choice"
        if not old.any():
            probability = "there is no impression that was not randomised"
        side = (
            self._refused(source, old, probability)
            if isinstance(probability, str)
            else self._judged(old, probability, source, estimators)
        )
        return TargetAnswer(measure, side, self._seen(by_chance), passed_over)

    @property
    def items(self) -> int:
        """Distinct items of the whole log."""
        return len(np.unique(self._item))

    @property
    def _item(self) -> Integers:
        if self.shown.item is None:
            raise ValueError("items without ids cannot be told apart")
        return np.unique(self.shown.item, return_inverse=True)[1].astype(np.int64)

    def _judged(
        self,
        rows: NDArray[np.bool_],
        probability: Floats,
        source: str,
        estimators: Sequence[OffPolicyEstimator],
    ) -> Side:
        wanted = np.full(int(rows.sum()), 1 / self.items)
        clicks = self.shown.clicks[rows]
        predicted: tuple[Floats | None, Floats | None] = (None, None)
        if "doubly_robust" in estimators:
            if len(clicks) * self.items > MAX_MODELLED_ROWS:
                estimators = [each for each in estimators if each != "doubly_robust"]
            else:
                predicted = self._predicted(rows)
        kind, unit = units_of(self.shown.query[rows], self.shown.request[rows])
        values = []
        for each in estimators:
            found = estimate_click_rate(
                clicks,
                probability,
                wanted,
                unsupported_share=self._never_shown(rows),
                estimator=each,
                clip=self.clip,
                predicted=predicted[0],
                predicted_of_target=predicted[1],
            )
            values.append(TargetValue.of(each, found, unit))
        return Side(source, len(clicks), int(clicks.sum()), kind, tuple(values))

    def _seen(self, rows: NDArray[np.bool_]) -> Side:
        """The plain click rate of what was shown."""
        clicks = self.shown.clicks[rows]
        if len(clicks) < 2:
            return self._refused("own_choice", rows, f"there are {len(clicks)} such impressions")
        one = np.ones(len(clicks))
        found: OffPolicyEstimate = estimate_click_rate(clicks, one, one, estimator="ips")
        kind, unit = units_of(self.shown.query[rows], self.shown.request[rows])
        value = TargetValue.of("ips", found, unit).seen()
        return Side("own_choice", len(clicks), int(clicks.sum()), kind, (value,))

    def _logged(self, rows: NDArray[np.bool_]) -> Floats | str:
        """The log's probabilities, or why they cannot be used."""
        probability = self.shown.logging_probability
        given = np.full(int(rows.sum()), np.nan) if probability is None else probability[rows]
        missing = int((~(given > 0)).sum())
        if missing:
            return (
                f"logging_probability: {missing:,} of {len(given):,} impressions have none above 0"
            )
        return given

    def _counted(self, rows: NDArray[np.bool_]) -> Floats:
        """How often the item was shown at its position."""
        position = self.shown.position[rows]
        cell = np.unique(position * self.items + self._item[rows], return_inverse=True)[1]
        at_position = np.bincount(position)[position]
        counted: Floats = np.bincount(cell)[cell] / at_position
        return counted

    def _never_shown(self, rows: NDArray[np.bool_]) -> float:
        """Of the uniform target's choices: items that no row shows at that position."""
        position = self.shown.position[rows]
        cells = np.unique(position * self.items + self._item[rows])
        items_at = np.bincount(cells // self.items, minlength=int(position.max(initial=0)) + 1)
        return float((1 - items_at[position] / self.items).mean())

    def _predicted(self, rows: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Click rates of the rows' items and of the target's choice, cross-fitted over rows."""
        item, position = self._item[rows], self.shown.position[rows]
        number, items = len(item), self.items
        asked = np.tile(np.arange(items), number)
        features = np.stack(
            [np.concatenate([item, asked]), np.concatenate([position, position.repeat(items)])],
            axis=1,
        ).astype(np.float64)
        weight = np.concatenate([np.ones(number), np.zeros(number * items)])
        label = np.concatenate([self.shown.clicks[rows], np.zeros(number * items)])
        unit = self.shown.request[rows]
        found = cross_fitted_labels(
            features, label, weight, np.concatenate([unit, unit.repeat(items)])
        )
        bounded = np.clip(found, 0.0, 1.0)
        return bounded[:number], bounded[number:].reshape(number, items).mean(axis=1)

    def _refused(self, source: str, rows: NDArray[np.bool_], reason: str) -> Side:
        return Side(source, int(rows.sum()), int(self.shown.clicks[rows].sum()), refused=reason)
