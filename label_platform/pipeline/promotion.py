"""A comparison's verdicts -> MLflow: runs side by side, champion and challenger, and why."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from label_platform.evaluation import ALL
from label_platform.evaluation.promotion import (
    ArmKey,
    Decision,
    Incumbent,
    decide,
    judge_arms,
)
from label_platform.lake import Partition, recipe_hash
from label_platform.pipeline.context import Context
from label_platform.tracking import (
    CHALLENGER,
    DECISION,
    ROLLED_BACK,
    SUPPORTED,
    ComparisonRecord,
    RegisteredRanker,
    Registry,
    TrackingStore,
    held_by_hand,
)

_SUFFIXES = {
    "": "value",
    "_ci_low": "ci_low",
    "_ci_high": "ci_high",
    "_difference": "difference",
    "_difference_low": "difference_low",
    "_difference_high": "difference_high",
}
_NOT_IN_NAMES = re.compile(r"[^\w. /-]")
"""What MLflow does not take in the name of a metric or a tag."""


def track_comparison(
    context: Context, partition: Partition, table: pd.DataFrame, recipe: Mapping[str, Any]
) -> dict[str, str]:
    """Tell MLflow what a comparison found, and let its verdicts decide on the titles.

    Args:
        context: of the build.
        partition: the comparison's.
        table: its rows.
        recipe: what it was made from, with ``evaluations`` by policy.

    Returns:
        The comparison's run and the decision in words, for the table's manifest.
    """
    store = TrackingStore(context.project.workspace.mlflow_folder, context.problem.name)
    runs = _runs(context, partition, recipe["evaluations"])
    for arm, run_id in runs.items():
        rows = table[(table["policy"] == arm[0]) & (table["ranker"] == arm[1])]
        store.add(run_id, _metrics(rows), _verdicts(rows))
    summary = _settle(context, partition, table, runs, store)
    csv = table.to_csv(index=False)
    content = {**recipe, "day": str(partition.day), "table": csv, **context.as_of_tag}
    run_id = store.log_comparison(
        ComparisonRecord(
            name=f"comparison {partition.day}",
            content=recipe_hash(content),
            tags={
                "day": partition.day.isoformat(),
                "baseline": str(recipe["baseline"]),
                "dagster_run_id": context.run_id,
                DECISION: summary,
                **context.as_of_tag,
            },
            csv=csv,
            datasets={
                f"evaluations of {name}": each for name, each in recipe["evaluations"].items()
            },
            children=tuple(runs.values()),
        )
    )
    return {"mlflow_run": run_id, "promotion": summary}


def _runs(context: Context, partition: Partition, policies: Mapping[str, str]) -> dict[ArmKey, str]:
    """The runs of the rankers that were compared."""
    found: dict[ArmKey, str] = {}
    for name in policies:
        manifest = context.lake.manifest(Partition("rankers", partition.day, name))
        runs = manifest.attributes["mlflow_runs"] if manifest else {}
        found |= {(name, title): run_id for title, run_id in runs.items()}
    return found


def _settle(
    context: Context,
    partition: Partition,
    table: pd.DataFrame,
    runs: Mapping[ArmKey, str],
    store: TrackingStore,
) -> str:
    judged = [each for each in judge_arms(table) if each.arm in runs]
    if context.project.as_of:
        # what would have been best at an earlier time is no candidate for today's traffic
        return "titles are as they were: this is a view as of an earlier time"
    registry = store.registry
    champion = registry.champion()
    incumbent = _incumbent(champion, held_by_hand(registry.changes()))
    barred = _barred(registry.versions(), runs, store)
    decision = decide(judged, partition.day, incumbent, barred)
    for each in judged:
        said = {DECISION: decision.words[each.arm], SUPPORTED: "yes" if each.is_supported else "no"}
        store.add(runs[each.arm], {}, said)
    _apply(decision, runs, registry)
    for version in registry.versions():
        if version.arm in decision.words and runs.get(version.arm) == version.run_id:
            supported = next(each.is_supported for each in judged if each.arm == version.arm)
            said = {DECISION: decision.words[version.arm], SUPPORTED: "yes" if supported else "no"}
            registry.tag(version.version, said)
    return decision.summary


def _apply(decision: Decision, runs: Mapping[ArmKey, str], registry: Registry) -> None:
    if decision.champion:
        version = registry.register(runs[decision.champion])
        champion = registry.champion()
        if champion is None or champion.version != version:
            registry.crown(version, "verdict", decision.summary)
    if decision.stands:
        challenger = decision.challenger
        registry.set_alias(CHALLENGER, registry.register(runs[challenger]) if challenger else "")


def _incumbent(champion: RegisteredRanker | None, held: str) -> Incumbent | None:
    if champion is None:
        return None
    day = champion.tags.get("day")
    return Incumbent(champion.arm, date.fromisoformat(day) if day else None, held)


def _barred(
    versions: list[RegisteredRanker], runs: Mapping[ArmKey, str], store: TrackingStore
) -> dict[ArmKey, str]:
    """The arms that somebody decided against: this very ranker retired, or its like rolled back."""
    retired = {each.run_id: each.retired for each in versions if each.retired}
    rolled_back = {each.recipe: each for each in versions if ROLLED_BACK in each.tags}
    barred: dict[ArmKey, str] = {}
    for arm, run_id in runs.items():
        tags = store.client.get_run(run_id).data.tags
        like = rolled_back.get((tags.get("policy_version", ""), tags.get("ranker", "")))
        if run_id in retired:
            barred[arm] = f"retired ({retired[run_id]})"
        elif like is not None:
            said = like.tags[ROLLED_BACK]
            barred[arm] = (
                f"version {like.version}, of the same policy version, was rolled back ({said}); "
                "`label-platform models promote` by hand"
            )
    return barred


def _prefixed(row: Mapping[Any, Any]) -> str:
    """A yardstick's name, behind that of its slice: MLflow groups by what stands before a slash."""
    part = row.get("slice", ALL)
    name = row["yardstick"] if part == ALL else f"{part}/{row['yardstick']}"
    return _NOT_IN_NAMES.sub("_", str(name))


def _metrics(rows: pd.DataFrame) -> dict[str, float]:
    """A ranker's values and differences with their intervals, by the yardstick's name."""
    return {
        f"{_prefixed(row)}{suffix}": float(row[column])
        for row in rows.to_dict(orient="records")
        for suffix, column in _SUFFIXES.items()
        if not pd.isna(row[column])
    }


def _verdicts(rows: pd.DataFrame) -> dict[str, str]:
    records = rows.to_dict(orient="records")
    return {f"verdict.{_prefixed(row)}": str(row["verdict"]) for row in records}
