"""examples + evaluation days -> how well a policy's rankers do on every yardstick."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from label_platform.evaluation import (
    CHECKS,
    IDENTITY_CHECKS,
    Arm,
    ArmEvaluation,
    Effort,
    LogCheck,
    Panel,
    ShownLists,
    Yardstick,
    click_yardsticks,
    evaluate_arm,
    identity_checks,
    metric_yardsticks,
    shown_feedback_yardsticks,
    sliced_yardsticks,
    true_ndcg_yardsticks,
)
from label_platform.evaluation_settings import EvaluationSettings
from label_platform.examples import evaluation_rows_sql, with_feature_tables_sql
from label_platform.lake import Manifest, Partition, quote_identifier, recipe_hash, scan_parquet
from label_platform.pipeline.calibrations import calibration_attributes
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluation_slices import (
    sample_ratio_checks,
    slices_recipe,
    with_segments,
)
from label_platform.pipeline.evaluation_window import judged_window
from label_platform.pipeline.examples import feature_columns
from label_platform.pipeline.feature_tables import shown_with_features
from label_platform.pipeline.rankers import SEED, ranker_features
from label_platform.policy import RankerSpec, click_signal
from label_platform.propensity import PropensityCurve
from label_platform.ranking import NUMBERS_ONLY, FeatureCodes, TrainingData, TrainingError

TRUTH_FILE = "relevance.parquet"
SEMANTICS = 4
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
        "slices": slices_recipe(context, split),
        "checks": context.problem.evaluation.checks,
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
    window = judged_window(context, partition.day)
    codes = FeatureCodes.of(examples, ranker_features(context, partition))
    panel = Panel.of(yardsticks(context, partition, codes))
    arms = [_evaluate(context, partition, spec, examples, panel) for spec in policy.rankers]
    checks = _checks(context, partition, examples, panel, arms)
    context.engine.register("evaluated", pd.concat([arm.to_frame() for arm in arms]))
    return context.lake.publish(
        context.engine,
        partition,
        "from evaluated order by objective, side, fit, yardstick, slice, query_id",
        recipe=recipe_hash(evaluations_recipe(context, partition)),
        as_of=partition.day.isoformat(),
        attributes={
            **window,
            **checks,
            **{
                f"{arm.arm.spec.title} {name}": None if pd.isna(value) else round(value, 4)
                for arm in arms
                for name, value in arm.main_values.items()
            },
            **calibration_attributes(examples, ranker_features(context, partition), arms),
        },
    )


def yardsticks(
    context: Context, partition: Partition, codes: FeatureCodes = NUMBERS_ONLY
) -> Sequence[Yardstick]:
    """What rankers are judged by: the evaluation days' clicks and, in simulations, the truth.

    Args:
        context: the project.
        partition: the policy's evaluation.
        codes: of text features, as the rankers have them.
    """
    features = ranker_features(context, partition)
    split = context.split(partition.day)
    relation = context.lake.scan("propensities", [split.train[-1]])
    curve = PropensityCurve.from_table(
        context.engine.frame(f"from {relation} where chosen"), context.problem.context
    )
    rows = evaluation_rows(context, partition)
    settings = context.problem.evaluation
    click = click_signal(context.problem)
    shown = ShownLists.from_impressions(rows, features, click, curve, settings.slices, codes)
    of_clicks = sliced_yardsticks(shown, lambda part: _of_lists(part, curve, settings))
    if shown.are_single_items:
        signals = tuple(context.problem.signals)
        further = shown_feedback_yardsticks(rows, features, signals, settings.cutoff, codes)
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
    return (*true_ndcg_yardsticks(table, features, codes), *of_clicks)


def _of_lists(
    shown: ShownLists, curve: PropensityCurve, settings: EvaluationSettings
) -> Sequence[Yardstick]:
    """What is measured on some of the lists, for all of them and for every slice."""
    return (
        *click_yardsticks(shown, curve, settings=settings),
        *metric_yardsticks(shown, settings),
    )


def truth_path(context: Context) -> Path | None:
    """A simulation's true relevance; None for real logs."""
    if context.problem.truth is None:
        return None
    path = context.problem.resolve(context.problem.truth) / TRUTH_FILE
    return path if path.is_file() else None


def evaluation_rows(context: Context, partition: Partition) -> pa.Table:
    """What was shown on the evaluation days, with item features as of then."""
    split = context.split(partition.day)
    item_days = context.item_days
    signals = shown_with_features(context, split.evaluate)
    items = context.lake.scan("items", item_days) if item_days else None
    names = feature_columns(context, split.train).item
    shown = evaluation_rows_sql(signals, items, names)
    return context.engine.arrow(with_segments(context, split, shown))


def _evaluate(
    context: Context, partition: Partition, spec: RankerSpec, examples: pa.Table, panel: Panel
) -> ArmEvaluation:
    policy = context.project.policy(partition.policy)
    is_baseline = policy.name == context.problem.policies.baseline
    tune = "label" if policy.auxiliary is None else policy.auxiliary.tune
    arm = Arm(policy.name, policy.grain, spec, is_baseline=is_baseline, tune=tune)
    try:
        return evaluate_arm(
            *_rows(context, partition, spec, examples),
            arm,
            panel,
            **asdict(_effort(context)),
            cache=context.project.fitted_sides,
        )
    except TrainingError as error:
        return ArmEvaluation.refused(arm, panel, str(error))


def _checks(
    context: Context,
    partition: Partition,
    examples: pa.Table,
    panel: Panel,
    arms: Sequence[ArmEvaluation],
) -> dict[str, Any]:
    """Of the baseline policy, what a comparison with it must withstand."""
    problem = context.problem
    if not problem.evaluation.checks or partition.policy != problem.policies.baseline:
        return {}
    # the quicker objective first: what is checked is the comparison, not the ranker
    arm = min(arms, key=lambda each: each.arm.spec.objective != "pointwise")
    spec, ranker = arm.arm.spec, arm.contender.ranker
    found = [LogCheck.not_run(name, "the baseline cannot be trained") for name in IDENTITY_CHECKS]
    if ranker is not None:
        rows = _rows(context, partition, spec, examples)
        try:
            found = identity_checks(*rows, spec, ranker, panel, _effort(context))
        except TrainingError as error:
            found = [LogCheck.not_run(name, str(error)) for name in IDENTITY_CHECKS]
    found += sample_ratio_checks(context, context.split(partition.day))
    return {CHECKS: [asdict(each) for each in found]}


def _rows(
    context: Context, partition: Partition, spec: RankerSpec, examples: pa.Table
) -> tuple[TrainingData, TrainingData]:
    """Rows to learn from, and those that decide when to stop."""
    features = ranker_features(context, partition)
    return (
        TrainingData.from_examples(examples, spec, features),
        TrainingData.from_examples(examples, spec, features, "validate"),
    )


def _effort(context: Context) -> Effort:
    training = context.problem.training
    return Effort(rounds=training.rounds, fits=training.fits, seed=SEED)
