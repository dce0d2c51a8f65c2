"""One log's project and its tables, built by the pipeline's own steps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from label_platform.lake import scan_parquet
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.evaluations import truth_path
from label_platform.pipeline.steps import STEPS, build_partition, partitions_of
from label_platform.pipeline.workspace import Workspace
from label_platform.policy import Policy, load_policies

PROBLEM = Path(__file__).parents[2] / "data" / "problems" / "product_search.yaml"

TABLES = frozenset(
    {
        "matched_interactions",
        "impression_signals",
        "position_statistics",
        "propensities",
        "label_statistics",
        "labels",
        "examples",
    }
)

OnStep = Callable[[str], None]


def project_of(policies: str | None, workspace: Workspace, logs: Path | None = None) -> Project:
    """The problem, with the policies to measure in place of its own."""
    project = Project.load(PROBLEM, workspace, logs)
    if policies is None:
        return project
    selection = project.problem.policies.model_copy(update={"use": tuple(policies.split(","))})
    problem = project.problem.model_copy(update={"policies": selection})
    chosen = tuple(load_policies(problem))
    return replace(project, problem=problem, policies=chosen, named=chosen)


def build_tables(context: Context, last_day: date, show: OnStep) -> None:
    """What the examples are made from, day by day, as a run of the pipeline builds it."""
    split = context.split(last_day)
    learned_from = {*split.train, *split.validate}
    names = [policy.name for policy in context.project.policies]
    for step in STEPS:
        if step.table not in TABLES:
            continue
        show(step.table)
        for name in names if step.per_policy else [""]:
            for partition in partitions_of(context, step, name, last_day):
                # evaluation days are not needed: the truth judges
                if step.of_events or not step.every_day or partition.day in learned_from:
                    build_partition(context, partition)


def examples_with_truth(context: Context, day: date, policy: Policy) -> pa.Table:
    """A policy's examples in their stored order, with the true relevance of each row."""
    return context.engine.arrow(f"""
        select examples.*, truth.relevance
        from {context.lake.scan("examples", [day], policy.name)} as examples
        left join {truth_relation(context)} as truth
            on examples.query_id = truth.query_id and examples.item_id = truth.item_id
        order by part, group_id, position nulls last, examples.item_id, impression_id nulls last
    """)


def truth_relation(context: Context) -> str:
    """The SQL relation of true relevance."""
    path = truth_path(context)
    if path is None:
        raise FileNotFoundError("the simulation has written no truth")
    return scan_parquet([path])


def evidence(context: Context, day: date) -> dict[str, int]:
    """What rankers and propensities of the training days rest on, bots left out."""
    relation = context.lake.scan("position_statistics", context.split(day).train)
    impressions, clicks, lists = context.engine.row(f"""
        select
            cast(sum(impressions) as bigint),
            cast(sum(clicks) as bigint),
            cast(sum(case when randomized and position = 1 then impressions end) as bigint)
        from {relation}
    """)
    return {
        "trained_impressions": impressions,
        "trained_clicks": clicks,
        "randomized_lists": lists,
    }
