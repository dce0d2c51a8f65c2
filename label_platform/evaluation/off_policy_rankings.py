"""What a target has to rank so that a log can judge it, and what the log says of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.metrics import Floats, Integers, rank_discounts
from label_platform.evaluation.off_policy import (
    DEFAULT_CLIP,
    LoggedClicks,
    OffPolicyEstimate,
    cross_fitted_relevance,
    estimate_value,
    units_of,
)
from label_platform.evaluation.off_policy.intervals import MIN_UNITS
from label_platform.evaluation.off_policy_pool import PoolError, PoolSource, QueryPools
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation_settings import OffPolicyEstimator

SAME_NUMBER = "the same number as "
"""How the reason begins for which an estimator is not judged beside another."""

Source = Literal["as_shown", "shuffled"] | PoolSource


@dataclass(frozen=True, eq=False)
class Rankings:
    """The rankings that a target makes, with the log's clicks on their items.

    Attributes:
        matrix: rows of features as rankers want them; one object for all selections of the same
            impressions, so that none of them is scored twice.
        rows: of the matrix, one per item.
        logged: their clicks and propensities.
        unit: what each ranking is resampled with, as text: its query, or its list where a log
            hardly tells queries apart.
        source: where logging propensities come from.
    """

    matrix: NDArray[np.float32]
    rows: Integers
    logged: LoggedClicks
    unit: NDArray[np.str_]
    source: Source

    @property
    def features(self) -> NDArray[np.float32]:
        """One row per item."""
        found: NDArray[np.float32] = self.matrix[self.rows]
        return found

    @classmethod
    def of_lists(cls, shown: ShownLists, *, shuffled: bool = False) -> Self:
        """Each list re-ordered.

        Args:
            shown: the lists, made with a propensity curve.
            shuffled: they are randomised, so that every order of each was as likely.

        Raises:
            PoolError: there are no propensities.
        """
        if shown.examination is None:
            raise PoolError("there are no propensities to weigh clicks by")
        make = LoggedClicks.as_shuffled if shuffled else LoggedClicks.as_shown
        logged = make(shown.lists, shown.clicks, shown.examination, shown.offset)
        unit = units_of(shown.query, shown.request)[1]
        return cls(shown.matrix, shown.rows, logged, unit, "shuffled" if shuffled else "as_shown")

    @classmethod
    def of_pools(
        cls, pools: QueryPools, of_lists: NDArray[np.bool_], source: PoolSource = "estimated"
    ) -> Self:
        """All items that were shown for a query ranked together.

        Args:
            pools: of the log.
            of_lists: which lists' clicks count.
            source: where logging propensities come from.

        Raises:
            PoolError: they cannot be had from there, or queries are too few for intervals.
        """
        logged = pools.logged_clicks(of_lists, source)
        queries = int((logged.times > 0).sum())
        if queries < MIN_UNITS:
            raise PoolError(f"{queries} queries were shown, intervals over pools need {MIN_UNITS}")
        return cls(pools.shown.matrix, pools.rows, logged, pools.queries, source)

    def with_relevance(self) -> "Rankings":
        """The same with cross-fitted relevance, for doubly robust estimates."""
        logged = self.logged
        unit = self.unit[logged.lists.codes]
        predicted = cross_fitted_relevance(
            self.features, logged.clicks, logged.examination, logged.offset, unit
        )
        return replace(self, logged=logged.with_predictions(predicted))

    def discounts(self, scores: Floats, cutoff: int) -> Floats:
        """The discounts that a ranker's scores earn the items; ties share theirs."""
        return rank_discounts(scores, self.logged.lists, cutoff)

    def estimate(
        self, discounts: Floats, estimator: OffPolicyEstimator, clip: float = DEFAULT_CLIP
    ) -> OffPolicyEstimate:
        """The value of a target by its discounts of the items."""
        return estimate_value(self.logged, discounts, estimator, clip)


def rankings_for(estimator: OffPolicyEstimator, shown: ShownLists) -> Rankings:
    """What a comparison's yardstick by this estimator ranks.

    Doubly robust estimates are over pools, whose propensities are policy-aware; the others
    re-order the lists that were shown.

    Args:
        estimator: its name.
        shown: all lists of the evaluation days.

    Raises:
        PoolError: the lists do not support it, with the reason.
    """
    if estimator != "doubly_robust":
        return Rankings.of_lists(shown)
    everything = np.ones(len(shown.lists), dtype=np.bool_)
    return Rankings.of_pools(QueryPools.of(shown), everything).with_relevance()


def repeated_estimator(
    estimator: OffPolicyEstimator, earlier: Iterable[OffPolicyEstimator], rankings: Rankings
) -> OffPolicyEstimator | None:
    """The first of other estimators that gives each target the same value, whatever was clicked.

    On lists as they were shown rho is the examination of the item's own position. Then SNIPS
    divides by the discounts of what has a propensity, which are all of them where every item has
    one, and that leaves IPS. Clipping leaves IPS where no rho is below the clip. Both are known
    before any click or score is seen, so that a comparison may leave one of two out.

    Args:
        estimator: its name.
        earlier: the names of those that are judged already, in their order.
        rankings: what both rank.

    Returns:
        Its name; None where no value is given twice by construction.
    """
    if rankings.source != "as_shown":
        return None
    logged = rankings.logged
    alike: set[OffPolicyEstimator] = {"ips"}
    if logged.supported.all():
        alike.add("snips")
    if (logged.expected[logged.supported] >= DEFAULT_CLIP).all():
        alike.add("clipped")
    found = (each for each in earlier if each in alike and estimator in alike)
    return next(found, None)
