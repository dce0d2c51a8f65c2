"""Yardsticks made of the clicks on randomised lists, one for each metric that a problem names.

Each is the mean of a metric over the randomised lists with a click, every list re-ranked. DCG and
precision are linear in clicks, so that the chance of having been examined at the (random) logged
position only scales them, alike for all rankers. The others divide by what was clicked, or stop
there: they say where a ranking puts the items that were clicked, not where it puts all that are
relevant, and are noisier for it. All read only clicks that no ranker's order has biased.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import (
    Floats,
    Integers,
    Lists,
    Ranking,
    best_dcg_at_k,
    share_of_best,
)
from label_platform.evaluation.rank_metrics import (
    average_precision_at_k,
    average_relevant_position,
    expected_reciprocal_rank_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation.yardsticks import (
    MIN_CLICKS,
    MIN_QUERIES,
    Measurement,
    RefusedYardstick,
    Yardstick,
)
from label_platform.evaluation_settings import EvaluationSettings, Metric

RANDOMIZED_PREFIX = "randomized_click_"
_CLICK_GRADE = 1.0


class RecentRankings:
    """Rankings of the scores seen last, so that several metrics of one ranker sort once.

    They are no part of what a yardstick is: pickles, which tell yardsticks apart, leave them out.
    """

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        # rankers are measured side by side, one a core
        self._recent: deque[tuple[Floats, Ranking]] = deque(maxlen=os.cpu_count() or 1)

    def of(self, scores: Floats) -> Ranking:
        """The lists by score.

        Raises:
            ValueError: a score is not a number.
        """
        for seen, ranking in tuple(self._recent):
            if np.array_equal(seen, scores):
                return ranking
        ranking = Ranking.of(scores, self.lists)
        self._recent.append((scores.copy(), ranking))
        return ranking

    def __reduce__(self) -> tuple[type[Self], tuple[Lists]]:
        return type(self), (self.lists,)


@dataclass(frozen=True, eq=False)
class ClickedLists:
    """What all metrics of the same lists need, prepared once.

    Attributes:
        shown: the lists.
        cutoff: the rank below which nothing counts.
        units: what parts are summed over: queries, or lists where a log hardly tells queries apart.
        unit_of_list: index into ``units`` of each list.
        best_dcg: of each list's best order.
        rankings: of the scores seen last.
    """

    shown: ShownLists
    cutoff: int
    units: NDArray[np.str_]
    unit_of_list: Integers
    best_dcg: Floats
    rankings: RecentRankings = field(repr=False)

    @classmethod
    def of(cls, shown: ShownLists, cutoff: int) -> Self:
        """Of all lists."""
        units, codes = np.unique(shown.query, return_inverse=True)
        if len(units) < MIN_QUERIES:
            units, codes = np.unique(shown.request, return_inverse=True)
        best = best_dcg_at_k(shown.clicks, shown.lists, cutoff)
        return cls(shown, cutoff, units, codes, best, RecentRankings(shown.lists))

    def means(self, values: Floats) -> Measurement:
        """Sums per unit of the lists that have a value, and their number."""
        known = np.isfinite(values)
        of_list, size = self.unit_of_list[known], len(self.units)
        counts = np.bincount(of_list, minlength=size).astype(np.float64)
        sums = np.bincount(of_list, values[known], minlength=size).astype(np.float64)
        kept = counts > 0
        return Measurement(self.units[kept], sums[kept], counts[kept])


def _dcg(lists: ClickedLists, ranking: Ranking) -> Floats:
    return ranking.dcg(lists.shown.clicks, lists.cutoff)


def _ndcg(lists: ClickedLists, ranking: Ranking) -> Floats:
    return share_of_best(_dcg(lists, ranking), lists.best_dcg)


def _map(lists: ClickedLists, ranking: Ranking) -> Floats:
    return average_precision_at_k(lists.shown.clicks, ranking, lists.cutoff)


def _mrr(lists: ClickedLists, ranking: Ranking) -> Floats:
    return reciprocal_rank_at_k(lists.shown.clicks, ranking, lists.cutoff)


def _recall(lists: ClickedLists, ranking: Ranking) -> Floats:
    return recall_at_k(lists.shown.clicks, ranking, lists.cutoff)


def _precision(lists: ClickedLists, ranking: Ranking) -> Floats:
    return precision_at_k(lists.shown.clicks, ranking, lists.cutoff)


def _negative_position(lists: ClickedLists, ranking: Ranking) -> Floats:
    return -average_relevant_position(lists.shown.clicks, ranking)


def _expected_reciprocal_rank(lists: ClickedLists, ranking: Ranking) -> Floats:
    clicks, k = lists.shown.clicks, lists.cutoff
    return expected_reciprocal_rank_at_k(clicks, ranking, k, _CLICK_GRADE)


_METRICS: dict[Metric, Callable[[ClickedLists, Ranking], Floats]] = {
    "dcg": _dcg,
    "ndcg": _ndcg,
    "map": _map,
    "mrr": _mrr,
    "recall": _recall,
    "precision": _precision,
    # a yardstick's higher value is the better one
    "average_relevant_position": _negative_position,
    "expected_reciprocal_rank": _expected_reciprocal_rank,
}


@dataclass(frozen=True, eq=False)
class RandomizedClickMetric:
    """The mean of a metric over randomised lists with a click, after re-ranking.

    Attributes:
        shown: the randomised lists.
        name: of the yardstick.
        slice: which part of the data they are.
        metric: which one; DCG has a value for lists without a click too.
        clicked: the lists, prepared for all metrics.
    """

    shown: ShownLists
    name: str
    metric: Metric
    clicked: ClickedLists
    slice: str = "all"

    @property
    def features(self) -> NDArray[np.float32]:
        """Of the randomised lists' items."""
        return self.shown.features

    def measure(self, scores: Floats) -> Measurement:
        """Sums over each query's lists that have a value, and their number."""
        ranking = self.clicked.rankings.of(scores)
        return self.clicked.means(_METRICS[self.metric](self.clicked, ranking))


def metric_yardsticks(shown: ShownLists, settings: EvaluationSettings) -> tuple[Yardstick, ...]:
    """One yardstick per metric that the settings name, such as ``randomized_click_mrr_at_10``.

    That of the average relevant position has no cutoff, and its sign is turned
    (``randomized_click_negative_average_relevant_position``). DCG is left out: every
    comparison has it, as ``randomized_click_dcg``.

    Args:
        shown: all lists of the evaluation days; the randomised ones are read.
        settings: cutoff and metrics.

    Returns:
        Yardsticks, refused with the reason where fewer than ``MIN_CLICKS`` randomised lists have
        both a click and an item without one: in all others every order has the same value.
    """
    wanted: dict[str, Metric] = {
        _name(metric, settings.cutoff): metric for metric in settings.metrics if metric != "dcg"
    }
    if not wanted:
        return ()
    randomized = shown.chosen(shown.randomized)
    reason = _refusal(randomized)
    if reason:
        return tuple(
            RefusedYardstick(name, reason, evidence=randomized.evidence) for name in wanted
        )
    clicked = ClickedLists.of(randomized, settings.cutoff)
    return tuple(
        RandomizedClickMetric(randomized, name, metric, clicked) for name, metric in wanted.items()
    )


def _name(metric: Metric, cutoff: int) -> str:
    if metric == "average_relevant_position":
        return f"{RANDOMIZED_PREFIX}negative_{metric}"
    return f"{RANDOMIZED_PREFIX}{metric}_at_{cutoff}"


def _refusal(randomized: ShownLists) -> str:
    lists = randomized.lists
    if not len(lists):
        return "no list of the evaluation days was shown in random order"
    if randomized.are_single_items:
        return f"nothing to re-rank: all {len(lists)} randomised lists have one item"
    clicks = lists.totals(randomized.clicks)
    telling = int(((clicks > 0) & (clicks < lists.sizes)).sum())
    if telling < MIN_CLICKS:
        return (
            f"{telling} of {len(lists)} randomised lists of the evaluation days have both a click "
            f"and an item without one, needed {MIN_CLICKS}"
        )
    return ""
