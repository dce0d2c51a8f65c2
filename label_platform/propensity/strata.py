"""Curves of contexts and the pooled curve, put together as one estimator's table.

A context whose evidence is refused takes the pooled curve if that is not refused: its rows are
left out and the pooled curve's reason says why. A policy that looks a position up takes the row
of its context, else the pooled row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from label_platform.propensity.curve import REFERENCE_POSITION, Verdict, lay_out
from label_platform.propensity.evidence import describe_ratio
from label_platform.propensity_settings import PropensityGates

Key = tuple[str | None, ...]
"""A context's values; None where one is not known."""
_DIGITS = 6


@dataclass(frozen=True, eq=False)  # equal only if the same: frames have no truth value
class StratumCurve:
    """One curve: of a context, or the pooled one.

    Attributes:
        name: the context in words, device = mobile; of the pooled curve "all contexts" or "".
        key: the context's values; None for the pooled curve.
        estimates: position, propensity, ci_low, ci_high, impressions, clicks and verdict.
        verdict: of the whole curve.
        reason: of the whole curve.
    """

    name: str
    key: Key | None
    estimates: pd.DataFrame
    verdict: Verdict
    reason: str

    def refused(self, gates: PropensityGates) -> bool:
        """Whether a policy must not use it."""
        return self.verdict.is_refusal or (self.verdict is Verdict.WIDE and gates.refuse_wide)


def put_together(
    estimator: str,
    pooled: StratumCurve,
    strata: Sequence[StratumCurve],
    context: Sequence[str],
    gates: PropensityGates,
    notes: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows in the layout of the ``propensities`` table, the pooled curve's last.

    Args:
        estimator: its name.
        pooled: the curve over all contexts.
        strata: the curves of the contexts, in their order.
        context: the context columns.
        gates: whether wide curves may be used.
        notes: what is to be said of the pooled curve beside its own reason.
    """
    refused = [] if pooled.refused(gates) else [each for each in strata if each.refused(gates)]
    taking = [f"{each.name} takes this curve: {each.reason}" for each in refused]
    rows = [_rows(each, context, gates, []) for each in strata if each not in refused]
    table = pd.concat([*rows, _rows(pooled, context, gates, [*taking, *notes])], ignore_index=True)
    return lay_out(table.assign(estimator=estimator), context).round(_DIGITS)


def context_name(context: Sequence[str], values: Sequence[str | None]) -> str:
    """A context in words."""
    pairs = zip(context, values, strict=True)
    return ", ".join(
        f"{column} = {'not known' if value is None else value}" for column, value in pairs
    )


def _rows(
    curve: StratumCurve, context: Sequence[str], gates: PropensityGates, notes: Sequence[str]
) -> pd.DataFrame:
    named = f"{curve.name}: {curve.reason}" if curve.name else curve.reason
    estimates = curve.estimates
    ratio = estimates["ci_high"] / estimates["ci_low"]
    own = ("interval " + ratio.map(lambda value: describe_ratio(value, gates))).where(
        ratio > gates.max_interval_ratio, ""
    )
    speaks = estimates["position"] == REFERENCE_POSITION
    key = curve.key if curve.key is not None else (None,) * len(context)
    return estimates.assign(
        reason=own.mask(speaks, "; ".join([named, *notes])),
        first_day=None,
        last_day=None,
        **dict(zip(context, key, strict=True)),
    )
