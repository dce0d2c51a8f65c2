"""Targets on logs of lists: a ranker, the uniform choice, or what logging did itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.off_policy import DEFAULT_CLIP, units_of
from label_platform.evaluation.off_policy_answer import Side, TargetAnswer, TargetValue
from label_platform.evaluation.off_policy_pool import PoolError, PoolSource, QueryPools
from label_platform.evaluation.off_policy_rankings import Rankings, Source
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation_settings import OffPolicyEstimator

Wanted = Literal["auto", "logged", "randomized", "estimated", "as_shown"]
Scorer = Callable[[NDArray[np.float32]], Floats]

LOGGING = "logging"
UNIFORM = "uniform"


@dataclass(frozen=True, eq=False)
class ListTargets:
    """A log of lists that targets are judged by.

    Attributes:
        shown: all its lists, made with a propensity curve.
        cutoff: the rank below which nothing counts.
        clip: what rho is raised to by clipped and doubly robust estimates.
    """

    shown: ShownLists
    cutoff: int
    clip: float = DEFAULT_CLIP

    def answer(
        self,
        target: Scorer | Literal["uniform", "logging"],
        wanted: Wanted,
        estimators: Sequence[OffPolicyEstimator],
    ) -> TargetAnswer:
        """A target's DCG from the old ranker's lists, beside that from randomised ones.

        Args:
            target: what scores items, or one of the two named targets.
            wanted: where logging propensities come from; ``auto`` takes the log's own where they
                are complete, else re-orders the lists as they were shown.
            estimators: in the order of the answer.
        """
        old, by_chance = ~self.shown.randomized, self.shown.randomized
        passed_over: dict[str, str] = {}
        source: Source = "as_shown" if wanted == "auto" else _SOURCE_OF[wanted]
        if wanted == "auto" and self.shown.logging_probability is not None:
            try:
                self._rankings("logged", old)
                source = "logged"
            except PoolError as error:
                passed_over["logged"] = str(error)
        if wanted == "randomized":
            side = self._side(target, source, by_chance, estimators)
            return TargetAnswer(self._measure(source), side, side, passed_over)
        beside = self._beside(target, source, by_chance, estimators[:1])
        side = self._side(target, source, old, estimators)
        return TargetAnswer(self._measure(source), side, beside, passed_over)

    def _measure(self, source: Source) -> str:
        what = "each list re-ordered (randomised lists hold other items)"
        if source not in {"as_shown", "shuffled"}:
            what = "all items shown for a query ranked"
        return f"DCG@{self.cutoff} of relevance, {what}"

    def _beside(
        self,
        target: Scorer | str,
        source: Source,
        by_chance: NDArray[np.bool_],
        estimators: Sequence[OffPolicyEstimator],
    ) -> Side:
        """The same target on randomised lists, whose propensities chance makes."""
        if source == "as_shown":
            if target == LOGGING:
                reason = "in what order the old ranker would have shown them is not logged"
                return self._refused("shuffled", by_chance, reason)
            return self._side(target, "shuffled", by_chance, estimators)
        uniform = self._side(target, "uniform", by_chance, estimators)
        if not uniform.refused:
            return uniform
        return self._side(target, "estimated", by_chance, estimators)

    def _side(
        self,
        target: Scorer | str,
        source: Source,
        of_lists: NDArray[np.bool_],
        estimators: Sequence[OffPolicyEstimator],
    ) -> Side:
        if not of_lists.any():
            return self._refused(source, of_lists, "there are no such lists")
        try:
            rankings = self._rankings(source, of_lists)
        except PoolError as error:
            return self._refused(source, of_lists, str(error))
        if "doubly_robust" in estimators:
            rankings = rankings.with_relevance()
        discounts = self._discounts(target, rankings, of_lists)
        shown = self.shown
        kind = units_of(shown.query[of_lists], shown.request[of_lists])[0]
        try:
            values = tuple(
                TargetValue.of(each, rankings.estimate(discounts, each, self.clip), rankings.unit)
                for each in estimators
            )
        except ValueError as error:
            return self._refused(source, of_lists, str(error))
        return Side(source, *self._counts(of_lists), kind, values)

    def _rankings(self, source: Source, of_lists: NDArray[np.bool_]) -> Rankings:
        if source in {"as_shown", "shuffled"}:
            return Rankings.of_lists(self.shown.chosen(of_lists), shuffled=source == "shuffled")
        pool_source: PoolSource = source  # type: ignore[assignment]
        return Rankings.of_pools(self._pools, of_lists, pool_source)

    def _discounts(
        self, target: Scorer | str, rankings: Rankings, of_lists: NDArray[np.bool_]
    ) -> Floats:
        if target == UNIFORM:
            # all tie, so each has the mean of the discounts
            return rankings.discounts(np.zeros(len(rankings.features)), self.cutoff)
        if target != LOGGING:
            assert callable(target)  # noqa: S101 - tells the type checker
            return rankings.discounts(target(rankings.features), self.cutoff)
        if rankings.source in {"as_shown", "shuffled"}:
            positions = self.shown.chosen(of_lists).position
            return rankings.discounts(-positions.astype(np.float64), self.cutoff)
        position = self.shown.position
        gained = np.where(position <= self.cutoff, 1 / np.log2(1 + position), 0.0)
        return self._pools.discounts_of_logging(gained, ~self.shown.randomized)

    @cached_property
    def _pools(self) -> QueryPools:
        return QueryPools.of(self.shown)

    def _counts(self, of_lists: NDArray[np.bool_]) -> tuple[int, int]:
        clicks = self.shown.clicks[of_lists[self.shown.lists.codes]].sum()
        return int(of_lists.sum()), int(clicks)

    def _refused(self, source: str, of_lists: NDArray[np.bool_], reason: str) -> Side:
        return Side(source, *self._counts(of_lists), refused=reason)


_SOURCE_OF: dict[str, Source] = {
    "logged": "logged",
    "randomized": "shuffled",
    "estimated": "estimated",
    "as_shown": "as_shown",
}
