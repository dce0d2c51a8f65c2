"""examples -> one LightGBM ranker per entry of the policy's ``rankers``, tracked in MLflow."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import examination_curve, feature_columns
from label_platform.pipeline.labels import uses_propensities
from label_platform.pipeline.lineage import upstream_hashes
from label_platform.pipeline.pictures import pictures_of
from label_platform.pipeline.propensity_judgment import judgment_of
from label_platform.policy import (
    Policy,
    RankerSpec,
    examples_need_propensities,
    label_version,
    labels_need_propensities,
    policy_version,
)
from label_platform.ranking import ParquetColumns, Ranker, TrainingData, TrainingError, fit_ranker
from label_platform.tracking import RankerRecord, TrackingStore

SEED = 0
_LONGEST_TAG = 2000
"""What fits into a tag in MLflow."""


def rankers_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a policy's rankers are made from."""
    policy = context.project.policy(partition.policy)
    return {
        "examples": context.content("examples", partition.day, policy.name),
        "rankers": [spec.model_dump() for spec in policy.rankers],
        "rounds": context.problem.training.rounds,
        "features": ranker_features(context, partition),
        "seed": SEED,
        **({} if policy.auxiliary is None else {"tune": policy.auxiliary.tune}),
    }


def build_rankers(context: Context, partition: Partition) -> Manifest:
    """Train the policy's rankers and record each as an MLflow run with its model."""
    policy = context.project.policy(partition.policy)
    examples = stored_examples(context, partition)
    rankers: list[tuple[RankerSpec, Ranker]] = []
    untrained: dict[str, str] = {}
    for spec in policy.rankers:
        try:
            rankers.append((spec, _fit(context, partition, spec, examples)))
        except TrainingError as error:
            untrained[spec.title] = str(error)
    if not rankers:
        raise TrainingError(f"{policy.name}: {'; '.join(untrained.values())}")
    runs = {
        spec.title: _record(context, partition, spec, ranker, examples) for spec, ranker in rankers
    }
    context.engine.register("trained", _table(rankers))
    return context.lake.publish(
        context.engine,
        partition,
        "from trained",
        recipe=recipe_hash(rankers_recipe(context, partition)),
        as_of=partition.day.isoformat(),
        attributes={
            "mlflow_runs": runs,
            "untrained": untrained,
            "warnings": {
                spec.title: "; ".join(ranker.warnings)
                for spec, ranker in rankers
                if ranker.warnings
            },
            "auxiliary": {
                spec.title: _auxiliary_facts(ranker)
                for spec, ranker in rankers
                if ranker.auxiliary is not None
            },
        },
    )


def stored_rankers(context: Context, partition: Partition) -> list[tuple[RankerSpec, Ranker]]:
    """The rankers of a partition with the entries of the policy that they were trained for."""
    relation = context.lake.scan("rankers", [partition.day], partition.policy)
    rows = context.engine.rows(f"select spec, model from {relation} order by spec")
    return [(RankerSpec.model_validate_json(spec), Ranker.from_json(text)) for spec, text in rows]


def stored_examples(context: Context, partition: Partition) -> ParquetColumns:
    """A policy's training examples, of which only the columns that are asked for are read.

    Raises:
        MissingPartitionError: they were not built.
    """
    found = Partition("examples", partition.day, partition.policy)
    context.require(found)
    return ParquetColumns(context.lake.files([found]))


def ranker_features(context: Context, partition: Partition) -> tuple[str, ...]:
    """The columns that rankers learn from, without position."""
    return feature_columns(context, context.split(partition.day).train).every


def _fit(
    context: Context, partition: Partition, spec: RankerSpec, examples: ParquetColumns
) -> Ranker:
    features = ranker_features(context, partition)
    train = TrainingData.from_examples(examples, spec, features)
    validate = TrainingData.from_examples(examples, spec, features, "validate")
    rounds = context.problem.training.rounds
    auxiliary = context.project.policy(partition.policy).auxiliary
    tune = "label" if auxiliary is None else auxiliary.tune
    return fit_ranker(train, validate, spec, rounds=rounds, seed=SEED, tune=tune)


def _auxiliary_facts(ranker: Ranker) -> dict[str, Any]:
    """How auxiliary scores enter a ranker's, for people."""
    scores = ranker.auxiliary
    if scores is None:
        return {}
    return {"weight": scores.weight, "tuned_by": scores.tuned_by, "rounds": scores.rounds}


def _table(rankers: list[tuple[RankerSpec, Ranker]]) -> pa.Table:
    return pa.table(
        {
            "spec": [spec.model_dump_json() for spec, _ in rankers],
            "objective": [spec.objective for spec, _ in rankers],
            "rounds": [ranker.rounds for _, ranker in rankers],
            "auxiliary_rounds": pa.array(
                [_auxiliary_facts(ranker).get("rounds") for _, ranker in rankers], pa.int64()
            ),
            "model": [ranker.to_json() for _, ranker in rankers],
        }
    )


def _record(
    context: Context,
    partition: Partition,
    spec: RankerSpec,
    ranker: Ranker,
    examples: ParquetColumns,
) -> str:
    policy = context.project.policy(partition.policy)
    auxiliary = _auxiliary_facts(ranker)
    auxiliary_rounds = {"auxiliary_rounds_used": auxiliary.pop("rounds")} if auxiliary else {}
    store = TrackingStore(context.project.workspace.mlflow_folder, context.problem.name)
    last_training_day = context.split(partition.day).train[-1]
    labels = Partition("labels", last_training_day, policy.name)
    pictures = pictures_of(context, labels)
    if labels_need_propensities(policy) or examples_need_propensities(policy):
        pictures |= pictures_of(context, Partition("propensities", last_training_day))
    return store.log_ranker(
        RankerRecord(
            name=f"{policy.name} {spec.title} {partition.day}",
            tags=_tags(context, partition, policy, spec),
            parameters={
                **{
                    f"ranker.{name}": value
                    for name, value in spec.model_dump(exclude={"parameters"}).items()
                },
                **{f"ranker.{name}": value for name, value in spec.parameters.said().items()},
                "rounds": context.problem.training.rounds,
                "seed": SEED,
                "features": ", ".join(ranker.feature_names),
                **{f"auxiliary.{name}": value for name, value in auxiliary.items()},
            },
            metrics={
                "rounds_used": ranker.rounds,
                "examples": examples.num_rows,
                **auxiliary_rounds,
            },
            policy_text=policy.path.read_text(),
            datasets={"examples": context.content("examples", partition.day, policy.name)},
            ranker=ranker,
            lineage=upstream_hashes(context, partition),
            files=_files(policy),
            pictures=pictures,
        )
    )


def _files(policy: Policy) -> dict[str, Path]:
    """What else a ranker was made from: the teacher's model lies beside the policy file."""
    if policy.teacher is None:
        return {}
    return {"teacher": policy.path.parent / policy.teacher.model}


def _tags(
    context: Context, partition: Partition, policy: Policy, spec: RankerSpec
) -> dict[str, str]:
    split = context.split(partition.day)
    curve = Partition("propensities", split.train[-1])
    labels = Partition("labels", split.train[-1])
    weighted = examination_curve(context, policy, split.train[-1]) is not None
    debiased = weighted or uses_propensities(context, policy, labels)
    verdict, reason = judgment_of(context, split.train[-1], policy.debias.estimator)
    attributes = context.require(curve).attributes
    return {
        "kind": "ranker",
        "policy": policy.name,
        "policy_version": policy_version(policy, context.problem),
        "label_version": label_version(policy, context.problem),
        "ranker": spec.title,
        "objective": spec.objective,
        "position": spec.position,
        "day": partition.day.isoformat(),
        "train_days": f"{split.train[0]}..{split.train[-1]}",
        "validate_days": f"{split.validate[0]}..{split.validate[-1]}",
        "propensity_version": context.require(curve).content_hash if debiased else "none",
        "propensity_estimator": (
            str(attributes["estimator"])
            if policy.debias.estimator == "auto"
            else policy.debias.estimator
        ),
        "propensity_verdict": verdict,
        "propensity_reason": reason[:_LONGEST_TAG],
        "propensity_findings": ", ".join(
            sorted({each["test"] for each in attributes["findings"] if each["fires"]})
        )
        or "none",
        "label_hash": recipe_hash(context.contents("labels", split.train, policy.name)),
        "examples_hash": context.content("examples", partition.day, policy.name),
        "dagster_run_id": context.run_id,
        **context.as_of_tag,
    }
