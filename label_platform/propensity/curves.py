"""One estimator's curves, context by context, each behind its gates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.curve import REFERENCE_POSITION, Verdict
from label_platform.propensity.estimate import Estimate, refused
from label_platform.propensity.evidence import judge_width
from label_platform.propensity.gates.identifiability import identify
from label_platform.propensity.gates.interventions import count_interventions
from label_platform.propensity.log_statistics import FEWEST_QUERIES, LogStatistics, Stratum
from label_platform.propensity.registry import ESTIMATORS, Estimator
from label_platform.propensity.shrinkage import MIN_STRATA, shrink
from label_platform.propensity.strata import StratumCurve, context_name, put_together
from label_platform.propensity_settings import PropensitySettings

_LEAST = 1e-6
"""A propensity below it, or above its inverse, is one that the clicks do not bound."""
_NEGLIGIBLE_SHARE = 0.01
"""Of impressions, at the deepest positions: these may go without a propensity."""
_NAMED = 5
"""Positions that a note lists."""


def estimate_curves(
    name: str, statistics: LogStatistics, strata: Sequence[Stratum], settings: PropensitySettings
) -> pd.DataFrame:
    """Every context's curve and the pooled one, in the layout of the ``propensities`` table.

    With five contexts or more, curves are shrunk toward their mean as far as they differ by
    chance; with fewer, how much they differ cannot be learned.

    Args:
        name: of an estimator in the registry.
        statistics: of the window of days.
        strata: ``statistics.strata()``, the one over all contexts last.
        settings: of the problem.
    """
    estimator = ESTIMATORS[name]
    found = [_estimate(estimator, statistics, stratum, settings) for stratum in strata]
    found = [*_shrunk(found[:-1]), found[-1]]
    curves = [
        _curve(estimator, stratum, estimate, statistics.context, settings)
        for stratum, estimate in zip(strata, found, strict=True)
    ]
    notes = [*statistics.notes] if estimator.reads == "cells" else []
    if statistics.few_queries:
        notes.append(f"with less than {FEWEST_QUERIES} queries, intervals come from drawing items")
    if len(found) > MIN_STRATA:
        notes.append("curves of contexts are shrunk toward their mean")
    return put_together(name, curves[-1], curves[:-1], statistics.context, settings, notes)


def _estimate(
    estimator: Estimator, statistics: LogStatistics, stratum: Stratum, settings: PropensitySettings
) -> Estimate:
    nothing = np.zeros(stratum.positions)
    if statistics.pooled and estimator.reads.startswith("cells") and not estimator.takes_pooled:
        reason = "it reads each item by itself, and there are more cells than propensity.max_cells"
        return refused(f"{reason} ({settings.max_cells:,})", nothing, nothing)
    try:
        return estimator.run(stratum, settings.replicates)
    except Exception as error:  # noqa: BLE001 - one estimator's fault must not stop the others
        return refused(f"{estimator.name} fails on this log: {error}", nothing, nothing)


def _shrunk(found: list[Estimate]) -> list[Estimate]:
    if len(found) < MIN_STRATA:
        return found
    positions = max(len(each.propensity) for each in found)
    logs = np.stack([_padded(np.log(each.propensity), positions) for each in found])
    errors = np.stack([_padded(each.log_error, positions) for each in found])
    logs, errors = shrink(logs, errors)
    return [
        replace(
            each,
            propensity=np.exp(log[: len(each.propensity)]),
            log_error=error[: len(each.propensity)],
        )
        for each, log, error in zip(found, logs, errors, strict=True)
    ]


def _padded(values: Floats, length: int) -> Floats:
    return np.append(values, np.full(length - len(values), np.nan))


def _curve(
    estimator: Estimator,
    stratum: Stratum,
    estimate: Estimate,
    context: Sequence[str],
    settings: PropensitySettings,
) -> StratumCurve:
    estimates = _estimates(estimate)
    verdict, reason, deepest = _judge(estimator, stratum, estimate, estimates, settings)
    estimates = estimates[estimates["position"] <= deepest]
    ratio = estimates["ci_high"] / estimates["ci_low"]
    own = pd.Series(verdict.value, index=estimates.index)
    if verdict is Verdict.WIDE:
        own = own.where(ratio > settings.max_interval_ratio, Verdict.OK.value)
    if stratum.key is None:
        name = "all contexts" if context else ""
    else:
        name = context_name(context, stratum.key)
    return StratumCurve(name, stratum.key, estimates.assign(verdict=own), verdict, reason)


def _estimates(estimate: Estimate) -> pd.DataFrame:
    """The positions with a propensity and an interval; position 1 is always among them."""
    known = np.isfinite(estimate.propensity) & np.isfinite(estimate.log_error)
    with np.errstate(invalid="ignore"):
        known &= (estimate.propensity >= _LEAST) & (estimate.propensity <= 1 / _LEAST)
    table = pd.DataFrame(
        {
            "position": np.arange(1, len(known) + 1),
            "propensity": estimate.propensity,
            "ci_low": estimate.ci_low,
            "ci_high": estimate.ci_high,
            "trust_offset": estimate.details.get("trust_offset", np.full(len(known), np.nan)),
            "impressions": estimate.impressions.round(),
            "clicks": estimate.clicks.round(),
        }
    )
    reference = table["position"] == REFERENCE_POSITION
    table.loc[reference, ["propensity", "ci_low", "ci_high"]] = 1.0
    return table[known | reference].reset_index(drop=True)


def _judge(
    estimator: Estimator,
    stratum: Stratum,
    estimate: Estimate,
    estimates: pd.DataFrame,
    settings: PropensitySettings,
) -> tuple[Verdict, str, int]:
    """Verdict, reason, and the deepest position whose propensity the evidence speaks of."""
    insufficient, deepest = Verdict.INSUFFICIENT_INTERVENTIONS, stratum.positions
    cells = stratum.swapped if estimator.reads == "swapped" else stratum.cells
    if estimator.reads == "swapped" and not len(cells):
        return insufficient, "no list was made by chance with its probability logged", deepest
    if estimator.needs_interventions:
        gap = count_interventions(cells).gap(settings.min_query_items)
        if gap is not None:
            return insufficient, gap, deepest
    if estimate.refusal:
        return insufficient, estimate.refusal, deepest
    clicks, evidence = _evidence(estimator, stratum, estimate)
    if clicks < settings.min_clicks:
        reason = f"{evidence}, where at least {settings.min_clicks} clicks are needed"
        return insufficient, reason, deepest
    note = ""
    if estimator.needs_interventions:
        identified = identify(cells)
        if not identified.connected:
            if not _negligible(cells, identified.comparable):
                return Verdict.NOT_IDENTIFIED, identified.reason(), deepest
            # what is deeper may trade places among itself: that says nothing against position 1
            deepest = max(identified.comparable)
            estimates = estimates[estimates["position"] <= deepest]
            note = f"; no propensity below position {deepest}"
    note = _unknown(estimate, estimates, deepest) + note
    if not estimate.details.get("converged", True):
        note += "; its iterations were stopped before they converged"
    verdict, reason = judge_width(estimates, evidence, settings)
    return verdict, reason + note, deepest


def _evidence(estimator: Estimator, stratum: Stratum, estimate: Estimate) -> tuple[float, str]:
    """The clicks (for views: items seen) that a curve rests on, and the same in words."""
    clicks, impressions = float(estimate.clicks.sum()), float(estimate.impressions.sum())
    if estimator.reads == "swapped":
        impressions, clicks = stratum.swap_counts
    if estimator.reads == "views":
        given = estimate.details["given"]
        return clicks, f"{clicks:,.0f} items on screen of {impressions:,.0f} {given}"
    return clicks, f"{clicks:,.0f} clicks on {impressions:,.0f} impressions"


def _unknown(estimate: Estimate, estimates: pd.DataFrame, deepest: int) -> str:
    """Positions down to the deepest that were shown, but have too few clicks for a propensity."""
    position = np.arange(1, len(estimate.impressions) + 1)
    shown = (estimate.impressions > 0) & (position <= deepest)
    missing = position[shown & ~np.isin(position, estimates["position"])]
    if not len(missing):
        return ""
    named = ", ".join(str(each) for each in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    clicks, impressions = (
        each[missing - 1].sum() for each in (estimate.clicks, estimate.impressions)
    )
    clicked = f"with {clicks:,.0f} clicks" if clicks > 0 else "without a click"
    return (
        f"; no propensity at position {named}{more}: {impressions:,.0f} impressions there {clicked}"
    )


def _negligible(cells: Cells, comparable: tuple[int, ...]) -> bool:
    """Whether all that cannot be compared lies at the end of the list, where little is shown."""
    deepest = max(comparable)
    if len(comparable) < min(deepest, 2):
        return False
    if comparable != tuple(range(1, deepest + 1)):
        return False
    shown = cells.by_position(cells.impressions)
    return bool(shown[deepest:].sum() <= _NEGLIGIBLE_SHARE * shown.sum())
