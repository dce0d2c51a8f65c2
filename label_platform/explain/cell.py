"""The label of a query's item: the parts of its impressions, by day and all together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from label_platform.explain.build import (
    IN_TRAINING,
    Frame,
    Kept,
    as_float,
    explained_impression,
    in_training,
)
from label_platform.explain.evidence import Shown
from label_platform.explain.explanation import ExplainedImpression, Explanation
from label_platform.explain.fates import LogEvidence
from label_platform.explain.fitted import Fitted
from label_platform.explain.steps import DIGITS, Comparison, Steps
from label_platform.explain.training import TrainingRow
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

_OF_CELL = (
    "gain_sum",
    "expected_examinations",
    "impressions",
    "clicks",
    "unclipped_examinations",
    "auxiliary_gain_sum",
)


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
        explained = _explained_day(problem, policy, evidence, each, notes)
        impressions += explained
        sums = _sums(explained, click)
        compared += _compared_day(each, sums)
        _tell_sums(each, sums, steps)
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
        frame.gone,
    )


def _explained_day(
    problem: Problem, policy: Policy, evidence: LogEvidence, each: CellDay, notes: list[str]
) -> list[ExplainedImpression]:
    found = []
    for shown in each.shown:
        excluded = each.excluded.get(shown.impression_id, "")
        found.append(
            explained_impression(problem, policy, evidence, shown, each.fitted, excluded, notes)
        )
    return found


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


def _tell_sums(each: CellDay, sums: Mapping[str, float], steps: Steps) -> None:
    if not sums:
        return
    note = f"counts {each.decay:.4g} after its decay" if each.decay != 1 else ""
    for name in ("gain_sum", "expected_examinations"):
        steps.add(
            f"{name} of {each.day}",
            "the sum over its impressions",
            {"impressions": sums["impressions"]},
            sums[name],
            note,
        )


def _compared_day(each: CellDay, sums: Mapping[str, float]) -> list[Comparison]:
    stored = each.label or {}
    return [
        Comparison(f"{name} of {each.day}", as_float(stored.get(name)), sums.get(name))
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
    found = in_training(policy, numbers, training, steps, notes)
    stored = as_float(training.row.get("expected_examinations"))
    return [*found, Comparison(f"expected_examinations {IN_TRAINING}", stored, examined)]
