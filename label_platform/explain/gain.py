"""What the signals of one impression are worth by a policy, computed from the policy's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import Any

from label_platform.explain.steps import Number, Steps
from label_platform.policy.label_spec import DualPositives, FirstOf, Quality, Segment, SignalGain
from label_platform.policy.spec import Policy

_ROUNDS_TO_0 = 5e-7
"""Labels have 6 digits: a sum of gains up to this is none."""


@dataclass(frozen=True)
class Feedback:
    """What is known of an impression when its gain is computed.

    Attributes:
        values: by signal, its value.
        columns: of the impression, for segments.
        arrived: by signal, the share of its feedback that has come; empty where that is not used.
    """

    values: Mapping[str, float]
    columns: Mapping[str, Any] = field(default_factory=dict)
    arrived: Mapping[str, float] = field(default_factory=dict)


def segment_of(policy: Policy, columns: Mapping[str, Any]) -> Segment | None:
    """The first of the policy's segments that an impression belongs to."""
    return next((each for each in policy.segments if _belongs(each, columns)), None)


def _belongs(segment: Segment, columns: Mapping[str, Any]) -> bool:
    return all(
        as_text(columns.get(name)) in ((values,) if isinstance(values, str) else values)
        for name, values in segment.when.items()
    )


def as_text(value: Any) -> str | None:  # noqa: ANN401 - a log's value
    """A value as segments and contexts compare it; None stays None."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def gain_of(policy: Policy, feedback: Feedback, steps: Steps) -> float:
    """The gain of an impression by the policy and its segment."""
    segment = segment_of(policy, feedback.columns)
    signals = {**policy.signals, **(segment.signals if segment else {})}
    if segment is not None:
        said = {
            key: ", ".join([value] if isinstance(value, str) else value)
            for key, value in segment.when.items()
        }
        replaced = {f"gain of {name}": each.gain for name, each in segment.signals.items()}
        steps.add(
            "segment",
            "the first that fits",
            {**said, **replaced},
            float(policy.segments.index(segment) + 1),
            "its number among the segments",
        )
    return combined(signals, policy.combine, feedback, steps)


def weight_of(policy: Policy, feedback: Feedback, steps: Steps) -> float:
    """The row's own weight: 1, or with dual positives that of the strongest dense signal."""
    if not isinstance(policy.combine, DualPositives):
        return 1.0
    primary = policy.combine.dual
    if any(feedback.values.get(name, 0.0) > 0 for name in primary):
        return steps.add("weight", "1 with a primary signal", {}, 1.0)
    segment = segment_of(policy, feedback.columns)
    signals = {**policy.signals, **(segment.signals if segment else {})}
    dense = {
        name: term_of(name, gain, feedback.values)
        for name, gain in sorted(signals.items())
        if name not in primary
    }
    is_dense = sum(dense.values()) > _ROUNDS_TO_0
    return steps.add(
        "weight",
        "the largest of min(1, gain value) of dense signals; 1 where their sum is not above 0",
        dense,
        min(1.0, max(dense.values())) if is_dense else 1.0,
    )


def combined(
    signals: Mapping[str, SignalGain],
    combine: str | FirstOf | DualPositives,
    feedback: Feedback,
    steps: Steps,
) -> float:
    """The gain by some signals, whatever the segment."""
    terms = {}
    for name, gain in sorted(signals.items()):
        term = term_of(name, gain, feedback.values)
        numbers, formula = _words(name, gain, feedback.values)
        if name in feedback.arrived:
            numbers["arrived"] = feedback.arrived[name]
            formula += " / arrived"
            term /= feedback.arrived[name]
        terms[name] = steps.add(f"worth of {name}", formula, numbers, term)
    result, formula = _combine(terms, combine, feedback.values)
    if len(terms) == 1 and combine in ("sum", "max"):
        return result
    return steps.add("gain", formula, terms, result)


def term_of(name: str, gain: SignalGain, values: Mapping[str, float]) -> float:
    """What one signal is worth: gain x value x quality."""
    term = gain.gain * values.get(name, 0.0)
    return term if gain.quality is None else term * quality_of(gain.quality, values)


def quality_of(quality: Quality, values: Mapping[str, float]) -> float:
    """How much of a signal's gain counts, from 0 to 1."""
    value = values.get(quality.of, 0.0)
    share = max(value, 0.0) / quality.cap
    if quality.shape == "log":
        return min(1.0, log(1.0 + share) / log(2.0))
    if quality.shape == "linear":
        return min(1.0, share)
    return 1.0 if value >= quality.cap else 0.0


def _combine(
    terms: Mapping[str, float],
    combine: str | FirstOf | DualPositives,
    values: Mapping[str, float],
) -> tuple[float, str]:
    if isinstance(combine, FirstOf):
        first = next((name for name in combine.first if values.get(name, 0.0) > 0), None)
        words = f"the first that came of {', '.join(combine.first)}"
        return (terms[first] if first is not None else 0.0), words
    if isinstance(combine, DualPositives):
        came = any(values.get(name, 0.0) > 0 for name in combine.dual)
        dense = sum(term for name, term in terms.items() if name not in combine.dual)
        return float(
            came or dense > _ROUNDS_TO_0
        ), f"1 where {' or '.join(combine.dual)} or any other came"
    if combine == "max":
        return max(terms.values()), "the largest"
    return sum(terms.values()), "the sum"


_SHAPES = {
    "log": "min(1, ln(1 + {of}/cap) / ln 2)",
    "linear": "min(1, {of}/cap)",
    "minimum": "1 if {of} >= cap, else 0",
}


def _words(
    name: str, gain: SignalGain, values: Mapping[str, float]
) -> tuple[dict[str, Number], str]:
    numbers: dict[str, Number] = {"gain": gain.gain, "value": values.get(name, 0.0)}
    formula = "gain x value"
    if gain.quality is not None:
        quality = gain.quality
        formula += f" x quality, quality = {_SHAPES[quality.shape].format(of=quality.of)}"
        numbers |= {
            quality.of: values.get(quality.of, 0.0),
            "cap": quality.cap,
            "quality": quality_of(quality, values),
        }
    return numbers, formula
