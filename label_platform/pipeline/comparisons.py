"""evaluations of all policies -> the comparison: intervals, paired differences, verdicts."""

from typing import Any

import pandas as pd

from label_platform.evaluation import SHOWN_PREFIX, compare
from label_platform.lake import Manifest, MissingPartitionError, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.refusals import is_refused
from label_platform.tracking import TrackingStore

TRUTH_PREFIX = "true_"
_DECIDE_NOTHING = (TRUTH_PREFIX, SHOWN_PREFIX)


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
    run_id = _track(context, partition, table, tuple(recipe["evaluations"]))
    context.engine.register("compared", table)
    return context.lake.publish(
        context.engine,
        partition,
        "from compared",
        recipe=recipe_hash(recipe),
        as_of=partition.day.isoformat(),
        attributes={"mlflow_run": run_id},
    )


def supported_arms(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The policies and rankers that the comparison supports, best first.

    Such an arm is better than the baseline on some yardstick made of clicks and worse on none; the
    order is that of the highest lower bound of its differences. True relevance, which only a
    simulation has, decides nothing, nor does what the logging ranker's choice biases.
    """
    known = table[~table["yardstick"].str.startswith(_DECIDE_NOTHING)]
    better = {
        (str(policy), str(ranker)): float(rows["difference_low"].max())
        for (policy, ranker), rows in known.groupby(["policy", "ranker"])
        if rows["verdict"].str.startswith("better").any()
        and not rows["verdict"].str.startswith("worse").any()
    }
    return sorted(better, key=lambda arm: -better[arm])


def _track(
    context: Context, partition: Partition, table: pd.DataFrame, policies: tuple[str, ...]
) -> str:
    store = TrackingStore(context.project.workspace.mlflow_folder, context.problem.name)
    # what would have been best at an earlier time is no candidate for today's traffic
    best = [] if context.project.as_of else supported_arms(table)
    aliases = dict(zip(best, ("champion", "challenger"), strict=False))
    for name in policies:
        manifest = context.lake.manifest(Partition("rankers", partition.day, name))
        runs = manifest.attributes["mlflow_runs"] if manifest else {}
        for title, run_id in runs.items():
            rows = table[(table["policy"] == name) & (table["ranker"] == title)]
            store.add_metrics(run_id, _metrics(rows), _verdicts(rows))
            if (name, title) in aliases:
                store.register(run_id, aliases[name, title])
    return store.log_comparison(
        f"comparison {partition.day}",
        {
            "day": partition.day.isoformat(),
            "dagster_run_id": context.run_id,
            **context.as_of_tag,
        },
        table.to_csv(index=False),
    )


def _metrics(rows: pd.DataFrame) -> dict[str, float]:
    """A ranker's values and differences with their intervals, by the yardstick's name."""
    names = {
        "": "value",
        "_ci_low": "ci_low",
        "_ci_high": "ci_high",
        "_difference": "difference",
        "_difference_low": "difference_low",
        "_difference_high": "difference_high",
    }
    return {
        f"{row['yardstick']}{suffix}": float(row[column])
        for row in rows.to_dict(orient="records")
        for suffix, column in names.items()
        if not pd.isna(row[column])
    }


def _verdicts(rows: pd.DataFrame) -> dict[str, str]:
    return {f"verdict.{row.yardstick}": str(row.verdict) for row in rows.itertuples()}


def _evaluation(partition: Partition, policy: str) -> Partition:
    return Partition("evaluations", partition.day, policy)
