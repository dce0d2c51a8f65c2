"""What an arm of a comparison came out as: its two sides, and their rows of ``evaluations``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from label_platform.evaluation.evidence import Evidence
from label_platform.evaluation.panel import Key, Panel
from label_platform.evaluation.yardsticks import ALL, Measurement, Yardstick
from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker

Measurements = dict[Key, Measurement]

MAIN_FIT = 0


@dataclass(frozen=True)
class Arm:
    """What is judged.

    Attributes:
        policy: its name.
        grain: of its labels.
        spec: of the ranker.
        is_baseline: whether its own labels are raw clicks, so that it needs no baseline.
        tune: by which labels validation rows choose the weight of auxiliary scores.
    """

    policy: str
    grain: str
    spec: RankerSpec
    is_baseline: bool = False
    tune: Literal["label", "both"] = "label"


@dataclass(frozen=True, eq=False)
class Side:
    """The fits of one side and what the yardsticks say of them.

    Attributes:
        ranker: the main fit; None where training was refused.
        fits: measurements by yardstick and slice, of the main fit and then of each resampled one.
    """

    ranker: Ranker | None
    fits: tuple[Measurements, ...]


@dataclass(frozen=True, eq=False)
class ArmEvaluation:
    """An arm's two sides; the baseline is None for the baseline policy itself.

    Attributes:
        arm: what was judged.
        contender: the arm's own side.
        baseline: raw clicks on the same rows.
        evidence: what the numbers rest on, by yardstick and slice.
    """

    arm: Arm
    contender: Side
    baseline: Side | None
    evidence: Mapping[Key, Evidence] = field(default_factory=dict)

    @property
    def main_values(self) -> dict[str, float]:
        """The contender's main values on all data, by yardstick; NaN where refused."""
        return {
            name: found.value
            for (name, part), found in self.contender.fits[MAIN_FIT].items()
            if part == ALL
        }

    @classmethod
    def refused(cls, arm: Arm, yardsticks: Panel | Sequence[Yardstick], reason: str) -> Self:
        """An arm that could not be trained, so that a comparison shows it with the reason."""
        panel = Panel.of(yardsticks)
        return cls(arm, Side(None, (panel.refusal(reason),)), None, panel.evidence)

    def to_frame(self) -> pd.DataFrame:
        """Rows of the ``evaluations`` table, one per side, fit, yardstick, slice and query.

        A refused yardstick has one row per side and fit: its reason and no query.
        """
        return evaluation_rows(self)


def evaluation_rows(evaluated: ArmEvaluation) -> pd.DataFrame:
    """Rows of the ``evaluations`` table of one arm."""
    sides = {"contender": evaluated.contender, "baseline": evaluated.baseline}
    parts = [
        (name, number, key, found)
        for name, side in sides.items()
        if side is not None
        for number, fit in enumerate(side.fits)
        for key, found in fit.items()
    ]
    rows = [1 if found.refused else len(found.units) for *_, found in parts]
    evidence = [evaluated.evidence.get(key, Evidence()) for _, _, key, _ in parts]

    def repeated(values: Sequence[object], dtype: Any) -> "pd.Series[Any]":  # noqa: ANN401 - whatever pandas takes
        found = pd.Series(np.repeat(np.array(values, dtype=object), rows))
        return found.astype(dtype)

    def joined(arrays: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        found = zip(arrays, parts, strict=True)
        return np.concatenate([[np.nan] if part[-1].refused else array for array, part in found])

    units = [
        np.array([None]) if found.refused else found.units.astype(object) for *_, found in parts
    ]
    arm = evaluated.arm
    constant = {
        "policy": arm.policy,
        "grain": arm.grain,
        "objective": arm.spec.objective,
        "ranker": arm.spec.title,
    }
    return pd.DataFrame(
        {
            **{name: repeated([value] * len(parts), "str") for name, value in constant.items()},
            "side": repeated([side for side, *_ in parts], "str"),
            "fit": repeated([number for _, number, *_ in parts], "int32"),
            "yardstick": repeated([key[0] for _, _, key, _ in parts], "str"),
            "slice": repeated([key[1] for _, _, key, _ in parts], "str"),
            "query_id": pd.Series(np.concatenate(units)).astype("str"),
            "numerator": joined([found.numerator for *_, found in parts]),
            "denominator": joined([found.denominator for *_, found in parts]),
            "refused": repeated([found.refused or None for *_, found in parts], "str"),
            "lists": repeated([each.lists for each in evidence], "int64"),
            "positives": repeated([each.positives for each in evidence], "int64"),
            "days": repeated([each.days for each in evidence], "int32"),
            "randomized_share": repeated([each.randomized_share for each in evidence], "float64"),
        }
    )
