"""Yardsticks that do not depend on any policy's labels.

A yardstick turns a score vector into parts per query; its value is the ratio of their sums. What
the data cannot support comes back refused with a reason, never as a number.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.click_auc import stratified_auc
from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.metrics import Floats, dcg_at_k
from label_platform.evaluation.off_policy_pool import PoolError
from label_platform.evaluation.off_policy_rankings import (
    SAME_NUMBER,
    Rankings,
    rankings_for,
    repeated_estimator,
)
from label_platform.evaluation.shown_lists import ShownLists
from label_platform.evaluation_settings import EvaluationSettings, OffPolicyEstimator
from label_platform.propensity import PropensityCurve

ALL = "all"
"""The slice of everything."""
DEPTH = 10
MIN_QUERIES = 30
MIN_CLICKS = 10
OFF_POLICY = "off_policy_dcg"

_NO_TEXTS = np.array([], dtype=np.str_)
_NO_NUMBERS = np.array([], dtype=np.float64)
_DEFAULTS = EvaluationSettings()


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a yardstick says of a score vector: sum of numerators over sum of denominators.

    Attributes:
        units: the query (or row) that each part belongs to, each once.
        numerator: of each unit.
        denominator: of each unit.
        refused: why there is no number; then there are no parts either.
    """

    units: NDArray[np.str_] = field(default_factory=lambda: _NO_TEXTS)
    numerator: Floats = field(default_factory=lambda: _NO_NUMBERS)
    denominator: Floats = field(default_factory=lambda: _NO_NUMBERS)
    refused: str = ""

    @property
    def value(self) -> float:
        """The ratio; NaN where it is refused."""
        if self.refused:
            return float("nan")
        return float(self.numerator.sum() / self.denominator.sum())


class Yardstick(Protocol):
    """Something to judge rankers by: a dataclass, so that slices are made by ``replace``.

    One with an attribute ``shown`` scores the rows of these ``ShownLists``; what it rests on is
    their evidence, unless it has an ``evidence`` of its own.
    """

    @property
    def name(self) -> str:
        """As it stands in tables."""

    @property
    def slice(self) -> str:
        """Which part of the data it looks at, such as device=mobile; "all" for everything."""

    @property
    def features(self) -> NDArray[np.float32]:
        """What a ranker has to score, without position."""

    def measure(self, scores: Floats) -> Measurement:
        """Parts per query for the scores of ``features``."""


@dataclass(frozen=True, eq=False)
class RefusedYardstick:
    """A yardstick that the data cannot support, whatever the ranker."""

    name: str
    reason: str
    slice: str = ALL
    evidence: Evidence = field(default_factory=Evidence)
    features: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def measure(self, scores: Floats) -> Measurement:
        """The refusal."""
        del scores  # there is nothing to score
        return Measurement(refused=self.reason)


@dataclass(frozen=True, eq=False)
class RandomizedClickDcg:
    """Mean over randomised lists of the DCG of their clicks after re-ranking, to the cutoff.

    Positions there do not depend on items, so each click tells of relevance times the mean
    examination: unbiased up to one constant, the same for all rankers.
    """

    shown: ShownLists
    name: str = "randomized_click_dcg"
    slice: str = ALL
    cutoff: int = DEPTH

    @property
    def features(self) -> NDArray[np.float32]:
        """Of the randomised lists' items."""
        return self.shown.features

    def measure(self, scores: Floats) -> Measurement:
        """Sums over each query's lists, and their number."""
        values = dcg_at_k(self.shown.clicks, scores, self.shown.lists, self.cutoff)
        return _by_query(self.shown, values, np.ones(len(values)))


@dataclass(frozen=True, eq=False)
class OffPolicyDcg:
    """DCG of ranking anew what was shown, from all clicks; refused where overlap is too little."""

    rankings: Rankings
    evidence: Evidence
    name: str = OFF_POLICY
    slice: str = ALL
    estimator: OffPolicyEstimator = "snips"
    cutoff: int = DEPTH

    @property
    def features(self) -> NDArray[np.float32]:
        """Of all items that are ranked."""
        return self.rankings.features

    def measure(self, scores: Floats) -> Measurement:
        """Sums of the estimate's parts over each query's rankings."""
        discounts = self.rankings.discounts(scores, self.cutoff)
        found = self.rankings.estimate(discounts, self.estimator)
        if found.overlap.verdict != "ok":
            return Measurement(refused=f"no_overlap: {found.overlap.reason}")
        names, codes = np.unique(self.rankings.unit, return_inverse=True)
        numerator = np.bincount(codes, found.numerator).astype(np.float64)
        denominator = np.bincount(codes, found.denominator).astype(np.float64)
        counted = denominator > 0
        return Measurement(names[counted], numerator[counted], denominator[counted])


@dataclass(frozen=True, eq=False)
class RandomizedClickAuc:
    """Concordance of score and click among randomised impressions at the same position.

    For logs whose lists have one item. Its parts are per impression: each one's influence on the
    concordance, whose spread is that of a bootstrap over impressions (DeLong et al. 1988).
    """

    shown: ShownLists
    name: str = "randomized_click_auc"
    slice: str = ALL

    @property
    def features(self) -> NDArray[np.float32]:
        """Of the randomised impressions."""
        return self.shown.features

    def measure(self, scores: Floats) -> Measurement:
        """One part per impression."""
        clicked = self.shown.clicks > 0
        try:
            parts = stratified_auc(scores, clicked, self.shown.position)
        except ValueError as error:
            return Measurement(refused=str(error))
        return Measurement(self.shown.request, parts, np.ones(len(parts)))


def click_yardsticks(
    shown: ShownLists,
    curve: PropensityCurve | None,
    refused: str = "",
    settings: EvaluationSettings = _DEFAULTS,
) -> tuple[Yardstick, ...]:
    """The yardsticks made of the evaluation days' clicks.

    Args:
        shown: all lists of the evaluation days, made with the curve.
        curve: of the last training day, or None.
        refused: why the curve must not be used; by default the curve's own refusal.
        settings: which off-policy estimators there are; the first is ``off_policy_dcg``, others
            ``off_policy_dcg_<estimator>``. One that gives each ranking the number of another is
            refused: it would count as a finding of its own.
    """
    randomized = shown.chosen(shown.randomized)
    if shown.are_single_items:
        reason = f"nothing to re-rank: all {len(shown.lists)} lists have one item"
        return (
            RefusedYardstick("randomized_click_dcg", reason, evidence=randomized.evidence),
            *(
                RefusedYardstick(name, reason, evidence=shown.evidence)
                for name in _off_policy_names(settings)
            ),
            _with_enough_clicks(RandomizedClickAuc(randomized)),
        )
    return (
        _with_enough_clicks(RandomizedClickDcg(randomized, cutoff=settings.cutoff)),
        *_off_policy(shown, curve, refused, settings),
    )


def _off_policy_names(settings: EvaluationSettings) -> dict[str, OffPolicyEstimator]:
    """The yardsticks' names with their estimators; one that is named twice counts once."""
    first, *others = dict.fromkeys(settings.off_policy)
    return {OFF_POLICY: first, **{f"{OFF_POLICY}_{each}": each for each in others}}


def _off_policy(
    shown: ShownLists, curve: PropensityCurve | None, refused: str, settings: EvaluationSettings
) -> list[Yardstick]:
    if curve is None or shown.examination is None:
        refused = refused or "there are no propensities to weigh clicks by"
    elif curve.verdict.is_refusal:
        refused = refused or f"{curve.verdict}: {curve.reason}"
    found: list[Yardstick] = []
    judged: dict[OffPolicyEstimator, str] = {}
    for name, estimator in _off_policy_names(settings).items():
        reason, rankings = refused, None
        try:
            rankings = None if refused else rankings_for(estimator, shown)
        except PoolError as error:
            reason = str(error)
        if rankings is not None:
            same = repeated_estimator(estimator, judged, rankings)
            reason = "" if same is None else f"{SAME_NUMBER}{judged[same]}, of every ranking"
        if rankings is None or reason:
            found.append(RefusedYardstick(name, reason, evidence=shown.evidence))
            continue
        judged[estimator] = name
        found.append(
            OffPolicyDcg(
                rankings, shown.evidence, name, estimator=estimator, cutoff=settings.cutoff
            )
        )
    return found


def _with_enough_clicks(yardstick: RandomizedClickDcg | RandomizedClickAuc) -> Yardstick:
    shown = yardstick.shown
    clicks = int(shown.clicks.sum())
    if clicks >= MIN_CLICKS:
        return yardstick
    kind = "impressions" if isinstance(yardstick, RandomizedClickAuc) else "lists"
    reason = (
        f"{clicks} clicks on {len(shown.lists)} randomised {kind} of the evaluation days, "
        f"needed {MIN_CLICKS}"
    )
    return RefusedYardstick(yardstick.name, reason, evidence=shown.evidence)


def _by_query(shown: ShownLists, numerator: Floats, denominator: Floats) -> Measurement:
    """Sums over the lists of each query; per list where a log hardly tells queries apart."""
    names, codes = np.unique(shown.query, return_inverse=True)
    if len(names) < MIN_QUERIES:
        names, codes = np.unique(shown.request, return_inverse=True)
    return Measurement(
        names,
        np.bincount(codes, numerator).astype(np.float64),
        np.bincount(codes, denominator).astype(np.float64),
    )
