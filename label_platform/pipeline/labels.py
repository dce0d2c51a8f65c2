"""impression_signals + propensities -> labels of one policy."""

from dataclasses import replace
from datetime import date
from typing import Any

from label_platform.crafting import compile_watch_time
from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.label_statistics import as_of_if_immature, needs_statistics
from label_platform.pipeline.propensity_judgment import may_use
from label_platform.policy import (
    LabelInputs,
    Policy,
    compile_labels,
    label_version,
    labels_need_propensities,
)
from label_platform.strict_yaml import ConfigurationError


def built_grain(context: Context, policy: str, day: date) -> str:
    """The grain that a day's labels were built at, which the policy's file may not say any more.

    Raises:
        MissingPartitionError: the day was not built.
    """
    columns = context.require(Partition("labels", day, policy)).columns
    return "impression" if "impression_id" in columns else "query_item"


def require_grain(context: Context, policy: Policy, day: date) -> None:
    """Refuse to read a day's labels that were built at another grain than the policy has now.

    Raises:
        ConfigurationError: names both grains and what builds the labels anew.
        MissingPartitionError: the day was not built.
    """
    built = built_grain(context, policy.name, day)
    if built != policy.grain:
        raise ConfigurationError(
            f"labels of {policy.name} on {day} were built at grain {built}, its file now says "
            f"{policy.grain}; `label-platform labels` builds them anew"
        )


def uses_propensities(context: Context, policy: Policy, partition: Partition) -> bool:
    """Whether a day's labels are debiased: False where the policy does not ask, or falls back.

    Raises:
        PropensityRefusedError: the policy asks for a curve that was refused.
    """
    if not labels_need_propensities(policy):
        return False
    return may_use(context, policy, partition.day)


def labels_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of a policy's labels is made from."""
    policy = context.project.policy(partition.policy)
    debiased = labels_need_propensities(policy)
    recipe = {
        "impression_signals": context.content("impression_signals", partition.day),
        "propensities": context.content("propensities", partition.day) if debiased else None,
        "gates": context.problem.propensity.model_dump() if debiased else None,
        "label_version": label_version(policy, context.problem),
    }
    if needs_statistics(policy):
        recipe["statistics"] = context.content("label_statistics", partition.day, policy.name)
        recipe["as_of"] = str(as_of_if_immature(context, policy, partition.day))
    return recipe


def build_labels(context: Context, partition: Partition) -> Manifest:
    """Turn a day's signals into labels, as the policy says."""
    policy = context.project.policy(partition.policy)
    query, debiased = labels_sql(context, policy, partition)
    return context.lake.publish(
        context.engine,
        partition,
        query,
        recipe=recipe_hash(labels_recipe(context, partition)),
        attributes={"label_version": label_version(policy, context.problem), "debiased": debiased},
        has_text=policy.grain == "query_item",
    )


def labels_sql(context: Context, policy: Policy, partition: Partition) -> tuple[str, bool]:
    """SQL of a day's labels, and whether they are debiased.

    Args:
        context: the piece of work.
        policy: an active policy, or another version of one.
        partition: of ``labels``; its policy's statistics are read.
    """
    inputs = label_inputs(context, policy, partition.day)
    if needs_statistics(policy):
        inputs = replace(
            inputs,
            statistics=context.lake.scan("label_statistics", [partition.day], partition.policy),
            as_of=as_of_if_immature(context, policy, partition.day),
        )
    debiased = inputs.propensities is not None
    if policy.watch_time is not None:
        return compile_watch_time(policy, inputs), debiased
    return compile_labels(policy, context.problem, inputs), debiased


def label_inputs(context: Context, policy: Policy, day: date) -> LabelInputs:
    """What a day's labels are made from, without what was fitted on other days.

    Raises:
        PropensityRefusedError: the policy asks for a curve that was refused.
    """
    debiased = uses_propensities(context, policy, Partition("labels", day, policy.name))
    return LabelInputs(
        context.lake.scan("impression_signals", [day]),
        context.lake.scan("propensities", [day]) if debiased else None,
    )
