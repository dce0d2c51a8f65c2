"""Fits one arm of a comparison: a ranker of a policy, and raw clicks on the same rows.

Each side is fitted once on all rows and several times on query-resampled rows, the same resamples
for both sides: the spread over those fits is what training on another log would have changed.
"""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.arm_evaluations import (
    MAIN_FIT,
    Arm,
    ArmEvaluation,
    Measurements,
    Side,
)
from label_platform.evaluation.panel import Panel
from label_platform.evaluation.resampling import row_counts
from label_platform.evaluation.yardsticks import Yardstick
from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, RankerTrainer, TrainingData, TrainingError


@dataclass
class SideCache:
    """Sides that were already evaluated in this process, found by the content of their inputs.

    Policies whose rows are the same have the same baseline.
    """

    sides: dict[bytes, Side] = field(default_factory=dict)


def _raw_spec(spec: RankerSpec) -> RankerSpec:
    """The ranker that raw clicks are given: the same, without ways to debias.

    Clicks are 0 or 1, for which cross entropy is the binary loss and gains of both kinds are the
    same; a query and item's click rate lies between, where only the one of each can be used.
    """
    plain = {"position": "none", "weight": "one", "auxiliary": "none", "gain": "linear"}
    if spec.loss == "binary":
        plain["loss"] = "cross_entropy"
    return spec.model_copy(update=plain)


@dataclass(frozen=True)
class Effort:
    """How much is fitted, the same for all arms of a comparison.

    Attributes:
        rounds: the most trees.
        fits: resampled fits beside the main one.
        seed: of LightGBM and of the resamples.
    """

    rounds: int
    fits: int
    seed: int


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
    panel, effort = Panel.of(yardsticks), Effort(rounds, fits, seed)
    cache = cache or SideCache()
    contender = _side(train, validate, arm, panel, effort, cache)
    if arm.is_baseline:
        return ArmEvaluation(arm, contender, None, panel.evidence)
    raw = replace(arm, spec=_raw_spec(arm.spec))
    raw_validate = None if validate is None else validate.raw_side()
    try:
        baseline = _side(train.raw_side(), raw_validate, raw, panel, effort, cache)
    except TrainingError as error:
        baseline = Side(None, (panel.refusal(f"the baseline cannot be trained: {error}"),))
    return ArmEvaluation(arm, contender, baseline, panel.evidence)


def _side(
    rows: TrainingData,
    validation: TrainingData | None,
    arm: Arm,
    panel: Panel,
    effort: Effort,
    cache: SideCache,
) -> Side:
    """A side from the cache, or fitted."""
    tune = "" if arm.spec.auxiliary == "none" else arm.tune
    key = _digest(rows, validation, arm.spec, panel, (effort, tune))
    if key not in cache.sides:
        trainer = RankerTrainer(rows, validation, arm.spec, arm.tune)
        cache.sides[key] = fit_side(trainer, panel, effort)
    return cache.sides[key]


def fit_side(
    trainer: RankerTrainer,
    panel: Panel,
    effort: Effort,
    kept: NDArray[np.int64] | None = None,
) -> Side:
    """The main fit and the resampled ones, side by side; each is single-threaded.

    Args:
        trainer: of the side's rows.
        panel: what every fit is measured by.
        effort: how much is fitted.
        kept: 1 for the rows to learn from, 0 for others; all of them by default.

    Raises:
        TrainingError: a fit has nothing to learn from.
    """

    def fit(number: int) -> tuple[Ranker, Measurements]:
        counts = None if number == MAIN_FIT else row_counts(trainer.train, number, effort.seed)
        if kept is not None:
            counts = kept if counts is None else counts * kept
        ranker = trainer.fit(rounds=effort.rounds, seed=effort.seed, multiplicity=counts)
        return ranker, panel.measure(ranker)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = list(pool.map(fit, range(effort.fits + 1)))
    return Side(done[MAIN_FIT][0], tuple(measured for _, measured in done))


def _digest(
    rows: TrainingData,
    validation: TrainingData | None,
    spec: RankerSpec,
    panel: Panel,
    settings: tuple[Effort, str],
) -> bytes:
    """Of everything that a side is a function of."""
    digest = hashlib.blake2b(panel.digest)
    # the weight is in the rows already
    digest.update(repr((spec.model_dump_json(exclude={"weight"}), settings)).encode())
    for data in (rows, validation):
        if data is None:
            continue
        digest.update(repr((data.features.names, data.features.codes, data.units.kind)).encode())
        digest.update("\n".join(data.units.names.tolist()).encode())
        for array in (
            data.features.matrix,
            data.label,
            data.weight,
            data.group_sizes,
            data.units.codes,
            *([] if data.auxiliary_label is None else [data.auxiliary_label]),
            *([] if data.logged_position is None else [data.logged_position]),
        ):
            digest.update(np.asfortranarray(array).tobytes(order="A"))
    return digest.digest()
