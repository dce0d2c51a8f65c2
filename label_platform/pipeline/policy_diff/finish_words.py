"""How a training row's label and weight come about from its label before it trains, in words."""

from datetime import timedelta
from typing import Any

from label_platform.examples import Fitted
from label_platform.policy import PREDICTION_SHARE, Policy, Quantiles, Thresholds

Row = dict[str, Any]
Step = tuple[str, float]


def label_words(policy: Policy, fitted: Fitted, row: Row, base: Row | None) -> str:
    """What is made of a row's label before it trains; empty where it trains as it is.

    Args:
        policy: whose row it is.
        fitted: what was fitted on training rows.
        row: finished, with expected_examinations and what was predicted of it.
        base: its label before that, with prediction_share where that is made use of; None of an
            item that no list showed.
    """
    label = float(base["label"]) if base else 0.0
    share = float(base.get(PREDICTION_SHARE) or 0.0) if base else 1.0
    said = []
    if policy.debias.prior is not None:
        words, label = _prior(policy, fitted, row, label)
        said.append(words)
    if policy.debias.method == "doubly_robust":
        predicted = row["prediction"]
        words = f"{label:g} + prediction {predicted:g} x share {share:g} not examined"
        label += predicted * share
        said.append(f"{words} = {label:g}")
    if policy.teacher is not None:
        part, score = policy.teacher.share, row["teacher_score"]
        words = f"{1 - part:g} x {label:g} + {part:g} x the teacher's score {score:g}"
        label = (1 - part) * label + part * score
        said.append(f"{words} = {label:g}")
    if policy.grading != "continuous":
        said.append(_grade(policy, fitted, row))
    return "; ".join(said)


def weight_words(policy: Policy, row: Row, base: Row | None) -> str:
    """The weight that a row trains with.

    Args:
        policy: whose row it is.
        row: finished.
        base: its label before that; None of an item that no list showed.
    """
    words = f"weight {row['weight']:g} as {row['origin']}"
    if policy.decay is not None:
        words += f", by its age at a half-life of {half_life_words(policy.decay.half_life)}"
    if _weighs_by_posterior(policy, row, base):
        theta, gamma = row["expected_examinations"], row["prediction"]
        theta = 1.0 if theta is None else min(theta, 1.0)
        gamma = min(max(gamma, 0.0), 0.999)
        chance = theta * (1 - gamma) / (1 - theta * gamma)
        words += (
            f", by P(examined, if not clicked) = {theta:g} x (1 - {gamma:g}) / "
            f"(1 - {theta:g} x {gamma:g}) = {chance:g}"
        )
    return words


def half_life_words(half_life: timedelta) -> str:
    """In days where they are whole, such as 7 days, else in hours."""
    days = half_life / timedelta(days=1)
    amount, unit = (days, "day") if days.is_integer() else (days * 24, "hour")
    return f"{amount:g} {unit}" + "s" * (amount != 1)


def _prior(policy: Policy, fitted: Fitted, row: Row, label: float) -> Step:
    prior = policy.debias.prior
    if prior is None:
        raise ValueError(f"{policy.name} has no prior")
    if fitted.prior_refusal:
        return f"without a prior, which is refused: {fitted.prior_refusal}", label
    if prior.toward == "empirical_bayes":
        mean, strength, source = fitted.prior_mean, fitted.prior_strength, "the mean of all"
    else:
        mean, strength, source = row["prediction"], prior.strength, "the prediction"
    mean, strength, examined = float(mean or 0), float(strength or 0), row["expected_examinations"]
    drawn = (label * examined + strength * mean) / (examined + strength)
    return (
        f"drawn toward {source} {mean:g} with strength {strength:g}: "
        f"({label:g} x {examined:g} + {strength:g} x {mean:g}) / ({examined:g} + {strength:g}) "
        f"= {drawn:g}"
    ), drawn


def _grade(policy: Policy, fitted: Fitted, row: Row) -> str:
    if isinstance(policy.grading, Thresholds):
        bounds, reached = policy.grading.thresholds, "at or above"
    elif isinstance(policy.grading, Quantiles):
        bounds, reached = fitted.bounds, "above"
    else:
        raise TypeError(f"{policy.name} has no grades")
    said = ", ".join(f"{bound:g}" for bound in bounds)
    return f"{reached} {row['label']:g} of the bounds {said}: grade {row['label']:g}"


def _weighs_by_posterior(policy: Policy, row: Row, base: Row | None) -> bool:
    if policy.debias.method == "posterior":
        untouched = base is not None and base["label"] == 0 and row["raw_label"] == 0
        return untouched and row["origin"] != "random"
    examined = policy.negatives.examined
    return examined is not None and examined.weight == "posterior" and row["origin"] == "examined"
