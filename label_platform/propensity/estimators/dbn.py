"""Dynamic Bayesian network model: readers go down until a click satisfies them, or they give up.

Chapelle and Zhang, A dynamic Bayesian network click model for web search ranking (WWW 2009):

    examined_1 = 1,  clicked_k = examined_k and attracted_k,  P(attracted_k) = a_i
    P(satisfied_k | clicked_k) = s_i
    P(examined_k+1 | examined_k, not satisfied_k) = gamma;  0 once satisfied

gamma = 1 is the simplified model, SDBN. The list is known to be read down to its last click, at
l; below it everything is a guess. With B_k = P(no click below k | examined k, not satisfied k):

    B_m = 1 at the list's end,  B_k = (1 - gamma) + gamma (1 - a_k+1) B_k+1
    P(satisfied_l | clicks) = s_l / (s_l + (1 - s_l) B_l)
    P(examined_k | clicks) = P(examined_k-1, not satisfied | clicks) gamma (1 - a_k) B_k / B_k-1

These are the exact E step (the paper's forward-backward pass, solved for the one chain that has
no click); the M step divides expected successes by expected trials. Both a_i and s_i carry a
prior worth a tenth of a trial at the log's mean, so that what was hardly seen is neither 0 nor 1
(a whole trial bends the curve by 3% where items are examined fifty times). Errors are worked out
with a whole trial: what was seen once has an interval as wide as the scale.

Errors of the parameters: Louis (1982), information of the complete data minus the variance of
its score given the clicks. What is examined below l is nested (to read k is to have read k - 1),
so with y_k = P(examined_k | clicks), and y_l = P(not satisfied_l | clicks), the covariance of two
places j <= k is y_k (1 - y_j). Parameters of two queries touch only through gamma.

Traps: to count as examined what is at or above the last click, and nothing else, is biased even
where the model holds: what is below it, and lists without a click, were read in part too.

There are two parameters per item, so few lists per item bend the curve and no interval knows it.
On simulated lists of 6 the last position was off by 1-2% where the item of an average impression
was shown 89 times, by 6-9% with 23, 12-14% with 12 and 35-85% with 2 (gamma .94 for a true .80).
Below LEAST_IMPRESSIONS there is no estimate, and the figure is among the details.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Estimate, refused
from label_platform.propensity.estimators.dbn_errors import DbnErrors, dbn_errors
from label_platform.propensity.estimators.dbn_model import (
    ERROR_TRIALS,
    PRIOR_TRIALS,
    DbnLists,
    DbnParameters,
    dbn_trials,
)
from label_platform.propensity.estimators.list_totals import (
    clicks_shown,
    impressions_of_an_item,
    impressions_shown,
)
from label_platform.propensity.list_clicks import ListClicks

LEAST_IMPRESSIONS = 10.0
"""Of the (query, item) of an average impression: see the second trap."""
_START = 0.5
_START_CONTINUATION = 0.9
_TOLERANCE = 1e-4
"""Of the logits from one step to the next."""
_MAX_STEPS = 500
_LONGEST_LEAP = 32.0
_LEAST = 1e-9


def estimate_dbn(
    lists: ListClicks, replicates: int = REPLICATES, seed: int = 0, *, sdbn: bool = False
) -> Estimate:
    """The share of shown lists whose reader examined each position, with bootstrap intervals.

    Position 1 is always examined, so the share is relative to it as it stands. Details:
    ``attractiveness`` and ``satisfaction`` with ``_error``, shape (n,), ``continuation`` with
    ``_error``; an error is nan where it is not known (see ``dbn_errors``);
    ``impressions_of_an_item``.

    Args:
        lists: of one context.
        replicates: of the bootstrap over queries.
        seed: of the bootstrap.
        sdbn: readers leave only when satisfied: gamma is 1.
    """
    impressions, clicks = impressions_shown(lists), clicks_shown(lists)
    if clicks.sum() == 0:
        reason = f"no click in {lists.count.sum():,.0f} lists: nobody can be seen to read on"
        return refused(reason, impressions, clicks)
    evidence = impressions_of_an_item(lists)
    if lists.positions > 1 and evidence < LEAST_IMPRESSIONS:
        reason = f"items were shown {evidence:.1f} times each, and with less than"
        reason += f" {LEAST_IMPRESSIONS:.0f} any silence can be put down to them"
        return refused(reason, impressions, clicks)
    prepared = DbnLists.of(lists)
    found = _fit(prepared, None, 1.0 if sdbn else None)
    # an item never clicked would look certain, so errors are those of a firmer prior
    firmer = _fit(prepared, found, found.continuation, ERROR_TRIALS)
    errors = dbn_errors(prepared, firmer, fixed=sdbn)
    response = _Response.of(prepared, found, errors)
    log_error = bootstrap_log_error(response.curve, lists.n_queries, replicates, seed)
    return Estimate(
        response.curve(np.ones(lists.n_queries)),
        log_error,
        impressions,
        clicks,
        details={
            "attractiveness": found.attractiveness,
            "attractiveness_error": errors.attractiveness,
            "satisfaction": found.satisfaction,
            "satisfaction_error": errors.satisfaction,
            "continuation": found.continuation,
            "continuation_error": errors.continuation,
            "impressions_of_an_item": evidence,
        },
    )


def dbn_parameters(
    lists: ListClicks, start: DbnParameters | None = None, *, continuation: float | None = None
) -> DbnParameters:
    """The most probable parameters.

    Args:
        lists: of one context.
        start: where to begin.
        continuation: gamma, 1 for SDBN; estimated if not given.
    """
    return _fit(DbnLists.of(lists), start, continuation)


def _fit(
    lists: DbnLists,
    start: DbnParameters | None,
    continuation: float | None,
    prior: float = PRIOR_TRIALS,
) -> DbnParameters:
    """EM until no parameter moves by more than the tolerance."""
    n = lists.n_query_items
    first = _START_CONTINUATION if continuation is None else continuation
    found = start or DbnParameters(np.full(n, _START), np.full(n, _START), first)
    if continuation is not None:
        found = replace(found, continuation=continuation)
    fixed = continuation is not None
    for _ in range(_MAX_STEPS):
        one = _step(lists, found, prior, fixed=fixed)
        two = _step(lists, one, prior, fixed=fixed)
        if np.abs(_logits(two) - _logits(one)).max() < _TOLERANCE:
            return two
        found = _step(lists, _leap(found, one, two), prior, fixed=fixed)
    return found


def _leap(zero: DbnParameters, one: DbnParameters, two: DbnParameters) -> DbnParameters:
    """Three points of EM's path extrapolated (SQUAREM, Varadhan and Roland 2008, S3).

    Plain EM takes hundreds of steps where most of what is below the clicks is hidden.
    """
    at_zero, at_one, at_two = _logits(zero), _logits(one), _logits(two)
    speed = at_one - at_zero
    bend = at_two - at_one - speed
    bent = max(float(np.linalg.norm(bend)), 1e-300)
    length = min(max(float(np.linalg.norm(speed)) / bent, 1.0), _LONGEST_LEAP)
    leap = expit(at_zero + 2 * length * speed + length**2 * bend)
    n = len(zero.attractiveness)
    continuation = two.continuation if two.continuation in (1.0, zero.continuation) else leap[-1]
    return DbnParameters(leap[:n], leap[n:-1], float(continuation))


def _logits(found: DbnParameters) -> Floats:
    joined = np.append(np.append(found.attractiveness, found.satisfaction), found.continuation)
    return np.asarray(logit(np.clip(joined, _LEAST, 1 - _LEAST)), np.float64)


def _step(lists: DbnLists, before: DbnParameters, prior: float, *, fixed: bool) -> DbnParameters:
    """One E step and one M step."""
    trials = dbn_trials(lists, before)
    going_on = trials.continued.sum(), trials.could_continue.sum()
    move = not fixed and going_on[1] > 0
    return DbnParameters(
        _shares(trials.clicks, trials.examined, prior),
        _shares(trials.satisfied, trials.telling_clicks, prior),
        float(going_on[0] / going_on[1]) if move else before.continuation,
    )


def _shares(successes: Floats, trials: Floats, prior: float) -> Floats:
    """Successes over trials, with as many trials more, at the mean of all."""
    mean = successes.sum() / trials.sum() if trials.sum() > 0 else _START
    return (successes + prior * mean) / (trials + prior)


@dataclass(frozen=True, eq=False)
class _Response:
    """The curve when queries are drawn anew.

    A query counted twice has the same attractiveness and satisfaction as one counted once:
    given gamma, they are its own affair. So a replicate needs no EM of its own. What each query
    adds to the curve and to the score of gamma is fitted a little below and above gamma once,
    and gamma goes where the drawn queries' scores sum to 0.

    Attributes:
        shown: impressions of each query at each position, shape (queries, K).
        examined: how many of these were examined, at gamma.
        examined_slope: its derivative in gamma, with the query's own parameters refitted.
        score: of gamma in each query, at gamma, shape (queries,).
        score_slope: its derivative.
    """

    shown: Floats
    examined: Floats
    examined_slope: Floats
    score: Floats
    score_slope: Floats
    room: tuple[float, float]

    @classmethod
    def of(cls, lists: DbnLists, found: DbnParameters, errors: DbnErrors) -> "_Response":
        gamma = found.continuation
        at = dbn_trials(lists, found)
        examined = at.examined_in_query
        none = np.zeros(lists.n_queries)
        step = min(errors.continuation, gamma / 2, (1 - gamma) / 2)
        if not step > 1e-6:  # fixed, or at its bound
            slope = np.zeros_like(examined)
            return cls(lists.shown_in_query, examined, slope, none, none, (0.0, 0.0))
        low, high = (
            dbn_trials(lists, _fit(lists, found, gamma + change)) for change in (-step, step)
        )
        return cls(
            lists.shown_in_query,
            examined,
            (high.examined_in_query - low.examined_in_query) / (2 * step),
            at.score(gamma),
            (high.score(gamma + step) - low.score(gamma - step)) / (2 * step),
            (-gamma, 1 - gamma),
        )

    def curve(self, weights: Floats) -> Floats:
        """Examination by position with each query counted weights[query] times."""
        slope = weights @ self.score_slope
        change = -(weights @ self.score) / slope if slope < 0 else 0.0
        change = np.clip(change, *self.room)
        examined = weights @ (self.examined + change * self.examined_slope)
        with np.errstate(invalid="ignore"):
            return np.asarray(examined / (weights @ self.shown), dtype=np.float64)
