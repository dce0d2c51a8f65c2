"""Puts an explanation together: lines, fates, arithmetic, and what is stored beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from label_platform.explain.curve import CurveError
from label_platform.explain.evidence import Shown
from label_platform.explain.explanation import ExplainedImpression, Explanation, ListRow
from label_platform.explain.fates import LogEvidence, Wording, key_of
from label_platform.explain.fitted import Fitted
from label_platform.explain.gain import Feedback, gain_of
from label_platform.explain.label import Computed, clip_of, computed_label
from label_platform.explain.steps import DIGITS, Comparison, Steps
from label_platform.explain.training import NotRecordedError, TrainingRow, training_label
from label_platform.policy.signals import used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

_OF_IMPRESSION = ("label", "weight", "prediction_share", "auxiliary_label")
IN_TRAINING = "in training"
"""How the names of comparisons end that are those of training rows."""
Kept = Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What is kept of a label, to be compared with.

    Attributes:
        label: the row of ``labels``; None where there is none.
        excluded: why the impression's session does not count, as recorded; empty where it does.
        training: its row of ``examples``; None where it has none.
    """

    label: Kept | None = None
    excluded: str = ""
    training: TrainingRow | None = None


@dataclass(frozen=True)
class Frame:
    """What stands around the numbers of an explanation.

    Attributes:
        title: which label.
        facts: versions, days and the like.
        notes: what a reader should know.
        listed: the impression's list; of a cell, what was drawn for its query.
        gone: log files that would tell and are not there any more.
    """

    title: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    listed: tuple[ListRow, ...] = ()
    gone: tuple[str, ...] = ()


def explain_impression(
    problem: Problem,
    policy: Policy,
    evidence: LogEvidence,
    shown: Shown,
    fitted: Fitted,
    recorded: Recorded,
    frame: Frame,
) -> Explanation:
    """The explanation of a label at impression grain."""
    notes = list(frame.notes)
    one = explained_impression(problem, policy, evidence, shown, fitted, recorded.excluded, notes)
    computed = one.computed.numbers
    stored = recorded.label
    names = [
        name
        for name in _OF_IMPRESSION
        if name in computed or (stored and stored.get(name) is not None)
    ] or ["label"]
    compared = [
        Comparison(name, stored.get(name) if stored else None, computed.get(name)) for name in names
    ]
    steps = Steps()
    if recorded.training is not None and computed:
        compared += in_training(policy, computed, recorded.training, steps, notes)
    return Explanation(
        frame.title,
        frame.facts,
        (one,),
        tuple(steps.done),
        tuple(compared),
        frame.listed,
        tuple(notes),
        frame.gone,
    )


def mean_inverse(
    policy: Policy, rewarded: Iterable[tuple[Shown, Mapping[str, float]]], fitted: Fitted
) -> float | None:
    """The mean of 1/max(theta, clip) over the impressions of a day that were rewarded.

    Args:
        policy: self-normalises weights.
        rewarded: impressions with their signals; those without a gain above 0 are left out.
        fitted: of the day.
    """
    inverse = [
        1 / max(fitted.curve.of(shown).theta, clip_of(policy, shown))
        for shown, values in rewarded
        if fitted.curve is not None
        and gain_of(policy, Feedback(values, shown.columns, fitted.arrived(policy, shown)), Steps())
        > 0
    ]
    return sum(inverse) / len(inverse) if inverse else None


def explained_impression(
    problem: Problem,
    policy: Policy,
    evidence: LogEvidence,
    shown: Shown,
    fitted: Fitted,
    excluded: str,
    notes: list[str],
) -> ExplainedImpression:
    """One impression, its events and its arithmetic; notes get what cannot be computed."""
    values = evidence.values(problem, shown)
    computed = Computed()
    if not excluded:
        try:
            computed = computed_label(policy, shown, values, fitted)
        except CurveError as error:
            notes.append(str(error))
    repeats = evidence.repeated_shown.get(key_of(shown), [])
    return ExplainedImpression(
        shown,
        Wording(problem, evidence, used_signals(policy)).fates(shown),
        values,
        excluded,
        computed,
        tuple(str(line.place) for line in repeats),
    )


def in_training(
    policy: Policy,
    numbers: Mapping[str, float],
    training: TrainingRow,
    steps: Steps,
    notes: list[str],
) -> list[Comparison]:
    """The label of a training row beside the one that is stored."""
    try:
        label = training_label(policy, numbers, training, steps)
    except NotRecordedError as error:
        notes.append(f"the label in training is not computed again: {error}")
        return []
    stored = as_float(training.row["label"])
    return [Comparison(f"label {IN_TRAINING}", stored, round(label, DIGITS))]


def as_float(value: Any) -> float | None:  # noqa: ANN401 - a table's value
    """A stored number, also a decimal one; None stays None."""
    return None if value is None else float(value)
