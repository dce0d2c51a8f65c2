"""Checks on what was built. A blocking check that fails keeps everything after it from running."""

from collections.abc import Callable
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
from label_platform.pipeline.accounted_events import events_are_accounted_for
from label_platform.pipeline.comparison_checks import COMPARISON_CHECKS
from label_platform.pipeline.context import Context
from label_platform.pipeline.excluded_share import excluded_share_is_usual
from label_platform.pipeline.label_health import HEALTH_CHECKS
from label_platform.pipeline.propensity_checks import PROPENSITY_CHECKS

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
_EVENTS_CHECK = "attributed_and_orphaned_are_all_events"
_SHARE_CHECK = "share_of_excluded_impressions_is_usual"


@dataclass(frozen=True)
class TableChecks:
    """The checks of one table.

    Attributes:
        checks: counted in the table's own rows, blocking.
        further: checks that look beyond the table's own rows, by name.
    """

    checks: tuple[Check, ...] = ()
    further: tuple["FurtherCheck", ...] = ()

    def specs(self, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
        """The checks as Dagster lists them."""
        specs = [
            dg.AssetCheckSpec(check.name, asset=key, blocking=True, description=check.description)
            for check in self.checks
        ]
        specs += [
            dg.AssetCheckSpec(
                each.name, asset=key, blocking=each.blocking, description=each.description
            )
            for each in self.further
        ]
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
        return [*results, *(each.look(context, partitions, manifests) for each in self.further)]

    def nothing_built(self, reason: str) -> list[dg.AssetCheckResult]:
        """The results of a run that had nothing to build: Dagster asks for each of them."""
        names = [check.name for check in self.checks] + [each.name for each in self.further]
        return [
            dg.AssetCheckResult(passed=True, check_name=name, description=reason) for name in names
        ]


Look = Callable[[Context, list[Partition], list[Manifest]], dg.AssetCheckResult]


@dataclass(frozen=True)
class FurtherCheck:
    """A check that looks beyond a table's own rows.

    Attributes:
        name: its name.
        description: what should hold.
        look: finds out for the partitions of one run.
        blocking: whether it keeps what follows from running.
    """

    name: str
    description: str
    look: Look
    blocking: bool = False


def stops(result: dg.AssetCheckResult) -> bool:
    """Whether a check keeps what follows from running."""
    return not result.passed and result.severity is dg.AssetCheckSeverity.ERROR


def checks_for(table: str) -> TableChecks:
    """The checks of a table: those of its model's ``.yml``, or of the table's meaning."""
    models = load_models()
    if table in models:
        return TableChecks(tuple(checks_of(models[table].spec)), _FURTHER.get(table, ()))
    if table == "examples":
        return TableChecks(tuple(_EXAMPLE_CHECKS))
    return TableChecks(further=_FURTHER.get(table, ()))


def _result(result: CheckResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=result.name,
        passed=result.passed,
        metadata={"failing_rows": result.failing_rows},
        description=result.description,
    )


_FURTHER: dict[str, tuple[FurtherCheck, ...]] = {
    "comparisons": tuple(
        FurtherCheck(each.name, each.description, each.look) for each in COMPARISON_CHECKS
    ),
    "propensities": tuple(
        FurtherCheck(each.name, each.description, each.look) for each in PROPENSITY_CHECKS
    ),
    "labels": tuple(FurtherCheck(each.name, each.description, each.look) for each in HEALTH_CHECKS),
    "orphaned_interactions": (
        FurtherCheck(
            _EVENTS_CHECK,
            "accepted events = attributed + orphaned events, day by day",
            lambda context, partitions, _: events_are_accounted_for(
                context, _EVENTS_CHECK, partitions
            ),
            blocking=True,
        ),
    ),
    "impression_signals": (
        FurtherCheck(
            _SHARE_CHECK,
            "no more impressions than usual are set aside as bots' or the team's own",
            lambda context, partitions, _: excluded_share_is_usual(
                context, _SHARE_CHECK, partitions
            ),
        ),
    ),
}
