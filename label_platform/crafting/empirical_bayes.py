"""How far labels of thin evidence are drawn toward the mean of all, learned from the labels.

Clicks c_i of E_i expected examinations are Poisson with mean E_i gamma_i. With m = sum c / sum E,
the variance of the gamma_i by moments is

    s2 = (sum E_i (c_i/E_i - m)^2 - (N - 1) m) / (sum E_i - sum E_i^2 / sum E_i)

and a gamma prior with this mean and variance draws c/E to (c + a m)/(E + a), a = m / s2.

Two refusals. Where s2 <= 0, items do not differ beyond chance, and a would be without bound. Where
rarely examined items are clicked less, the mean of all is no guess for them: a logging ranker that
follows relevance has shown them rarely because they are bad. Tested by the score of a slope of
the rates in log E, T = sum (c_i - E_i m)(x_i - x), its variance from the cells themselves.

Source: Robbins 1956 (empirical Bayes); moments as in Marshall, Journal of the RSS C 40 (1991).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SURE = 3.0
"""Standard errors beyond which the logging ranker is taken to follow relevance."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EmpiricalBayes:
    """A prior, or why there is none.

    Attributes:
        mean: m.
        strength: a, in expected examinations.
        refusal: in words and numbers; empty if there is a prior.
    """

    mean: float
    strength: float
    refusal: str = ""


def fit_empirical_bayes(gain: Floats, examined: Floats) -> EmpiricalBayes:
    """Learn the prior of labels gain/examined.

    Args:
        gain: of each cell, counts of one signal, 0 or more.
        examined: expected examinations of each cell, above 0.
    """
    total = float(examined.sum())
    mean = float(gain.sum()) / total if total > 0 else 0.0
    cells = len(gain)
    if cells < 2 or mean <= 0:
        return EmpiricalBayes(mean, 0.0, f"{cells:,} cells with a mean label of {mean:.3g}")
    spread = float((examined * (gain / examined - mean) ** 2).sum()) - (cells - 1) * mean
    variance = spread / (total - float((examined**2).sum()) / total)
    if variance <= 0:
        return EmpiricalBayes(
            mean, 0.0, f"labels differ no more than by chance (variance {variance:.3g})"
        )
    log_examined = np.log(examined)
    off = log_examined - float((examined * log_examined).sum()) / total
    parts = (gain - examined * mean) * off
    # where all are examined alike there is no slope
    slope = float(parts.sum() / max(np.sqrt((parts**2).sum()), 1e-12))
    if slope > _SURE:
        return EmpiricalBayes(
            mean,
            0.0,
            "rarely examined items have lower labels, so that the mean of all is no guess for "
            f"them (slope in log examinations {slope:.1f} standard errors above 0)",
        )
    return EmpiricalBayes(mean, mean / variance)
