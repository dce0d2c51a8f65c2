"""One arm of a comparison: a ranker of a policy, and raw clicks on the same rows as its baseline.

Each side is fitted once on all rows and several times on query-resampled rows, the same resamples
for both sides: the spread over those fits is what training on another log would have changed.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import pandas as pd

from label_platform.evaluation.panel import Panel
from label_platform.evaluation.resampling import row_counts
from label_platform.evaluation.yardsticks import Measurement, Yardstick
from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, RankerTrainer, TrainingData, TrainingError

SideName = Literal["contender", "baseline"]
Measurements = dict[str, Measurement]

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
        fits: measurements by yardstick, of the main fit and then of each resampled one.
    """

    ranker: Ranker | None
    fits: tuple[Measurements, ...]


@dataclass(frozen=True, eq=False)
class ArmEvaluation:
    """An arm's two sides; the baseline is None for the baseline policy itself."""

    arm: Arm
    contender: Side
    baseline: Side | None

    @property
    def main_values(self) -> dict[str, float]:
        """The contender's main values by yardstick; NaN where refused."""
        return {name: found.value for name, found in self.contender.fits[MAIN_FIT].items()}

    @classmethod
    def refused(cls, arm: Arm, yardsticks: Panel | Sequence[Yardstick], reason: str) -> Self:
        """An arm that could not be trained, so that a comparison shows it with the reason."""
        return cls(arm, Side(None, (Panel.of(yardsticks).refusal(reason),)), None)

    def to_frame(self) -> pd.DataFrame:
        """Rows of the ``evaluations`` table, one per side, fit, yardstick and query.

        A refused yardstick has one row per side and fit: its reason and no query.
        """
        sides: list[tuple[SideName, Side]] = [("contender", self.contender)]
        if self.baseline is not None:
            sides.append(("baseline", self.baseline))
        parts = [
            _rows(side_name, number, name, found)
            for side_name, side in sides
            for number, fit in enumerate(side.fits)
            for name, found in fit.items()
        ]
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "policy", self.arm.policy)
        table.insert(1, "grain", self.arm.grain)
        table.insert(2, "objective", self.arm.spec.objective)
        table.insert(3, "ranker", self.arm.spec.title)
        return table


@dataclass
class SideCache:
    """Sides that were already evaluated in this process, found by the content of their inputs.

    Policies whose rows are the same have the same baseline.
    """

    sides: dict[bytes, Side] = field(default_factory=dict)


def evaluate_arm(
    train: TrainingData,
    validate: TrainingData | None,
    arm: Arm,
    yardsticks: Panel | Sequence[Yardstick],
    *,
    rounds: int,
    fits: int,
    seed: int,
    cache: SideCache | None = None,
) -> ArmEvaluation:
    """Fit both sides of an arm, once and on resampled queries, and measure every fit.

    Args:
        train: rows made for the arm's spec.
        validate: rows that decide when to stop, for the raw side by raw clicks.
        arm: what is judged.
        yardsticks: what it is judged by; pass the same panel to several arms.
        rounds: the most trees.
        fits: resampled fits beside the main one.
        seed: of LightGBM and of the resamples; the same for all arms that are compared.
        cache: of sides, where several arms are evaluated.

    Raises:
        TrainingError: the arm's own side cannot be trained. If only the baseline cannot, its
            measurements are refused with that reason.
    """
    panel = Panel.of(yardsticks)
    cache = cache or SideCache()

    def evaluated(rows: TrainingData, validation: TrainingData | None, spec: RankerSpec) -> Side:
        settings = (rounds, fits, seed, "" if spec.auxiliary == "none" else arm.tune)
        key = _digest(rows, validation, spec, panel, settings)
        if key not in cache.sides:
            trainer = RankerTrainer(rows, validation, spec, arm.tune)
            cache.sides[key] = _fit_side(trainer, panel, rounds=rounds, fits=fits, seed=seed)
        return cache.sides[key]

    contender = evaluated(train, validate, arm.spec)
    if arm.is_baseline:
        return ArmEvaluation(arm, contender, None)
    plain = {"position": "none", "weight": "one", "auxiliary": "none"}
    raw_spec = arm.spec.model_copy(update=plain)
    raw_validate = None if validate is None else validate.raw_side()
    try:
        baseline = evaluated(train.raw_side(), raw_validate, raw_spec)
    except TrainingError as error:
        baseline = Side(None, (panel.refusal(f"the baseline cannot be trained: {error}"),))
    return ArmEvaluation(arm, contender, baseline)


def _fit_side(trainer: RankerTrainer, panel: Panel, *, rounds: int, fits: int, seed: int) -> Side:
    """The main fit and the resampled ones, side by side; each is single-threaded."""

    def fit(number: int) -> tuple[Ranker, Measurements]:
        resample = None if number == MAIN_FIT else row_counts(trainer.train, number, seed)
        ranker = trainer.fit(rounds=rounds, seed=seed, multiplicity=resample)
        return ranker, panel.measure(ranker)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = list(pool.map(fit, range(fits + 1)))
    return Side(done[MAIN_FIT][0], tuple(measured for _, measured in done))


def _digest(
    rows: TrainingData,
    validation: TrainingData | None,
    spec: RankerSpec,
    panel: Panel,
    settings: tuple[int, int, int, str],
) -> bytes:
    """Of everything that a side is a function of."""
    digest = hashlib.blake2b(panel.digest)
    digest.update(
        repr((spec.objective, spec.auxiliary, spec.uses_position_feature, settings)).encode()
    )
    for data in (rows, validation):
        if data is None:
            continue
        digest.update(repr((data.features.names, data.units.kind)).encode())
        digest.update("\n".join(data.units.names.tolist()).encode())
        for array in (
            data.features.matrix,
            data.label,
            data.weight,
            data.group_sizes,
            data.units.codes,
            *([] if data.auxiliary_label is None else [data.auxiliary_label]),
        ):
            digest.update(np.asfortranarray(array).tobytes(order="A"))
    return digest.digest()


def _rows(side: SideName, number: int, yardstick: str, found: Measurement) -> pd.DataFrame:
    refused = bool(found.refused)
    return pd.DataFrame(
        {
            "side": side,
            "fit": np.int32(number),
            "yardstick": yardstick,
            "query_id": [None] if refused else found.units,
            "numerator": [np.nan] if refused else found.numerator,
            "denominator": [np.nan] if refused else found.denominator,
            "refused": found.refused or None,
        }
    ).astype({"query_id": "str", "refused": "str", "side": "str", "yardstick": "str"})
