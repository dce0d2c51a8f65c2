"""The tables of a problem as Dagster assets, one labels-to-evaluations chain per policy."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from label_platform.examples import SplitError
from label_platform.lake import Partition, load_models
from label_platform.logs import IngestReport, ingest, unreconciled
from label_platform.pipeline.as_of import RAW_TABLES
from label_platform.pipeline.checks import checks_for, stops
from label_platform.pipeline.comparison_page import existing_page
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.label_statistics import needs_statistics
from label_platform.pipeline.matching import reversal_days, window_days
from label_platform.pipeline.metadata import (
    comparison_metadata,
    ingestion_metadata,
    page_metadata,
    partition_metadata,
    picture,
)
from label_platform.pipeline.pictures import pictures_of
from label_platform.pipeline.steps import FAILED_CHECKS, STEPS, Step, build_partition
from label_platform.policy import (
    Policy,
    PolicyRefusedError,
    label_version,
    policy_version,
)
from label_platform.tracking import TrackingStore

RECONCILED = "counts_reconcile"
_DATA_VERSION = "dagster/data_version"
_ONE_RUN = dg.BackfillPolicy.single_run()
_GROUPS = {"propensities": "propensities", "comparisons": "comparison"}


def partitions_definition(project: Project) -> dg.DailyPartitionsDefinition:
    """One partition per log day; a closed log ends with its last day."""
    end = project.problem.end_date
    return dg.DailyPartitionsDefinition(
        start_date=project.problem.start_date.isoformat(),
        end_date=(end + timedelta(days=1)).isoformat() if end else None,
        timezone="UTC",
    )


def asset_key(project: Project, table: str, policy: str = "") -> dg.AssetKey:
    """The key of a table's asset: problem, policy from labels on, and table."""
    return dg.AssetKey([project.problem.name, *([policy] if policy else []), table])


def build_assets(
    project: Project, on_ingested: Callable[[IngestReport], None] = lambda _report: None
) -> list[dg.AssetsDefinition]:
    """All assets of a problem; ``on_ingested`` is told what became of each log file."""
    return [
        _ingestion_asset(project, on_ingested),
        *(_table_asset(project, step, None) for step in STEPS if not step.per_policy),
        *(
            _table_asset(project, step, policy)
            for policy in project.policies
            for step in STEPS
            if step.per_policy and step.needed_by(policy)
        ),
    ]


def _ingestion_asset(
    project: Project, on_ingested: Callable[[IngestReport], None]
) -> dg.AssetsDefinition:
    partitions = partitions_definition(project)

    @dg.multi_asset(
        name=f"{project.problem.name}__ingestion",
        specs=[
            dg.AssetSpec(
                asset_key(project, table),
                group_name=_group(project, "logs"),
                partitions_def=partitions,
            )
            for table in RAW_TABLES
        ],
        check_specs=[
            dg.AssetCheckSpec(
                RECONCILED,
                asset=asset_key(project, "impressions"),
                blocking=True,
                description="every record that was read is where the ledger says, file by file",
            )
        ],
        partitions_def=partitions,
        backfill_policy=_ONE_RUN,
        can_subset=False,
    )
    def ingestion(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        """Read what is new in the log files; every refused record is kept with its reason."""
        with project.open(context.run.run_id) as work:
            report = ingest(work.problem, work.lake, work.engine)
            on_ingested(report)
            days = {date.fromisoformat(day) for day in context.partition_keys}
            for table in RAW_TABLES:
                key = asset_key(project, table)
                versions = []
                for day in days:
                    facts, version = _facts(work, Partition(table, day))
                    context.add_asset_metadata(facts, key, day.isoformat())
                    versions.append(version)
                yield dg.MaterializeResult(
                    asset_key=key,
                    metadata=ingestion_metadata(report),
                    data_version=dg.DataVersion(versions[0]) if len(days) == 1 else None,
                )
                # an event per day of the log would take longer than reading a day's logs
                for day in sorted(set(report.days) - days):
                    facts, version = _facts(work, Partition(table, day))
                    event = dg.AssetMaterialization(
                        key,
                        partition=day.isoformat(),
                        metadata=facts,
                        tags={_DATA_VERSION: version},
                    )
                    context.instance.report_runless_asset_event(event)
            findings = unreconciled(work.engine, work.lake)
            yield dg.AssetCheckResult(
                check_name=RECONCILED,
                asset_key=asset_key(project, "impressions"),
                passed=not findings,
                description="; ".join(findings[:20]),
            )

    return ingestion


def _facts(work: Context, partition: Partition) -> tuple[dict[str, Any], str]:
    """A day's metadata and its version, by which Dagster tells what is stale."""
    manifest = work.lake.manifest(partition)
    if manifest is None:
        return {}, "nothing"
    return partition_metadata(manifest), manifest.content_hash


def _table_asset(project: Project, step: Step, policy: Policy | None) -> dg.AssetsDefinition:
    name = policy.name if policy else ""
    key = asset_key(project, step.table, name)
    checks = checks_for(step.table)

    @dg.asset(
        key=key,
        partitions_def=partitions_definition(project),
        backfill_policy=_ONE_RUN,
        code_version=_code_version(project, step, policy),
        # the first days of a log have no examples: nothing comes of their runs, and nothing fails
        output_required=step.every_day,
        group_name=_group(project, name or _GROUPS.get(step.table, "signals")),
        deps=_dependencies(project, step, name),
        check_specs=checks.specs(key),
        description=step.build.__doc__,
    )
    def table(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        days = [date.fromisoformat(day) for day in context.partition_keys]
        manifests, rebuilt = [], []
        with project.open(context.run.run_id) as work:
            try:
                days = days if step.every_day else _days_with_training(work, days)
            except SplitError as error:
                context.log.warning("nothing is built yet: %s", error)
                yield from checks.nothing_built(str(error))
                return
            partitions = [Partition(step.table, day, name) for day in days]
            for partition in partitions:
                try:
                    manifest, built = build_partition(work, partition)
                except PolicyRefusedError as error:
                    raise dg.Failure(description=str(error), allow_retries=False) from error
                manifests.append(manifest)
                rebuilt.append(built)
            results = checks.results(work, partitions, manifests)
            for partition, built in zip(partitions, rebuilt, strict=True):
                # read again: checks note what they measure
                facts = partition_metadata(work.require(partition)) | {"rebuilt": built}
                context.add_asset_metadata(facts, key, partition.day.isoformat())
            failed = [str(result.check_name) for result in results if stops(result)]
            if failed:
                for partition in partitions:
                    work.lake.annotate(partition, {FAILED_CHECKS: ", ".join(map(str, failed))})
            yield dg.MaterializeResult(metadata=_shown(work, partitions[-1]), check_results=results)

    return table


def _days_with_training(work: Context, days: list[date]) -> list[date]:
    """The days that have a training window; the first days of a log have none yet.

    Raises:
        SplitError: not even the last day has one.
    """
    first = days[-1]
    work.split(first)
    for day in reversed(days):
        try:
            work.split(day)
        except SplitError:
            break
        first = day
    return [day for day in days if day >= first]


def _shown(work: Context, partition: Partition) -> dict[str, Any]:
    """Pictures and tables of a run's last day."""
    if partition.table == "comparisons":
        relation = work.lake.scan(partition.table, [partition.day])
        run = work.require(partition).attributes["mlflow_run"]
        store = TrackingStore(work.project.workspace.mlflow_folder, work.problem.name)
        return {
            **comparison_metadata(work.engine.frame(f"from {relation}")),
            **page_metadata(existing_page(work, partition), run, store),
        }
    return {name: picture(png, name) for name, png in pictures_of(work, partition).items()}


def _group(project: Project, name: str) -> str:
    """Groups are named after their problem too: all problems stand on one page."""
    return f"{project.problem.name}__{name}"


def _code_version(project: Project, step: Step, policy: Policy | None) -> str:
    if policy is None:
        models = load_models()
        return models[step.table].version if step.table in models else "1"
    of_labels = step.table in {"label_statistics", "labels"}
    version = label_version if of_labels else policy_version
    return version(policy, project.problem)


def _dependencies(project: Project, step: Step, policy: str) -> list[dg.AssetDep]:
    """Which partitions of which assets a day is made from, as Dagster draws and follows them."""
    training = project.problem.training
    windows = window_days(project.problem)
    before, after = -windows, int(bool(project.problem.attribution.clock_skew))
    evaluated = training.evaluate.days
    trained = training.window.days + training.validation.days + evaluated + windows
    by_table = {
        "matched_interactions": [
            ("impressions", "", before, after),
            ("interactions", "", -reversal_days(project.problem), 0),
        ],
        "impression_signals": [
            ("impressions", "", 0, 0),
            ("requests", "", -1, 1),
            ("matched_interactions", "", -after, -before),
        ],
        "orphaned_interactions": [
            ("matched_interactions", "", 0, 0),
            ("impression_signals", "", before, after),
        ],
        "position_statistics": [
            ("impression_signals", "", 0, 0),
            # not read: nothing is learned from signals while events are unaccounted for
            ("orphaned_interactions", "", -after, -before),
        ],
        "propensities": [("position_statistics", "", -training.window.days, 0)],
        "label_statistics": [("impression_signals", "", -training.window.days, 0)],
        "labels": [("impression_signals", "", 0, 0), ("propensities", "", 0, 0)],
        "examples": [
            ("labels", policy, -trained, 0),
            ("impression_signals", "", -trained, 0),
            ("items", "", -trained, 0),
        ],
        "rankers": [("examples", policy, 0, 0)],
        "evaluations": [
            ("examples", policy, 0, 0),
            ("rankers", policy, 0, 0),
            ("impression_signals", "", -evaluated, 0),
        ],
        "comparisons": [("evaluations", each.name, 0, 0) for each in project.policies],
    }
    active = {each.name: each for each in project.policies}
    if policy and needs_statistics(active[policy]):
        by_table["labels"].append(("label_statistics", policy, 0, 0))
    return [
        dg.AssetDep(
            asset_key(project, table, of_policy),
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=first, end_offset=last, allow_nonexistent_upstream_partitions=True
            ),
        )
        for table, of_policy, first, last in by_table[step.table]
    ]
