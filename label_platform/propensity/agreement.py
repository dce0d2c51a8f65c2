"""Whether two estimates of one curve agree within their intervals.

Several estimators are wrong in ways that they cannot see: a relevance model that learned the
logging policy, a click model that is not how people click. Beside an estimate that assumes less,
it shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from label_platform.propensity.cells import Floats
from label_platform.propensity.curve import REFERENCE_POSITION, Verdict, is_pooled
from label_platform.propensity.estimate import Z

REFERENCES = ("pbm", "harvest_all_pairs", "randomized", "swap")
"""What others are held against, the first that is not refused."""
_COMPARED = (
    *("pbm_em", "pbm_em_pyclick", "regression_em", "dual_learning", "affine"),
    *("cascade", "dbn", "sdbn", "ubm", "viewport"),
)
_SIGNIFICANCE = 0.01


@dataclass(frozen=True)
class Gap:
    """Where two estimates differ most.

    Attributes:
        sentence: the position and both propensities.
        p_value: of a difference as wide at any position (Bonferroni).
    """

    sentence: str
    p_value: float


def widest_gap(one: pd.DataFrame, other: pd.DataFrame, context: Sequence[str]) -> Gap | None:
    """Where two estimates differ most beyond their intervals; None if nowhere.

    The difference of log propensities over its standard error, at 1% in all (Bonferroni over
    contexts and positions). Estimates on the same clicks differ less than this allows for, so
    that what it finds is more than chance. Curves over all contexts are compared only where no
    context has a curve of both: each is of the mix of contexts that its own lists have, and mixes
    that differ give curves that differ.

    Args:
        one: rows of the ``propensities`` table.
        other: likewise.
        context: the context columns.
    """
    keys = [*context, "position"]
    both = one.merge(other, on=keys, suffixes=("", "_2"))
    both = both[both["position"] != REFERENCE_POSITION]
    pooled = is_pooled(both, context)
    if not pooled.all():
        both = both[~pooled]
    if both.empty:
        return None
    ratio = (both["propensity"] / both["propensity_2"]).to_numpy(np.float64)
    error = np.hypot(log_error(both, ""), log_error(both, "_2"))
    apart = np.abs(np.log(ratio)) / np.maximum(error, 1e-12)
    p_value = min(1.0, float(2 * ndtr(-apart.max()) * len(both)))
    if p_value >= _SIGNIFICANCE:
        return None
    row = both.iloc[int(apart.argmax())]
    values = f"{row['propensity']:.3g} and {row['propensity_2']:.3g}"
    return Gap(f"position {row['position']:.0f}: {values}", p_value)


def log_error(table: pd.DataFrame, suffix: str = "") -> Floats:
    """The standard error of log propensity that an interval stands for."""
    ratio = (table[f"ci_high{suffix}"] / table[f"ci_low{suffix}"]).to_numpy(np.float64)
    return np.asarray(np.log(ratio) / (2 * Z), dtype=np.float64)


def held_against(
    tables: Mapping[str, pd.DataFrame], context: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """The tables, those flagged that disagree with one that assumes less, or have none beside.

    Args:
        tables: rows of the ``propensities`` table by estimator.
        context: the context columns.
    """
    usable = [name for name in REFERENCES if name in tables and is_usable(tables[name], context)]
    checked = dict(tables)
    for name in _COMPARED:
        if name not in tables or not is_usable(tables[name], context):
            continue
        if not usable:
            checked[name] = with_flag(
                tables[name],
                Verdict.UNTESTED,
                "no estimate that assumes less was at hand to compare with",
            )
            continue
        gap = widest_gap(tables[name], tables[usable[0]], context)
        if gap is not None:
            sentence = f"it disagrees with {usable[0]} beyond their intervals ({gap.sentence})"
            checked[name] = with_flag(tables[name], Verdict.DISAGREEMENT, sentence)
    return checked


def is_usable(table: pd.DataFrame, context: Sequence[str]) -> bool:
    """Whether the curve over all contexts is not refused."""
    return not Verdict.worst(table.loc[is_pooled(table, context), "verdict"]).is_refusal


def with_flag(table: pd.DataFrame, verdict: Verdict, sentence: str) -> pd.DataFrame:
    """An estimator's table with a verdict that is at least this bad, and the reason for it."""
    worst = [Verdict.worst([each, verdict]).value for each in table["verdict"]]
    speaks = table["position"] == REFERENCE_POSITION
    reason = table["reason"].where(~speaks, table["reason"] + f"; {sentence}")
    return table.assign(verdict=worst, reason=reason)
