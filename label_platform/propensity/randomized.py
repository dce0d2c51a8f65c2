"""Propensities from lists whose order was random: the ratio of click rates (RCTR).

    theta_k = (c_k / n_k) / (c_1 / n_1)
    interval: theta_k exp(+-1.96 sqrt(1/c_k - 1/n_k + 1/c_1 - 1/n_1))

n and c are impressions and clicks at positions k and 1 of the same lists: those long enough to
have position k. Position 1 of all lists would mix in lists of other queries, which are clicked
more or less (.051 for a true .10 was measured). A zero count of clicks counts as 1/2.

Under trust bias (people click what stands high although they see it is not relevant) the curve
understates how fast relevance decays, and its interval does not know it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from label_platform.propensity.curve import REFERENCE_POSITION, PropensityCurve, Verdict
from label_platform.propensity.evidence import judge
from label_platform.propensity.shrinkage import MIN_STRATA, shrink
from label_platform.propensity.strata import StratumCurve, context_name, put_together
from label_platform.propensity_settings import PropensityGates

ESTIMATOR = "randomized"
_Z = 1.96
_COUNTS = ["impressions", "clicks"]


def estimate_randomized(
    statistics: pd.DataFrame,
    context: Sequence[str],
    gates: PropensityGates,
) -> PropensityCurve:
    """Estimate the curve of every context, and the pooled one, from randomised lists.

    A context whose evidence is refused takes the pooled curve if that is not refused: its rows
    are left out and the reason says why. With five contexts or more, their curves are shrunk
    toward their mean as far as they differ by chance (with fewer that costs coverage). Records
    without a context value count for the pooled curve only. A log that keeps no lists (every list
    holds a single record) is taken as lists of one unknown length, which the reason says. The
    table's first_day and last_day are null: whoever selected the statistics knows them.

    Args:
        statistics: what ``randomized_statistics_sql`` selects: the context columns, length,
            position, and impressions and clicks in randomised lists.
        context: the context columns.
        gates: when the evidence is too thin.

    Raises:
        ValueError: columns are missing, or counts contradict each other.
    """
    counts, single = as_one_length(_checked(statistics, context))
    pooled = _fit(counts, _estimates(counts), gates, None, "all contexts" if context else "")
    contexts = _contexts(counts, context)
    shrunk = _shrunk([_estimates(rows) for _, rows in contexts])
    strata = [
        _fit(rows, estimates, gates, key, context_name(context, key))
        for (key, rows), estimates in zip(contexts, shrunk, strict=True)
    ]
    notes = ["the log keeps no lists: all are taken to be of one length"] if single else []
    notes.extend(_uncovered(counts, pooled))
    if len(strata) >= MIN_STRATA:
        notes.append("curves of contexts are shrunk toward their mean")
    table = put_together(ESTIMATOR, pooled, strata, context, gates, notes)
    return PropensityCurve.from_table(table, context)


def expected_error(statistics: pd.DataFrame) -> float:
    """The relative error to expect of the pooled curve, as a share of the propensity.

    0.8 mean_k sqrt(1/c_k - 1/n_k + 1/c_1 - 1/n_1) over the positions below the first: 0.8 is the
    mean absolute value of a standard normal variable. NaN when there is no such position.

    Args:
        statistics: as for ``estimate_randomized``; contexts are summed.
    """
    counts, _ = as_one_length(_checked(statistics, ()))
    pairs = _pairs(counts)
    errors = _log_error(pairs)[pairs["position"] != REFERENCE_POSITION]
    return float(0.8 * errors.mean()) if len(errors) else float("nan")


def _checked(statistics: pd.DataFrame, context: Sequence[str]) -> pd.DataFrame:
    wanted = [*context, "length", "position", *_COUNTS]
    missing = [column for column in wanted if column not in statistics.columns]
    if missing:
        raise ValueError(f"statistics lack {missing}; found {list(statistics.columns)}")
    for problem, wrong in (
        ("a position beyond the list's length", statistics["position"] > statistics["length"]),
        ("a position below 1", statistics["position"] < 1),
        ("more clicks than impressions", statistics["clicks"] > statistics["impressions"]),
        ("a negative count", (statistics[_COUNTS] < 0).any(axis=1)),
    ):
        if wrong.any():
            row = statistics.loc[wrong, wanted].iloc[0].to_dict()
            raise ValueError(f"{problem}: {row}")
    whole = dict.fromkeys(["length", "position", *_COUNTS], "int64")
    return statistics[wanted].astype(whole)


def as_one_length(counts: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """The counts, and whether the log keeps no lists (Open Bandit has one record per request).

    Every "list" then ends at its only record, so that no list would have both positions: all are
    taken to be of one length.

    Args:
        counts: with the columns length, position and impressions.
    """
    shown = counts[counts["impressions"] > 0]
    single = bool((shown["position"] == shown["length"]).all())
    if not single or shown["position"].nunique() < 2:
        return counts, False
    return counts.assign(length=counts["position"].max()), True


def _contexts(
    counts: pd.DataFrame, context: Sequence[str]
) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    if not context:
        return []
    groups = counts.groupby(list(context), sort=True, dropna=True)
    return [(tuple(str(value) for value in values), rows) for values, rows in groups]


def _pairs(counts: pd.DataFrame) -> pd.DataFrame:
    """Per position its counts, and those of the reference position in the lists that have it."""
    summed = counts.groupby(["length", "position"], as_index=False)[_COUNTS].sum()
    reference = summed[summed["position"] == REFERENCE_POSITION]
    rows = []
    for position, own in summed[summed["impressions"] > 0].groupby("position"):
        same_lists = reference[reference["length"] >= position]
        rows.append([position, *own[_COUNTS].sum(), *same_lists[_COUNTS].sum()])
    columns = ["position", *_COUNTS, "reference_impressions", "reference_clicks"]
    pairs = pd.DataFrame(rows, columns=columns, dtype="int64")
    return pairs[pairs["reference_impressions"] > 0].reset_index(drop=True)


def _or_half(clicks: pd.Series) -> pd.Series:
    return clicks.astype("float64").where(clicks > 0, 0.5)


def _log_error(pairs: pd.DataFrame) -> pd.Series:
    """The standard error of log theta."""
    variance = (
        1 / _or_half(pairs["clicks"])
        - 1 / pairs["impressions"]
        + 1 / _or_half(pairs["reference_clicks"])
        - 1 / pairs["reference_impressions"]
    )
    return variance.pow(0.5)


def _estimates(counts: pd.DataFrame) -> pd.DataFrame:
    """One curve's rows; the reference position is always among them, at 1 by definition."""
    pairs = _pairs(counts)
    rate = _or_half(pairs["clicks"]) / pairs["impressions"]
    reference_rate = _or_half(pairs["reference_clicks"]) / pairs["reference_impressions"]
    propensity, half = rate / reference_rate, np.exp(_Z * _log_error(pairs))
    estimates = pairs[["position", *_COUNTS]].assign(
        propensity=propensity, ci_low=propensity / half, ci_high=propensity * half
    )
    is_reference = estimates["position"] == REFERENCE_POSITION
    if not is_reference.any():
        absent = {"position": REFERENCE_POSITION, "impressions": 0, "clicks": 0}
        estimates = pd.concat([pd.DataFrame([absent]), estimates], ignore_index=True)
        is_reference = estimates["position"] == REFERENCE_POSITION
    estimates.loc[is_reference, ["propensity", "ci_low", "ci_high"]] = 1.0
    return estimates


def _shrunk(curves: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Curves of contexts, as far as their evidence is weak drawn toward their mean.

    Without a click at position 1 a curve is relative to nothing: it stays out, and is refused.
    """
    if len(curves) < MIN_STRATA:
        return curves
    positions = sorted({position for each in curves for position in each["position"]})
    rows = [each.set_index("position").reindex(positions) for each in curves]
    compared = np.array([[each["clicks"].get(REFERENCE_POSITION, 0) > 0] for each in rows])
    logs, high = (
        np.stack([np.log(each[column].to_numpy(np.float64)) for each in rows])
        for column in ("propensity", "ci_high")
    )
    errors = np.where(compared, (high - logs) / _Z, np.nan)
    after, error = shrink(logs, errors)
    half = np.exp(_Z * error)
    shrunk = []
    for each, row, theta, factor in zip(curves, rows, np.exp(after), half, strict=True):
        known = np.isfinite(factor) & row["propensity"].notna()
        changed = row.assign(propensity=theta, ci_low=theta / factor, ci_high=theta * factor)
        own = changed.where(known, row).loc[each["position"]]
        columns = ["propensity", "ci_low", "ci_high"]
        shrunk.append(each.assign(**{name: own[name].to_numpy() for name in columns}))
    return shrunk


def _fit(
    counts: pd.DataFrame,
    estimates: pd.DataFrame,
    gates: PropensityGates,
    key: tuple[str, ...] | None,
    name: str,
) -> StratumCurve:
    judgment = judge(counts, estimates, gates)
    verdicts = pd.Series(judgment.verdict.value, index=estimates.index)
    if judgment.verdict is Verdict.WIDE:
        verdicts = verdicts.where(estimates["position"].isin(judgment.wide), Verdict.OK.value)
    return StratumCurve(
        name, key, estimates.assign(verdict=verdicts), judgment.verdict, judgment.reason
    )


def _uncovered(counts: pd.DataFrame, pooled: StratumCurve) -> list[str]:
    """Positions that lists show but no curve has."""
    missing = sorted(set(counts["position"]) - set(pooled.estimates["position"]))
    if not missing or len(pooled.estimates) == 1:
        return []
    named = ", ".join(str(position) for position in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    reason = "in no randomised list that also shows position"
    return [f"no propensity at position {named}{more}: {reason} {REFERENCE_POSITION}"]
