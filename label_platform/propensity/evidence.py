"""Gates of one propensity curve: what its evidence supports, in words that carry the numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from label_platform.propensity.curve import REFERENCE_POSITION, Verdict
from label_platform.propensity.estimate import Z
from label_platform.propensity.flatness import flatness_p_value
from label_platform.propensity_settings import PropensityGates

_SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Judgment:
    """A curve's verdict, its reason, and the positions whose interval is too wide."""

    verdict: Verdict
    reason: str
    wide: frozenset[int]


def judge(statistics: pd.DataFrame, estimates: pd.DataFrame, gates: PropensityGates) -> Judgment:
    """What the randomised lists behind one curve support.

    ``insufficient_interventions``: no randomised list, fewer clicks than the gate asks for,
    nothing at (or no click at) the reference position, no other position, or intervals that are
    too wide together with clicks that a flat curve would give as well. ``wide``: some interval's
    high/low ratio exceeds the gate, but the curve is not flat. A truly flat curve is ``ok`` once
    there are enough clicks to make every interval narrow: flat is then a finding.

    Args:
        statistics: columns length, position, impressions and clicks, zeros included.
        estimates: the curve's rows: position, propensity, ci_low, ci_high, impressions, clicks.
        gates: the problem's gates.
    """
    ratio = estimates["ci_high"] / estimates["ci_low"]
    is_wide = ratio > gates.max_interval_ratio
    wide = estimates[is_wide]
    positions = frozenset(int(position) for position in wide["position"])
    gap = _gap(statistics, gates)
    if gap is not None:
        return Judgment(Verdict.INSUFFICIENT_INTERVENTIONS, gap, positions)
    evidence = _evidence(statistics)
    if wide.empty:
        return Judgment(Verdict.OK, f"{evidence}{_widest(estimates)}", positions)
    p_value = flatness_p_value(statistics[statistics["impressions"] > 0])
    worst = wide.iloc[int(np.argmax(ratio[is_wide]))]
    between = f"position {worst['position']:.0f} lies between {describe_interval(worst)}"
    if p_value > _SIGNIFICANCE:
        reason = f"{evidence} cannot tell the position curve from flat"
        reason = f"{reason} (p = {_short(p_value)}); {between}"
        return Judgment(Verdict.INSUFFICIENT_INTERVENTIONS, reason, positions)
    others = f"; {len(wide)} positions are wide" if len(wide) > 1 else ""
    asked = describe_ratio(worst["ci_high"] / worst["ci_low"], gates)
    return Judgment(Verdict.WIDE, f"{evidence}: {between}, {asked}{others}", positions)


def describe_ratio(ratio: float, gates: PropensityGates) -> str:
    """How wide an interval is, and how wide it may be."""
    return f"{ratio:,.4g} times as high as low where at most {gates.max_interval_ratio:g} is asked"


def _short(value: float) -> str:
    """A number for a sentence: two decimals, or two digits when it is small; .38, 1.90, .0021."""
    text = f"{value:,.2f}" if abs(value) >= 0.1 else f"{value:.2g}"
    return text.removeprefix("0") if text.startswith("0.") else text


def _gap(statistics: pd.DataFrame, gates: PropensityGates) -> str | None:
    """Why there is nothing to estimate from, or None."""
    shown = statistics[statistics["impressions"] > 0]
    if shown.empty:
        return "no randomised list was shown"
    evidence = _evidence(shown)
    if shown["clicks"].sum() < gates.min_clicks:
        return f"{evidence}, where at least {gates.min_clicks} clicks are needed"
    reference = shown[shown["position"] == REFERENCE_POSITION]
    if reference.empty:
        first = int(shown["position"].min())
        return (
            f"{evidence}, none of them at position {REFERENCE_POSITION}: the first randomised "
            f"position is {first}, so nothing can be compared with position {REFERENCE_POSITION}"
        )
    if reference["clicks"].sum() == 0:
        return (
            f"{evidence}, but no click on the {reference['impressions'].sum():,} at position "
            f"{REFERENCE_POSITION}, which the others are compared with"
        )
    if shown["position"].max() == REFERENCE_POSITION < statistics["position"].max():
        return (
            f"{evidence}, all of them at position {REFERENCE_POSITION}, while lists show "
            f"positions up to {int(statistics['position'].max())}"
        )
    return None


def _evidence(statistics: pd.DataFrame) -> str:
    clicks, impressions = statistics["clicks"].sum(), statistics["impressions"].sum()
    return f"{clicks:,} clicks on {impressions:,} randomised impressions"


def describe_interval(row: pd.Series) -> str:
    """An interval in words: .42 and .61."""
    return f"{_short(row['ci_low'])} and {_short(row['ci_high'])}"


def _widest(estimates: pd.DataFrame) -> str:
    estimated = estimates[estimates["position"] != REFERENCE_POSITION]
    if estimated.empty:
        return ""
    row = estimated.iloc[int(np.argmax(estimated["ci_high"] / estimated["ci_low"]))]
    where = f"position {row['position']:.0f}, lies between {describe_interval(row)}"
    return f"; the widest interval, {where}"


def judge_width(
    estimates: pd.DataFrame, evidence: str, gates: PropensityGates
) -> tuple[Verdict, str]:
    """Whether intervals are narrow enough, or else at least tell the curve from flat.

    Args:
        estimates: the curve's rows: position, propensity, ci_low, ci_high.
        evidence: what they rest on, in words.
        gates: the problem's gates.
    """
    others = estimates[estimates["position"] != REFERENCE_POSITION]
    if others.empty:
        reason = f"{evidence}: no position but the first could be estimated"
        return Verdict.INSUFFICIENT_INTERVENTIONS, reason
    ratio = (others["ci_high"] / others["ci_low"]).to_numpy(np.float64)
    worst = others.iloc[int(ratio.argmax())]
    between = f"position {worst['position']:.0f} lies between {describe_interval(worst)}"
    if ratio.max() <= gates.max_interval_ratio:
        return Verdict.OK, f"{evidence}; the widest interval, {between}"
    if _holds_flat(others):
        reason = f"{evidence} cannot tell the position curve from flat; {between}"
        return Verdict.INSUFFICIENT_INTERVENTIONS, reason
    wide = int((ratio > gates.max_interval_ratio).sum())
    several = f"; {wide} positions are wide" if wide > 1 else ""
    asked = describe_ratio(ratio.max(), gates)
    return Verdict.WIDE, f"{evidence}: {between}, {asked}{several}"


def _holds_flat(others: pd.DataFrame) -> bool:
    """Whether a flat curve would give intervals as far from 1 (Bonferroni over positions)."""
    error = np.log(others["ci_high"] / others["ci_low"]) / (2 * Z)
    apart = (np.log(others["propensity"]).abs() / error).max()
    return bool(2 * ndtr(-apart) * len(others) > _SIGNIFICANCE)
