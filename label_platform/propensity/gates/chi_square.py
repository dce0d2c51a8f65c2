"""A chi-square test that knows its power.

With T an excess of mean 0 and covariance V, T' V^+ T is chi-square. Power is that of the
noncentral chi-square whose noncentrality is D' V^+ D, D the mean of T under the alternative. An
excess also raises the V that is estimated from it, by T T' / Q if Q queries share it alike, so
that the statistic W that a known V would give becomes W / (1 + W / Q): with few queries little
can be found.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, chdtri, ndtr, ndtri
from scipy.stats import ncx2

from label_platform.propensity.cells import Floats

_TOLERANCE = 1e-6
"""Directions of a correlation matrix with less variance are there by rounding."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class MisfitTest:
    """One test of whether the position-based model fits.

    Attributes:
        name: what it looks for.
        statistic: chi-square unless the test says otherwise; 0 if nothing could be tested.
        degrees_of_freedom: of the statistic; 0 if nothing could be tested.
        p_value: the chance of such a statistic if the model fits; 1 if nothing could be tested.
        power: the chance of finding the alternative that the sentence names.
        sentence: the finding in plain words and numbers, with the power.
    """

    name: str
    statistic: float
    degrees_of_freedom: int
    p_value: float
    power: float
    sentence: str


@dataclass(frozen=True)
class JointTest:
    """A chi-square test, its power against one alternative, and the test for just that one.

    Attributes:
        statistic: chi-square.
        degrees_of_freedom: of it.
        p_value: of it.
        power: of the chi-square test.
        toward_p_value: of excess in the direction of the alternative, one-sided.
        toward_power: of that test.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    power: float
    toward_p_value: float = 1.0
    toward_power: float = 0.0


NOT_TESTED = JointTest(0.0, 0, 1.0, 0.0)


def chi_square_test(
    excess: Floats,
    covariance: Floats,
    alternative: Floats,
    significance: float,
    clusters: float = math.inf,
) -> JointTest:
    """Whether the excess is 0 in all its directions.

    Args:
        excess: shape (d,).
        covariance: of the excess, shape (d, d); directions without variance are not tested.
        alternative: the mean of the excess under the alternative, shape (d,).
        significance: p values below it count as found, for the power.
        clusters: how many the covariance was estimated from; infinite if it is known.
    """
    variance = np.diag(covariance)
    tested = variance > _ROUNDING * variance.max(initial=0)
    if not tested.any():
        return NOT_TESTED
    # correlations, since positions differ by orders of magnitude in clicks
    inverse_scale = 1 / np.sqrt(variance[tested])
    correlation = covariance[np.ix_(tested, tested)] * np.outer(inverse_scale, inverse_scale)
    values, vectors = np.linalg.eigh(correlation)
    kept = values > _TOLERANCE * values[-1]
    whitened = vectors[:, kept].T / np.sqrt(values[kept])[:, None]
    freedom = int(kept.sum())
    seen = whitened @ (excess[tested] * inverse_scale)
    expected = whitened @ (alternative[tested] * inverse_scale)
    statistic, distance = float(seen @ seen), float(expected @ expected)
    critical = float(chdtri(freedom, significance))
    needed = critical / (1 - critical / clusters) if critical < clusters else math.inf
    reached = math.sqrt(distance / (1 + (distance + freedom) / clusters))
    toward = float(seen @ expected) / math.sqrt(distance) if distance > 0 else 0.0
    return JointTest(
        statistic,
        freedom,
        float(chdtrc(freedom, statistic)),
        float(ncx2.sf(needed, freedom, distance)),
        float(ndtr(-toward)),
        float(ndtr(reached - ndtri(1 - significance))),
    )
