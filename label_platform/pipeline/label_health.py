"""Numbers of a policy's labels, day by day, and warnings where they break the policy's limits.

They are measured once labels are there, by the checks, and kept in the manifest of the day, so that
later days are compared with it without reading its labels again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

import dagster as dg

from label_platform.crafting import (
    DAYS_NEEDED,
    LIMITS,
    HealthInputs,
    LabelDrift,
    LabelHealth,
    health_warnings,
    label_drift,
    measure_label_health,
)
from label_platform.lake import Manifest, Partition
from label_platform.pipeline.as_of import end_of
from label_platform.pipeline.context import Context
from label_platform.pipeline.labels import require_grain
from label_platform.policy import Policy, used_signals

HEALTH = "health"
"""The attribute of a day's labels that holds its numbers."""
_SEMANTICS = 1
"""Raised when the numbers change their meaning."""
_DAY = timedelta(days=1)
_RIPE = 0.05
"""The share of impressions that may still get feedback on a day that is compared with others.

A day that is all but ripe lacks little: most feedback comes early in its window.
"""


@dataclass(frozen=True)
class DayOfLabels:
    """A day of a policy's labels.

    Attributes:
        policy: its name.
        day: the day.
        health: its numbers.
        drift: against the trailing window.
        warnings: broken limits in words, by name.
    """

    policy: str
    day: date
    health: LabelHealth
    drift: LabelDrift
    warnings: dict[str, str]

    def as_facts(self) -> dict[str, Any]:
        """What people and programs read: without the counts by bucket."""
        health = self.health
        return {
            "policy": self.policy,
            "day": str(self.day),
            "rows": health.rows,
            "positives": health.positives,
            "positive_share": health.positive_share,
            "mean": health.mean,
            "effective_share": health.effective_share,
            "clip_share": health.clip_share,
            "immature_share": health.immature_share,
            "window_days": self.drift.days,
            "psi": self.drift.psi,
            "p_value": self.drift.p_value,
            "drift": drift_words(self),
            "warnings": self.warnings,
        }


def day_of_labels(context: Context, partition: Partition) -> DayOfLabels:
    """The health of a built day of labels, measured where it was not before.

    Raises:
        MissingPartitionError: the day was not built.
        ConfigurationError: it was built at another grain than the policy has now.
    """
    policy = context.project.policy(partition.policy)
    health = label_health(context, partition)
    drift = _drift(context, partition, health)
    warnings = health_warnings(health, drift, policy.health)
    return DayOfLabels(policy.name, partition.day, health, drift, warnings)


def label_health(context: Context, partition: Partition) -> LabelHealth:
    """The numbers of a day's labels: those of its manifest, or measured and kept there.

    Raises:
        ConfigurationError: they were built at another grain than the policy has now.
    """
    manifest = context.require(partition)
    policy = context.project.policy(partition.policy)
    require_grain(context, policy, partition.day)
    known = context.known_until
    stored = manifest.attributes.get(HEALTH, {})
    key = {"semantics": _SEMANTICS, "content_hash": manifest.content_hash}
    if all(stored.get(name) == value for name, value in key.items()):
        health = LabelHealth.from_facts(stored["numbers"])
        # what was ripe stays so, the rest ripens
        if health.immature_share == 0 or stored["known_until"] == str(known):
            return health
    inputs = _inputs(context, policy, partition, manifest, known)
    health = measure_label_health(context.engine, policy, context.problem, inputs)
    facts = {**key, "known_until": str(known), "numbers": health.as_facts()}
    context.lake.annotate(partition, {HEALTH: facts})
    return health


def drift_words(day: DayOfLabels) -> str:
    """What is known of drift, in words."""
    drift = day.drift
    if day.health.immature_share > _RIPE:
        return "feedback still comes: not compared yet"
    if drift.psi is None or drift.p_value is None:
        return f"not enough days: {drift.days} of {DAYS_NEEDED}"
    return f"PSI {drift.psi:.3g}, p value {drift.p_value:.2g} against {drift.days} days before"


def _drift(context: Context, partition: Partition, health: LabelHealth) -> LabelDrift:
    """A day against the days before that were made alike, of which nothing is to come.

    A day whose feedback still comes has fewer positives than it will have, as if they had drifted.
    """
    if health.immature_share > _RIPE:
        return LabelDrift(0)
    made = _made_by(context.require(partition))
    window = max(1, ceil(context.problem.training.window / _DAY))
    counts = []
    for back in range(window, 0, -1):
        other = Partition(partition.table, partition.day - back * _DAY, partition.policy)
        manifest = context.lake.manifest(other)
        if manifest is None or _made_by(manifest) != made:
            continue
        before = label_health(context, other)
        if before.rows and before.immature_share <= _RIPE:
            counts.append(before.buckets)
    return label_drift(health.buckets, counts)


def _made_by(manifest: Manifest) -> tuple[object, object]:
    return manifest.attributes.get("label_version"), manifest.attributes.get("debiased")


def _inputs(
    context: Context, policy: Policy, partition: Partition, manifest: Manifest, known: datetime
) -> HealthInputs:
    days = [partition.day]
    window = max(context.problem.signals[name].window for name in used_signals(policy))
    debiased = bool(manifest.attributes.get("debiased"))
    return HealthInputs(
        labels=context.lake.scan(partition.table, days, policy.name),
        impression_signals=context.lake.scan("impression_signals", days),
        propensities=context.lake.scan("propensities", days) if debiased else None,
        open_since=known - window if end_of(partition.day) + window > known else None,
    )


@dataclass(frozen=True)
class HealthCheck:
    """A warning where a day's labels break one of the policy's limits.

    Attributes:
        name: of the check.
        description: what should hold.
        limit: a name of ``LIMITS``.
    """

    name: str
    description: str
    limit: str

    def look(
        self, context: Context, partitions: Sequence[Partition], _manifests: Sequence[Manifest]
    ) -> dg.AssetCheckResult:
        """Whether it holds on the days of one run; the numbers are those of the last."""
        days = [day_of_labels(context, partition) for partition in partitions]
        broken = [
            f"{each.day}: {each.warnings[self.limit]}"
            for each in days
            if self.limit in each.warnings
        ]
        facts = _NUMBERS[self.limit](days[-1])
        return dg.AssetCheckResult(
            check_name=self.name,
            passed=not broken,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={name: value for name, value in facts.items() if value is not None},
            description="; ".join(broken) or self.description,
        )


_NUMBERS: dict[str, Callable[[DayOfLabels], dict[str, Any]]] = {
    "positive_share": lambda day: {
        "rows": day.health.rows,
        "positives": day.health.positives,
        "positive_share": day.health.positive_share,
    },
    "clip_share": lambda day: {"clip_share": day.health.clip_share},
    "effective_share": lambda day: {"effective_share": day.health.effective_share},
    "drift": lambda day: {
        "psi": day.drift.psi,
        "p_value": day.drift.p_value,
        "drift": drift_words(day),
    },
    "immature_share": lambda day: {"immature_share": day.health.immature_share},
}
HEALTH_CHECKS = tuple(
    HealthCheck(f"{limit}_is_healthy", words, limit) for limit, words in LIMITS.items()
)
