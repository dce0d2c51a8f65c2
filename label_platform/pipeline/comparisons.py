"""evaluations of all policies -> the comparison: intervals, paired differences, verdicts."""

from typing import Any

import pandas as pd

from label_platform.evaluation import compare
from label_platform.lake import Manifest, MissingPartitionError, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.promotion import track_comparison
from label_platform.pipeline.refusals import is_refused


def comparisons_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a comparison is made from.

    Raises:
        MissingPartitionError: no policy was evaluated.
    """
    evaluated = {
        policy.name: manifest.content_hash
        for policy in context.project.policies
        if (manifest := context.lake.manifest(_evaluation(partition, policy.name)))
        # what was evaluated before the evidence was refused is no longer an answer
        and not is_refused(context, policy, partition.day)
    }
    if not evaluated:
        raise MissingPartitionError(f"no policy was evaluated for {partition.day}")
    return {"evaluations": evaluated, "baseline": context.problem.policies.baseline}


def build_comparisons(context: Context, partition: Partition) -> Manifest:
    """Put all policies side by side, with intervals, and tell MLflow's runs what came out."""
    recipe = comparisons_recipe(context, partition)
    relations = [
        context.lake.scan("evaluations", [partition.day], name) for name in recipe["evaluations"]
    ]
    evaluations = pd.concat([context.engine.frame(f"from {each}") for each in relations])
    table = compare(evaluations, baseline=recipe["baseline"])
    tracked = track_comparison(context, partition, table, recipe)
    context.engine.register("compared", table)
    return context.lake.publish(
        context.engine,
        partition,
        "from compared",
        recipe=recipe_hash(recipe),
        as_of=partition.day.isoformat(),
        attributes=tracked,
    )


def _evaluation(partition: Partition, policy: str) -> Partition:
    return Partition("evaluations", partition.day, policy)
