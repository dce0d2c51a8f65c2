"""The label of one impression, and its part in the label of its query and item.

With g the gain, theta and beta examination and trust offset, t = max(theta, clip):

    none             g
    ips              g / t; into: weight g, and what was rewarded weighs 1 / t
    posterior        g
    affine           (g - beta) / t
    doubly_robust    (g - beta) / t, and r (1 - theta/t) in the training row
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from label_platform.explain.curve import Examination
from label_platform.explain.evidence import Shown
from label_platform.explain.fitted import Fitted
from label_platform.explain.gain import Feedback, combined, gain_of, segment_of, weight_of
from label_platform.explain.steps import DIGITS, Step, Steps
from label_platform.explain.watch_time import watched
from label_platform.policy.spec import Policy


@dataclass(frozen=True)
class Computed:
    """What comes out of one impression.

    Attributes:
        numbers: by the name of the labels' column; empty where the impression has no label.
        steps: how.
        examination: what the propensities say, where they were asked.
        clip: the least that divides, where something does.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    examination: Examination | None = None
    clip: float | None = None

    @property
    def is_clipped(self) -> bool:
        """Whether the propensity was raised to the clip."""
        return (
            self.examination is not None
            and self.clip is not None
            and self.examination.theta < self.clip
        )


def impression_label(
    policy: Policy, shown: Shown, values: Mapping[str, float], fitted: Fitted
) -> Computed:
    """The label of an impression at impression grain.

    Args:
        policy: of grain impression.
        shown: an impression that is not excluded.
        values: of its signals.
        fitted: of its day.
    """
    steps = Steps()
    if policy.watch_time is not None:
        spec = policy.watch_time
        label = watched(spec, shown, values[spec.watch_s], fitted.watch_times, steps)
        numbers = {} if label is None else {"label": round(label, DIGITS), "weight": 1.0}
        return Computed(
            numbers | _auxiliary(policy, values, steps) if numbers else {}, tuple(steps.done)
        )
    feedback = Feedback(values, shown.columns, fitted.arrived(policy, shown))
    gain, weight = gain_of(policy, feedback, steps), weight_of(policy, feedback, steps)
    examination, clip, divisor = _examined(policy, shown, fitted, steps)
    debias = policy.debias
    numbers = {"label": gain, "weight": weight}
    if examination is not None and debias.into == "weight":
        numbers["weight"] = _inverse_weight(gain, weight, divisor, fitted, steps)
    elif examination is not None:
        numbers["label"] = _debiased(policy, gain, examination, divisor, steps)
        if debias.method == "doubly_robust":
            numbers["prediction_share"] = steps.add(
                "share of the prediction",
                "1 - theta / t",
                {"theta": examination.theta, "t": divisor},
                1 - examination.theta / divisor,
                "added in the training row: label + share x prediction",
            )
    numbers |= _auxiliary(policy, values, steps)
    rounded = {name: round(number, DIGITS) for name, number in numbers.items()}
    return Computed(rounded, tuple(steps.done), examination, clip)


def part_of_cell(
    policy: Policy, shown: Shown, values: Mapping[str, float], fitted: Fitted
) -> Computed:
    """What an impression adds to its query and item at query-item grain.

    Args:
        policy: of grain query_item.
        shown: an impression that is not excluded.
        values: of its signals.
        fitted: of its day.
    """
    steps = Steps()
    arrived = fitted.arrived(policy, shown)
    # of one signal, what is expected is divided; of several, what came
    single = next(iter(arrived.values())) if len(arrived) == 1 else 1.0
    feedback = Feedback(values, shown.columns, {} if len(arrived) == 1 else arrived)
    gain = gain_of(policy, feedback, steps)
    examination, clip, divisor = _examined(policy, shown, fitted, steps)
    method = policy.debias.method
    if examination is None or method == "ips":
        examined = single
        gain = gain / divisor if examination is not None else gain
        if examination is not None:
            steps.add("part of the gain", "g / t", {"g": gain * divisor, "t": divisor}, gain)
    else:
        examined = divisor * single
        if method in {"affine", "doubly_robust"}:
            offset = _offset(policy, examination)
            steps.add(
                "part of the gain",
                "g - gain x beta",
                {"g": gain, "gain x beta": offset},
                gain - offset,
            )
            gain -= offset
    if single != 1.0:
        steps.add(
            "expected examinations", "t x arrived", {"t": divisor, "arrived": single}, examined
        )
    numbers = {"gain_sum": gain, "expected_examinations": examined}
    if examination is not None and method in {"affine", "doubly_robust"}:
        numbers["unclipped_examinations"] = examination.theta
    if policy.auxiliary is not None:
        numbers["auxiliary_gain_sum"] = _auxiliary(policy, values, steps)["auxiliary_label"]
    rounded = {name: round(number, DIGITS) for name, number in numbers.items()}
    return Computed(rounded, tuple(steps.done), examination, clip)


def clip_of(policy: Policy, shown: Shown) -> float:
    """The least propensity that divides: a segment may have its own."""
    segment = segment_of(policy, shown.columns)
    if segment is not None and segment.clip is not None:
        return segment.clip
    return policy.debias.clip


def _examined(
    policy: Policy, shown: Shown, fitted: Fitted, steps: Steps
) -> tuple[Examination | None, float | None, float]:
    """What the curve says, the clip, and what divides."""
    if fitted.curve is None:
        return None, None, 1.0
    found, clip = fitted.curve.of(shown), clip_of(policy, shown)
    which = (
        "all contexts"
        if found.is_pooled
        else ", ".join(f"{name} = {shown.columns.get(name)}" for name in fitted.curve.context)
    )
    said = f"position {found.row['position']} of {which}, estimator {found.row['estimator']}"
    if found.row["position"] != shown.position:
        said += f"; the impression is at {shown.position}"
    numbers = {name: found.row[name] for name in ("ci_low", "ci_high") if name in found.row}
    steps.add("propensity theta", "P(examined) relative to position 1", numbers, found.theta, said)
    divisor = max(found.theta, clip)
    note = "theta is raised to the clip" if found.theta < clip else ""
    steps.add("t", "max(theta, clip)", {"theta": found.theta, "clip": clip}, divisor, note)
    return found, clip, divisor


def _debiased(
    policy: Policy, gain: float, examination: Examination, divisor: float, steps: Steps
) -> float:
    if policy.debias.method == "ips":
        return steps.add("label", "g / t", {"g": gain, "t": divisor}, gain / divisor)
    offset = _offset(policy, examination)
    numbers = {"g": gain, "gain x beta": offset, "t": divisor}
    return steps.add("label", "(g - gain x beta) / t", numbers, (gain - offset) / divisor)


def _offset(policy: Policy, examination: Examination) -> float:
    """What clicks of trust alone are worth: beta clicks at the policy's one gain."""
    (gain,) = policy.signals.values() if len(policy.signals) == 1 else (None,)
    return examination.trust_offset * (gain.gain if gain is not None else 1.0)


def _inverse_weight(
    gain: float, weight: float, divisor: float, fitted: Fitted, steps: Steps
) -> float:
    if gain <= 0:
        return weight
    mean = fitted.mean_inverse
    numbers = {"weight": weight, "t": divisor}
    if mean is None:
        return steps.add("weight", "weight / t", numbers, weight / divisor)
    numbers["mean"] = mean
    note = "mean: of 1/t over all of the day that was rewarded"
    return steps.add("weight", "weight / t / mean", numbers, weight / divisor / mean, note)


def _auxiliary(policy: Policy, values: Mapping[str, float], steps: Steps) -> dict[str, float]:
    if policy.auxiliary is None:
        return {}
    inner = Steps()
    gain = combined(policy.auxiliary.signals, policy.auxiliary.combine, Feedback(values), inner)
    numbers = {step.name: step.result for step in inner.done}
    steps.add("auxiliary label", policy.auxiliary.combine, numbers, gain)
    return {"auxiliary_label": round(gain, DIGITS)}
