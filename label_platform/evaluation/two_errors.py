"""How far chance carries a number that has two errors, one of which is known from a few fits.

    X = s_1 T_1 + s_2 T_2,    T_1 ~ Student(n_1), T_2 ~ Student(n_2), independent

the distribution of Behrens (1929) and Fisher (1935). Satterthwaite's one t with degrees of freedom
that are themselves estimated is too bold where Holm's correction asks: five fits sometimes agree by
luck, and then it takes their variance for small and its degrees of freedom for many. In
simulations at p = .002, with a variance over fits of 3 to 10 times that over queries, it rejects
2.7 to 3.3 times as often as it says; this distribution .6 to .9 times. Robinson (1976, Annals of
Statistics 4: 963-971) finds it to err on the careful side.

X is a scale mixture: given u ~ chi^2(n_1), s_1 T_1 is normal of variance v = s_1^2 n_1 / u, and its
sum with s_2 T_2 is taken to be Student's of variance v + s_2^2 and (v + s_2^2)^2 / (s_2^4 / n_2)
degrees of freedom: exact where either error is 0 or n_2 is large.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, gammaln, stdtr, stdtrit

from label_platform.evaluation.metrics import Floats

_NODES = 200
_LEFT_OUT = 1e-13
"""Of chi-squared, at either end."""


@dataclass(frozen=True)
class TwoErrors:
    """A sum of two independent errors, each Student's with a scale of its own.

    Attributes:
        first: its standard error; the one with few degrees of freedom.
        first_freedom: at least 1.
        second: the other's standard error; one of the two is above 0.
        second_freedom: at least 1.
    """

    first: float
    first_freedom: int
    second: float
    second_freedom: int

    def exceeds(self, distance: float) -> float:
        """P(|X| >= distance), of a distance of 0 or more."""
        if self.second == 0:
            return float(2 * stdtr(self.first_freedom, -distance / self.first))
        chances, drawn = _inverse_chi_squared(self.first_freedom)
        second = self.second**2
        variance = self.first**2 * drawn + second
        freedom = self.second_freedom * (variance / second) ** 2
        return float(chances @ (2 * stdtr(freedom, -distance / np.sqrt(variance))))

    def within(self, confidence: float) -> float:
        """The distance that |X| stays below with this chance."""
        if self.second == 0:
            return float(self.first * stdtrit(self.first_freedom, (1 + confidence) / 2))
        upper = self.first + self.second
        while self.exceeds(upper) > 1 - confidence:
            upper *= 2
        missing = 1 - confidence
        return float(brentq(lambda distance: self.exceeds(distance) - missing, 0.0, upper))


@cache
def _inverse_chi_squared(freedom: int) -> tuple[Floats, Floats]:
    """Chances, and n / u of u ~ chi^2(n): trapezoids of log u, which is smooth and decays fast."""
    shape = freedom / 2
    first, last = np.log(gammaincinv(shape, np.array([_LEFT_OUT, 1 - _LEFT_OUT]))).tolist()
    # logs of u / 2, which is of the gamma distribution
    logs = np.linspace(first, last, _NODES)
    density = np.exp(shape * logs - np.exp(logs) - gammaln(shape))
    return density / density.sum(), freedom / (2 * np.exp(logs))
