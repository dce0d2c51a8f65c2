"""Two runs of the same policy must not differ.

``same_seed_is_identical``: the baseline fitted twice with the same seed is the same to the last
digit. ``halves_do_not_differ``: fitted on two random halves of the training queries, each with a
few resamples, it is judged as two policies would be. Nothing but chance tells the halves apart, so
what the comparison calls better or worse there, it would also find between policies that do the
same. It is done at 99%: a sound comparison fires once in a hundred logs or less.
"""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.arm_evaluations import Arm, ArmEvaluation
from label_platform.evaluation.arms import Effort, fit_side
from label_platform.evaluation.comparison import compare
from label_platform.evaluation.log_checks import LogCheck
from label_platform.evaluation.panel import Panel
from label_platform.evaluation.resampling import halves
from label_platform.evaluation.yardsticks import ALL
from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, RankerTrainer, TrainingData

SAME_SEED = "same_seed_is_identical"
HALVES = "halves_do_not_differ"
IDENTITY_CHECKS = (SAME_SEED, HALVES)
CONFIDENCE = 0.99
FITS = 3
"""Of each half, beside its main one: enough for an interval, at the work of one more ranker."""


def identity_checks(
    train: TrainingData,
    validate: TrainingData | None,
    spec: RankerSpec,
    ranker: Ranker,
    panel: Panel,
    effort: Effort,
) -> list[LogCheck]:
    """Fit a ranker once more, and on two halves of its queries.

    Args:
        train: rows made for the spec.
        validate: rows that decide when to stop.
        spec: of the ranker.
        ranker: as it was fitted on these rows.
        panel: what the halves are judged by, on all of the data.
        effort: as for the arms of the comparison.

    Raises:
        TrainingError: a half has nothing to learn from.
    """
    trainer = RankerTrainer(train, validate, spec)
    again = trainer.fit(rounds=effort.rounds, seed=effort.seed)
    first, second = (
        hashlib.blake2b(each.to_json().encode(), digest_size=6).hexdigest()
        for each in (ranker, again)
    )
    words = f"fitted twice: {first} and {second}"
    half = halves(train.units.names.tolist(), effort.seed)[train.units.codes]
    whole = Panel(tuple(each for each in panel if each.slice == ALL))
    found = _judge_halves(trainer, whole, effort, half)
    return [LogCheck(SAME_SEED, first == second, words), found]


def _judge_halves(
    trainer: RankerTrainer, panel: Panel, effort: Effort, half: NDArray[np.bool_]
) -> LogCheck:
    few = replace(effort, fits=min(effort.fits, FITS))
    sides = [fit_side(trainer, panel, few, kept.astype(np.int64)) for kept in (half, ~half)]
    arm = Arm("one half", "", trainer.spec)
    evaluated = ArmEvaluation(arm, sides[0], sides[1], panel.evidence)
    table = compare(evaluated.to_frame(), baseline="the other half", confidence=CONFIDENCE)
    judged = table[table["p_value"].notna()]
    if judged.empty:
        return LogCheck.not_run(HALVES, "; ".join(dict.fromkeys(table["reason"])))
    differ = judged[judged["p_value_holm"] < 1 - CONFIDENCE]
    shown = judged.loc[[judged["p_value_holm"].idxmin()]] if differ.empty else differ
    words = "; ".join(f"{row.yardstick}: {row.reason}" for row in shown.itertuples())
    return LogCheck(HALVES, differ.empty, f"on two halves of the queries, {words}")
