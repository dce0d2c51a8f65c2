"""The simulated logs of ``propensity.py``: what people see, how they click, and the true curve."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from label_platform.logs.simulators.click_lists import ClickListSettings

Floats = NDArray[np.float64]
Curve = tuple[float, ...]

POSITIONS = 10
QUERIES = 3000
RANDOMIZED_SHARE = 0.03
TRUST_BIAS = 0.3
FEW_CLICKS = 0.05
LOGGERS = ("weak", "strong", "random")


def power_curve(exponent: float) -> Curve:
    """Examination that falls as a power of the position."""
    return tuple(float(k) ** -exponent for k in range(1, POSITIONS + 1))


INVERSE = power_curve(1.0)
SECOND_PAGE = (1.0, 0.7, 0.5, 0.4, 0.3, 0.6, 0.42, 0.3, 0.24, 0.18)
"""Five items to a page: the second page's first is looked at more than the first page's last."""


@dataclass(frozen=True)
class Setting:
    """One kind of log.

    Attributes:
        name: as in the table.
        lists: what is simulated.
        logged_chance: whether the log says with which probability chance put each item where it
            is, which is what ``swap`` reads.
    """

    name: str
    lists: ClickListSettings
    logged_chance: bool = False

    @property
    def context(self) -> tuple[str, ...]:
        """The columns that curves differ by."""
        return ("device",) if len(self.lists.curves) > 1 else ()

    @property
    def has_trust(self) -> bool:
        """Whether people click what stands high although it is not relevant."""
        return self.lists.trust_bias > 0

    def truth(self, estimator: str) -> Floats:
        """What an estimator should find, shape (devices, positions).

        With trust t / k an item of relevance gamma is clicked with chance
        theta_k ((1 - t / k) gamma + t / k). In terms of gamma' = (1 - t) gamma + t, its click
        rate at position 1, that is alpha_k gamma' + beta_k with
        alpha_k = theta_k (1 - t / k) / (1 - t): what ``affine`` estimates. For all others the
        truth is theta.
        """
        curves = np.asarray(self.lists.curves, dtype=np.float64)
        if estimator != "affine":
            return curves
        trust = self.lists.trust_bias
        by_position = trust / np.arange(1, curves.shape[1] + 1)
        return curves * (1 - by_position) / (1 - trust)


def settings_table(n_lists: int, n_queries: int = QUERIES) -> list[Setting]:
    """Every setting, with so many lists of ten positions for each device."""
    ordinary = ClickListSettings(
        n_lists=n_lists, n_queries=n_queries, randomized_share=RANDOMIZED_SHARE
    )
    kinds = {
        "1/k": replace(ordinary, curves=(INVERSE,)),
        "1/k few clicks": replace(ordinary, curves=(INVERSE,), top_click_rate=FEW_CLICKS),
        "1/k^0.5": replace(ordinary, curves=(power_curve(0.5),)),
        "second page": replace(ordinary, curves=(SECOND_PAGE,)),
        "trust": replace(ordinary, curves=(INVERSE,), trust_bias=TRUST_BIAS),
        # each device's curve rests on its own half
        "two devices": replace(ordinary, n_lists=2 * n_lists, curves=(INVERSE, power_curve(1.3))),
    }
    settings = [
        Setting(f"{kind}, {logger}", replace(lists, logger=logger))
        for kind, lists in kinds.items()
        for logger in LOGGERS
    ]
    settings += [
        Setting(f"one ranker, {logger}", replace(ordinary, rankers=1, logger=logger))
        for logger in ("weak", "strong")
    ]
    settings.append(
        Setting(
            "one ranker, no chance", replace(ordinary, rankers=1, logger="weak", randomized_share=0)
        )
    )
    settings.append(
        Setting(
            "all randomised", replace(ordinary, randomized_share=1.0, top_click_rate=FEW_CLICKS)
        )
    )
    settings.append(
        Setting(
            "logged chance",
            replace(ordinary, logger="random", randomized_share=0),
            logged_chance=True,
        )
    )
    return settings
