"""Is the curve of good items the curve of poor ones?

People click what stands high even if it is irrelevant (Vardasbi et al. 2020), so that the curve
is steeper for poor items than for good ones.
"""

import numpy as np

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.gates.chi_square import JointTest, MisfitTest
from label_platform.propensity.gates.trust_groups import quality_groups, trusting_clicks
from label_platform.propensity.gates.trust_power import trust_power

TRUST_ALTERNATIVE = 0.1


def trust_misfit(
    cells: Cells, propensity: Floats, significance: float, seed: int = 0
) -> MisfitTest:
    """Whether good items have the same curve as poor ones.

    The tertiles are those of ``quality_groups``, the scores and covariance those of
    ``score_test``.

    Args:
        cells: of one context; counts are whole numbers.
        propensity: the curve, shape (K,); positions where it is nan or 0 are left out.
        significance: p values below it count as found, in the power and in the sentence.
        seed: of the dealing, and of the draws behind the power.

    Returns:
        Chi-square with about (3 - 1)(K - 1) degrees of freedom, which sees any difference. A
        trust bias moves the curves in a known direction, in which much less can be seen, so that
        direction is tested by itself too; the p value is twice the smaller of the two. Power: at
        a trust bias of .1, P(click) = theta_k (gamma + (1 - gamma) .1 / k), if it came on top of
        the clicks there are, by ``trust_power``.
    """
    tested = quality_groups(cells, propensity, np.random.default_rng([seed, 11]))
    if not len(tested.cells):
        return _not_tested("no clicked item was seen at two positions")
    alternative = trusting_clicks(tested, propensity, TRUST_ALTERNATIVE)
    clusters = tested.clusters(within_group=False)
    both = tested.test(tested.covariance(), alternative, significance / 2, clusters)
    if both.degrees_of_freedom == 0:
        return _not_tested("there are too few clicks to compare good items with poor ones")
    p_value = min(1.0, 2 * min(both.p_value, both.toward_p_value))
    power = trust_power(cells, propensity, TRUST_ALTERNATIVE, significance, seed)
    return MisfitTest(
        "trust",
        both.statistic,
        both.degrees_of_freedom,
        p_value,
        power,
        _sentence(both, p_value, power, significance),
    )


def _not_tested(why: str) -> MisfitTest:
    return MisfitTest("trust", 0.0, 0, 1.0, 0.0, f"nothing could be tested: {why}")


def _sentence(both: JointTest, p_value: float, power: float, significance: float) -> str:
    if p_value < significance:
        finding = (
            "the position curve differs between good and poor items (trust in high positions, "
            "or another break of the position model)"
        )
    else:
        finding = "good and poor items follow one position curve as far as these clicks tell"
    return (
        f"{finding} (chi-square {both.statistic:.4g} with {both.degrees_of_freedom} degrees of "
        f"freedom, p = {p_value:.2g}, counting both any difference and that of trust); a trust "
        f"bias of {TRUST_ALTERNATIVE:g} would be found {power:.0%} of times"
    )
