"""Grades that say nothing: thresholds that all rows reach, or none."""

from collections.abc import Iterator

from label_platform.policy.label_spec import DualPositives, Quantiles, Thresholds
from label_platform.policy.signals import complains, is_adjusted
from label_platform.policy.spec import Policy

_MAY_BE_NEGATIVE = {"affine", "doubly_robust"}
_WITHIN_ONE = {"pc", "pcr", "d2q", "dvr", "d2co"}
"""Watch-time labels that lie within 0 and 1."""


def grading_warnings(policy: Policy) -> Iterator[str]:
    """Grades that do not part the labels as they seem to."""
    if isinstance(policy.grading, Quantiles):
        if is_adjusted(policy):
            yield (
                "grading.quantiles: 0 is the grade of the lowest label, which in this policy few "
                "rows share: nearly all are graded by equal shares"
            )
        return
    if not isinstance(policy.grading, Thresholds):
        return
    thresholds = policy.grading.thresholds
    lowest = thresholds[0]
    if lowest <= 0 and not _may_be_negative(policy):
        yield (
            f"grading.thresholds.0: {lowest:g} is reached by every row, as no label of this "
            "policy is below 0: no row has grade 0; begin above 0"
        )
    highest = _highest(policy)
    for number, threshold in enumerate(thresholds):
        if highest is not None and threshold > highest:
            yield (
                f"grading.thresholds.{number}: {threshold:g} is reached by no row: labels of this "
                f"policy go up to {highest:g}; no row has grade {number + 1}"
            )


def _may_be_negative(policy: Policy) -> bool:
    # a teacher's scores may be anything
    adjusted = policy.debias.method in _MAY_BE_NEGATIVE or policy.teacher is not None
    return adjusted or complains(policy)


def _highest(policy: Policy) -> float | None:
    """The highest label there can be; None where signals have no largest value."""
    if policy.teacher is not None:
        return None
    if policy.watch_time is not None:
        return 1.0 if policy.watch_time.label in _WITHIN_ONE else None
    if not isinstance(policy.combine, DualPositives):
        return None
    return 1.0 if policy.debias.method in {"none", "posterior"} else None
