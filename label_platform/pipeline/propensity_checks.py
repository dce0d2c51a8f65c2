"""What a day's propensities must withstand, as checks that warn: policies decide what follows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from label_platform.lake import Manifest, Partition
from label_platform.pipeline.context import Context
from label_platform.propensity import Verdict

Attributes = dict[str, Any]


@dataclass(frozen=True)
class PropensityCheck:
    """One gate of the chosen curve.

    Attributes:
        name: its name.
        description: what should hold.
        broken: from the manifest's attributes, why it does not hold; empty if it does.
    """

    name: str
    description: str
    broken: Callable[[Attributes], str]

    def look(
        self, _context: Context, _partitions: list[Partition], manifests: list[Manifest]
    ) -> dg.AssetCheckResult:
        """What the gate says of a run's last day."""
        attributes = manifests[-1].attributes
        broken = self.broken(attributes)
        return dg.AssetCheckResult(
            check_name=self.name,
            passed=not broken,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "verdict": str(attributes.get("verdict", "")),
                "estimator": str(attributes.get("estimator", "")),
            },
            description=broken or str(attributes.get("reason", "")),
        )


def _if_verdict(*verdicts: Verdict) -> Callable[[Attributes], str]:
    """Broken where the curve has one of these verdicts."""
    return lambda attributes: (
        str(attributes["reason"]) if attributes.get("verdict") in set(verdicts) else ""
    )


def _if_found(*tests: str) -> Callable[[Attributes], str]:
    """Broken where one of these tests fires."""

    def broken(attributes: Attributes) -> str:
        fired = [
            each
            for each in attributes.get("findings", [])
            if each["fires"] and (each["test"] in tests)
        ]
        return "; ".join(f"{each['context']} {each['sentence']}".strip() for each in fired)

    return broken


PROPENSITY_CHECKS = (
    PropensityCheck(
        "verdict_is_not_a_refusal",
        "the evidence supports the curve",
        _if_verdict(Verdict.INSUFFICIENT_INTERVENTIONS, Verdict.NOT_IDENTIFIED),
    ),
    PropensityCheck(
        "intervals_are_narrow",
        "every interval is as narrow as the problem asks",
        # not by the verdict, in which worse flags hide it
        lambda attributes: str(attributes["reason"]) if attributes.get("is_wide") else "",
    ),
    PropensityCheck(
        "estimates_agree",
        "lists made by chance and changes of rank tell the same",
        _if_verdict(Verdict.DISAGREEMENT),
    ),
    PropensityCheck(
        "clicks_follow_the_position_model",
        "no sign of trust bias, of cascades or of outliers",
        _if_found("trust", "cascade", "outliers", "agreement"),
    ),
    PropensityCheck(
        "position_model_could_be_tested",
        "trust bias of .1 would have been found more often than not",
        lambda attributes: "; ".join(
            f"{each['context']} {each['test']}: found {each['power']:.0%} of times".strip()
            for each in attributes.get("findings", [])
            if each.get("verdict") == Verdict.UNTESTED
        ),
    ),
    PropensityCheck(
        "curve_stays_the_same",
        "no drift over the days of the window",
        _if_found("drift"),
    ),
)
