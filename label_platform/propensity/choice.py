"""Which estimate is the answer: the best evidence there is, and why.

Lists in a random order, or swapped by chance, assume least. A harvest of what rankers showed
assumes that an item's rank changed for reasons other than its relevance. Where both are at hand
and do not disagree, random lists and a harvest are combined by precision, as they rest on different
lists; where they disagree beyond their intervals, the one that assumes less is shown, and flagged.
A context that has a curve of one of them only takes that one. Where neither supports an estimate
the answer is what was on screen, if that was logged, else a refusal: a model of clicks or of
relevance tells some curve of any log, and nothing there could tell a wrong one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.propensity.agreement import (
    BY_CHANCE,
    HARVESTS,
    Gap,
    is_usable,
    log_error,
    widest_gap,
)
from label_platform.propensity.curve import REFERENCE_POSITION, Verdict, is_pooled, lay_out
from label_platform.propensity.estimate import Z
from label_platform.propensity.evidence import judge_width
from label_platform.propensity.strata import context_name
from label_platform.propensity_settings import PropensitySettings

COMBINED = "combined"
HARVESTED = (*HARVESTS, "pbm_em")
"""Of items that rankers showed at several ranks. regression_em is none of them: it answers without
any change of rank, by what its features say, which is wrong where ranks follow the rest."""
MEASURED = "viewport"
"""Places on screen are looked at, not inferred."""
ASSUMED = (
    *("affine", "ubm", "dbn", "sdbn", "cascade", "regression_em", "dual_learning"),
    "pbm_em_pyclick",
)
"""They answer whatever the log holds, or stop short of their answer, so that they are taken only by
name."""
_LEAST_ERROR = 1e-9
"""The reference position has none; it is set to 1 in the end."""
_DIGITS = 6
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Choice:
    """The answer.

    Attributes:
        estimator: the estimator whose rows it is; ``combined`` if there are rows of its own.
        why: in words.
        gap: to another estimate that it stands against, if there is one.
        table: the rows of ``combined``; None if the answer is one of the estimators.
    """

    estimator: str
    why: str
    gap: Gap | None = None
    table: pd.DataFrame | None = None


def choose(
    tables: Mapping[str, pd.DataFrame], context: Sequence[str], settings: PropensitySettings
) -> Choice:
    """The estimate that policies use which name none.

    Args:
        tables: rows of the ``propensities`` table by estimator, findings included.
        context: the context columns.
        settings: of the problem; its ``estimator`` may name one.

    Raises:
        ValueError: no estimator was run.
    """
    if not tables:
        raise ValueError("no estimator was run, so that none can be chosen")
    if settings.estimator != "auto":
        return Choice(settings.estimator, "the problem names it")
    by_chance = _first_usable(_least_flagged(BY_CHANCE, tables, context), tables, context)
    harvested = _first_usable(HARVESTED, tables, context)
    if by_chance and harvested:
        return _of_two(by_chance, harvested, tables, context, settings)
    if by_chance or harvested:
        chosen = str(by_chance or harvested)
        too_wide = settings.refuse_wide and _is_wide(tables[chosen], context, settings)
        if too_wide and _first_usable([MEASURED], tables, context):
            return Choice(MEASURED, f"it was logged what was on screen; {chosen} is too wide")
        refused = [name for name in (BY_CHANCE if harvested else HARVESTED) if name in tables]
        missing = f"; refused: {', '.join(refused)}" if refused else ""
        basis = (
            "lists made by chance" if by_chance else "items that rankers showed at several ranks"
        )
        return Choice(chosen, f"it rests on {basis}{missing}")
    return _without_either(tables, context)


def _without_either(tables: Mapping[str, pd.DataFrame], context: Sequence[str]) -> Choice:
    """The answer where neither lists made by chance nor changes of rank support an estimate."""
    ordered = (*BY_CHANCE, *HARVESTED, MEASURED, *ASSUMED, *tables)
    shown = next(name for name in ordered if name in tables)
    if _first_usable([MEASURED], tables, context):
        return Choice(MEASURED, "it was logged what was on screen, and nothing else supports one")
    assumed = [name for name in ASSUMED if name in tables and is_usable(tables[name], context)]
    if assumed and shown in ASSUMED:
        return Choice(assumed[0], "no estimator that assumes less was run")
    other = next((name for name in (*HARVESTED, *BY_CHANCE) if name in tables), shown)
    also = f" ({other}: {_pooled_reason(tables[other], context)})" if other != shown else ""
    if not assumed:
        return Choice(shown, f"every estimate was refused{also}")
    why = (
        "neither lists made by chance nor changes of rank support an estimate"
        f"{also}; {', '.join(assumed)} assume more, and are taken only where the problem's "
        "propensity.estimator or a policy names one"
    )
    return Choice(shown, why)


def _least_flagged(
    names: Sequence[str], tables: Mapping[str, pd.DataFrame], context: Sequence[str]
) -> list[str]:
    """Those that were run, the best verdict of the curve over all contexts first."""
    severity = {
        name: list(Verdict).index(
            Verdict.worst(tables[name].loc[is_pooled(tables[name], context), "verdict"])
        )
        for name in names
        if name in tables
    }
    return sorted(severity, key=lambda name: severity[name])


def _first_usable(
    names: Sequence[str], tables: Mapping[str, pd.DataFrame], context: Sequence[str]
) -> str | None:
    for name in names:
        if name in tables and is_usable(tables[name], context):
            return name
    return None


def _is_wide(table: pd.DataFrame, context: Sequence[str], settings: PropensitySettings) -> bool:
    """Whether the curve over all contexts is wider than asked, whatever else its verdict says."""
    pooled = table[is_pooled(table, context)]
    return bool((pooled["ci_high"] / pooled["ci_low"] > settings.max_interval_ratio).any())


def _pooled_reason(table: pd.DataFrame, context: Sequence[str]) -> str:
    speaks = is_pooled(table, context) & (table["position"] == REFERENCE_POSITION)
    return str(table.loc[speaks, "reason"].iloc[0])


def _of_two(
    by_chance: str,
    harvested: str,
    tables: Mapping[str, pd.DataFrame],
    context: Sequence[str],
    settings: PropensitySettings,
) -> Choice:
    gap = widest_gap(tables[by_chance], tables[harvested], context)
    if gap is not None:
        why = (
            f"{by_chance} and {harvested} disagree beyond their intervals ({gap.sentence}); "
            f"{by_chance} assumes less"
        )
        return _with_contexts_of(Choice(by_chance, why, gap), harvested, tables, context, settings)
    if by_chance == "swap":
        names = sorted((by_chance, harvested), key=lambda name: _mean_log_error(tables[name]))
        why = f"{by_chance} and {harvested} agree, on the same lists; {names[0]} is narrower"
        return _with_contexts_of(Choice(names[0], why), names[1], tables, context, settings)
    one, other = tables[by_chance], tables[harvested]
    of_one = is_pooled(one, context)
    if context and widest_gap(one[of_one], other[is_pooled(other, context)], context) is not None:
        # the curves over all contexts are of different mixes; a harvest's is that of most lists
        one = one[~of_one]
    both = one.merge(other, on=[*context, "position"], how="outer", suffixes=("", "_2"))
    why = f"{by_chance} and {harvested} agree and are combined by precision"
    return Choice(COMBINED, why, table=_combined(both, context, settings))


def _mean_log_error(table: pd.DataFrame) -> float:
    return float(log_error(table).mean())


def _with_contexts_of(
    choice: Choice,
    other: str,
    tables: Mapping[str, pd.DataFrame],
    context: Sequence[str],
    settings: PropensitySettings,
) -> Choice:
    """The choice, and for contexts that it has no curve of those of another estimate."""
    own, others = tables[choice.estimator], tables[other]
    if not context:
        return choice
    known = pd.MultiIndex.from_frame(own[list(context)])
    lacking = others[~pd.MultiIndex.from_frame(others[list(context)]).isin(known)]
    lacking = lacking[~is_pooled(lacking, context)]
    if lacking.empty:
        return choice
    firsts = lacking[list(context)].drop_duplicates()
    named = [context_name(context, [str(value) for value in row]) for row in firsts.to_numpy()]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    why = (
        f"{choice.why}; curves of {choice.estimator}, but {other} for {'; '.join(named[:_NAMED])}"
        f"{more}, where it has none"
    )
    table = pd.concat([lacking, own], ignore_index=True).assign(estimator=COMBINED)
    return Choice(COMBINED, why, choice.gap, _with_reasons(table, context, settings))


def _combined(
    both: pd.DataFrame, context: Sequence[str], settings: PropensitySettings
) -> pd.DataFrame:
    # an interval that reaches down to nothing says nothing, and may be the only one of its row
    both = both[_bounded(both, "") | _bounded(both, "_2")]
    precision, logs = [], []
    for suffix in ("", "_2"):
        error = np.maximum(log_error(both, suffix), _LEAST_ERROR)
        precision.append(np.nan_to_num(1 / error**2))
        logs.append(np.nan_to_num(np.log(both[f"propensity{suffix}"].to_numpy(np.float64))))
    total = precision[0] + precision[1]
    log_theta = (precision[0] * logs[0] + precision[1] * logs[1]) / total
    half = Z / np.sqrt(total)
    table = both.assign(
        estimator=COMBINED,
        propensity=np.exp(log_theta),
        ci_low=np.exp(log_theta - half),
        ci_high=np.exp(log_theta + half),
        impressions=both["impressions"].fillna(0) + both["impressions_2"].fillna(0),
        clicks=both["clicks"].fillna(0) + both["clicks_2"].fillna(0),
        trust_offset=np.nan,
    )
    reference = table["position"] == REFERENCE_POSITION
    table.loc[reference, ["propensity", "ci_low", "ci_high"]] = 1.0
    table["verdict"] = _verdicts(table, settings)
    return _with_reasons(table, context, settings).round(_DIGITS)


def _with_reasons(
    table: pd.DataFrame, context: Sequence[str], settings: PropensitySettings
) -> pd.DataFrame:
    """Ordered, each curve with a reason of its own: those of its parts speak of other rows."""
    table["reason"] = ""
    keys = [table[column].fillna("") for column in context] or [table["estimator"]]
    for _, rows in table.groupby(keys):
        first = rows.index[rows["position"] == REFERENCE_POSITION]
        table.loc[first, "reason"] = _reason(rows, context, settings)
    ordered = table.sort_values([*context, "position"], na_position="last", kind="stable")
    return lay_out(ordered, context)


def _reason(rows: pd.DataFrame, context: Sequence[str], settings: PropensitySettings) -> str:
    clicks, impressions = rows["clicks"].sum(), rows["impressions"].sum()
    evidence = f"{clicks:,.0f} clicks on {impressions:,.0f} impressions"
    _, reason = judge_width(rows, evidence, settings)
    if is_pooled(rows, context).all():
        return f"all contexts: {reason}" if context else reason
    return f"{context_name(context, [str(rows[name].iloc[0]) for name in context])}: {reason}"


def _bounded(table: pd.DataFrame, suffix: str) -> NDArray[np.bool_]:
    """Which rows have an interval with both ends; missing rows have none."""
    low, high = (table[f"{name}{suffix}"].to_numpy(np.float64) for name in ("ci_low", "ci_high"))
    return np.asarray((low > 0) & np.isfinite(high), dtype=np.bool_)


def _verdicts(table: pd.DataFrame, settings: PropensitySettings) -> list[str]:
    """Wide by the combined interval; other flags of either stay."""
    wide = table["ci_high"] / table["ci_low"] > settings.max_interval_ratio
    verdicts = []
    for is_wide, *found in zip(wide, table["verdict"], table["verdict_2"], strict=True):
        flags = [each for each in found if each in {"drift", "misfit", "disagreement"}]
        verdicts.append(Verdict.worst([*flags, Verdict.WIDE if is_wide else Verdict.OK]).value)
    return verdicts
