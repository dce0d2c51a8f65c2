"""Which policy is better: all arms of a problem, on every yardstick and slice.

Values, paired differences and their intervals are those of ``estimates``. Verdicts are corrected by
Holm (1979) over all policies, rankers, yardsticks and slices of a comparison.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.evaluation.bootstrap import (
    bootstrap_ratios,
    bootstrap_weights,
    standard_errors,
)
from label_platform.evaluation.estimates import FitValues, estimate, holm, query_error
from label_platform.evaluation.metrics import Floats, Integers

COLUMNS = (
    "policy",
    "ranker",
    "objective",
    "grain",
    "yardstick",
    "slice",
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
    "lists",
    "positives",
    "days",
    "randomized_share",
    "bootstrap_ratio",
)
_ARM = ["policy", "ranker", "objective", "grain", "yardstick", "slice"]
_EVIDENCE = ["lists", "positives", "days", "randomized_share"]
_NUMBERS = (*COLUMNS[6:15], "randomized_share", "bootstrap_ratio")


@dataclass(frozen=True, eq=False)
class _Judged:
    """One arm on one yardstick and slice: its sides' parts, or why there are none."""

    key: dict[str, Any]
    sides: dict[str, FitValues | str]


def compare(
    evaluations: pd.DataFrame, *, baseline: str = "raw_click", confidence: float = 0.95
) -> pd.DataFrame:
    """The ``comparisons`` table of all arms that were evaluated.

    Args:
        evaluations: rows of the ``evaluations`` table of all policies, in any order.
        baseline: the policy whose labels the baseline sides were trained on.
        confidence: of the intervals, which are not corrected; verdicts are, at 1 - confidence.

    Returns:
        One row per policy, ranker, yardstick and slice, in the order of these. ``verdict`` is
        ``better than <baseline>``, ``worse than <baseline>``, ``no difference shown``,
        ``baseline`` or ``refused: <reason>``; numbers that are refused are null. ``fits`` counts
        the resampled ones; ``lists``, ``positives``, ``days`` and ``randomized_share`` are what
        the numbers rest on; ``bootstrap_ratio`` is the standard error over queries of 1,000
        bootstrap resamples by the linearised one, of the difference where there is one.
    """
    judged = sorted(_judged(evaluations), key=_measured_by)
    rows = [
        row
        for _, alike in groupby(judged, key=_measured_by)
        for row in _compare_alike(list(alike), baseline, confidence)
    ]
    tested = [row for row in rows if "p_value" in row]
    corrected = holm(np.array([row["p_value"] for row in tested]))
    for row, p_value in zip(tested, corrected.tolist(), strict=True):
        row["p_value_holm"] = p_value
        row["verdict"], row["reason"] = _judge(row, baseline, 1 - confidence, len(tested))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(_ARM, ignore_index=True)
    whole = dict.fromkeys(["queries", "lists", "positives"], "int64")
    texts = dict.fromkeys([*_ARM, "verdict", "reason"], "str")
    numbers = dict.fromkeys(_NUMBERS, "float64")
    return table.astype({**numbers, **texts, **whole, "fits": "int32", "days": "int32"})


def _measured_by(judged: _Judged) -> tuple[str, str]:
    return judged.key["yardstick"], judged.key["slice"]


def _judged(evaluations: pd.DataFrame) -> Iterator[_Judged]:
    """The arms of an evaluations table, by yardstick and slice."""
    arm = evaluations.groupby(_ARM, sort=True, observed=True).ngroup().to_numpy()
    order = np.argsort(arm, kind="stable")
    starts = np.flatnonzero(np.diff(arm[order], prepend=-1))
    keys = evaluations.iloc[order[starts]][[*_ARM, *_EVIDENCE]].to_dict(orient="records")
    rows = _Rows.of(evaluations)
    for key, own in zip(keys, np.split(order, starts[1:]), strict=True):
        named = {str(name): value for name, value in key.items()}
        side = rows.is_contender[own]
        sides = {"contender": rows.side(own[side])}
        if not side.all():
            sides["baseline"] = rows.side(own[~side])
        yield _Judged({**named, "fits": int(rows.fit[own].max())}, sides)


@dataclass(frozen=True, eq=False)
class _Rows:
    """An evaluations table as arrays; queries as codes, which are in the order of their names."""

    units: NDArray[np.str_]
    query: Integers
    fit: Integers
    is_contender: NDArray[np.bool_]
    parts: Floats
    refused: "pd.Series[str]"
    is_refused: NDArray[np.bool_]

    @classmethod
    def of(cls, evaluations: pd.DataFrame) -> Self:
        query, units = pd.factorize(evaluations["query_id"], sort=True)
        return cls(
            units=np.asarray(units, dtype=np.str_),
            query=query.astype(np.int64),
            fit=evaluations["fit"].to_numpy(dtype=np.int64),
            is_contender=(evaluations["side"] == "contender").to_numpy(dtype=np.bool_),
            parts=evaluations[["numerator", "denominator"]].to_numpy(dtype=np.float64),
            refused=evaluations["refused"],
            is_refused=evaluations["refused"].notna().to_numpy(dtype=np.bool_),
        )

    def side(self, rows: Integers) -> FitValues | str:
        """Parts by query and fit, or the reason: if any fit is refused, none is an answer.

        A query that a fit has nothing of counts 0 there.
        """
        refused = rows[self.is_refused[rows]]
        if len(refused):
            return str(self.refused.iloc[refused[np.argmin(self.fit[refused])]])
        query, fit = self.query[rows], self.fit[rows]
        present = np.zeros(len(self.units), dtype=np.bool_)
        present[query] = True
        place = (np.cumsum(present) - 1)[query]
        wide = np.zeros((2, int(present.sum()), int(fit.max()) + 1))
        for number in range(2):
            np.add.at(wide[number], (place, fit), self.parts[rows, number])
        return FitValues(self.units[present], wide[0], wide[1])


def _compare_alike(alike: list[_Judged], baseline: str, confidence: float) -> list[dict[str, Any]]:
    """All arms on one yardstick and slice, with one bootstrap for all of them."""
    errors = _bootstrap_errors(alike)
    return [
        _compare_arm(each, baseline, confidence, found)
        for each, found in zip(alike, errors, strict=True)
    ]


def _compare_arm(
    judged: _Judged, baseline: str, confidence: float, bootstrap: tuple[float, float]
) -> dict[str, Any]:
    row: dict[str, Any] = {**judged.key, "reason": "", "queries": 0}
    contender = judged.sides["contender"]
    if isinstance(contender, str):
        return row | {"verdict": f"refused: {contender}", "reason": contender}
    try:
        found = estimate(contender, bootstrap_error=bootstrap[0])
    except ValueError as error:
        return row | {"verdict": f"refused: {error}", "reason": str(error)}
    row |= {"value": found.value, "queries": len(contender.queries)}
    row["ci_low"], row["ci_high"] = found.interval(confidence)
    if row["policy"] == baseline:
        ratio = _ratio(bootstrap[0], query_error(contender))
        return row | {
            "verdict": "baseline",
            "baseline_value": found.value,
            "bootstrap_ratio": ratio,
        }
    other = judged.sides.get("baseline", "no baseline was evaluated")
    if isinstance(other, str):
        reason = f"no difference: {other}"
        return row | {"verdict": f"refused: {reason}", "reason": reason}
    paired = estimate(contender, other, bootstrap[1])
    row |= {"baseline_value": float(other.ratios[0]), "difference": paired.value}
    row["difference_low"], row["difference_high"] = paired.interval(confidence)
    row["bootstrap_ratio"] = _ratio(bootstrap[1], query_error(contender, other))
    return row | {"p_value": paired.p_value}


def _bootstrap_errors(alike: list[_Judged]) -> list[tuple[float, float]]:
    """Of each arm, the bootstrap's standard errors of its value and of its paired difference."""
    sides = [
        (number, name, side)
        for number, each in enumerate(alike)
        for name, side in each.sides.items()
        if isinstance(side, FitValues)
    ]
    if not sides:
        return [(0.0, 0.0)] * len(alike)
    units = np.unique(np.concatenate([side.queries for *_, side in sides]))
    parts = np.zeros((2, len(units), len(sides)))
    for column, (_, _, side) in enumerate(sides):
        rows = np.searchsorted(units, side.queries)
        parts[0][rows, column], parts[1][rows, column] = side.mean_parts
    ratios = bootstrap_ratios(parts[0], parts[1], bootstrap_weights(len(units)))
    column_of = {(number, name): column for column, (number, name, _) in enumerate(sides)}
    nothing = np.zeros(len(ratios))

    def drawn(number: int, name: str) -> Floats:
        found = column_of.get((number, name))
        return nothing if found is None else ratios[:, found]

    values = np.stack([drawn(number, "contender") for number in range(len(alike))], axis=1)
    others = np.stack([drawn(number, "baseline") for number in range(len(alike))], axis=1)
    of_values, of_differences = standard_errors(values), standard_errors(values - others)
    return list(zip(of_values.tolist(), of_differences.tolist(), strict=True))


def _ratio(bootstrap: float, linearised: float) -> float:
    return bootstrap / linearised if linearised > 0 else float("nan")


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
