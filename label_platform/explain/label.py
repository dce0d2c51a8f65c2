"""The label of one impression, and its part in the label of its query and item.

With g the gain, theta and beta examination and trust offset, t = max(theta, clip):

    none             g
    ips              g / t; into: weight g, and what was rewarded weighs 1 / t
    posterior        g
    affine           (g - beta) / t
    doubly_robust    (g - beta) / t, and r (1 - theta/t) in the training row

g is divided by the share of feedback that has come by now, where rows are reweighted. In a query
and item with one signal t, theta and beta are multiplied by it instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from label_platform.explain.curve import Examination
from label_platform.explain.evidence import Shown
from label_platform.explain.fitted import Fitted
from label_platform.explain.gain import Feedback, combined, gain_of, segment_of, weight_of
from label_platform.explain.steps import DIGITS, Step, Steps
from label_platform.explain.watch_time import watched
from label_platform.policy.label_spec import Auxiliary, WatchTime
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


@dataclass(frozen=True)
class _Examined:
    """What the curve says, the clip, and what divides."""

    examination: Examination | None
    clip: float | None
    divisor: float


_NOT_ASKED = _Examined(None, None, 1.0)


def computed_label(
    policy: Policy, shown: Shown, values: Mapping[str, float], fitted: Fitted
) -> Computed:
    """The label of an impression, or at query-item grain what it adds to its query and item.

    Args:
        policy: says how.
        shown: an impression that is not excluded.
        values: of its signals.
        fitted: of its day.
    """
    steps = Steps()
    examined = _NOT_ASKED
    if policy.grain == "query_item":
        numbers, examined = _part_of_cell(policy, shown, values, fitted, steps)
    elif policy.watch_time is not None:
        numbers = _watched_label(policy.watch_time, shown, values, fitted, steps)
    else:
        numbers, examined = _impression_label(policy, shown, values, fitted, steps)
    if policy.auxiliary is not None and numbers:
        name = "auxiliary_gain_sum" if policy.grain == "query_item" else "auxiliary_label"
        came = fitted.arrived(policy, shown) if policy.grain == "impression" else {}
        numbers[name] = _auxiliary_label(policy.auxiliary, Feedback(values, arrived=came), steps)
    rounded = {name: round(number, DIGITS) for name, number in numbers.items()}
    return Computed(rounded, tuple(steps.done), examined.examination, examined.clip)


def _watched_label(
    spec: WatchTime, shown: Shown, values: Mapping[str, float], fitted: Fitted, steps: Steps
) -> dict[str, float]:
    label = watched(spec, shown, values[spec.watch_s], fitted.watch_times, steps)
    return {} if label is None else {"label": label, "weight": 1.0}


def _impression_label(
    policy: Policy, shown: Shown, values: Mapping[str, float], fitted: Fitted, steps: Steps
) -> tuple[dict[str, float], _Examined]:
    feedback = Feedback(values, shown.columns, fitted.arrived(policy, shown))
    gain, weight = gain_of(policy, feedback, steps), weight_of(policy, feedback, steps)
    examined = _examined(policy, shown, fitted, steps)
    numbers = {"label": gain, "weight": weight}
    if examined.examination is None:
        if policy.debias.method == "doubly_robust":
            numbers["prediction_share"] = 0.0
        return numbers, examined
    if policy.debias.into == "weight":
        numbers["weight"] = _inverse_weight(gain, weight, examined.divisor, fitted, steps)
        return numbers, examined
    numbers["label"] = _debiased(policy, gain, examined.examination, examined.divisor, steps)
    if policy.debias.method == "doubly_robust":
        theta, divisor = examined.examination.theta, examined.divisor
        numbers["prediction_share"] = steps.add(
            "share of the prediction",
            "1 - theta / t",
            {"theta": theta, "t": divisor},
            1 - theta / divisor,
            "added in the training row: label + share x prediction",
        )
    return numbers, examined


def _part_of_cell(
    policy: Policy, shown: Shown, values: Mapping[str, float], fitted: Fitted, steps: Steps
) -> tuple[dict[str, float], _Examined]:
    arrived = fitted.arrived(policy, shown)
    # of one signal, what is expected is divided; of several, what came
    is_single = len(policy.signals) == 1 and bool(arrived)
    single = arrived[next(iter(policy.signals))] if is_single else 1.0
    feedback = Feedback(values, shown.columns, {} if is_single else arrived)
    gain = gain_of(policy, feedback, steps)
    examined = _examined(policy, shown, fitted, steps)
    gain, expected = _debiased_part(policy, gain, examined, single, steps)
    if single != 1.0:
        divides_later = examined.examination is not None and policy.debias.method != "ips"
        counted = "t" if divides_later else "impression"
        numbers = {counted: expected, "arrived": single}
        steps.add("expected examinations", f"{counted} x arrived", numbers, expected * single)
    numbers = {"gain_sum": gain, "expected_examinations": expected * single}
    if policy.debias.method in {"affine", "doubly_robust"}:
        found = examined.examination
        # a policy that has fallen back takes every impression as examined
        numbers["unclipped_examinations"] = (found.theta if found is not None else 1.0) * single
    return numbers, examined


def clip_of(policy: Policy, shown: Shown) -> float:
    """The least propensity that divides: a segment may have its own."""
    segment = segment_of(policy, shown.columns)
    if segment is not None and segment.clip is not None:
        return segment.clip
    return policy.debias.clip


def _examined(policy: Policy, shown: Shown, fitted: Fitted, steps: Steps) -> _Examined:
    if fitted.curve is None:
        return _NOT_ASKED
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
    return _Examined(found, clip, divisor)


def _debiased(
    policy: Policy, gain: float, examination: Examination, divisor: float, steps: Steps
) -> float:
    if policy.debias.method == "ips":
        return steps.add("label", "g / t", {"g": gain, "t": divisor}, gain / divisor)
    offset = _offset(policy, examination)
    numbers = {"g": gain, "gain x beta": offset, "t": divisor}
    return steps.add("label", "(g - gain x beta) / t", numbers, (gain - offset) / divisor)


def _debiased_part(
    policy: Policy, gain: float, examined: _Examined, arrived: float, steps: Steps
) -> tuple[float, float]:
    """An impression's part of the gain, and its examinations once all its feedback has come."""
    divisor = examined.divisor
    if examined.examination is None:
        return gain, 1.0
    if policy.debias.method == "ips":
        numbers = {"g": gain, "t": divisor}
        return steps.add("part of the gain", "g / t", numbers, gain / divisor), 1.0
    if policy.debias.method in {"affine", "doubly_robust"}:
        offset = _offset(policy, examined.examination)
        numbers, formula = {"g": gain, "gain x beta": offset}, "g - gain x beta"
        if arrived != 1.0:
            numbers["arrived"], formula = arrived, "g - gain x beta x arrived"
        gain = steps.add("part of the gain", formula, numbers, gain - offset * arrived)
    return gain, divisor


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


def _auxiliary_label(auxiliary: Auxiliary, feedback: Feedback, steps: Steps) -> float:
    inner = Steps()
    gain = combined(auxiliary.signals, auxiliary.combine, feedback, inner)
    numbers = {step.name: step.result for step in inner.done}
    return steps.add("auxiliary label", auxiliary.combine, numbers, gain)
