"""From a label to the label of its training row: what is fitted on training rows comes in here.

With r the row's prediction, E its expected examinations, a the strength of the prior, m its mean:

    prior            (label E + a m) / (E + a)
    doubly robust    label + r x share of the prediction
    teacher          (1 - share) label + share x score
    grading          how many bounds the label reaches (thresholds) or exceeds (quantiles)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from label_platform.explain.steps import DIGITS, Number, Steps
from label_platform.policy.label_spec import Prior, Quantiles, Thresholds
from label_platform.policy.spec import Policy


class NotRecordedError(LookupError):
    """A fitted value that the training label needs is not kept."""


@dataclass(frozen=True)
class TrainingRow:
    """What is kept of a training row.

    Attributes:
        row: its columns: label, weight, origin, and prediction or teacher_score where it has them.
        fits: what was fitted on all training rows: prior_mean, prior_strength, bounds.
    """

    row: Mapping[str, Any]
    fits: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """A value of the row, or else one that was fitted on all.

        Raises:
            NotRecordedError: neither has it.
        """
        value = self.row.get(name, self.fits.get(name))
        if value is None:
            raise NotRecordedError(f"{name} is not kept with the training rows")
        return float(value)


def training_label(
    policy: Policy, numbers: Mapping[str, float], kept: TrainingRow, steps: Steps
) -> float:
    """The label of a training row.

    Args:
        policy: says what happens to labels in training.
        numbers: label, and where they matter expected_examinations and prediction_share.
        kept: the row's fitted values.
        steps: get the arithmetic.

    Raises:
        NotRecordedError: a fitted value is not kept.
    """
    label = numbers["label"]
    if policy.debias.prior is not None:
        label = _toward(policy.debias.prior, label, numbers["expected_examinations"], kept, steps)
    if policy.debias.method == "doubly_robust" and "prediction_share" in numbers:
        said: dict[str, Number] = {
            "label": label,
            "r": kept.number("prediction"),
            "share": numbers["prediction_share"],
        }
        label += kept.number("prediction") * numbers["prediction_share"]
        steps.add("with the prediction", "label + r x share", said, label)
    if policy.teacher is not None:
        share, score = policy.teacher.share, kept.number("teacher_score")
        said = {"label": label, "share": share, "score": score}
        label = (1 - share) * label + share * score
        steps.add("with the teacher", "(1 - share) label + share x score", said, label)
    return _grade(policy, round(label, DIGITS), kept, steps)


def _toward(prior: Prior, label: float, examined: float, kept: TrainingRow, steps: Steps) -> float:
    strength, mean = prior.strength, 0.0
    if prior.toward == "model":
        mean = kept.number("prediction")
    else:
        mean, strength = kept.number("prior_mean"), kept.number("prior_strength")
    shrunk = (label * examined + strength * mean) / (examined + strength)
    numbers: dict[str, Number] = {"label": label, "E": examined, "a": strength, "m": mean}
    share = strength / (examined + strength)
    note = f"{share:.0%} of the way toward m ({prior.toward.replace('_', ' ')})"
    return steps.add("shrinkage", "(label E + a m) / (E + a)", numbers, shrunk, note)


def _grade(policy: Policy, label: float, kept: TrainingRow, steps: Steps) -> float:
    grading = policy.grading
    if isinstance(grading, Thresholds):
        grade = sum(label >= bound for bound in grading.thresholds)
        bounds, verb = list(grading.thresholds), "reaches"
    elif isinstance(grading, Quantiles):
        if "bounds" not in kept.fits:
            raise NotRecordedError("the bounds of the grades are not kept with the training rows")
        bounds, verb = list(kept.fits["bounds"]), "exceeds"
        grade = sum(label > bound for bound in bounds)
    else:
        return label
    numbers: dict[str, Number] = {"label": label, "bounds": ", ".join(f"{b:g}" for b in bounds)}
    formula = f"the number of bounds that the label {verb}"
    return steps.add("grade", formula, numbers, float(grade))
