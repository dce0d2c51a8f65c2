"""examples + evaluation days -> how well a policy's rankers do on every yardstick."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from label_platform.evaluation import (
    Arm,
    ArmEvaluation,
    Panel,
    ShownLists,
    Yardstick,
    click_yardsticks,
    evaluate_arm,
    metric_yardsticks,
    shown_feedback_yardsticks,
    true_ndcg_yardsticks,
)
from label_platform.examples import evaluation_rows_sql, with_feature_tables_sql
from label_platform.lake import Manifest, Partition, quote_identifier, recipe_hash, scan_parquet
from label_platform.pipeline.calibrations import calibration_attributes
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import feature_columns
from label_platform.pipeline.feature_tables import shown_with_features
from label_platform.pipeline.rankers import SEED, ranker_features
from label_platform.policy import RankerSpec, click_signal
from label_platform.propensity import PropensityCurve
from label_platform.ranking import TrainingData, TrainingError

TRUTH_FILE = "relevance.parquet"
SEMANTICS = 3
"""Raised when a yardstick or a fit changes its meaning, so that it is measured anew."""


def evaluations_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a policy's evaluation is made from."""
    policy = context.project.policy(partition.policy)
    split = context.split(partition.day)
    truth = truth_path(context)
    training, settings = context.problem.training, context.problem.evaluation
    return {
        "examples": context.content("examples", partition.day, policy.name),
        "rankers": [spec.model_dump() for spec in policy.rankers],
        "features": ranker_features(context, partition),
        "impression_signals": context.contents("impression_signals", split.evaluate),
        "items": context.contents("items", tuple(context.item_days)),
        **context.feature_tables.recipe,
        "propensities": context.content("propensities", split.train[-1]),
        "truth": [truth.stat().st_size, truth.stat().st_mtime_ns] if truth else None,
        "fits": [training.rounds, training.fits, SEED],
        "baseline": context.problem.policies.baseline,
        "metrics": [settings.cutoff, *settings.metrics],
        "off_policy": settings.off_policy,
        "semantics": SEMANTICS,
        **({} if policy.auxiliary is None else {"tune": policy.auxiliary.tune}),
    }


def build_evaluations(context: Context, partition: Partition) -> Manifest:
    """Fit a policy and raw clicks on the same rows and resamples, and measure every fit."""
    policy = context.project.policy(partition.policy)
    examples = context.engine.arrow(
        f"from {context.lake.scan('examples', [partition.day], policy.name)}"
    )
    panel = Panel.of(yardsticks(context, partition))
    arms = [_evaluate(context, partition, spec, examples, panel) for spec in policy.rankers]
    context.engine.register("evaluated", pd.concat([arm.to_frame() for arm in arms]))
    return context.lake.publish(
        context.engine,
        partition,
        "from evaluated order by objective, side, fit, yardstick, query_id",
        recipe=recipe_hash(evaluations_recipe(context, partition)),
        as_of=partition.day.isoformat(),
        attributes={
            f"{arm.arm.spec.title} {name}": None if pd.isna(value) else round(value, 4)
            for arm in arms
            for name, value in arm.main_values.items()
        }
        | calibration_attributes(examples, ranker_features(context, partition), arms),
    )


def yardsticks(context: Context, partition: Partition) -> Sequence[Yardstick]:
    """What rankers are judged by: the evaluation days' clicks and, in simulations, the truth."""
    features = ranker_features(context, partition)
    split = context.split(partition.day)
    relation = context.lake.scan("propensities", [split.train[-1]])
    curve = PropensityCurve.from_table(
        context.engine.frame(f"from {relation} where chosen"), context.problem.context
    )
    rows = _evaluation_rows(context, partition)
    shown = ShownLists.from_impressions(rows, features, click_signal(context.problem), curve)
    settings = context.problem.evaluation
    of_clicks = (
        *click_yardsticks(shown, curve, settings=settings),
        *metric_yardsticks(shown, settings),
    )
    if shown.are_single_items:
        signals = tuple(context.problem.signals)
        further = shown_feedback_yardsticks(rows, features, signals, settings.cutoff)
        of_clicks = (*of_clicks, *further)
    truth = truth_path(context)
    if truth is None:
        return of_clicks
    columns = ["query_id", "item_id", "relevance", "seen_in_log", *features]
    chosen = ", ".join(map(quote_identifier, columns))
    # the truth knows no time and no user: tables say what held at the end of the last day
    dated = (
        "(select *, cast(null as varchar) as user_key, "
        f"timestamptz '{partition.day + timedelta(days=1)}' as shown_at "
        f"from {scan_parquet([truth])})"
    )
    rows_with_all = with_feature_tables_sql(dated, context.feature_tables.tables)
    table = context.engine.arrow(f"select {chosen} from {rows_with_all} as rows")
    return (*true_ndcg_yardsticks(table, features), *of_clicks)


def truth_path(context: Context) -> Path | None:
    """A simulation's true relevance; None for real logs."""
    if context.problem.truth is None:
        return None
    path = context.problem.resolve(context.problem.truth) / TRUTH_FILE
    return path if path.is_file() else None


def _evaluation_rows(context: Context, partition: Partition) -> pa.Table:
    """What was shown on the evaluation days, with item features as of then."""
    split = context.split(partition.day)
    item_days = context.item_days
    signals = shown_with_features(context, split.evaluate)
    items = context.lake.scan("items", item_days) if item_days else None
    names = feature_columns(context, split.train).item
    return context.engine.arrow(evaluation_rows_sql(signals, items, names))


def _evaluate(
    context: Context, partition: Partition, spec: RankerSpec, examples: pa.Table, panel: Panel
) -> ArmEvaluation:
    policy = context.project.policy(partition.policy)
    training = context.problem.training
    is_baseline = policy.name == context.problem.policies.baseline
    tune = "label" if policy.auxiliary is None else policy.auxiliary.tune
    arm = Arm(policy.name, policy.grain, spec, is_baseline=is_baseline, tune=tune)
    features = ranker_features(context, partition)
    try:
        return evaluate_arm(
            TrainingData.from_examples(examples, spec, features),
            TrainingData.from_examples(examples, spec, features, "validate"),
            arm,
            panel,
            rounds=training.rounds,
            fits=training.fits,
            seed=SEED,
            cache=context.project.fitted_sides,
        )
    except TrainingError as error:
        return ArmEvaluation.refused(arm, panel, str(error))
