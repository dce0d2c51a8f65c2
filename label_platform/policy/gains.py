"""The gain of one impression: an SQL expression over the columns of its signals.

    sum     sum over signals of gain_s * value_s * quality_s
    max     the largest of these terms
    first   the term of the first signal, in the policy's order, that came
    dual    1 if any came; the row's weight says which kind

With ``arrived`` a term is divided by the share of its signal's feedback that has come by now.
"""

from collections.abc import Callable, Mapping

from label_platform.lake import quote_identifier, quote_literal
from label_platform.policy.label_spec import (
    DualPositives,
    FirstOf,
    Quality,
    Segment,
    SignalGain,
)
from label_platform.policy.spec import Policy

Gains = Mapping[str, SignalGain]
Combine = str | FirstOf | DualPositives
_OfSignals = Callable[[Gains], str]

_LEAST = "5e-7"
"""A sum of gains up to that is 0: labels have 6 digits, and .1 + .2 - .3 is not 0 as a DOUBLE."""


def gain_sql(policy: Policy, arrived: Mapping[str, str] | None = None) -> str:
    """The gain by the policy, or by the first of its segments that an impression belongs to.

    Args:
        policy: with signals.
        arrived: by signal, an expression for the share of its feedback that has come.
    """
    return _by_segment(
        policy, lambda signals: combined_gain_sql(signals, policy.combine, arrived or {})
    )


def weight_sql(policy: Policy) -> str:
    """The row's own weight: 1, or with dual positives that of its kind, as an expression."""
    combine = policy.combine
    if not isinstance(combine, DualPositives):
        return "1"
    return _by_segment(policy, lambda signals: _dual_weight(signals, combine))


def is_dense_sql(policy: Policy) -> str:
    """Whether an impression is positive by dense signals alone, as an expression."""
    combine = policy.combine
    if not isinstance(combine, DualPositives):
        return "false"
    return f"not {_came(combine.dual)} and ({gain_sql(policy)}) > 0"


def combined_gain_sql(
    signals: Gains, combine: Combine, arrived: Mapping[str, str] | None = None
) -> str:
    """The gain by these signals, whatever the segment."""
    terms = _terms(signals, arrived or {})
    if isinstance(combine, FirstOf):
        cases = " ".join(
            f"when {quote_identifier(name)} > 0 then {terms[name]}" for name in combine.first
        )
        return f"(case {cases} else 0 end)"
    if isinstance(combine, DualPositives):
        dense = _dense(signals, combine, arrived)
        return f"(case when {_came(combine.dual)} or ({dense}) > {_LEAST} then 1 else 0 end)"
    if combine == "max" and len(terms) > 1:
        return f"greatest({', '.join(terms.values())})"
    return " + ".join(terms.values())


def rounded_sql(expression: str) -> str:
    """An expression as a DOUBLE, rounded to 6 digits.

    The value is that of ``round(expression, 6)``, which raises 10 to the 6th for each row anew.
    """
    return f"round(cast({expression} as double) * 1e6) / 1e6"


def clip_sql(policy: Policy) -> str:
    """The least propensity that divides, as an expression: segments may differ."""
    cases = [
        f"when {condition_sql(segment)} then {segment.clip!r}"
        for segment in policy.segments
        if segment.clip is not None
    ]
    if not cases:
        return repr(policy.debias.clip)
    # a segment without a clip of its own hides those after it, as it does with gains
    cases = [
        f"when {condition_sql(segment)} then {(segment.clip or policy.debias.clip)!r}"
        for segment in policy.segments
    ]
    return f"(case {' '.join(cases)} else {policy.debias.clip!r} end)"


def condition_sql(segment: Segment) -> str:
    """Whether an impression belongs to a segment, as an expression."""
    parts = []
    for column, values in sorted(segment.when.items()):
        known = [values] if isinstance(values, str) else values
        listed = ", ".join(map(quote_literal, known))
        parts.append(f"coalesce(cast({quote_identifier(column)} as varchar) in ({listed}), false)")
    return " and ".join(parts)


def _by_segment(policy: Policy, expression: _OfSignals) -> str:
    base = expression(policy.signals)
    if not any(segment.signals for segment in policy.segments):
        return base
    cases = " ".join(
        f"when {condition_sql(segment)} then {expression({**policy.signals, **segment.signals})}"
        for segment in policy.segments
    )
    return f"(case {cases} else {base} end)"


def _terms(signals: Gains, arrived: Mapping[str, str]) -> dict[str, str]:
    """By signal; sorted, because floating sums depend on their order and a version does not."""
    return {
        name: _term(name, gain) + (f" / {arrived[name]}" if name in arrived else "")
        for name, gain in sorted(signals.items())
    }


def _term(name: str, gain: SignalGain) -> str:
    value = quote_identifier(name)
    term = f"{gain.gain!r} * {value}"
    if gain.quality is None:
        return term
    # a logarithm of every impression that nobody clicked took longer than all else
    return f"(case when {value} <> 0 then {term} * {_quality(gain.quality)} else 0 end)"


def _quality(quality: Quality) -> str:
    value = quote_identifier(quality.of)
    share = f"greatest({value}, 0) / {quality.cap!r}"
    if quality.shape == "log":
        return f"least(1, ln(1 + {share}) / ln(2))"
    if quality.shape == "linear":
        return f"least(1, {share})"
    return f"(case when {value} >= {quality.cap!r} then 1 else 0 end)"


def _came(signals: tuple[str, ...]) -> str:
    return "(" + " or ".join(f"{quote_identifier(name)} > 0" for name in sorted(signals)) + ")"


def _dual_weight(signals: Gains, combine: DualPositives) -> str:
    dense = [
        f"least(1, {term})"
        for name, term in _terms(signals, {}).items()
        if name not in combine.dual
    ]
    if not dense:
        return "1"
    strongest = f"greatest({', '.join(dense)})" if len(dense) > 1 else dense[0]
    # what the label takes for no positive, such as a click and then a dislike, weighs like one
    is_dense = f"not {_came(combine.dual)} and ({_dense(signals, combine)}) > {_LEAST}"
    return f"(case when {is_dense} then {strongest} else 1 end)"


def _dense(signals: Gains, combine: DualPositives, arrived: Mapping[str, str] | None = None) -> str:
    """The sum of the dense terms."""
    terms = _terms(signals, arrived or {})
    return " + ".join(term for name, term in terms.items() if name not in combine.dual) or "0"
