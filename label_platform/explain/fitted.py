"""What was fitted on other records, and is taken as it is stored, with its version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from label_platform.explain.curve import Curve
from label_platform.explain.evidence import Shown
from label_platform.explain.watch_time import WatchStatistics
from label_platform.policy.spec import Policy

LEAST_ARRIVED = 0.05


@dataclass(frozen=True)
class Fitted:
    """What a day's labels are computed with, beside the lines.

    Attributes:
        curve: the propensities; None where the labels are not debiased.
        statistics: rows of the policy's ``label_statistics``.
        as_of: what is known, where rows are reweighted by what has come; else None.
        mean_inverse: of a self-normalised weight, the day's mean of 1/max(theta, clip) over what
            was rewarded.
    """

    curve: Curve | None = None
    statistics: Sequence[Mapping[str, Any]] = ()
    as_of: datetime | None = None
    mean_inverse: float | None = None

    @cached_property
    def watch_times(self) -> WatchStatistics:
        """The statistics, to look watch times up in."""
        return WatchStatistics(self.statistics)

    def arrived(self, policy: Policy, shown: Shown) -> dict[str, float]:
        """The share of feedback that has come by now, by signal of the label and the auxiliary."""
        if policy.delay.immature != "reweight" or self.as_of is None:
            return {}
        age_s = (self.as_of - shown.shown_at).total_seconds()
        shares = {}
        auxiliary = policy.auxiliary.signals if policy.auxiliary is not None else {}
        for name in {**policy.signals, **auxiliary}:
            curve = [
                (row["at"], row["value"])
                for row in self.statistics
                if row["statistic"] == "arrived" and row["name"] == name and row["at"] <= age_s
            ]
            shares[name] = max(max(curve)[1] if curve else 0.0, LEAST_ARRIVED)
        return shares
