"""labels + impression_signals + items -> training examples of one policy."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from label_platform.examples import (
    ROW_ORDER,
    ExampleRelations,
    FeatureColumns,
    Fitted,
    Split,
    examples_sql,
    needs_finish,
    origin_counts_sql,
    refused_counts_sql,
    refused_draws_sql,
    require_logged_score,
    resolve_features,
)
from label_platform.lake import Manifest, Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.pipeline.feature_leaks import refuse_absence_in_draws, refuse_leaks_of_draws
from label_platform.pipeline.feature_tables import shown_with_features
from label_platform.pipeline.finishing import finished_examples
from label_platform.pipeline.propensity_judgment import may_use
from label_platform.policy import (
    MixedLabelsError,
    Policy,
    examples_need_propensities,
    labels_need_propensities,
    policy_version,
)
from label_platform.strict_yaml import ConfigurationError

_DAY = timedelta(days=1)
SEMANTICS = 1
"""Raised when what is fitted on training rows changes its meaning."""
_DRAWN = "examples_with_draws"


def feature_columns(context: Context, days: tuple[date, ...]) -> FeatureColumns:
    """The columns that rankers learn from, as they are on the last of these days."""
    signals = context.require(Partition("impression_signals", days[-1])).columns
    item_days = context.item_days
    items = context.require(Partition("items", item_days[-1])).columns if item_days else {}
    return resolve_features(context.problem, signals, items, context.feature_tables.tables)


def examples_recipe(context: Context, partition: Partition) -> dict[str, Any]:
    """What a policy's training examples are made from."""
    policy = context.project.policy(partition.policy)
    split = context.split(partition.day)
    days = (*split.train, *split.validate)
    weighted = examples_need_propensities(policy)
    fitting: dict[str, Any] = {"semantics": SEMANTICS} if needs_finish(policy) else {}
    return fitting | {
        "policy_version": policy_version(policy, context.problem),
        "features": [context.problem.features, context.problem.item_features],
        "train": split.train,
        "validate": split.validate,
        # each of them: a day without labels must not go missing in silence
        "labels": {str(day): context.content("labels", day, policy.name) for day in days},
        "impression_signals": {
            str(day): context.content("impression_signals", day) for day in days
        },
        "items": context.contents("items", tuple(context.item_days)),
        **context.feature_tables.recipe,
        "propensities": context.content("propensities", split.train[-1]) if weighted else None,
        "gates": context.problem.propensity.model_dump() if weighted else None,
    }


def build_examples(context: Context, partition: Partition) -> Manifest:
    """Join labels, negatives and features into training rows, each with its origin.

    Raises:
        ConfigurationError: the policy draws from a catalogue that the logs do not have.
        FeatureLeakError: a row would see what was only known later, or random rows are told by
            the features that they lack.
    """
    policy = context.project.policy(partition.policy)
    split = context.split(partition.day)
    relations = example_relations(context, policy, split)
    refuse_leaks_of_draws(context, policy, relations)
    query, fitted = training_rows_sql(context, policy, relations)
    if policy.negatives.random is not None:
        context.engine.execute(f"create or replace temp table {_DRAWN} as {query}")
        refuse_absence_in_draws(context, policy, relations, _DRAWN)
        query = f"select * from {_DRAWN} order by {ROW_ORDER}"
    manifest = context.lake.publish(
        context.engine,
        partition,
        query,
        recipe=recipe_hash(examples_recipe(context, partition)),
        as_of=partition.day.isoformat(),
        attributes={
            "policy_version": policy_version(policy, context.problem),
            "fitted": {name: value for name, value in asdict(fitted).items() if value is not None},
            "train": f"{split.train[0]} to {split.train[-1]}",
            "validate": f"{split.validate[0]} to {split.validate[-1]}",
        },
    )
    context.engine.execute(f"drop table if exists {_DRAWN}")
    context.lake.annotate(partition, _counted(context, partition, policy, relations))
    return manifest


def training_rows_sql(
    context: Context, policy: Policy, relations: ExampleRelations
) -> tuple[str, Fitted]:
    """SQL of a policy's finished training rows, over tables that this makes, and what was fitted.

    Raises:
        PriorRefusedError: an empirical Bayes prior would mislead.
    """
    query = examples_sql(policy, context.problem, relations)
    if not needs_finish(policy):
        return query, Fitted()
    features = (*relations.feature_columns, *relations.item_feature_columns)
    return finished_examples(context.engine, policy, query, features)


def _counted(
    context: Context, partition: Partition, policy: Policy, relations: ExampleRelations
) -> dict[str, dict[str, str]]:
    """Rows by part and origin, and what the guard of negatives refused."""
    stored = context.lake.scan("examples", [partition.day], policy.name)
    found = {
        "origins": {
            f"{part} {origin}": f"{rows:,} ({share:.1%}, {of_weight:.1%} of the weight)"
            for part, origin, rows, _, share, of_weight in context.engine.rows(
                origin_counts_sql(stored)
            )
        }
    }
    refused = refused_draws_sql(policy, relations)
    if refused is not None:
        found["refused"] = {
            f"{part} {origin}: {reason}": f"{draws:,}"
            for part, origin, reason, draws in context.engine.rows(refused_counts_sql(refused))
        }
    return found


def example_relations(context: Context, policy: Policy, split: Split) -> ExampleRelations:
    """What a policy's training rows are made from.

    Raises:
        ConfigurationError: the logs lack a table or a column that the policy names.
        MixedLabelsError: the labels of some days are debiased, those of others are not.
    """
    lake = context.lake
    _refuse_mixed_labels(context, policy, (*split.train, *split.validate))
    features = feature_columns(context, split.train)
    items = lake.scan("items", context.item_days) if context.item_days else None
    if policy.negatives.random is not None and items is None:
        raise ConfigurationError(
            f"{context.problem.name}: policy {policy.name}: negatives.random: found no table of "
            "items in the logs to draw from, expected one: name its files by logs: items, or take "
            "random out of the policy's negatives"
        )
    shown = shown_with_features(context, split.train)
    text_columns = _text_columns(context, features, shown, items)
    require_logged_score(policy, features, text_columns)
    return ExampleRelations(
        labels_train=labels_of_days(context, policy, split.train, split),
        labels_validate=labels_of_days(context, policy, split.validate, split),
        signals_train=shown,
        signals_validate=shown_with_features(context, split.validate),
        items=items,
        propensities=examination_curve(context, policy, split.train[-1]),
        feature_columns=features.shown,
        item_feature_columns=features.item,
        text_columns=text_columns,
        feature_tables=context.feature_tables.tables,
    )


def _refuse_mixed_labels(context: Context, policy: Policy, days: tuple[date, ...]) -> None:
    """Labels of days that fell back are rates of impressions, those of others of examinations."""
    if not labels_need_propensities(policy):
        return
    debiased = {
        day: bool(context.require(Partition("labels", day, policy.name)).attributes["debiased"])
        for day in days
    }
    without = [str(day) for day, is_debiased in debiased.items() if not is_debiased]
    if without and any(debiased.values()):
        raise MixedLabelsError(policy, without, len(days))


def _text_columns(
    context: Context, features: FeatureColumns, shown: str, items: str | None
) -> frozenset[str]:
    text: set[str] = set()
    for names, relation in ((features.shown, shown), (features.item, items)):
        if names and relation is not None:
            types = context.engine.schema(relation)
            text.update(name for name in names if types[name].startswith(("VARCHAR", "ENUM")))
    return frozenset(text)


def require_logged_scores(context: Context, policies: Iterable[Policy]) -> None:
    """Refuse policies whose logging ranker's score the logs lack, as far as logs are built.

    Raises:
        ConfigurationError: a line for each such policy.
    """
    days = tuple(context.lake.days("impression_signals"))
    if not days:
        return
    lines = []
    for policy in policies:
        if policy.negatives.hard is None or policy.negatives.hard.by != "score":
            continue
        try:
            features = feature_columns(context, days[-1:])
            shown = context.lake.scan("impression_signals", days)
            logged = FeatureColumns(features.impression, ())
            require_logged_score(policy, logged, _text_columns(context, logged, shown, None))
        except ConfigurationError as error:
            lines.append(str(error))
    if lines:
        raise ConfigurationError("\n".join(lines))


def labels_of_days(context: Context, policy: Policy, days: tuple[date, ...], split: Split) -> str:
    """The labels of some days; with decay, how much each of the days counts beside them."""
    if policy.decay is None:
        return context.lake.scan("labels", days, policy.name)
    parts = []
    for day in days:
        age = max(0, (split.train[-1] - day).days) * _DAY
        decay = round(0.5 ** (age / policy.decay.half_life), 9)
        parts.append(
            f"select *, {decay!r} as decay from {context.lake.scan('labels', [day], policy.name)}"
        )
    return f"({' union all '.join(parts)})"


def examination_curve(context: Context, policy: Policy, day: date) -> str | None:
    """The curve that examined rows are weighted by, where the policy asks for one.

    Raises:
        PropensityRefusedError: it was refused, and the policy does not fall back.
    """
    if not examples_need_propensities(policy):
        return None
    usable = may_use(context, policy, day)
    return context.lake.scan("propensities", [day]) if usable else None
