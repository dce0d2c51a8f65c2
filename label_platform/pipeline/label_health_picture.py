"""The health of the last days of a policy's labels, as a figure."""

import math

from label_platform.crafting import LabelDrift
from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.label_health import DayOfLabels, day_of_labels
from label_platform.pipeline.labels import built_grain
from label_platform.policy import LabelHealth as Limits
from label_platform.report import HealthPanel, plot_label_health

_DAYS_SHOWN = 30
_LEAST_P_VALUE = 1e-12
"""Drawn for all that are less likely still."""


def label_health_picture(context: Context, partition: Partition) -> bytes:
    """Positives, mean, effective share, clip, drift and ripeness up to the partition's day.

    Days that were built at another grain than the policy has now are left out.
    """
    name, grain = partition.policy, context.project.policy(partition.policy).grain
    before = [day for day in context.lake.days(partition.table, name) if day <= partition.day]
    shown = [day for day in before if built_grain(context, name, day) == grain][-_DAYS_SHOWN:]
    days = [day_of_labels(context, Partition(partition.table, day, name)) for day in shown]
    title = f"{partition.policy}, labels up to {partition.day}"
    return plot_label_health(shown, _panels(context, partition.policy, days), title)


def _panels(context: Context, policy: str, days: list[DayOfLabels]) -> list[HealthPanel]:
    limits = context.project.policy(policy).health

    def ill(limit: str) -> list[bool]:
        return [limit in each.warnings for each in days]

    panels = [
        HealthPanel(
            "share above 0",
            [each.health.positive_share for each in days],
            ill("positive_share"),
            [limit for limit in limits.positive_share if 0 < limit < 1],
        ),
        HealthPanel("mean", [each.health.mean for each in days], [False] * len(days)),
        HealthPanel(
            "effective share",
            [each.health.effective_share for each in days],
            ill("effective_share"),
            [limits.effective_share],
        ),
        *_drift_panels([each.drift for each in days], limits),
        HealthPanel(
            "share immature",
            [each.health.immature_share for each in days],
            ill("immature_share"),
            [limits.immature_share] if limits.immature_share < 1 else [],
        ),
    ]
    if any(each.health.clip_share is not None for each in days):
        clipped = [each.health.clip_share for each in days]
        panels.insert(
            3, HealthPanel("share at clip", clipped, ill("clip_share"), [limits.clip_share])
        )
    return panels


def _drift_panels(drifts: list[LabelDrift], limits: Limits) -> list[HealthPanel]:
    """PSI and p value, the second so that both rise with drift."""
    psi = [each.psi for each in drifts]
    p_values = [each.p_value for each in drifts]
    return [
        HealthPanel("PSI", psi, [(each or 0.0) > limits.psi for each in psi], [limits.psi]),
        HealthPanel(
            "drift test,\n-log10 p value",
            [None if each is None else -math.log10(max(each, _LEAST_P_VALUE)) for each in p_values],
            [each is not None and each < limits.drift_p_value for each in p_values],
            [-math.log10(limits.drift_p_value)] if limits.drift_p_value > 0 else [],
        ),
    ]
