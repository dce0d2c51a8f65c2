"""The numbers that an answer about a target is made of: value, interval, gates."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_platform.evaluation.off_policy import OffPolicyEstimate
from label_platform.evaluation_settings import OffPolicyEstimator

ESTIMATORS: tuple[OffPolicyEstimator, ...] = ("snips", "ips", "clipped", "doubly_robust")

SOURCES_IN_WORDS: Mapping[str, str] = {
    "as_shown": "none needed: lists and positions as they were shown, each list re-ordered",
    "shuffled": "uniform over the orders of each list, as it was randomised",
    "logged": "logging_probability of the log; all items shown for a query are ranked",
    "uniform": "logging_probability of randomised lists; all items shown for a query are ranked",
    "estimated": "frequency of items at positions within the query, whose chance is part of the "
    "interval; all items shown for a query are ranked",
    "logged_choice": "logging_probability of the log, of the one item of each list",
    "counted_choice": "frequency of items at positions, taken as known",
    "own_choice": "none needed: what was shown is what the target chooses",
}


@dataclass(frozen=True)
class TargetValue:
    """One estimate of a target's value.

    Attributes:
        estimator: its name.
        estimate: the number, whether or not the gates pass.
        ci_low: of the interval, which clipping has widened by what it cuts off.
        ci_high: of the interval.
        units: queries or lists that the interval is over.
        effective_clicks: the clicks are worth so many.
        list_ess_share: see ``Overlap``, as are the next three.
        unsupported_share: see ``Overlap``.
        clipped_share: see ``Overlap``.
        max_weight: see ``Overlap``.
        verdict: ok, or no_overlap: then the estimate is no answer.
        reason: why not.
    """

    estimator: OffPolicyEstimator
    estimate: float
    ci_low: float
    ci_high: float
    units: int
    effective_clicks: float
    list_ess_share: float
    unsupported_share: float
    clipped_share: float
    max_weight: float
    verdict: str
    reason: str

    @property
    def is_answer(self) -> bool:
        """Whether the gates pass."""
        return self.verdict == "ok"

    @classmethod
    def of(
        cls, estimator: OffPolicyEstimator, found: OffPolicyEstimate, unit: NDArray[np.str_]
    ) -> "TargetValue":
        """With the interval over units, of rankings that stand for any list."""
        value, overlap = found.unsupported_value, found.overlap
        interval = found.interval(unit)
        cut_off = overlap.clipped_share if estimator == "clipped" else 0.0
        return cls(
            estimator=estimator,
            estimate=value,
            ci_low=interval.low,
            ci_high=interval.high + abs(value) * cut_off / max(1 - cut_off, 1e-9),
            units=interval.units,
            effective_clicks=overlap.click_ess,
            list_ess_share=overlap.list_ess_share,
            unsupported_share=overlap.unsupported_share,
            clipped_share=overlap.clipped_share,
            max_weight=overlap.max_weight,
            verdict=overlap.verdict,
            reason=overlap.reason,
        )

    def seen(self) -> "TargetValue":
        """The same for what was seen and not weighted: no overlap could be lacking."""
        return replace(self, verdict="ok", reason="")

    def as_json(self) -> dict[str, Any]:
        """For programs: ``value`` is null where it is no answer, ``estimate`` never is."""
        numbers = {
            # JSON has no word for what is not a number
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in asdict(self).items()
        }
        return {"value": numbers["estimate"] if self.is_answer else None, **numbers}


@dataclass(frozen=True)
class Side:
    """What one part of a log says.

    Attributes:
        source: where logging propensities come from, a key of ``SOURCES_IN_WORDS``.
        lists: how many there are.
        clicks: on them.
        unit: what intervals are over, queries or lists.
        estimates: by estimator; none where the part says nothing.
        refused: why it says nothing.
    """

    source: str
    lists: int
    clicks: int
    unit: str = "lists"
    estimates: tuple[TargetValue, ...] = ()
    refused: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "propensities": self.source,
            "propensities_in_words": SOURCES_IN_WORDS.get(self.source, ""),
            "lists": self.lists,
            "clicks": self.clicks,
            "intervals_over": self.unit,
            "estimates": [value.as_json() for value in self.estimates],
            "refused": self.refused or None,
        }


@dataclass(frozen=True)
class TargetAnswer:
    """The value of a target from an old log, beside that on lists in random order.

    Attributes:
        measure: what the value is, in words.
        old: what the old ranker's lists say.
        randomized: what the randomised ones say.
        passed_over: better propensities that the log does not hold, with the reasons.
    """

    measure: str
    old: Side
    randomized: Side
    passed_over: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "measure": self.measure,
            "old_log": self.old.as_json(),
            "randomized": self.randomized.as_json(),
            "passed_over": dict(self.passed_over),
        }
