"""A propensity curve: P(examined | position, context) relative to the reference position."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import pandas as pd
import pyarrow as pa

REFERENCE_POSITION = 1
_REASONS_SHOWN = 3


class Verdict(StrEnum):
    """What an estimate may be used for, from best to worst.

    Flags, with which a policy may still use the curve: ``untested``, the clicks could not show
    whether a position-based model holds, or nothing was at hand to compare with; ``wide``,
    intervals are wider than the problem asks for; ``drift``, the curve changes with the days;
    ``misfit``, clicks do not follow a position-based model; ``disagreement``, another estimate
    lies beyond the intervals. Refusals: ``insufficient_interventions``, too little was shown at
    several positions, or clicked; ``not_identified``, nothing connects some positions with
    position 1. Compare with ``worst``: the operators of a string enum compare letters.
    """

    OK = "ok"
    UNTESTED = "untested"
    WIDE = "wide"
    DRIFT = "drift"
    MISFIT = "misfit"
    DISAGREEMENT = "disagreement"
    INSUFFICIENT_INTERVENTIONS = "insufficient_interventions"
    NOT_IDENTIFIED = "not_identified"

    @property
    def is_refusal(self) -> bool:
        """Whether nothing may be built on the curve."""
        return self in {Verdict.INSUFFICIENT_INTERVENTIONS, Verdict.NOT_IDENTIFIED}

    @classmethod
    def worst(cls, verdicts: Iterable[str]) -> "Verdict":
        """The worst of these verdicts.

        Raises:
            ValueError: there are none, or one is not a verdict.
        """
        return max((cls(verdict) for verdict in verdicts), key=list(cls).index)


@dataclass(frozen=True)
class PropensityCurve:
    """Estimated propensities in the layout of the ``propensities`` table.

    One curve per context and the pooled curve over all contexts, whose context columns are null:
    a policy takes the row of its context and position, else the pooled row of its position.
    A context that the evidence does not support has no rows, so that it takes the pooled ones. If
    the pooled curve is refused too, ``verdict`` says so, and the rows are for people to look at.

    Attributes:
        estimator: the estimator's name.
        context: the context columns, in the problem's order.
        table: ordered by context (the pooled curve last) and position. The ``reason`` of a
            curve's row at the reference position speaks for the whole curve.
        verdict: the worst over the rows.
        reason: in plain words and numbers, also which contexts take the pooled curve and why.
    """

    estimator: str
    context: tuple[str, ...]
    table: pd.DataFrame
    verdict: Verdict
    reason: str

    @classmethod
    def from_table(cls, table: pd.DataFrame, context: Sequence[str]) -> Self:
        """The curve that a ``propensities`` partition holds.

        Raises:
            ValueError: no rows, or rows of several estimators.
        """
        estimators = sorted(table["estimator"].unique())
        if len(estimators) != 1:
            raise ValueError(f"expected the rows of one estimator, found {estimators}")
        verdict = Verdict.worst(table["verdict"])
        return cls(
            estimator=str(estimators[0]),
            context=tuple(context),
            table=table.reset_index(drop=True),
            verdict=verdict,
            reason=_overall_reason(table, context, verdict),
        )


def is_pooled(table: pd.DataFrame, context: Sequence[str]) -> pd.Series:
    """Which rows belong to the pooled curve: those whose context columns are all null."""
    return table[list(context)].isna().all(axis=1)


def lay_out(table: pd.DataFrame, context: Sequence[str]) -> pd.DataFrame:
    """The table's columns in the order and with the types of the ``propensities`` table.

    Types are fixed here because a column without any value has none of its own: a pooled curve's
    null context must be stored as text all the same.
    """
    given = table if "trust_offset" in table else table.assign(trust_offset=float("nan"))
    types: dict[str, Any] = {
        "estimator": "str",
        **dict.fromkeys(context, "str"),
        "position": "int32",
        "propensity": "float64",
        "ci_low": "float64",
        "ci_high": "float64",
        "trust_offset": "float64",
        "impressions": "int64",
        "clicks": "int64",
        "first_day": pd.ArrowDtype(pa.date32()),
        "last_day": pd.ArrowDtype(pa.date32()),
        "verdict": "str",
        "reason": "str",
    }
    return given[list(types)].astype(types).reset_index(drop=True)


def _overall_reason(table: pd.DataFrame, context: Sequence[str], verdict: Verdict) -> str:
    pooled = is_pooled(table, context)
    spokesmen = table["position"] == REFERENCE_POSITION
    keys = [table[column].fillna("") for column in context]
    is_worst = (table["verdict"] == verdict.value).groupby([*keys, pooled]).transform("any")
    concerned = is_worst & (verdict is not Verdict.OK)
    strata = table.loc[spokesmen & ~pooled & concerned, "reason"].tolist()
    shown = strata[:_REASONS_SHOWN]
    if len(strata) > len(shown):
        shown.append(f"and {len(strata) - len(shown)} more contexts alike")
    of_pooled = table.loc[spokesmen & pooled, "reason"].tolist()
    pooled_first = verdict is Verdict.OK or (table.loc[pooled, "verdict"] == verdict.value).any()
    return "; ".join([*of_pooled, *shown] if pooled_first else [*shown, *of_pooled])
