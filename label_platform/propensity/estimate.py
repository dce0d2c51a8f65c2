"""What an estimator returns: a curve, how sure it is, and what it rests on."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from label_platform.propensity.cells import Floats

Z = 1.96
"""Half the width of a 95% interval in standard errors."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """P(examined | position) relative to position 1, of one context.

    Attributes:
        propensity: shape (K,), 1 at position 1; nan where nothing is known.
        log_error: standard error of log propensity, shape (K,), 0 at position 1; nan where
            nothing is known. The interval is propensity * exp(+-1.96 log_error).
        impressions: what each position's estimate rests on, shape (K,).
        clicks: likewise.
        refusal: why there is no estimate at all, in words and numbers; empty if there is one.
        details: an estimator's further parameters, by name (trust offsets, satisfaction, ...).
    """

    propensity: Floats
    log_error: Floats
    impressions: Floats
    clicks: Floats
    refusal: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ci_low(self) -> Floats:
        """The 95% intervals' lower ends."""
        return self.propensity * np.exp(-Z * self.log_error)

    @property
    def ci_high(self) -> Floats:
        """The 95% intervals' upper ends."""
        return self.propensity * np.exp(Z * self.log_error)


def without_first_click(impressions: Floats, clicks: Floats, *, of_several: bool = False) -> str:
    """Why no propensity relative to position 1 can be told, empty if somebody clicked there.

    Args:
        impressions: by position, shape (K,); K may be 0.
        clicks: likewise.
        of_several: whether these are only of items that were seen at several positions.
    """
    if clicks[:1].sum() > 0:
        return ""
    reason = f"no click at position 1 on the {impressions[:1].sum():,.0f} impressions there"
    return f"{reason} of items that were seen at another position too" if of_several else reason


def refused(reason: str, impressions: Floats, clicks: Floats) -> Estimate:
    """An estimate that is none: the reason, and the evidence that did not suffice."""
    nothing = np.full(len(impressions), np.nan)
    return Estimate(nothing, nothing, impressions, clicks, refusal=reason)
