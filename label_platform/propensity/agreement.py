"""Whether two estimates of one curve agree within their intervals.

Several estimators are wrong in ways that they cannot see: a relevance model that learned the
logging policy, a click model that is not how people click. Beside an estimate that assumes less,
it shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from label_platform.propensity.cells import Floats
from label_platform.propensity.curve import REFERENCE_POSITION, Verdict, is_pooled
from label_platform.propensity.estimate import Z

BY_CHANCE = ("randomized", "swap")
HARVESTS = ("pbm", "harvest_all_pairs", "harvest_adjacent")
"""Of items that rankers showed at several ranks, and right wherever a position-based model is."""
_COMPARED = (
    *("pbm_em", "pbm_em_pyclick", "regression_em", "dual_learning", "affine"),
    *("cascade", "dbn", "sdbn", "ubm", "viewport"),
)
"""What assumes more: held against all of those that are not refused."""
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
    """The tables, those flagged that another estimate contradicts, or that have none beside them.

    Two of one kind that disagree are both flagged: which of them is wrong is not known. An
    estimator that assumes more is flagged if it disagrees with any that assumes less, those made
    by chance asked first. Chance against harvests is the choice's affair.

    Args:
        tables: rows of the ``propensities`` table by estimator.
        context: the context columns.
    """
    usable = [
        name
        for name in (*BY_CHANCE, *HARVESTS)
        if name in tables and is_usable(tables[name], context)
    ]
    checked = dict(tables)
    for kind in (BY_CHANCE, HARVESTS):
        for one, other in combinations([name for name in usable if name in kind], 2):
            gap = widest_gap(tables[one], tables[other], context)
            if gap is not None:
                checked[one] = with_flag(checked[one], *_contradicted(other, gap))
                checked[other] = with_flag(checked[other], *_contradicted(one, gap))
    for name in _COMPARED:
        if name in tables and is_usable(tables[name], context):
            flag = _against(tables[name], {each: tables[each] for each in usable}, context)
            checked[name] = with_flag(tables[name], *flag) if flag else tables[name]
    return checked


def _against(
    table: pd.DataFrame, references: Mapping[str, pd.DataFrame], context: Sequence[str]
) -> tuple[Verdict, str] | None:
    """What is to be said of an estimate beside those that assume less; None if they agree."""
    if not references:
        return Verdict.UNTESTED, "no estimate that assumes less was at hand to compare with"
    for name, reference in references.items():
        gap = widest_gap(table, reference, context)
        if gap is not None:
            return _contradicted(name, gap)
    return None


def _contradicted(by: str, gap: Gap) -> tuple[Verdict, str]:
    sentence = f"it disagrees with {by} beyond their intervals ({gap.sentence})"
    return Verdict.DISAGREEMENT, sentence


def is_usable(table: pd.DataFrame, context: Sequence[str]) -> bool:
    """Whether the curve over all contexts is not refused."""
    return not Verdict.worst(table.loc[is_pooled(table, context), "verdict"]).is_refusal


def with_flag(table: pd.DataFrame, verdict: Verdict, sentence: str) -> pd.DataFrame:
    """An estimator's table with a verdict that is at least this bad, and the reason for it."""
    worst = [Verdict.worst([each, verdict]).value for each in table["verdict"]]
    speaks = table["position"] == REFERENCE_POSITION
    reason = table["reason"].where(~speaks, table["reason"] + f"; {sentence}")
    return table.assign(verdict=worst, reason=reason)
