"""Is the curve the same on all days?

One joint test over all days and positions, on the scores of ``score_test`` with days as groups:
items may gain and lose relevance from day to day, only the ratios between positions are compared.
A test per day and position would cry wolf on most days, so there is one. The covariance
is clustered by query within the day and pooled over days, since a day alone has too few clicks to
tell its own. People who come back on several days make days alike, which makes the test shy.
Contexts have curves of their own, and are still one test: the sum of independent chi-squares is
one with the sum of their degrees of freedom and of their noncentralities.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import chdtrc, chdtri, chndtr, chndtrinc

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.gates.chi_square import NOT_TESTED, JointTest, MisfitTest
from label_platform.propensity.gates.score_test import GroupedClicks, stacked

EXPONENT_ALTERNATIVE = 0.2
_HIGHEST_POWER = 1 - 1e-6
"""From more, the noncentrality cannot be told to the digit."""


def drift_test(
    cells_by_day: Sequence[Cells], propensity: Floats, significance: float
) -> MisfitTest:
    """Whether one curve holds on all days.

    Args:
        cells_by_day: of one context, each day's lists on their own; each day may number its
            queries and items as it likes.
        propensity: the curve of all days, shape (K,); nan or 0 leaves a position out.
        significance: p values below it count as found, in the power and in the sentence.

    Returns:
        Chi-square with (days - 1)(K - 1) degrees of freedom, less what has too few clicks.
        Power: if the curve gets steeper by a factor of k^-.2 (as from 1/k to 1/k^1.2) halfway.
    """
    days = len(cells_by_day)
    if days < 2:
        return _result(NOT_TESTED, f"drift could not be tested: {days} day of clicks")
    sizes = [cells.n_query_items for cells in cells_by_day]
    day = np.repeat(np.arange(days), sizes)
    tested = GroupedClicks.of(stacked(cells_by_day), day, days, propensity)
    steeper = tested.expected_clicks()
    later = day[tested.cells.query_item] >= days / 2
    steeper *= np.where(later, tested.cells.position**-EXPONENT_ALTERNATIVE, 1.0)
    clusters = tested.clusters(within_group=True)
    found = tested.test(tested.pooled_covariance(), steeper, significance, clusters)
    if found.degrees_of_freedom == 0:
        return _result(NOT_TESTED, f"drift could not be tested: too few clicks on {days} days")
    if found.p_value < significance:
        finding = f"the position curve changed within these {days} days"
    else:
        finding = f"one position curve holds on all {days} days as far as their clicks tell"
    return _result(
        found,
        f"{finding} (chi-square {found.statistic:.4g} with {found.degrees_of_freedom} degrees of "
        f"freedom, p = {found.p_value:.2g}); a change halfway from 1/k to "
        f"1/k^{1 + EXPONENT_ALTERNATIVE:g} would be found {found.power:.0%} of times",
    )


def joint_drift(found: Mapping[str, MisfitTest], significance: float) -> MisfitTest:
    """Whether each context's curve holds on all days: one test of all of them.

    Args:
        found: ``drift_test`` of each context by its name, at least one.
        significance: p values below it count as found; that of each ``drift_test`` too.

    Returns:
        The sum of their chi-squares. Power: if all contexts change as ``drift_test`` says.
    """
    if len(found) == 1:
        return next(iter(found.values()))
    tested = {name: test for name, test in found.items() if test.degrees_of_freedom > 0}
    if not tested:
        return _result(NOT_TESTED, f"drift could not be tested in any of {len(found)} contexts")
    statistic = sum(test.statistic for test in tested.values())
    freedom = sum(test.degrees_of_freedom for test in tested.values())
    distance = sum(_noncentrality(test, significance) for test in tested.values())
    power = 1 - float(chndtr(chdtri(freedom, significance), freedom, distance))
    joint = JointTest(statistic, freedom, float(chdtrc(freedom, statistic)), power)
    if joint.p_value < significance:
        most = min(tested, key=lambda name: tested[name].p_value)
        finding = f"position curves changed within these days, most clearly that of {most}"
    else:
        finding = "one position curve of each context holds on all days as far as their clicks tell"
    return _result(
        joint,
        f"{finding} (chi-square {statistic:.4g} with {freedom} degrees of freedom over "
        f"{len(tested)} contexts, p = {joint.p_value:.2g}); a change of all of them halfway from "
        f"1/k to 1/k^{1 + EXPONENT_ALTERNATIVE:g} would be found at least {power:.0%} of times",
    )


def _noncentrality(test: MisfitTest, significance: float) -> float:
    """What gives a test its power; too low where that is nearly 1, or few clusters lower it."""
    if test.power <= significance:
        return 0.0
    critical = chdtri(test.degrees_of_freedom, significance)
    missed = 1 - min(test.power, _HIGHEST_POWER)
    return float(chndtrinc(critical, test.degrees_of_freedom, missed))


def _result(found: JointTest, sentence: str) -> MisfitTest:
    return MisfitTest(
        "drift", found.statistic, found.degrees_of_freedom, found.p_value, found.power, sentence
    )
