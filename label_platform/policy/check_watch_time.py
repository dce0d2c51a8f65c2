"""What a policy must not say of watch time: columns, units, keys without effect."""

from collections.abc import Iterator

from label_platform.logs.contract import is_named_by
from label_platform.policy.label_spec import WatchTime
from label_platform.policy.spec import Policy
from label_platform.problem import Problem
from label_platform.strict_yaml import nearest

_READ_BY = {"bins": ("d2q", "dvr", "d2co"), "unit_s": ("wt",)}
"""By key that not every label reads, the labels that do."""
_OTHER_UNIT = {"s": "ms", "ms": "s"}
ALWAYS_ABOVE_ZERO = {"d2q", "dvr"}
"""Labels that compare with other watch times, of which 0 s is one like any other: no row with them
is a negative, but for a few that round to 0."""
_ZERO_UNWATCHED = {"wt", "pcr"}
"""Labels that are 0 where nothing was watched, and nowhere else."""


def check_watch_time(policy: Policy, problem: Problem) -> Iterator[str]:
    """Everything that is wrong with the block, a line each, naming the key."""
    spec = policy.watch_time
    if spec is None:
        return
    if policy.grain != "impression":
        yield f"grain: watch_time is for grain impression, found {policy.grain}"
    if spec.watch_s not in problem.signals:
        hint = nearest(spec.watch_s, problem.signals)
        yield f"watch_time.watch_s: the problem has no such signal; {hint}"
    if not is_named_by(spec.duration, problem.features):
        known = nearest(spec.duration, problem.features) if problem.features else "there are none"
        yield (
            f"watch_time.duration: {spec.duration!r} is none of the columns that the problem's "
            f"features name, which impressions keep; {known}"
        )
    if _contradicts_its_name(spec) and "duration_unit" not in spec.model_fields_set:
        named = _OTHER_UNIT[spec.duration_unit]
        yield (
            f"watch_time.duration_unit: is {spec.duration_unit} where the policy does not say it, "
            f"but {spec.duration!r} ends in _{named}; write duration_unit: {named}, or "
            f"{spec.duration_unit} if the column is in {spec.duration_unit} whatever its name"
        )
    for key, labels in _READ_BY.items():
        if key in spec.model_fields_set and spec.label not in labels:
            those = " or ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
            yield f"watch_time.{key}: is for label {those}, found {spec.label}; leave it out"
    if policy.debias.method == "posterior" and spec.label in ALWAYS_ABOVE_ZERO:
        yield (
            "debias.method: posterior weighs rows with label 0, and practically all labels of "
            f"{spec.label} are above 0; leave it out"
        )


def watch_time_warnings(policy: Policy) -> Iterator[str]:
    """Units that do not fit the column's name, and negatives that hardly any row can be."""
    spec = policy.watch_time
    if spec is None:
        return
    if _contradicts_its_name(spec):
        named = _OTHER_UNIT[spec.duration_unit]
        wrong = "long" if spec.duration_unit == "s" else "short"
        yield (
            f"watch_time.duration_unit: is {spec.duration_unit}, but {spec.duration!r} ends in "
            f"_{named}: if the column is in {named}, all durations are 1000 times too {wrong}"
        )
    if spec.label in _ZERO_UNWATCHED and policy.negatives.model_fields_set:
        yield (
            f"negatives: with watch_time.label {spec.label} a row is positive from its first "
            "moment watched on: negatives are only those with 0 s, skips of half a second are none"
        )


def _contradicts_its_name(spec: WatchTime) -> bool:
    """Whether the column's name ends in the unit that it is not taken to be in."""
    return spec.duration.lower().endswith(f"_{_OTHER_UNIT[spec.duration_unit]}")
