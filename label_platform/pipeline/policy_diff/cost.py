"""What a plan would take: from Dagster's history, else from what the comparison itself took."""

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.policy_diff.plan import Plan
from label_platform.pipeline.steps import step_of

_LABELS, _EXAMPLES = "labels", "examples"
_LOOK_BACK = 20


@dataclass(frozen=True)
class Cost:
    """What building a table's partitions would take.

    Attributes:
        table: its name.
        partitions: to build.
        rows: of these; None where nothing like them was ever built.
        seconds: to build all of them; None where it is not known.
        source: where the seconds come from.
    """

    table: str
    partitions: int
    rows: int | None
    seconds: float | None
    source: str

    def as_json(self) -> dict[str, Any]:
        """The cost for programs."""
        return asdict(self)


def cost_of(
    context: Context,
    plan: Plan,
    impressions_per_second: float | None,
    examples_seconds: float | None = None,
) -> tuple[Cost, ...]:
    """The cost of a plan, table by table.

    Args:
        context: with the policy in its project.
        plan: what would be built.
        impressions_per_second: of comparing labels, which reads and computes what building them
            does.
        examples_seconds: that building all training rows for the comparison took.
    """
    tables = list(dict.fromkeys(each.table for each in plan.affected))
    if not tables:
        return ()
    past = _past_seconds(context, tables)
    rates = (impressions_per_second, examples_seconds)
    return tuple(_cost(context, plan, table, past, rates) for table in tables)


def _cost(
    context: Context,
    plan: Plan,
    table: str,
    past: dict[str, float],
    rates: tuple[float | None, float | None],
) -> Cost:
    rate, examples_seconds = rates
    partitions = plan.days_of(table)
    rows = _rows(context, plan, table)
    if table in past:
        return Cost(table, partitions, rows, past[table] * partitions, "past builds")
    impressions = _impressions(context, plan) if table == _LABELS and rate else None
    if impressions is not None and rate:
        source = "this comparison's impressions per second"
        return Cost(table, partitions, rows, impressions / rate, source)
    if table == _EXAMPLES and examples_seconds is not None:
        return Cost(table, partitions, rows, examples_seconds, "this comparison's build")
    return Cost(table, partitions, rows, None, "never built here")


def _rows(context: Context, plan: Plan, table: str) -> int | None:
    """Rows as they were built, or at most: those of the impressions behind them."""
    found = 0
    for each in plan.affected:
        if each.table != table:
            continue
        for day in each.days:
            manifest = context.lake.manifest(Partition(table, day, each.policy))
            if manifest is None and table == _LABELS:
                manifest = context.lake.manifest(Partition("impression_signals", day))
            if manifest is None:
                return None
            found += manifest.rows
    return found


def _impressions(context: Context, plan: Plan) -> int | None:
    """Behind the labels that would be built: labels are of impressions, or of queries and items."""
    days = [day for each in plan.affected if each.table == _LABELS for day in each.days]
    found = [context.lake.manifest(Partition("impression_signals", day)) for day in days]
    return sum(each.rows for each in found if each is not None) if all(found) else None


def _past_seconds(context: Context, tables: list[str]) -> dict[str, float]:
    """Seconds per partition of the latest builds of each table, whichever policy's."""
    home = context.project.workspace.dagster_home
    if not (home / "dagster.yaml").is_file():
        return {}
    # takes seconds to load, and only a history needs it
    from dagster import DagsterEventType  # noqa: PLC0415 - see above

    from label_platform.pipeline.assets import asset_key  # noqa: PLC0415 - see above
    from label_platform.pipeline.run import dagster_instance  # noqa: PLC0415 - see above

    found: dict[str, list[float]] = {table: [] for table in tables}
    policies = [policy.name for policy in context.project.policies]
    with dagster_instance(home) as instance:
        for table in tables:
            for policy in policies if step_of(table).per_policy else ("",):
                key = asset_key(context.project, table, policy)
                records = instance.fetch_materializations(key, limit=_LOOK_BACK).records
                for run in dict.fromkeys(record.run_id for record in records):
                    stats = instance.get_run_step_stats(run, ["__".join(key.path)])
                    # a run may have built more partitions than were looked back at
                    events = instance.all_logs(run, DagsterEventType.ASSET_MATERIALIZATION)
                    built = [event.asset_materialization for event in events]
                    partitions = [each for each in built if each and each.asset_key == key]
                    found[table] += [
                        (step.end_time - step.start_time) / len(partitions)
                        for step in stats
                        if step.start_time and step.end_time
                    ]
    return {table: statistics.median(seconds) for table, seconds in found.items() if seconds}
