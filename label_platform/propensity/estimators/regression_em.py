"""Position-based model by regression-EM: relevance is a function of features.

    P(click on i at k) = theta_k gamma_i,   gamma_i = f(features_i)

(Wang, Golbandi, Bendersky, Metzler and Najork 2018, "Position Bias Estimation for Unbiased Learning
to Rank in Personal Search", section 4). Items need not be seen at several positions, as f carries
what is known of one item to others. Each round has an expectation step per cell: a clicked
impression was examined and its item relevant; of one without a click

    P(examined) = theta_k (1 - gamma_i) / (1 - theta_k gamma_i)
    P(relevant) = gamma_i (1 - theta_k) / (1 - theta_k gamma_i)

and a maximisation step: theta_k is the mean P(examined) at k, and f is fitted to each item's mean
P(relevant), weighted by impressions. The largest theta is 1 throughout: every impression at the
position that is examined most counts as examined, else theta and gamma could be exchanged for each
other but for the little that 1 - theta gamma says. That need not be position 1 (a list that people
scroll past, a banner above it), so theta is divided by theta_1 only in the end.

A mean posterior moves theta_k only by about a share gamma of the way it has to go, which would take
hundreds of fits of f. So its step is repeated with f as it is until it settles: that is the root of
sum_i c_ik = sum_i (n_ik - c_ik) theta_k gamma_i / (1 - theta_k gamma_i), by Newton's method in
log theta_k, in which the likelihood is concave.

Trees change by jumps, so near the end theta wanders instead of settling. Steps of EM go one way
until then: once two of them have turned against the step before, what is left is the trees' own
jitter (within a third of the last position's standard error on simulated logs of 10,000 lists,
where a fixed tolerance was not met in 90 rounds).

With so few replicates their spread is itself uncertain, so that it is widened by what Student's t
has beyond the normal distribution, 15% for 10.

Trap: where ranks follow relevance beyond what the features say, theta takes that part of relevance
for position. Where features include what the logging policy ranked by, or the rank itself, f takes
position for relevance and the curve comes out too flat. No interval knows either.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

from label_platform.propensity.bootstrap import bootstrap_log_error
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimate import Estimate, Z, refused, without_first_click

NAME = "regression_em"
REGRESSION_EM_REPLICATES = 10
"""Each fits the relevance model many times; the standard error is then known to about 24%."""
MAX_ROUNDS = 100
_TOLERANCE = 1e-3
"""Of log theta from one round to the next; it ends within about half a percent of where it goes."""
_REPLICATE_TOLERANCE = 2e-3
"""Replicates start close by: a few rounds. This makes their spread 2-5% too small, 5e-3 10%."""
_SETTLED = 1e-8
_MAX_SETTLING = 200
_MOST_TURNS = 2
_LEAST = 1e-6

FitRelevance = Callable[[Floats, Floats, Floats], Floats]
"""From features (n, F), posterior relevance (n,) and weights (n,), gamma (n,) in 0 to 1."""


def estimate_regression_em(
    cells: Cells,
    features: Floats,
    fit_relevance: FitRelevance,
    replicates: int = REGRESSION_EM_REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The curve with bootstrap intervals over queries.

    Args:
        cells: impressions and clicks of lists that rankers made; of one context.
        features: of each query_item, shape (n_query_items, F).
        fit_relevance: fits f and returns its gamma of the same rows. Rows of weight 0 were not
            shown: they must not count in the fit. It should be deterministic.
        replicates: of the bootstrap, each from the whole log's answer. The default of 10 is few,
            as each fits f many times.
        seed: of the bootstrap.

    Returns:
        ``details["rounds"]`` says how many rounds there were, ``details["converged"]`` whether
        log theta changed by less than .001 in the last one, or only wandered; at most 100 are
        made. nan at positions without a click.

    Raises:
        ValueError: the number of features' rows differs from n_query_items.
    """
    _check(cells, features)
    impressions, clicks = cells.by_position(cells.impressions), cells.by_position(cells.clicks)
    reason = without_first_click(impressions, clicks)
    if reason:
        return refused(reason, impressions, clicks)
    found = _learn(cells, features, fit_relevance)
    error = bootstrap_log_error(
        lambda weights: (
            _learn(
                cells.reweighted(weights), features, fit_relevance, found, _REPLICATE_TOLERANCE
            ).theta
        ),
        cells.n_queries,
        replicates,
        seed,
    )
    if replicates > 1:
        error = error * student_t.ppf(norm.cdf(Z), replicates - 1) / Z
    details = {"rounds": found.rounds, "converged": found.converged}
    return Estimate(found.theta, error, impressions, clicks, details=details)


def regression_em_propensities(
    cells: Cells, features: Floats, fit_relevance: FitRelevance, start: Floats | None = None
) -> Floats:
    """theta, shape (K,), 1 at position 1.

    Args:
        cells: as for ``estimate_regression_em``.
        features: likewise.
        fit_relevance: likewise.
        start: propensities to begin with, shape (K,).

    Returns:
        nan at positions without a click, and everywhere if position 1 has none.

    Raises:
        ValueError: as ``estimate_regression_em``.
    """
    _check(cells, features)
    begin = None if start is None else _State(start, _mean_relevance(cells))
    return _learn(cells, features, fit_relevance, begin).theta


@dataclass(frozen=True, eq=False)
class _State:
    """theta relative to position 1, shape (K,), gamma, shape (n_query_items,), how reached."""

    theta: Floats
    gamma: Floats
    rounds: int = 0
    converged: bool = False


def _learn(
    cells: Cells,
    features: Floats,
    fit_relevance: FitRelevance,
    start: _State | None = None,
    tolerance: float = _TOLERANCE,
) -> _State:
    clicks = cells.by_position(cells.clicks)
    estimated = clicks > 0
    if not estimated[0]:
        return _State(np.full(len(clicks), np.nan), np.zeros(cells.n_query_items))
    if start is None:
        start = _State(np.ones(len(clicks)), _mean_relevance(cells))
    theta = np.where(estimated, np.nan_to_num(start.theta, nan=1.0), _LEAST)
    theta, gamma = _settled(cells, theta / theta.max(), start.gamma)
    rounds, turns, converged, before = 0, 0, False, np.zeros(estimated.sum())
    while not converged and rounds < MAX_ROUNDS:
        posterior, weights = _posterior_relevance(cells, theta, gamma)
        gamma = np.clip(fit_relevance(features, posterior, weights), _LEAST, 1 - _LEAST)
        after, gamma = _settled(cells, theta, gamma)
        moved = np.log(after[estimated] / after[0]) - np.log(theta[estimated] / theta[0])
        turns += bool(moved @ before < 0)
        theta, before, rounds = after, moved, rounds + 1
        converged = turns == _MOST_TURNS or bool(np.abs(moved).max() < tolerance)
    return _State(np.where(estimated, theta / theta[0], np.nan), gamma, rounds, converged)


def _settled(cells: Cells, theta: Floats, gamma: Floats) -> tuple[Floats, Floats]:
    """The likeliest theta with gamma as it is but for its scale: the largest theta stays 1.

    It is held at 1 while the others settle, and where one of these exceeds it, all theta are
    divided and all gamma multiplied by that one, which leaves every P(click) as it was.
    """
    unclicked = cells.impressions - cells.clicks
    of_cell, at = gamma[cells.query_item], cells.position - 1
    clicks = cells.by_position(cells.clicks)
    moving = clicks > 0
    moving[theta.argmax()] = False
    most = np.full(len(theta), _LEAST)
    np.maximum.at(most, at, of_cell)
    for _ in range(_MAX_SETTLING):
        odds = theta[at] * of_cell / (1 - theta[at] * of_cell)
        expected = cells.by_position(unclicked * odds)
        bend = cells.by_position(unclicked * odds * (1 + odds))
        step = np.divide(clicks - expected, bend, out=np.ones_like(bend), where=bend > 0)
        ahead = theta * np.exp(np.clip(step, -1, 1))
        # no P(click) above 1
        after = np.where(moving, np.clip(ahead, _LEAST, (1 - _LEAST) / most), theta)
        change = np.abs(after - theta).max()
        theta = after
        if change < _SETTLED:
            break
    largest = theta.max()
    return theta / largest, np.minimum(gamma * largest, 1 - _LEAST)


def _posterior_relevance(cells: Cells, theta: Floats, gamma: Floats) -> tuple[Floats, Floats]:
    """Each query_item's mean P(relevant), and its impressions."""
    of_cell, of_place = gamma[cells.query_item], theta[cells.position - 1]
    unclicked = of_cell * (1 - of_place) / (1 - of_cell * of_place)
    relevant = cells.clicks + (cells.impressions - cells.clicks) * unclicked
    impressions = cells.by_query_item(cells.impressions)
    summed = cells.by_query_item(relevant)
    # sums of nothing but ones may exceed their number by a rounding error
    mean = np.divide(summed, impressions, out=np.zeros_like(summed), where=impressions > 0)
    return np.minimum(mean, 1), impressions


def _mean_relevance(cells: Cells) -> Floats:
    """Everything as relevant as the clicks at position 1 say."""
    impressions, clicks = cells.by_position(cells.impressions), cells.by_position(cells.clicks)
    rate = clicks[0] / max(impressions[0], 1)
    return np.full(cells.n_query_items, np.clip(rate, _LEAST, 1 - _LEAST))


def _check(cells: Cells, features: Floats) -> None:
    if len(features) != cells.n_query_items:
        raise ValueError(
            f"expected features of {cells.n_query_items} query_items, found {len(features)} rows"
        )
