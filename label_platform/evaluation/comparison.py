"""Which policy is better, with intervals that carry training variance.

A value is V = sum N / sum D over queries, of the main fit. Its standard error, and likewise that of
the paired difference to the baseline, is

    SE^2 = s_fit^2 + s_query^2 / Q

with s_fit^2 the variance of V over the resampled fits (not divided by their number: it stands for
what another log would have given, and averaging fits of one log does not take that away), and
s_query^2 the variance over queries of the mean over fits of (N_q - V D_q) / mean D, the
linearisation of the ratio (a query with several lists weighs as much as they do). Intervals use
Student's t with the degrees of freedom of Satterthwaite (1946). Verdicts are corrected by Holm
(1979) over all policies, objectives and yardsticks of a comparison.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from label_platform.evaluation.metrics import Floats

COLUMNS = (
    "policy",
    "ranker",
    "objective",
    "grain",
    "yardstick",
    "value",
    "ci_low",
    "ci_high",
    "baseline_value",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "p_value_holm",
    "verdict",
    "reason",
    "fits",
    "queries",
)
_ARM = ["policy", "ranker", "objective", "grain", "yardstick"]


@dataclass(frozen=True)
class Estimate:
    """A value or a difference with its uncertainty.

    Attributes:
        value: of the main fit.
        standard_error: over fits and queries.
        freedom: degrees of freedom.
    """

    value: float
    standard_error: float
    freedom: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided t interval."""
        half = self.standard_error * float(stdtrit(self.freedom, (1 + confidence) / 2))
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided, of a value of 0."""
        if self.value == 0:
            return 1.0
        if self.standard_error == 0:
            return 0.0
        statistic = abs(self.value) / self.standard_error
        return float(2 * stdtr(self.freedom, -statistic))


@dataclass(frozen=True, eq=False)
class FitValues:
    """One side's yardstick: parts by query (rows) and fit (columns, the main fit first)."""

    queries: NDArray[np.str_]
    numerator: Floats
    denominator: Floats

    @property
    def ratios(self) -> Floats:
        """The ratio of each fit."""
        ratios: Floats = self.numerator.sum(axis=0) / self.denominator.sum(axis=0)
        return ratios

    @property
    def excess(self) -> Floats:
        """Per query, the mean over fits of its linearised deviation from the ratio."""
        deviation = self.numerator - self.ratios * self.denominator
        means: Floats = (deviation / self.denominator.mean(axis=0)).mean(axis=1)
        return means


def estimate(side: FitValues, baseline: FitValues | None = None) -> Estimate:
    """A side's value, or its paired difference to a baseline measured on the same queries.

    Raises:
        ValueError: fewer than two resampled fits or queries, or the two sides do not match.
    """
    values, excess = side.ratios, side.excess
    if baseline is not None:
        if not np.array_equal(side.queries, baseline.queries):
            raise ValueError("the two sides were not measured on the same queries")
        if len(values) != len(baseline.ratios):
            raise ValueError(f"{len(values)} fits against {len(baseline.ratios)} of the baseline")
        values, excess = values - baseline.ratios, excess - baseline.excess
    resampled = len(values) - 1
    if resampled < 2 or len(excess) < 2:
        raise ValueError(
            f"{resampled} resampled fits and {len(excess)} queries: an interval needs 2 of each"
        )
    of_fits = float(values[1:].var(ddof=1))
    of_queries = float(excess.var(ddof=1)) / len(excess)
    error = of_fits + of_queries
    if error == 0:
        return Estimate(float(values[0]), 0.0, resampled - 1)
    freedom = error**2 / (of_fits**2 / (resampled - 1) + of_queries**2 / (len(excess) - 1))
    return Estimate(float(values[0]), float(np.sqrt(error)), freedom)


def holm(p_values: Floats) -> Floats:
    """Adjusted p values: below a level for all that Holm rejects at that level."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def compare(
    evaluations: pd.DataFrame, *, baseline: str = "raw_click", confidence: float = 0.95
) -> pd.DataFrame:
    """The ``comparisons`` table of all arms that were evaluated.

    Args:
        evaluations: rows of the ``evaluations`` table of all policies, in any order.
        baseline: the policy whose labels the baseline sides were trained on.
        confidence: of the intervals, which are not corrected; verdicts are, at 1 - confidence.

    Returns:
        One row per policy, ranker and yardstick, in the order of these. ``verdict`` is
        ``better than <baseline>``, ``worse than <baseline>``, ``no difference shown``,
        ``baseline`` or ``refused: <reason>``; numbers that are refused are null. ``fits`` counts
        the resampled ones.
    """
    rows = [
        _compare_arm(dict(zip(_ARM, map(str, key), strict=True)), parts, baseline, confidence)
        for key, parts in evaluations.groupby(_ARM, sort=True, observed=True)
    ]
    tested = [row for row in rows if "p_value" in row]
    corrected = holm(np.array([row["p_value"] for row in tested]))
    for row, p_value in zip(tested, corrected.tolist(), strict=True):
        row["p_value_holm"] = p_value
        row["verdict"], row["reason"] = _judge(row, baseline, 1 - confidence, len(tested))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = dict.fromkeys(COLUMNS[5:14], "float64")
    texts = dict.fromkeys([*_ARM, "verdict", "reason"], "str")
    return table.astype({**numbers, **texts, "fits": "int32", "queries": "int64"})


def _compare_arm(
    key: dict[str, str], parts: pd.DataFrame, baseline: str, confidence: float
) -> dict[str, Any]:
    row: dict[str, Any] = {**key, "reason": "", "fits": int(parts["fit"].max()), "queries": 0}
    sides = {str(name): side for name, side in parts.groupby("side", observed=True)}
    refusal = _refusal(sides["contender"])
    if refusal:
        return row | {"verdict": f"refused: {refusal}", "reason": refusal}
    contender = _fit_values(sides["contender"])
    try:
        found = estimate(contender)
    except ValueError as error:
        return row | {"verdict": f"refused: {error}", "reason": str(error)}
    row |= {"value": found.value, "queries": len(contender.queries)}
    row["ci_low"], row["ci_high"] = found.interval(confidence)
    if key["policy"] == baseline:
        return row | {"verdict": "baseline", "baseline_value": found.value}
    refusal = _refusal(sides["baseline"]) if "baseline" in sides else "no baseline was evaluated"
    if refusal:
        reason = f"no difference: {refusal}"
        return row | {"verdict": f"refused: {reason}", "reason": reason}
    other = _fit_values(sides["baseline"])
    paired = estimate(contender, other)
    row |= {"baseline_value": float(other.ratios[0]), "difference": paired.value}
    row["difference_low"], row["difference_high"] = paired.interval(confidence)
    return row | {"p_value": paired.p_value}


def _refusal(side: pd.DataFrame) -> str:
    """Why a side has no number: if any of its fits is refused, none of them is an answer."""
    reasons = side.sort_values("fit")["refused"].dropna()
    return str(reasons.iloc[0]) if len(reasons) else ""


def _fit_values(side: pd.DataFrame) -> FitValues:
    wide = side.pivot_table(
        index="query_id", columns="fit", values=["numerator", "denominator"], aggfunc="sum"
    ).fillna(0.0)
    return FitValues(
        queries=wide.index.to_numpy(dtype=np.str_),
        numerator=wide["numerator"].to_numpy(dtype=np.float64),
        denominator=wide["denominator"].to_numpy(dtype=np.float64),
    )


def _judge(row: dict[str, Any], baseline: str, level: float, tests: int) -> tuple[str, str]:
    interval = f"{row['difference_low']:+.4f} to {row['difference_high']:+.4f}"
    shown = f"difference {row['difference']:+.4f} ({interval})"
    if row["p_value_holm"] < level:
        word = "better" if row["difference"] > 0 else "worse"
        return f"{word} than {baseline}", f"{shown}, p = {row['p_value_holm']:.2g} by Holm"
    if row["p_value"] < level:
        return (
            "no difference shown",
            f"{shown}: p = {row['p_value']:.2g} alone, {row['p_value_holm']:.2g} among {tests}",
        )
    return "no difference shown", f"{shown}, p = {row['p_value']:.2g}"
