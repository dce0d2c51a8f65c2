"""Puts an explanation together: lines, fates, arithmetic, and what is stored beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from label_platform.explain.curve import CurveError
from label_platform.explain.evidence import Shown
from label_platform.explain.explanation import ExplainedImpression, Explanation, ListRow
from label_platform.explain.fates import LogEvidence, Wording, key_of
from label_platform.explain.fitted import Fitted
from label_platform.explain.gain import Feedback, gain_of
from label_platform.explain.label import Computed, clip_of, impression_label, part_of_cell
from label_platform.explain.steps import DIGITS, Comparison, Step, Steps
from label_platform.explain.training import NotRecordedError, TrainingRow, training_label
from label_platform.policy.signals import used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

_OF_IMPRESSION = ("label", "weight", "prediction_share", "auxiliary_label")
_OF_CELL = (
    "gain_sum",
    "expected_examinations",
    "impressions",
    "clicks",
    "unclipped_examinations",
    "auxiliary_gain_sum",
)
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
class CellDay:
    """One day of a query's item.

    Attributes:
        day: the day.
        shown: its impressions.
        fitted: what the day's labels were computed with.
        label: the row of ``labels``; None where there is none.
        excluded: by impression id, why its session does not count.
        decay: what the day's parts are multiplied by.
    """

    day: date
    shown: Sequence[Shown]
    fitted: Fitted
    label: Kept | None
    excluded: Mapping[str, str] = field(default_factory=dict)
    decay: float = 1.0


@dataclass(frozen=True)
class Frame:
    """What stands around the numbers of an explanation.

    Attributes:
        title: which label.
        facts: versions, days and the like.
        notes: what a reader should know.
        listed: the impression's list.
    """

    title: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    listed: tuple[ListRow, ...] = ()


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
    one = _impression(problem, policy, evidence, shown, fitted, recorded.excluded, notes)
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
        compared += _in_training(policy, computed, recorded.training, steps, notes)
    return Explanation(
        frame.title,
        frame.facts,
        (one,),
        tuple(steps.done),
        tuple(compared),
        frame.listed,
        tuple(notes),
    )


def explain_cell(
    problem: Problem,
    policy: Policy,
    evidence: LogEvidence,
    days: Sequence[CellDay],
    training: TrainingRow | None,
    frame: Frame,
    click: str,
) -> Explanation:
    """The explanation of a label of a query's item.

    Args:
        problem: its rules.
        policy: of grain query_item.
        evidence: the lines of all days.
        days: those that are added up.
        training: the row of ``examples`` for just these days, if there is one.
        frame: what stands around the numbers.
        click: the signal that counts as a click.
    """
    notes = list(frame.notes)
    steps, compared, impressions = Steps(), [], []
    totals = dict.fromkeys(("gain_sum", "expected_examinations", "unclipped_examinations"), 0.0)
    for each in days:
        explained = [
            _impression(
                problem,
                policy,
                evidence,
                shown,
                each.fitted,
                each.excluded.get(shown.impression_id, ""),
                notes,
            )
            for shown in each.shown
        ]
        impressions += explained
        sums = _sums(explained, click)
        compared += _compared_day(each, sums)
        if not sums:
            continue
        note = f"counts {each.decay:.4g} after its decay" if each.decay != 1 else ""
        for name in ("gain_sum", "expected_examinations"):
            steps.add(
                f"{name} of {each.day}",
                "the sum over its impressions",
                {"impressions": sums["impressions"]},
                sums[name],
                note,
            )
        for name in totals:
            totals[name] += each.decay * sums.get(name, 0.0)
    compared += _of_all_days(policy, totals, training, steps, notes)
    return Explanation(
        frame.title,
        frame.facts,
        tuple(impressions),
        tuple(steps.done),
        tuple(compared),
        frame.listed,
        tuple(dict.fromkeys(notes)),
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


def _impression(
    problem: Problem,
    policy: Policy,
    evidence: LogEvidence,
    shown: Shown,
    fitted: Fitted,
    excluded: str,
    notes: list[str],
) -> ExplainedImpression:
    values = evidence.values(problem, shown)
    computed = Computed()
    if not excluded:
        compute = impression_label if policy.grain == "impression" else part_of_cell
        try:
            computed = compute(policy, shown, values, fitted)
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


def _sums(explained: Iterable[ExplainedImpression], click: str) -> dict[str, float]:
    """The parts of a day, added up; empty where nothing of it counts."""
    counted = [each for each in explained if each.computed.numbers]
    if not counted:
        return {}
    names = dict.fromkeys(name for each in counted for name in each.computed.numbers)
    sums = {
        name: round(sum(each.computed.numbers[name] for each in counted), DIGITS) for name in names
    }
    clicks = sum(each.values.get(click, 0.0) > 0 for each in counted)
    return sums | {"impressions": float(len(counted)), "clicks": float(clicks)}


def _compared_day(each: CellDay, sums: Mapping[str, float]) -> list[Comparison]:
    stored = each.label or {}
    return [
        Comparison(f"{name} of {each.day}", _float(stored.get(name)), sums.get(name))
        for name in _OF_CELL
        if name in sums or name in stored
    ]


def _of_all_days(
    policy: Policy,
    totals: Mapping[str, float],
    training: TrainingRow | None,
    steps: Steps,
    notes: list[str],
) -> list[Comparison]:
    gain, examined = totals["gain_sum"], totals["expected_examinations"]
    if examined <= 0:
        return []
    label = steps.add(
        "label",
        "sum of gain_sum / sum of expected_examinations",
        {"gain": gain, "expected": examined},
        round(gain / examined, DIGITS),
    )
    numbers = {"label": label, "expected_examinations": examined}
    if policy.debias.method == "doubly_robust" and totals["unclipped_examinations"]:
        theta = totals["unclipped_examinations"]
        numbers["prediction_share"] = steps.add(
            "share of the prediction",
            "1 - sum of theta / sum of t",
            {"theta": theta, "t": examined},
            round(1 - theta / examined, DIGITS),
        )
    if training is None:
        return []
    found = _in_training(policy, numbers, training, steps, notes)
    stored = _float(training.row.get("expected_examinations"))
    return [*found, Comparison("expected_examinations in training", stored, examined)]


def _in_training(
    policy: Policy,
    numbers: Mapping[str, float],
    training: TrainingRow,
    steps: Steps,
    notes: list[str],
) -> list[Comparison]:
    try:
        label = training_label(policy, numbers, training, steps)
    except NotRecordedError as error:
        notes.append(f"the label in training is not computed again: {error}")
        return []
    return [Comparison("label in training", _float(training.row["label"]), round(label, DIGITS))]


def _float(value: Any) -> float | None:  # noqa: ANN401 - a table's value
    return None if value is None else float(value)


__all__ = ["CellDay", "Frame", "Recorded", "Step", "explain_cell", "explain_impression"]
