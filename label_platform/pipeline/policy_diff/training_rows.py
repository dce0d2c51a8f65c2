"""The finished training rows of one policy: those of the lake, or built beside it."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date

from label_platform.examples import Fitted, Split
from label_platform.lake import Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import example_relations, training_rows_sql
from label_platform.pipeline.label_statistics import needs_statistics
from label_platform.pipeline.policy_diff.scratch import scratch
from label_platform.pipeline.steps import FAILED_CHECKS, build_partition, is_stale, step_of
from label_platform.policy import Policy

_COLUMNS = (
    "part",
    "group_id",
    "query_id",
    "item_id",
    "impression_id",
    "position",
    "label",
    "raw_label",
    "weight",
    "expected_examinations",
    "origin",
    "auxiliary_label",
    "prediction",
    "teacher_score",
)


@dataclass(frozen=True)
class TrainingRows:
    """Training rows of a policy.

    Attributes:
        context: whose lake has the labels that they are made from.
        policy: whose.
        split: the days that they are made from.
        relation: the rows.
        columns: of the rows that a comparison may want.
        fitted: what was fitted on them.
        published: whether they are the lake's.
        is_whole: whether they are made from all days that train.
        seconds: that building them took, their labels included.
    """

    context: Context
    policy: Policy
    split: Split
    relation: str
    columns: tuple[str, ...]
    fitted: Fitted
    published: bool
    is_whole: bool = True
    seconds: float = 0.0


def published_rows(context: Context, policy: Policy, split: Split) -> TrainingRows | None:
    """The lake's training rows of a policy; None if they or labels are missing or out of date.

    Args:
        context: with the policy in its project.
        policy: whose.
        split: the days that rankers learn from now.
    """
    partition = Partition("examples", context.log_days[-1], policy.name)
    labels = (Partition("labels", day, policy.name) for day in (*split.train, *split.validate))
    if is_stale(context, partition) or any(is_stale(context, each) for each in labels):
        return None
    relation = context.lake.scan("examples", [partition.day], policy.name)
    stored = context.require(partition)
    fitted = dict(stored.attributes.get("fitted", {}))
    fitted["bounds"] = tuple(fitted.get("bounds", ()))
    columns = tuple(name for name in _COLUMNS if name in stored.columns)
    return TrainingRows(context, policy, split, relation, columns, Fitted(**fitted), published=True)


def built_rows(
    context: Context,
    policies: tuple[Policy, Policy],
    number: int,
    split: Split,
    stack: ExitStack,
) -> TrainingRows:
    """Build a policy's training rows beside the lake.

    Args:
        context: of the live lake, which is only read, with the policy in its project.
        policies: old and new, whose labels are the same: either's published ones serve.
        number: whose rows, 0 for the old policy's and 1 for the new one's.
        split: the days to build from.
        stack: closes the folder that labels are built in.
    """
    policy = policies[number]
    started = time.perf_counter()
    trial = stack.enter_context(scratch(context, context.project))
    names = dict.fromkeys([policy.name, *(each.name for each in policies)])
    for day in (*split.train, *split.validate):
        _bring_labels(context, trial, policy, tuple(names), day)
    query, fitted = training_rows_sql(trial, policy, example_relations(trial, policy, split))
    known = context.engine.schema(f"({query})")
    columns = tuple(name for name in _COLUMNS if name in known)
    relation = f"training_rows_{number}"
    context.engine.execute(
        f"create or replace temp table {relation} as select {', '.join(columns)} from ({query})"
    )
    stack.callback(context.engine.execute, f"drop table {relation}")
    return TrainingRows(
        trial,
        policy,
        split,
        relation,
        columns,
        fitted,
        published=False,
        is_whole=split == context.split(context.log_days[-1]),
        seconds=time.perf_counter() - started,
    )


def _bring_labels(
    live: Context, trial: Context, policy: Policy, names: tuple[str, ...], day: date
) -> None:
    """A day's labels in the trial's lake: those of either policy if they are the same, else built.

    Only what is up to date is linked to, so that no build of the trial writes through the link.
    """
    if needs_statistics(policy):
        build_partition(trial, Partition("label_statistics", day, policy.name))
    partition = Partition("labels", day, policy.name)
    wanted = recipe_hash(step_of("labels").recipe(trial, partition))
    for name in names:
        published = Partition("labels", day, name)
        manifest = live.lake.manifest(published)
        if manifest is None or manifest.attributes.get(FAILED_CHECKS):
            continue
        if manifest.recipe_hash == wanted:
            link = trial.lake.folder_of(partition)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(live.lake.folder_of(published), target_is_directory=True)
            return
    build_partition(trial, partition)
