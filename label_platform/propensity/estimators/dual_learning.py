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

What is learnt is where both slopes are 0, and slopes are sums over queries. So a replicate of the
bootstrap is not trained anew: it goes one Newton step from the whole log's answer, by the drawn
queries' slopes and the whole log's curvature. On simulated logs of 20,000 lists its standard errors
are on average within 6% of those of replicates that were trained.

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

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Estimate, refused, without_first_click
from label_platform.propensity.list_clicks import ListClicks

NAME = "dual_learning"
MAX_WEIGHT = 50.0
_RATE = 0.3
_TOLERANCE = 1e-5
_MAX_ROUNDS = 2000
_NUDGE = 1e-5
"""Of a parameter, to see how the slopes bend."""
_FURTHEST = 2.0
"""Of a logit in one Newton step."""


def estimate_dual_learning(
    lists: ListClicks,
    features: Floats,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        lists: lists that rankers made, with their clicks; of one context.
        features: of each query_item, shape (n_query_items, F), finite.
        replicates: of the bootstrap, each a Newton step from the whole log's answer.
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
    found = learner.learn()
    response = _Response.of(learner, found, lists.n_queries)
    error = bootstrap_log_error(response.propensities, lists.n_queries, replicates, seed)
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
    return learner.learn(begin).propensities()


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

    @property
    def clicks(self) -> Floats:
        """By position, shape (K,)."""
        return np.asarray(self.lists.count @ self.lists.clicked, dtype=np.float64)

    def learn(self, start: _Parameters | None = None) -> _Parameters:
        """Train until no step is longer than the tolerance."""
        clicks, width = self.clicks, self.features.shape[1]
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
        while change >= _TOLERANCE and rounds < _MAX_ROUNDS:
            slope = self.slope(learnt) / clicks.sum()
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

    def slope(self, learnt: Floats) -> Floats:
        """The losses' derivatives by feature weights and position logits, shape (F + K,)."""
        of_scores, of_places = self._slopes_of_places(learnt)
        shown = self.lists.shown
        items = self.lists.query_item[shown]
        of_item = np.bincount(items, of_scores[shown], self.lists.n_query_items)
        return np.concatenate([self.features.T @ of_item, of_places.sum(axis=0)])

    def slopes_of_queries(self, learnt: Floats, n_queries: int) -> Floats:
        """What each query adds to ``slope``, shape (queries, F + K)."""
        of_scores, of_places = self._slopes_of_places(learnt)
        items = np.where(self.lists.shown, self.lists.query_item, 0)
        of_lists = [(of_scores * column[items]).sum(axis=1) for column in self.features.T]
        columns = [*of_lists, *of_places.T]
        by_query = [np.bincount(self.lists.query, each, n_queries) for each in columns]
        return np.stack(by_query, axis=1).astype(np.float64)

    def _slopes_of_places(self, learnt: Floats) -> tuple[Floats, Floats]:
        """Of both losses by the score and the logit of each place, shapes (lists, K)."""
        width = self.features.shape[1]
        scores = self._scores(self.lists, learnt[:width])
        places = np.where(self.lists.shown, learnt[width:], -np.inf)
        of_scores = _softmax_slope(self.lists, scores, places)
        return of_scores, _softmax_slope(self.lists, places, scores)


@dataclass(frozen=True, eq=False)
class _Response:
    """The curve when queries are drawn anew, one Newton step from the whole log's.

    Attributes:
        logits: of the positions, shape (K,), nan where nothing was clicked.
        steps: what each query moves them by when it counts once more, shape (queries, K).
        clicks: of each query, shape (queries, K).
    """

    logits: Floats
    steps: Floats
    clicks: Floats

    @classmethod
    def of(cls, learner: _Learner, found: _Parameters, n_queries: int) -> "_Response":
        lists, width = learner.lists, len(found.feature_weights)
        learnt = np.append(found.feature_weights, np.nan_to_num(found.position_logits, nan=0.0))
        # logits are relative to position 1; without a click they do not move
        free = np.flatnonzero(np.append(np.ones(width, bool), learner.clicks > 0))
        free = free[free != width]
        bend = np.zeros((len(free), len(free)))
        for column, place in enumerate(free):
            nudge = np.zeros_like(learnt)
            nudge[place] = _NUDGE
            ahead, behind = learner.slope(learnt + nudge), learner.slope(learnt - nudge)
            bend[:, column] = (ahead - behind)[free] / (2 * _NUDGE)
        slopes = learner.slopes_of_queries(learnt, n_queries)
        steps = np.zeros_like(slopes)
        steps[:, free] = -slopes[:, free] @ np.linalg.pinv(bend).T
        rows = [np.bincount(lists.query, lists.count * row, n_queries) for row in lists.clicked.T]
        clicks = np.stack(rows, axis=1).astype(np.float64)
        return cls(found.position_logits, steps[:, width:], clicks)

    def propensities(self, weights: Floats) -> Floats:
        """Theta with each query counted weights[query] times; nan at positions without a click."""
        clicks = weights @ self.clicks
        moved = np.clip((weights - 1) @ self.steps, -_FURTHEST, _FURTHEST)
        known = (clicks > 0) & (clicks[0] > 0)
        theta: Floats = np.exp(np.where(known, self.logits + moved, np.nan))
        return theta


def _softmax_slope(lists: ListClicks, logits: Floats, others: Floats) -> Floats:
    """The derivative by ``logits`` of a loss whose weights are the ratios of ``others``."""
    with np.errstate(invalid="ignore"):
        ratio = np.exp(np.clip(others[:, :1] - others, None, np.log(MAX_WEIGHT)))
    weighted = lists.count[:, None] * np.where(lists.clicked, ratio, 0)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = raised / raised.sum(axis=1, keepdims=True)
    return np.asarray(softmax * weighted.sum(axis=1, keepdims=True) - weighted, dtype=np.float64)
