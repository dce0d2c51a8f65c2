"""evaluations of all policies -> the comparison: intervals, paired differences, verdicts."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from label_platform.evaluation import (
    CHECKS,
    MOST_DISAGREEMENT,
    agreement,
    compare,
    read_outcomes,
    unmatched,
    verdicts,
)
from label_platform.lake import Manifest, MissingPartitionError, Partition, recipe_hash
from label_platform.pipeline.comparison_checks import DISAGREEING
from label_platform.pipeline.comparison_page import write_page
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluation_window import MISSING
from label_platform.pipeline.promotion import track_comparison
from label_platform.pipeline.refusals import is_mixed, is_refused
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import TrackingStore

SEMANTICS = 2
"""Raised when intervals, corrections or verdicts change their meaning."""
VERDICTS = "verdicts"
"""The attribute of a comparison that holds a sentence per policy and ranker."""
AGREEMENT = "agreement_with_online_tests"
"""The attribute that holds which yardstick has agreed with online tests."""
LEFT_OUT = "online_tests_left_out"
"""The attribute that holds the online tests that say nothing of the comparison, and why."""


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
        and not is_mixed(context, policy, partition.day)
    }
    if not evaluated:
        raise MissingPartitionError(f"no policy was evaluated for {partition.day}")
    outcomes = outcomes_path(context.problem)
    return {
        "evaluations": evaluated,
        "baseline": context.problem.policies.baseline,
        "outcomes": outcomes.read_text() if outcomes else None,
        "semantics": SEMANTICS,
    }


def build_comparisons(context: Context, partition: Partition) -> Manifest:
    """Put all policies side by side, with intervals, and tell MLflow's runs what came out."""
    recipe = comparisons_recipe(context, partition)
    relations = [
        context.lake.scan("evaluations", [partition.day], name) for name in recipe["evaluations"]
    ]
    evaluations = pd.concat([context.engine.frame(f"from {each}") for each in relations])
    table = compare(evaluations, baseline=recipe["baseline"])
    agreed = _agreement(context, table)
    tracked = track_comparison(context, partition, table, recipe)
    noted = {
        **tracked,
        VERDICTS: {
            f"{each.policy}, {each.ranker}": each.sentence
            for each in verdicts(table, recipe["baseline"])
        },
        DISAGREEING: _disagreeing(table),
        **agreed,
        **_of_evaluations(context, partition, tuple(recipe["evaluations"])),
    }
    page = write_page(context, partition, table, noted)
    store = TrackingStore(context.project.workspace.mlflow_folder, context.problem.name)
    store.log_page(tracked["mlflow_run"], page)
    context.engine.register("compared", table)
    return context.lake.publish(
        context.engine,
        partition,
        "from compared",
        recipe=recipe_hash(recipe),
        as_of=partition.day.isoformat(),
        attributes=noted,
    )


def outcomes_path(problem: Problem) -> Path | None:
    """The problem's table of online tests, beside the problem file.

    Raises:
        ConfigurationError: there is no such file.
    """
    name = problem.evaluation.outcomes
    if name is None:
        return None
    path = problem.folder / name
    if not path.is_file():
        raise ConfigurationError(
            f"{problem.name}: evaluation: outcomes: {path}: there is no such file; "
            "expected a CSV, relative to the problem file"
        )
    return path


def _agreement(context: Context, table: pd.DataFrame) -> dict[str, Any]:
    """Which yardstick has agreed with online tests, and the tests that say nothing of it."""
    path = outcomes_path(context.problem)
    if path is None:
        return {}
    outcomes, baseline = read_outcomes(path), context.problem.policies.baseline
    return {
        AGREEMENT: [asdict(each) for each in agreement(table, outcomes, baseline)],
        LEFT_OUT: list(unmatched(table, outcomes, baseline)),
    }


def _disagreeing(table: pd.DataFrame) -> list[str]:
    """Where a bootstrap over queries finds another standard error than the linearisation."""
    ratio = table["bootstrap_ratio"]
    rows = table[(ratio > MOST_DISAGREEMENT) | (ratio < 1 / MOST_DISAGREEMENT)]
    return [
        f"{row.policy}, {row.ranker} on {row.yardstick} ({row.slice}): {row.bootstrap_ratio:.2f} "
        "times the linearised one"
        for row in rows.itertuples()
    ]


def _of_evaluations(
    context: Context, partition: Partition, policies: tuple[str, ...]
) -> dict[str, Any]:
    """What evaluations noted for the comparison: checks of the log, and days without one."""
    found: dict[str, Any] = {}
    for name in policies:
        attributes = context.require(_evaluation(partition, name)).attributes
        found |= {key: attributes[key] for key in (CHECKS, MISSING) if key in attributes}
    return found


def _evaluation(partition: Partition, policy: str) -> Partition:
    return Partition("evaluations", partition.day, policy)
