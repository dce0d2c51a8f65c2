"""Does the position-based model fit? Cascades and odd items read as position otherwise.

The model says that a click needs an examined position and a relevant item, each by itself:
P(click on i at k) = theta_k gamma_i. Three ways in which it fails leave traces in counts:

- trust: people click what stands high even if it is irrelevant (``trust``);
- cascade: people stop, or go on, after a click (Craswell et al. 2008; Guo et al. 2009), so that
  a click depends on clicks above it in the same list;
- outliers: a program or a widget clicks some items by rules of its own.

Each test tells its power: that nothing was found says little if nothing could be found.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri
from scipy.stats import ncx2

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.gates.chi_square import NOT_TESTED, JointTest, MisfitTest

ODDS_RATIO_ALTERNATIVE = 1.5
OUTLIER_SIGNIFICANCE = 1e-6
OUTLIER_DEVIATION = 0.2
_WANTED_POWER = 0.8


def cascade_misfit(
    cells: Cells,
    impressions_below_click: Floats,
    clicks_below_click: Floats,
    significance: float,
) -> MisfitTest:
    """Whether a click is as likely with a click above it in the list as without.

    Cochran-Mantel-Haenszel test over cells (Mantel and Haenszel 1959), each a two-by-two table of
    clicked or not, below a click or not, of one item at one position. With n, c the cell's
    impressions and clicks and m, a those in lists with a click above:

        U = sum (a - m c / n)          Var U = sum m (n - m) c (n - c) / (n^2 (n - 1))

    U^2 / Var U is chi-square with one degree of freedom.

    Trap: people who differ in how much they click look the same as people who go on after a
    click. Odds above 1 are therefore no proof of a cascade; either way clicks of one list are
    not independent, as the position-based model has them.

    Args:
        cells: of one context.
        impressions_below_click: of each cell, those in lists with a click further up.
        clicks_below_click: the clicks on these.
        significance: p values below it count as found, in the power and in the sentence.

    Returns:
        Power: at an odds ratio of 1.5 (or 1 / 1.5).
    """
    total, clicks = cells.impressions, cells.clicks
    kept = (total > 1) & (impressions_below_click > 0) & (impressions_below_click < total)
    total, clicks = total[kept], clicks[kept]
    below, both = impressions_below_click[kept], clicks_below_click[kept]
    excess = float((both - below * clicks / total).sum())
    spread = below * (total - below) * clicks * (total - clicks) / (total**2 * (total - 1))
    variance = float(spread.sum())
    if variance <= 0:
        return _not_tested("cascade", "no list has a click with others below it to compare")
    critical = float(ndtri(1 - significance / 2))
    found = _one_direction(excess, variance, math.log(ODDS_RATIO_ALTERNATIVE), critical)
    down = float((both * (total - below - clicks + both) / total).sum())
    up = float(((below - both) * (clicks - both) / total).sum())
    odds_ratio = down / up if up > 0 else math.inf
    smallest = math.exp((critical + float(ndtri(_WANTED_POWER))) / math.sqrt(variance))
    odds = f"odds of a click {odds_ratio:.3g} times those without a click above"
    if found.p_value >= significance:
        finding = "clicks do not depend on clicks above them as far as these clicks tell"
    elif odds_ratio < 1:
        finding = "people click less below a click (they stop once satisfied)"
    else:
        finding = "people click more below a click (they go on, or some click more than others)"
    able = f"odds {smallest:.3g} times as high would be found {_WANTED_POWER:.0%} of times"
    return _result("cascade", found, f"{finding}: {odds} ({_numbers(found)}); {able}")


def outlier_misfit(cells: Cells, propensity: Floats) -> MisfitTest:
    """Which (query, item) have clicks that no relevance explains under the curve.

    With q_k the share of an item's C clicks that it got at k and p_k the share due, the
    deviance is G = 2 C sum q_k log(q_k / p_k). Its chi-square limit fails where few clicks are
    due, so its chance is bounded for any number of clicks (Agrawal 2020, "Finite-sample
    concentration of the multinomial in relative entropy", with r positions beyond the first):

        P(G / 2 >= x) <= exp(-x) (e x / r)^r       for x > r

    An item is an outlier if this bound times the number of items is below one in a million and
    its clicks are off by 20% or more (G / C >= .2^2): on an item of very many clicks the curve's
    own error would show.

    Trap: an outlier that holds most clicks bends the curve to itself, and the others stand out.

    Args:
        cells: of one context.
        propensity: the curve, shape (K,); positions where it is nan or 0 are left out.

    Returns:
        The statistic is the greatest deviance, the p value the least bound times the number of
        items. Power: the share of clicks that are on items of which clicks that do not care about
        position would have been found.
    """
    theta = np.where(np.isfinite(propensity), propensity, 0.0)[cells.position - 1]
    due = cells.impressions * theta
    positions = cells.by_query_item((due > 0).astype(np.float64))
    clicks = np.where(due > 0, cells.clicks, 0.0)
    total = cells.by_query_item(clicks)
    judged = (total > 0) & (positions > 1)
    if not judged.any():
        return _not_tested("outliers", "no clicked item was seen at two positions")
    of_cell = judged[cells.query_item] & (due > 0)
    share_due = _share(cells, due, of_cell)
    deviance = _deviance(cells, _share(cells, clicks, of_cell), share_due)[judged]
    blind = _deviance(cells, _share(cells, cells.impressions, of_cell), share_due)[judged]
    total, freedom, n_items = total[judged], positions[judged] - 1, int(judged.sum())
    bound = np.exp(_log_bound(total * deviance / 2, freedom)) * n_items
    outlier = (bound < OUTLIER_SIGNIFICANCE) & (deviance >= OUTLIER_DEVIATION**2)
    blind_bound = np.exp(_log_bound(total * blind / 2, freedom)) * n_items
    visible = (blind_bound < OUTLIER_SIGNIFICANCE) & (blind >= OUTLIER_DEVIATION**2)
    worst = int(np.argmin(np.where(deviance >= OUTLIER_DEVIATION**2, bound, np.inf)))
    power = float(total[visible].sum() / total.sum())
    p_value = min(1.0, float(bound[worst])) if deviance[worst] >= OUTLIER_DEVIATION**2 else 1.0
    statistic = float((total * deviance)[worst])
    count, share = int(outlier.sum()), float(total[outlier].sum() / total.sum())
    which = f"{count:,} of {n_items:,}" if count else f"none of {n_items:,}"
    sentence = (
        f"{which} pairs of a query and an item have clicks that the curve cannot explain, with "
        f"{share:.2%} of clicks; clicks that ignore positions would be found on pairs that hold "
        f"{power:.0%} of clicks"
    )
    return MisfitTest("outliers", statistic, int(freedom[worst]), p_value, power, sentence)


def _one_direction(excess: float, variance: float, log_odds: float, critical: float) -> JointTest:
    statistic = excess**2 / variance
    power = float(ncx2.sf(critical**2, 1, log_odds**2 * variance))
    return JointTest(statistic, 1, float(chdtrc(1, statistic)), power)


def _share(cells: Cells, values: Floats, of_cell: NDArray[np.bool_]) -> Floats:
    """Each cell's part of its item's sum; 0 in cells that are left out."""
    kept = np.where(of_cell, values, 0.0)
    total = cells.by_query_item(kept)[cells.query_item]
    return np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)


def _deviance(cells: Cells, share: Floats, share_due: Floats) -> Floats:
    """2 sum q log(q / p) of each query_item, per click."""
    ratio = np.divide(share, share_due, out=np.ones_like(share), where=share_due > 0)
    logs = np.log(np.where(ratio > 0, ratio, 1.0))
    return 2 * cells.by_query_item(share * logs)


def _log_bound(half_deviance: Floats, freedom: Floats) -> Floats:
    """Of exp(-x) (e x / r)^r, its logarithm, at most 0."""
    beyond = np.maximum(half_deviance, freedom)
    return np.asarray(freedom - beyond + freedom * np.log(beyond / freedom))


def _not_tested(name: str, why: str) -> MisfitTest:
    return _result(name, NOT_TESTED, f"nothing could be tested: {why}")


def _result(name: str, found: JointTest, sentence: str) -> MisfitTest:
    return MisfitTest(
        name, found.statistic, found.degrees_of_freedom, found.p_value, found.power, sentence
    )


def _numbers(found: JointTest) -> str:
    return (
        f"chi-square {found.statistic:.4g} with {found.degrees_of_freedom} degrees of freedom, "
        f"p = {found.p_value:.2g}"
    )
