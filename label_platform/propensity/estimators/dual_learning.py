"""Dual learning (DLA): a ranker and the propensities learn from each other.

With f the scores of a linear ranker and g one number per position (Ai, Bi, Luo, Guo and Croft
2018, "Unbiased Learning to Rank with Unbiased Propensity Estimation"), over clicked positions k:

    L_f = - sum c_k  (e^{g_1} / e^{g_k})  log softmax(f)_k        clicks weighted by 1 / propensity
    L_g = - sum c_k  (e^{f_1} / e^{f_k})  log softmax(g)_k        clicks weighted by 1 / relevance

f_1 being the score of the list's first item, each softmax over the positions that a list has.
Weights are constants when their loss is differentiated, and no larger than a cap of 50: one click
on an item that f thinks very little of would else outweigh all others.
theta_k = e^{g_k} / e^{g_1}.

Both losses are minimised in turn by Adagrad over all lists at once, so that a run has no
randomness of its own. Features are standardised. Lists without a click change neither loss.

Traps: it shares the confounding of all estimators that read rankers' lists: where ranks follow
relevance beyond what f sees in the features, that part of relevance is taken for position (12% to
35% too low on simulated lists of a strong ranker, features with some noise). Where the items of one
list differ in relevance by about the cap or more, few clicks carry large weights: positions below
the first come out low (2% to 9% on simulated lists with many hardly relevant items, in random
order). What f cannot express (it is linear: give it features on the scale of log relevance) moves
the whole curve against position 1 as well. No interval knows of any of these.
"""

from dataclasses import dataclass

import numpy as np

from label_platform.propensity.bootstrap import bootstrap_log_error
from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Estimate, refused, without_first_click
from label_platform.propensity.list_clicks import ListClicks

NAME = "dual_learning"
DUAL_LEARNING_REPLICATES = 20
"""Each is a training run; the standard error itself is then known to about 16%."""
MAX_WEIGHT = 50.0
_RATE = 0.3
_TOLERANCE = 1e-5
_REPLICATE_TOLERANCE = 1e-4
_MAX_ROUNDS = 2000


def estimate_dual_learning(
    lists: ListClicks,
    features: Floats,
    replicates: int = DUAL_LEARNING_REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        lists: lists that rankers made, with their clicks; of one context.
        features: of each query_item, shape (n_query_items, F), finite.
        replicates: of the bootstrap, each trained from the whole log's answer. The default of 20
            is few, as each is a training run.
        seed: of the bootstrap.

    Returns:
        ``details["feature_weights"]`` are f's weights of the standardised features, shape (F,),
        ``details["capped_share"]`` the share of clicks whose weight in either loss is at the cap,
        ``details["rounds"]`` how many rounds training took. nan at positions without a click.

    Raises:
        ValueError: features are not of shape (n_query_items, F), or not finite.
    """
    learner = _Learner.of(lists, features)
    place = np.where(lists.shown, lists.count[:, None], 0)
    impressions, clicks = place.sum(axis=0), (place * lists.clicked).sum(axis=0)
    reason = without_first_click(impressions, clicks)
    if reason:
        return refused(reason, impressions, clicks)
    whole = np.ones(lists.n_queries)
    found = learner.learn(whole)
    error = bootstrap_log_error(
        lambda weights: learner.learn(weights, found, _REPLICATE_TOLERANCE).propensities(),
        lists.n_queries,
        replicates,
        seed,
    )
    details = {
        "feature_weights": found.feature_weights,
        "capped_share": learner.capped_share(found),
        "rounds": found.rounds,
    }
    return Estimate(found.propensities(), error, impressions, clicks, details=details)


def dual_learning_propensities(
    lists: ListClicks, features: Floats, start: Floats | None = None
) -> Floats:
    """theta, shape (K,), 1 at position 1.

    Args:
        lists: as for ``estimate_dual_learning``.
        features: likewise.
        start: propensities to begin with, shape (K,).

    Returns:
        nan at positions without a click, and everywhere if position 1 has none.

    Raises:
        ValueError: as ``estimate_dual_learning``.
    """
    learner = _Learner.of(lists, features)
    begin = None
    if start is not None:
        begin = _Parameters(np.zeros(features.shape[1]), np.log(start))
    return learner.learn(np.ones(lists.n_queries), begin).propensities()


@dataclass(frozen=True, eq=False)
class _Parameters:
    """What is learnt, and in how many rounds; logits are nan where nothing was clicked."""

    feature_weights: Floats
    position_logits: Floats
    rounds: int = 0

    def propensities(self) -> Floats:
        theta: Floats = np.exp(self.position_logits - self.position_logits[0])
        return theta


@dataclass(frozen=True, eq=False)
class _Learner:
    """Lists with a click, and standardised features."""

    lists: ListClicks
    features: Floats

    @classmethod
    def of(cls, lists: ListClicks, features: Floats) -> "_Learner":
        if features.ndim != 2 or len(features) != lists.n_query_items:
            expected = f"({lists.n_query_items}, F)"
            raise ValueError(f"expected features of shape {expected}, found {features.shape}")
        if not np.isfinite(features).all():
            raise ValueError("features: found nan or infinite values, expected numbers")
        spread = features.std(axis=0)
        scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
        kept = (lists.clicked & lists.shown).any(axis=1) & (lists.count > 0)
        clicked = ListClicks(
            lists.query[kept],
            lists.query_item[kept],
            lists.clicked[kept] & lists.shown[kept],
            lists.count[kept],
            lists.n_query_items,
        )
        return cls(clicked, scaled)

    def learn(
        self, weights: Floats, start: _Parameters | None = None, tolerance: float = _TOLERANCE
    ) -> _Parameters:
        """Train with each query counted weights[query] times."""
        lists = self.lists.reweighted(weights)
        clicks = (lists.count[:, None] * lists.clicked).sum(axis=0)
        width = self.features.shape[1]
        if not len(clicks) or clicks[0] == 0:
            return _Parameters(np.full(width, np.nan), np.full(len(clicks), np.nan))
        learnt = np.zeros(width + len(clicks))
        if start is not None:
            learnt = np.concatenate(
                [start.feature_weights, np.nan_to_num(start.position_logits, nan=0.0)]
            )
        squares = np.zeros_like(learnt)
        estimated = np.concatenate([np.ones(width, bool), clicks > 0])
        rounds, change = 0, np.inf
        while change >= tolerance and rounds < _MAX_ROUNDS:
            slope = self._slope(lists, learnt[:width], learnt[width:]) / clicks.sum()
            slope[~estimated] = 0
            squares += slope**2
            step = _RATE * slope / np.sqrt(np.maximum(squares, np.finfo(float).tiny))
            learnt = learnt - step
            rounds, change = rounds + 1, np.abs(step).max()
        logits = np.where(estimated, learnt, np.nan)[width:]
        return _Parameters(learnt[:width], logits - logits[0], rounds)

    def capped_share(self, found: _Parameters) -> float:
        """The share of clicks whose weight in either loss is at the cap."""
        lists = self.lists
        scores = self._scores(lists, found.feature_weights)
        logits = np.nan_to_num(found.position_logits, nan=0.0)[None, :]
        largest = np.maximum(scores[:, :1] - scores, logits[:, :1] - logits)
        at_cap = lists.clicked & (largest >= np.log(MAX_WEIGHT))
        clicks = (lists.count[:, None] * lists.clicked).sum()
        return float((lists.count[:, None] * at_cap).sum() / clicks)

    def _scores(self, lists: ListClicks, feature_weights: Floats) -> Floats:
        """F of each place, shape (lists, K); minus infinity beyond a list's end."""
        scores = (self.features @ feature_weights)[lists.query_item]
        return np.where(lists.shown, scores, -np.inf)

    def _slope(self, lists: ListClicks, feature_weights: Floats, logits: Floats) -> Floats:
        """The losses' derivatives by feature weights and by position logits, one after another."""
        scores = self._scores(lists, feature_weights)
        places = np.where(lists.shown, logits, -np.inf)
        of_scores = _softmax_slope(lists, scores, places)
        of_places = _softmax_slope(lists, places, scores)
        shown = lists.shown
        of_item = np.bincount(lists.query_item[shown], of_scores[shown], lists.n_query_items)
        return np.concatenate([self.features.T @ of_item, of_places.sum(axis=0)])


def _softmax_slope(lists: ListClicks, logits: Floats, others: Floats) -> Floats:
    """The derivative by ``logits`` of a loss whose weights are the ratios of ``others``."""
    with np.errstate(invalid="ignore"):
        ratio = np.exp(np.clip(others[:, :1] - others, None, np.log(MAX_WEIGHT)))
    weighted = lists.count[:, None] * np.where(lists.clicked, ratio, 0)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = raised / raised.sum(axis=1, keepdims=True)
    return np.asarray(softmax * weighted.sum(axis=1, keepdims=True) - weighted, dtype=np.float64)
