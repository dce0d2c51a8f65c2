"""What a comparison must withstand, as checks that warn: the table stays, with its reasons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from label_platform.evaluation import CHECKS, MOST_DISAGREEMENT
from label_platform.lake import Manifest, Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluation_window import MISSING

DISAGREEING = "bootstrap_disagrees"
"""The attribute of a comparison that names where the bootstrap's standard error is another."""
Attributes = dict[str, Any]


@dataclass(frozen=True)
class ComparisonCheck:
    """One check of a comparison.

    Attributes:
        name: its name.
        description: what should hold.
        found: from the manifest's attributes, why it does not hold, and what was found.
    """

    name: str
    description: str
    found: Callable[[Attributes], tuple[str, str]]

    def look(
        self, _context: Context, _partitions: list[Partition], manifests: list[Manifest]
    ) -> dg.AssetCheckResult:
        """What the check says of a run's last day."""
        broken, said = self.found(manifests[-1].attributes)
        return dg.AssetCheckResult(
            check_name=self.name,
            passed=not broken,
            severity=dg.AssetCheckSeverity.WARN,
            description=broken or said,
        )


def _of_log(*prefixes: str) -> Callable[[Attributes], tuple[str, str]]:
    """The checks whose names begin so, which the baseline's evaluation has noted."""

    def found(attributes: Attributes) -> tuple[str, str]:
        own = [each for each in attributes.get(CHECKS, []) if each["name"].startswith(prefixes)]
        said = [f"{each['name']}: {each['sentence']}" for each in own]
        broken = [words for words, each in zip(said, own, strict=True) if not each["passed"]]
        return "; ".join(broken), "; ".join(said) or "not tested: the baseline was not evaluated"

    return found


def _missing_days(attributes: Attributes) -> tuple[str, str]:
    missing = attributes.get(MISSING, "")
    return (f"no impressions on {missing}" if missing else ""), "every evaluation day has a log"


def _disagreeing(attributes: Attributes) -> tuple[str, str]:
    within = f"every standard error over queries is within a factor of {MOST_DISAGREEMENT:g}"
    return "; ".join(attributes.get(DISAGREEING, [])), within


COMPARISON_CHECKS = (
    ComparisonCheck(
        "randomised_share_is_even",
        "lists in random order are as frequent on all days and in all parts of the traffic",
        _of_log("randomized_share"),
    ),
    ComparisonCheck(
        "traffic_is_mixed_as_before",
        "parts of the traffic are as large on evaluation days as on training days",
        _of_log("mix_of"),
    ),
    ComparisonCheck(
        "two_runs_are_identical",
        "the baseline fitted twice with the same seed is the same",
        _of_log("same_seed"),
    ),
    ComparisonCheck(
        "same_policy_is_not_better",
        "the baseline on two halves of its queries is not called better or worse",
        _of_log("halves"),
    ),
    ComparisonCheck(
        "evaluation_days_are_complete",
        "every evaluation day has impressions",
        _missing_days,
    ),
    ComparisonCheck(
        "bootstrap_agrees",
        "a bootstrap over queries finds the same standard errors as the formula",
        _disagreeing,
    ),
)
