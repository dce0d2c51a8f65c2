"""Checks on what was built. A blocking check that fails keeps everything after it from running."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

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
from label_platform.pipeline.event_counts import (
    accepted_events,
    attributed_events,
    excluded_shares,
)
from label_platform.problem import BotRules

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
_EVENTS_CHECK = "attributed_and_orphaned_are_all_events"
_SHARE_CHECK = "share_of_excluded_impressions_is_usual"
_DAYS_TO_COMPARE = 3
_NOTABLE_SHARE = 0.1
_UNUSUAL_RATIO = 3.0


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


def _verdict(
    _context: Context, _partitions: list[Partition], manifests: list[Manifest]
) -> dg.AssetCheckResult:
    """Never blocking: each policy decides for itself what a refused curve means."""
    verdict = str(manifests[-1].attributes.get("verdict", ""))
    return dg.AssetCheckResult(
        check_name=_CURVE_CHECK,
        passed=verdict in {"ok", "wide"},
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"verdict": verdict},
        description=str(manifests[-1].attributes.get("reason", "")),
    )


def _all_events(
    context: Context, partitions: list[Partition], manifests: list[Manifest]
) -> dg.AssetCheckResult:
    """Accepted events from the raw table, attributed ones from the impressions' side."""
    lost = {}
    for partition, manifest in zip(partitions, manifests, strict=True):
        accepted = accepted_events(context, partition.day)
        attributed = attributed_events(context, partition.day)
        if attributed is not None and accepted != attributed + manifest.rows:
            lost[str(partition.day)] = (
                f"{accepted} accepted, {attributed} attributed, {manifest.rows} orphaned"
            )
    return dg.AssetCheckResult(
        check_name=_EVENTS_CHECK,
        passed=not lost,
        metadata=lost,
        description="; ".join(f"{day}: {words}" for day, words in lost.items()),
    )


def _excluded_share(
    context: Context, partitions: list[Partition], _manifests: list[Manifest]
) -> dg.AssetCheckResult:
    days = [partition.day for partition in partitions]
    before = [day for day in context.lake.days("impression_signals") if day < days[-1]]
    shares = excluded_shares(context, sorted({*before[-14:], *days}))
    share, reasons = shares.pop(days[-1], (0.0, ""))
    limit = context.problem.bots.warn_share if context.problem.bots else BotRules().warn_share
    usual = median([each for each, _ in shares.values()] or [0.0])
    enough = len(shares) >= _DAYS_TO_COMPARE and share > _NOTABLE_SHARE
    is_unusual = share > limit or (enough and share > _UNUSUAL_RATIO * usual)
    words = f"{share:.1%} of {days[-1]} is set aside ({reasons or 'nothing'}), usually {usual:.1%}"
    return dg.AssetCheckResult(
        check_name=_SHARE_CHECK,
        passed=not is_unusual,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"share": share, "usual_share": usual},
        description=f"{words}; more than {limit:.0%} is too much" if share > limit else words,
    )


_FURTHER: dict[str, tuple[FurtherCheck, ...]] = {
    "propensities": (FurtherCheck(_CURVE_CHECK, "the evidence supports the curve", _verdict),),
    "orphaned_interactions": (
        FurtherCheck(
            _EVENTS_CHECK,
            "accepted events = attributed + orphaned events, day by day",
            _all_events,
            blocking=True,
        ),
    ),
    "impression_signals": (
        FurtherCheck(
            _SHARE_CHECK,
            "no more impressions than usual are set aside as bots' or the team's own",
            _excluded_share,
        ),
    ),
}
