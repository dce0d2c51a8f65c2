"""Checks on what was built. A blocking check that fails keeps everything after it from running."""

from dataclasses import dataclass

import dagster as dg

from label_platform.lake import (
    Check,
    CheckResult,
    Manifest,
    Partition,
    checks_of,
    load_models,
    run_checks,
)
from label_platform.pipeline.context import Context

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
_CURVE_CHECK = "verdict_is_not_a_refusal"


@dataclass(frozen=True)
class TableChecks:
    """The checks of one table.

    Attributes:
        checks: counted in the table's own rows, blocking.
        on_verdict: whether the verdict in the manifest is shown as one more check, not blocking:
            each policy decides for itself what a refused curve means.
    """

    checks: tuple[Check, ...] = ()
    on_verdict: bool = False

    def specs(self, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
        """The checks as Dagster lists them."""
        specs = [
            dg.AssetCheckSpec(check.name, asset=key, blocking=True, description=check.description)
            for check in self.checks
        ]
        if self.on_verdict:
            words = "the evidence supports the curve"
            specs.append(dg.AssetCheckSpec(_CURVE_CHECK, asset=key, description=words))
        return specs

    def results(
        self, context: Context, partitions: list[Partition], manifests: list[Manifest]
    ) -> list[dg.AssetCheckResult]:
        """What the checks find in the partitions of one run."""
        relation = context.lake.scan(
            partitions[0].table, [partition.day for partition in partitions], partitions[0].policy
        )
        found = run_checks(context.engine, relation, list(self.checks))
        results = [_result(result) for result in found]
        if self.on_verdict:
            results.append(_verdict_result(manifests[-1]))
        return results


def stops(result: dg.AssetCheckResult) -> bool:
    """Whether a check keeps what follows from running."""
    return not result.passed and result.severity is dg.AssetCheckSeverity.ERROR


def checks_for(table: str) -> TableChecks:
    """The checks of a table: those of its model's ``.yml``, or of the table's meaning."""
    models = load_models()
    if table in models:
        return TableChecks(tuple(checks_of(models[table].spec)))
    if table == "examples":
        return TableChecks(tuple(_EXAMPLE_CHECKS))
    return TableChecks(on_verdict=table == "propensities")


def _result(result: CheckResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=result.name,
        passed=result.passed,
        metadata={"failing_rows": result.failing_rows},
        description=result.description,
    )


def _verdict_result(manifest: Manifest) -> dg.AssetCheckResult:
    verdict = str(manifest.attributes.get("verdict", ""))
    return dg.AssetCheckResult(
        check_name=_CURVE_CHECK,
        passed=verdict in {"ok", "wide"},
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"verdict": verdict},
        description=str(manifest.attributes.get("reason", "")),
    )
