"""How often the trust test would fire, told by drawing clicks as they would be with trust bias.

A formula with the groups as they are found says too much: clicks by trust blur which items are
good, and the covariance that the excess is judged by comes from the same few queries, so that it
is large whenever the excess is. The formula said 65% where 10% of logs were found. So clicks are
drawn on the log's own cells,

    P(click) = theta_k (gamma + (1 - gamma) b / k)

with gamma from its distribution given the item's clicks, Gamma(a + C, b + sum n theta) of Poisson
clicks with a Gamma prior of the mean and variance of the items shown about as high, since where
rankers follow relevance the rank tells it too; e = sum n theta (empirical Bayes):

    E gamma = sum C / sum e        E gamma^2 = sum (C^2 - C) / e  /  sum (e - sum n theta^2 / e)

The latter is free of the clicks' own noise: raw click rates would spread items too widely.
Such a log is fitted, dealt and grouped as the real one is. That takes the time, so one drawn log
stands for many. With m_q the mean scores of query q under the alternative and r_q what is chance
in its drawn ones, it might as well have had the scores

    s_q = m_q + v_q r_q        T = sum_q s_q        V = sum_q s_q s_q'

with random v_q of mean 0, variance 1 and third moment 1 (the wild bootstrap of Mammen 1993,
Annals of Statistics 21). T has the alternative's mean, and goes along with V as in a real log.

At .001 and b = .1: of 7,000 lists in random order it said .02 and .05 of 100 were found; of 40,000
of rankers that follow relevance somewhat .54 and .57 of 60, strongly .02 and none of 30; of 40,000
of many queries whose rankers do so closely .18 and .14 of 80.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtri, ndtri

from label_platform.propensity.cells import Cells, Floats, Integers
from label_platform.propensity.estimators.pbm import pbm_propensities
from label_platform.propensity.gates.score_test import GroupedClicks
from label_platform.propensity.gates.trust_groups import quality_groups, relevance, trusting_clicks

_DRAWN_LOGS = 2
_RANK_GROUPS = 10
_MANY_CELLS = 100_000
"""From which on one drawn log is like the next."""
_REDRAWN = 75
_MOST_ALIKE = 1e4
_RIDGE = 1e-6
_ROUNDING = 1e-9
_MAMMEN = (1 + np.sqrt(5) * np.array([-1.0, 1.0])) / 2
_CHANCES = (1 + np.array([1.0, -1.0]) / np.sqrt(5)) / 2
"""Mean 0, variance 1 and third moment 1."""


def trust_power(
    cells: Cells, propensity: Floats, bias: float, significance: float, seed: int
) -> float:
    """The chance that the trust test finds a bias that comes on top of the clicks there are.

    Args:
        cells: of one context.
        propensity: the curve, shape (K,), 1 at position 1; nan or 0 leaves a position out.
        bias: the chance that an irrelevant item is clicked at position 1 as it stands there.
        significance: p values below it count as found; p is twice the smaller of the p value of
            any difference and of that of a difference as by trust.
        seed: of the draws. Of like logs the results' standard deviation is .05 to .1.
    """
    rng = np.random.default_rng([seed, 17])
    theta = np.where(np.isfinite(propensity), propensity, 0.0)
    prior = _Prior.of(cells, theta)
    logs = 1 if len(cells) > _MANY_CELLS else _DRAWN_LOGS
    found = [
        _found(_drawn(cells, theta, prior, bias, rng), bias, significance, rng) for _ in range(logs)
    ]
    return float(np.mean(found))


@dataclass(frozen=True, eq=False)
class _Prior:
    """The gamma distribution of relevance given each query_item's clicks."""

    shape: Floats
    rate: Floats

    @classmethod
    def of(cls, cells: Cells, theta: Floats) -> "_Prior":
        gamma, exposure = relevance(cells, theta)
        clicks, once = gamma * exposure, np.maximum(exposure, _RIDGE)
        # of one impression's click nothing is learned of the square
        same = cells.by_query_item(cells.impressions * theta[cells.position - 1] ** 2)
        rank = _rank_groups(cells, exposure)
        sums = [
            np.bincount(rank, values, _RANK_GROUPS)
            for values in (
                clicks,
                exposure,
                (clicks**2 - clicks) / once,
                np.maximum(exposure - same / once, _RIDGE),
            )
        ]
        mean = sums[0] / np.maximum(sums[1], _RIDGE)
        square = sums[2] / np.maximum(sums[3], _RIDGE)
        shape = mean**2 / np.maximum(square - mean**2, np.maximum(mean**2, _RIDGE) / _MOST_ALIKE)
        shape, rate = shape[rank], (shape / np.maximum(mean, _RIDGE))[rank]
        return cls(shape + clicks, np.maximum(rate + exposure, _RIDGE))


def _rank_groups(cells: Cells, exposure: Floats) -> Integers:
    """0 to 9 for each query_item: tenths of what was looked at, from shown high to shown low."""
    shown = cells.by_query_item(cells.impressions)
    depth = cells.by_query_item(cells.impressions * cells.position) / np.maximum(shown, _RIDGE)
    order = np.argsort(depth, kind="stable")
    looked_at = np.cumsum(exposure[order])
    group = np.empty(len(order), dtype=np.int64)
    tenths = looked_at * _RANK_GROUPS / looked_at[-1]
    group[order] = np.minimum(tenths.astype(np.int64), _RANK_GROUPS - 1)
    return group


def _drawn(
    cells: Cells, theta: Floats, prior: _Prior, bias: float, rng: np.random.Generator
) -> tuple[Cells, Floats]:
    """A log with the trust bias, and the chance of a click on each cell."""
    gamma = np.minimum(rng.gamma(prior.shape) / prior.rate, 1.0)[cells.query_item]
    chance = theta[cells.position - 1] * (gamma + (1 - gamma) * bias / cells.position)
    chance = np.minimum(chance, 1.0)
    clicks = rng.binomial(np.rint(cells.impressions).astype(np.int64), chance)
    return replace(cells, clicks=clicks.astype(np.float64)), chance


def _found(
    drawn: tuple[Cells, Floats], bias: float, significance: float, rng: np.random.Generator
) -> float:
    """The share of logs like the drawn one in which the test fires."""
    cells, chance = drawn
    curve = pbm_propensities(cells)
    tested = quality_groups(cells, curve, rng)
    kept = tested.tested_places()
    if not len(kept):
        return 0.0
    chance_at = _by_cell(cells, chance, tested)
    mean = replace(tested, cells=replace(tested.cells, clicks=tested.cells.impressions * chance_at))
    project = tested.projection()[kept]
    scores = tested.by_query(tested.scores()) @ project.T
    off = scores - tested.by_query(mean.scores()) @ project.T
    toward = tested.shift(trusting_clicks(tested, curve, bias))[kept]
    return _share_found(scores, off, toward, significance, rng)


def _by_cell(cells: Cells, values: Floats, tested: GroupedClicks) -> Floats:
    """One value per cell of the log, at the cells of its two halves that are tested."""
    place = cells.query_item * cells.positions + cells.position - 1
    query_item = tested.cells.query_item % cells.n_query_items
    wanted = query_item * cells.positions + tested.cells.position - 1
    order = np.argsort(place)
    return np.asarray(values[order[np.searchsorted(place[order], wanted)]])


def _share_found(
    scores: Floats, off: Floats, toward: Floats, significance: float, rng: np.random.Generator
) -> float:
    """How often the test fires if chance had fallen otherwise.

    Args:
        scores: of each query, shape (queries, d).
        off: what of them is chance.
        toward: the direction that the test takes for trust, shape (d,).
        significance: p values below it count as found.
        rng: draws how chance falls.
    """
    white = _whitening(scores.T @ scores)
    scores, off = scores @ white, off @ white
    means, freedom = scores - off, white.shape[1]
    direction = toward @ white
    if not direction.any():
        return 0.0
    any_needed, toward_needed = chdtri(freedom, significance / 2), ndtri(1 - significance / 2)
    found = 0
    for _ in range(_REDRAWN):
        changed = means + rng.choice(_MAMMEN, len(off), p=_CHANCES)[:, None] * off
        excess = changed.sum(axis=0)
        covariance = changed.T @ changed + _RIDGE * np.eye(freedom)
        # of few queries some draws vary in fewer directions than the log did
        inverse = np.linalg.pinv(covariance, hermitian=True)
        by_excess, along = inverse @ excess, inverse @ direction
        reached = direction @ by_excess / np.sqrt(direction @ along)
        found += bool(excess @ by_excess > any_needed or reached > toward_needed)
    return found / _REDRAWN


def _whitening(covariance: Floats) -> Floats:
    """The matrix that makes all that varies vary alike, shape (d, directions that vary)."""
    # positions differ by orders of magnitude in clicks; what is left of none is rounding
    spread = np.sqrt(np.diag(covariance))
    varies = spread > _ROUNDING * spread.max()
    inverse = np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)
    values, vectors = np.linalg.eigh(covariance * np.outer(inverse, inverse))
    kept = values > _RIDGE * max(values[-1], _RIDGE)
    return np.asarray(inverse[:, None] * vectors[:, kept] / np.sqrt(values[kept]))
