"""User browsing model: examination depends on the rank and on how far above the last click is.

Dupret and Piwowarski, A user browsing model to predict search engine click data (SIGIR 2008):

    P(clicked at rank r | last click d above) = a_i g_rd;   d = r if nothing above was clicked

The last click above is seen, so each list's probability is a product over its places, and counts
by (query_item, r, d) hold all there is to know. The paper climbs this likelihood by EM, which
takes hundreds of steps; in log a and log g it is concave, so Newton's method reaches the same
maximum in a few. With n impressions, c clicks and p = a g of a cell:

    L = sum c log p + (n - c) log(1 - p)
    score c - (n - c) p / (1 - p),   information (n - c) p / (1 - p)^2,   in log p

Only products are seen: g is relative to that at the top of the list, g_11 = 1, and a absorbs the
scale (it is the chance of a click at the top). g may exceed 1: people who have just clicked may
look more closely than people who have just arrived. Each query_item carries a prior of a tenth of
an impression, spread over where it was shown and clicked as often as places there are on average.

The propensity of a rank is the mean of g_rd over the lists as they were shown and clicked.

Traps: as for all position models, ranks must not follow relevance within an item. A context
(r, d) whose items were seen in no context that leads back to the top has no g: nan.

Each item has a parameter of its own, so few lists per item bend the curve, and no interval knows
it. On simulated lists of 6 the curve was off by up to 1% where the item of an average impression
was shown 27 times or more, by up to 2% with 11, 3-5% with 6 and 11-16% with 2 to 4; where items
were clicked a fifth as often by 2-5% with 11, 5-7% with 8 and 7-10% with 6. Below
LEAST_IMPRESSIONS there is no estimate, and the figure is among the details.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from label_platform.propensity.bootstrap import REPLICATES, bootstrap_log_error
from label_platform.propensity.cells import Floats
from label_platform.propensity.estimate import Estimate, refused
from label_platform.propensity.estimators.list_totals import (
    clicks_shown,
    impressions_of_an_item,
    impressions_shown,
)
from label_platform.propensity.estimators.ubm_model import (
    MAX_CHANGE,
    UbmCells,
    UbmCurvature,
    UbmParameters,
)
from label_platform.propensity.list_clicks import ListClicks

NAME = "ubm"
LEAST_IMPRESSIONS = 10.0
"""Of the (query, item) of an average impression: below it the curve is off by more than 5%."""


def estimate_ubm(lists: ListClicks, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """Mean examination of each rank relative to the top, with bootstrap intervals.

    Details: ``examination`` and ``examination_error``, shape (K, K), by rank - 1 and distance - 1
    (distance = rank: no click above), nan above the diagonal; ``attractiveness`` and
    ``attractiveness_error``, shape (n,); ``impressions_of_an_item``.

    Args:
        lists: of one context.
        replicates: of the bootstrap over queries.
        seed: of the bootstrap.
    """
    impressions, clicks = impressions_shown(lists), clicks_shown(lists)
    if clicks[0] == 0:
        reason = f"no click at position 1 in {impressions[0]:,.0f} lists, which is what the"
        return refused(f"{reason} examination of the others is relative to", impressions, clicks)
    evidence = impressions_of_an_item(lists)
    if lists.positions > 1 and evidence < LEAST_IMPRESSIONS:
        reason = f"items were shown {evidence:.1f} times each, and with less than"
        reason += f" {LEAST_IMPRESSIONS:.0f} items cannot be told from places"
        return refused(reason, impressions, clicks)
    cells = UbmCells.of(lists)
    found = cells.climb(None)
    profile = _Profile.of(cells, found)
    examination_error, attractiveness_error = profile.errors(cells, found)
    log_error = bootstrap_log_error(profile.curve, lists.n_queries, replicates, seed)
    return Estimate(
        profile.curve(np.ones(lists.n_queries)),
        log_error,
        impressions,
        clicks,
        details={
            "examination": _table(np.exp(found.log_examination)),
            "examination_error": _table(examination_error),
            "attractiveness": np.exp(found.log_attractiveness),
            "attractiveness_error": attractiveness_error,
            "impressions_of_an_item": evidence,
        },
    )


def ubm_parameters(lists: ListClicks, start: UbmParameters | None = None) -> UbmParameters:
    """The most probable parameters.

    Args:
        lists: of one context, with a click at position 1.
        start: where to begin.
    """
    return UbmCells.of(lists).climb(start)


@dataclass(frozen=True, eq=False)
class _Profile:
    """The likelihood near its maximum as a function of g alone, query by query.

    Given g, a query's attractiveness is its own affair, so that drawing queries anew moves only
    g, and by one Newton step from where it was, with the curvature of the whole log.

    Attributes:
        cells: the counts.
        curvature: at the maximum.
        log_examination: log g there.
        score: of log g once log a follows it, shape (queries, free contexts).
        covariance: of log g, shape (free contexts, free contexts).
    """

    cells: UbmCells
    curvature: UbmCurvature
    log_examination: Floats
    score: Floats
    covariance: Floats

    @classmethod
    def of(cls, cells: UbmCells, found: UbmParameters) -> Self:
        seen = np.flatnonzero(cells.query_of >= 0)
        log_a = np.nan_to_num(found.log_attractiveness)
        curvature = UbmCurvature.of(cells, log_a, np.nan_to_num(found.log_examination))
        queries = sparse.csr_array(
            (np.ones(len(seen)), (cells.query_of[seen], seen)),
            shape=(len(cells.shown), len(cells.query_of)),
        )
        score = (queries @ curvature.score_of_contexts()).toarray()[:, cells.free]
        covariance: Floats = np.asarray(
            np.linalg.pinv(curvature.information_of_contexts(), hermitian=True), dtype=np.float64
        )
        return cls(cells, curvature, found.log_examination, score, covariance)

    def curve(self, weights: Floats) -> Floats:
        """Mean examination by rank with each query counted weights[query] times."""
        log_g = self.log_examination.copy()
        change = self.covariance @ (weights @ self.score)
        log_g[self.cells.free] += np.clip(change, -MAX_CHANGE, MAX_CHANGE)
        shown = weights @ self.cells.shown
        seen = np.where(shown > 0, shown * np.exp(log_g), 0.0)
        table, of_rank = _table(seen), _table(shown)
        with np.errstate(invalid="ignore"):
            return _row_sums(table) / _row_sums(of_rank)

    def errors(self, cells: UbmCells, found: UbmParameters) -> tuple[Floats, Floats]:
        """Standard errors of examination and attractiveness, as if each had one click more.

        Without that, what was never clicked would look certain.
        """
        free = cells.free
        of_g = np.where(cells.linked, 0.0, np.nan)
        of_g[free] = np.sqrt(np.maximum(np.diag(self.covariance), 0))
        crossed = self.curvature.crossed[:, free] / self.curvature.information_a[:, None]
        through_g = crossed.multiply(crossed @ self.covariance) @ np.ones(len(free))
        of_a = np.sqrt(1 / self.curvature.information_a + through_g)
        error_g = of_g * np.exp(found.log_examination)
        error_a = of_a * np.exp(found.log_attractiveness)
        return (
            error_g * _one_more(cells.context_clicks, cells.by_context(cells.clicks)),
            error_a * _one_more(cells.item_clicks, cells.by_item(cells.clicks)),
        )


def _one_more(clicks: Floats, with_prior: Floats) -> Floats:
    """What a standard error grows by."""
    return np.sqrt((clicks + 1) / np.where(with_prior > 0, with_prior, np.nan))


def _table(values: Floats) -> Floats:
    """By rank - 1 and distance - 1, shape (K, K), nan above the diagonal."""
    positions = int((np.sqrt(8 * len(values) + 1) - 1) / 2)
    table = np.full((positions, positions), np.nan)
    table[np.tril_indices(positions)] = values
    return table


def _row_sums(table: Floats) -> Floats:
    """Over the distances of each rank; nan where one of them is."""
    return np.asarray(np.where(np.tri(len(table)) > 0, table, 0.0).sum(axis=1), dtype=np.float64)
