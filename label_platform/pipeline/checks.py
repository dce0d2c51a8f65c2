"""Checks on what was built. A blocking check that fails keeps everything after it from running."""

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from label_platform.lake import (
    Check,
    CheckResult,
    Partition,
    checks_of,
    load_models,
    run_checks,
)
from label_platform.pipeline.accounted_events import events_are_accounted_for
from label_platform.pipeline.context import Context
from label_platform.pipeline.excluded_share import excluded_share_is_usual

_FINITE_LABEL = "count(*) filter (where label is null or not isfinite(label))"
_USABLE_WEIGHT = "count(*) filter (where weight is null or not isfinite(weight) or weight < 0)"
_EXAMPLE_CHECKS = [
    Check("labels_are_finite", "every label is a finite number", _FINITE_LABEL),
    Check("weights_are_usable", "every weight is finite and not negative", _USABLE_WEIGHT),
    Check(
        "some_label_is_positive",
        "there is something to learn from",
        "case when count(*) filter (where label > 0) = 0 then 1 else 0 end",
    ),
]


@dataclass(frozen=True)
class PartitionCheck:
    """A check that looks at more than a table's own rows.

    Attributes:
        name: the check's name.
        description: what holds where it passes.
        blocking: whether what follows waits for it.
        result: what it finds in the partitions of one run.
    """

    name: str
    description: str
    blocking: bool
    result: Callable[[Context, str, list[Partition]], dg.AssetCheckResult]


@dataclass(frozen=True)
class TableChecks:
    """The checks of one table.

    Attributes:
        checks: counted in the table's own rows, blocking.
        further: those that look at more.
    """

    checks: tuple[Check, ...] = ()
    further: tuple[PartitionCheck, ...] = ()

    def specs(self, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
        """The checks as Dagster lists them."""
        own = [
            dg.AssetCheckSpec(check.name, asset=key, blocking=True, description=check.description)
            for check in self.checks
        ]
        further = [
            dg.AssetCheckSpec(
                check.name, asset=key, blocking=check.blocking, description=check.description
            )
            for check in self.further
        ]
        return own + further

    def results(self, context: Context, partitions: list[Partition]) -> list[dg.AssetCheckResult]:
        """What the checks find in the partitions of one run."""
        relation = context.lake.scan(
            partitions[0].table, [partition.day for partition in partitions], partitions[0].policy
        )
        found = run_checks(context.engine, relation, list(self.checks))
        further = [check.result(context, check.name, partitions) for check in self.further]
        return [_result(result) for result in found] + further


def stops(result: dg.AssetCheckResult) -> bool:
    """Whether a check keeps what follows from running."""
    return not result.passed and result.severity is dg.AssetCheckSeverity.ERROR


def checks_for(table: str) -> TableChecks:
    """The checks of a table: those of its model's ``.yml``, or of the table's meaning."""
    models = load_models()
    own = checks_of(models[table].spec) if table in models else []
    if table == "examples":
        own = _EXAMPLE_CHECKS
    return TableChecks(tuple(own), _FURTHER.get(table, ()))


def _result(result: CheckResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=result.name,
        passed=result.passed,
        metadata={"failing_rows": result.failing_rows},
        description=result.description,
    )


def _verdict_is_not_a_refusal(
    context: Context, name: str, partitions: list[Partition]
) -> dg.AssetCheckResult:
    attributes = context.require(partitions[-1]).attributes
    verdict = str(attributes.get("verdict", ""))
    return dg.AssetCheckResult(
        check_name=name,
        passed=verdict in {"ok", "wide"},
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"verdict": verdict},
        description=str(attributes.get("reason", "")),
    )


_FURTHER = {
    "impression_signals": (
        PartitionCheck(
            "excluded_share_is_usual",
            "no more impressions are excluded than bots.warn_share, and than on days before",
            blocking=False,
            result=excluded_share_is_usual,
        ),
    ),
    "orphaned_interactions": (
        PartitionCheck(
            "events_are_accounted_for",
            "attributed + orphaned = accepted events",
            blocking=True,
            result=events_are_accounted_for,
        ),
    ),
    # each policy decides for itself what a refused curve means
    "propensities": (
        PartitionCheck(
            "verdict_is_not_a_refusal",
            "the evidence supports the curve",
            blocking=False,
            result=_verdict_is_not_a_refusal,
        ),
    ),
}
