"""impression_signals + propensities -> labels of one policy."""

from typing import Any

from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.propensity_judgment import may_use
from label_platform.policy import (
    Policy,
    compile_labels,
    label_version,
)


def uses_propensities(context: Context, policy: Policy, partition: Partition) -> bool:
    """Whether a day's labels are debiased: False where the policy does not ask, or falls back.

    Raises:
        PropensityRefusedError: the policy asks for a curve that was refused.
    """
    if policy.debias.method == "none":
        return False
    return may_use(context, policy, partition.day)


def labels_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a day of a policy's labels is made from."""
    policy = context.project.policy(partition.policy)
    debiased = policy.debias.method != "none"
    return {
        "impression_signals": context.content("impression_signals", partition.day),
        "propensities": context.content("propensities", partition.day) if debiased else None,
        "gates": context.problem.propensity.model_dump() if debiased else None,
        "label_version": label_version(policy, context.problem),
    }


def build_labels(context: Context, partition: Partition) -> Manifest:
    """Turn a day's signals into labels, as the policy says."""
    policy = context.project.policy(partition.policy)
    debiased = uses_propensities(context, policy, partition)
    days = [partition.day]
    propensities = context.lake.scan("propensities", days) if debiased else None
    query = compile_labels(
        policy, context.problem, context.lake.scan("impression_signals", days), propensities
    )
    return context.lake.publish(
        context.engine,
        partition,
        query,
        recipe=recipe_hash(labels_recipe(context, partition)),
        attributes={"label_version": label_version(policy, context.problem), "debiased": debiased},
    )
