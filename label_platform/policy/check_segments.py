"""What a policy must not say of its segments, and of how its signals are put together."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from label_platform.policy.check_signals import check_gains
from label_platform.policy.label_spec import DualPositives, FirstOf, Segment, SignalGain
from label_platform.policy.signals import complains
from label_platform.policy.spec import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import nearest

Gains = Mapping[str, SignalGain]
_ALWAYS = ("device", "surface")
"""What every impression may have, whatever the problem's context."""

_MOST_VALUES = 8
"""That a warning lists."""

_DIVIDES = {"ips", "coec", "affine", "doubly_robust"}
"""The methods that divide by the propensity, which clip bounds."""


def check_segments(policy: Policy, problem: Problem) -> Iterator[str]:
    """Everything that is wrong with the segments, a line each, naming the key."""
    known = dict.fromkeys([*_ALWAYS, *problem.context])
    for number, segment in enumerate(policy.segments):
        key = f"segments.{number}"
        for column in segment.when:
            if column not in known:
                yield (
                    f"{key}.when.{column}: expected device, surface or the problem's context; "
                    f"{nearest(column, known)}"
                )
        yield from _says_something(key, segment, policy)
        yield from _gains(key, segment, policy, problem)
        for earlier, other in enumerate(policy.segments[:number]):
            if _covers(other, segment):
                yield (
                    f"{key}: never counts: segments.{earlier} comes first and has every "
                    "impression that this one would have; put the narrower one first"
                )
                break


def check_combine(policy: Policy) -> Iterator[str]:
    """Everything that is wrong with the signals that ``combine`` names."""
    combine = policy.combine
    if isinstance(combine, FirstOf):
        key, names = "combine.first", combine.first
    elif isinstance(combine, DualPositives):
        key, names = "combine.dual", combine.dual
    else:
        key, names = "combine", ()
    if policy.watch_time is not None:
        if "combine" in policy.model_fields_set:
            yield f"{key}: is for signals, this policy has watch_time; leave it out"
        return
    yield from check_largest("signals", policy.signals, policy.signals, combine)
    if isinstance(combine, DualPositives):
        yield from _dual(policy, combine)
    for name in dict.fromkeys(names):
        if name not in policy.signals:
            hint = nearest(name, policy.signals)
            yield f"{key}: {name!r} is none of the policy's signals; {hint}"
        if names.count(name) > 1:
            yield f"{key}: {name!r} stands there more than once"


def _dual(policy: Policy, combine: DualPositives) -> Iterator[str]:
    every = {*policy.signals, *(name for each in policy.segments for name in each.signals)}
    if "dense_share" in combine.model_fields_set and every <= set(combine.dual):
        yield (
            "combine.dense_share: has no effect: all of the policy's signals are primary; leave "
            "it out"
        )
    if policy.debias.method == "posterior" and complains(policy):
        yield (
            "combine.dual: labels of 0 and 1 do not tell a complaint from an impression that "
            "nobody looked at, which debias.method posterior goes by; use combine: sum"
        )
    if policy.grain == "query_item":
        yield (
            "combine.dual: is for grain impression: each positive has a weight of its own there, "
            "and a query and item has but one; use sum"
        )
    if policy.delay.immature == "reweight":
        yield (
            "combine.dual: has labels of 0 and 1, which no share of what has come can correct; "
            "use delay.immature: exclude or provisional"
        )
    yield from _primary("signals", policy.signals, combine)


def _primary(key: str, own: Gains, combine: DualPositives) -> Iterator[str]:
    """What is said of primary signals and has no effect."""
    for name in dict.fromkeys(combine.dual):
        gain = own.get(name)
        reason = f"has no effect: where {name}, which combine.dual names, came, label and weight"
        if gain is not None and gain.gain != 1:
            yield f"{key}.{name}.gain: {gain.gain:g} {reason} are 1; write gain: 1"
        if gain is not None and gain.quality is not None:
            yield f"{key}.{name}.quality: {reason} are 1; leave it out"


def check_largest(
    key: str,
    own: Gains,
    every: Gains,
    combine: str | FirstOf | DualPositives,
    replaced: Collection[str] = (),
) -> Iterator[str]:
    """Gains that are never the largest.

    Args:
        key: where ``own`` stands in the policy.
        own: the gains to look at.
        every: all that count beside them.
        combine: how those that came are put together.
        replaced: the signals whose gain would be back without ``own``.
    """
    if combine != "max" or len(every) == 1:
        return
    for name, gain in own.items():
        if gain.gain < 0:
            instead = "say gain: 0" if name in replaced else "leave the signal out"
            yield (
                f"{key}.{name}.gain: {gain.gain:g} never counts with combine: max: it is never the "
                f"largest, as what did not come is 0; use combine: sum, or {instead}"
            )


def segment_warnings(policy: Policy) -> Iterator[str]:
    """Signals that only a segment has, which may be misplaced."""
    for number, segment in enumerate(policy.segments):
        for name in segment.signals:
            if name not in policy.signals:
                yield (
                    f"segments.{number}.signals.{name}: counts in this segment alone: it is none "
                    "of the policy's own signals"
                )


def unseen_values(policy: Policy, seen: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Values of segments that no impression has, a line each, with the nearest that some have.

    Args:
        policy: its segments.
        seen: the values of impressions by column; of a column that is absent nothing is said.
    """
    for number, segment in enumerate(policy.segments):
        for column, found in seen.items():
            known = sorted(found)
            for value in sorted(_values(segment, column) - set(known)):
                shown = known[:_MOST_VALUES]
                more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
                close = get_close_matches(value, known, n=1, cutoff=0.5)
                meant = f"did you mean {close[0]!r}? " if close else ""
                yield (
                    f"segments.{number}.when.{column}: {value!r} occurs in none of the labelled "
                    f"impressions; {meant}they have: {', '.join(shown) or 'no value'}{more}"
                )


def _says_something(key: str, segment: Segment, policy: Policy) -> Iterator[str]:
    if not segment.signals and segment.clip is None:
        yield f"{key}: says nothing but when; give it signals or a clip, or leave it out"
    if segment.signals and policy.watch_time is not None:
        yield f"{key}.signals: is for signals, this policy has watch_time"
    if segment.clip is not None and policy.debias.method not in _DIVIDES:
        yield (
            f"{key}.clip: debias.method {policy.debias.method} divides by no propensity; leave it "
            "out"
        )


def _gains(key: str, segment: Segment, policy: Policy, problem: Problem) -> Iterator[str]:
    if policy.watch_time is not None:
        return
    yield from check_gains(f"{key}.signals", segment.signals, problem)
    gains = {**policy.signals, **segment.signals}
    if segment.signals and all(gain.gain <= 0 for gain in gains.values()):
        yield f"{key}.signals: at least one gain must be above 0, or no label there is positive"
    yield from check_largest(
        f"{key}.signals", segment.signals, gains, policy.combine, policy.signals
    )
    if isinstance(policy.combine, DualPositives):
        yield from _primary(f"{key}.signals", segment.signals, policy.combine)
    if isinstance(policy.combine, FirstOf):
        for name in segment.signals:
            if name not in policy.combine.first and name not in policy.signals:
                yield (
                    f"{key}.signals.{name}: never counts: combine.first does not name it; use "
                    "combine: sum or max, or name it there and give it the gain that it has "
                    "elsewhere among the policy's own signals"
                )


def _covers(earlier: Segment, later: Segment) -> bool:
    """Whether every impression of the later segment belongs to the earlier one."""
    return all(
        column in later.when and _values(later, column) <= _values(earlier, column)
        for column in earlier.when
    )


def _values(segment: Segment, column: str) -> set[str]:
    values = segment.when.get(column, ())
    return {values} if isinstance(values, str) else set(values)
