"""A comparison and what it rests on -> one HTML page, in the workspace and in MLflow."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from label_platform.evaluation import ALL, CHECKS, ArmVerdict, verdicts
from label_platform.evaluation.promotion import judge_arms
from label_platform.evaluation_settings import ENOUGH_FITS
from label_platform.lake import Partition
from label_platform.pipeline.comparison_checks import DISAGREEING
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluation_window import MISSING
from label_platform.pipeline.example_lists import example_lists
from label_platform.pipeline.pictures import LABEL_BINS, label_counts
from label_platform.pipeline.rankers import stored_rankers
from label_platform.policy import label_version, policy_version
from label_platform.propensity import is_pooled
from label_platform.ranking import gain_shares
from label_platform.report import (
    Check,
    ComparisonPage,
    Curve,
    Histogram,
    Importance,
    render_page,
)

_FEATURES = 8
"""The most that are shown of a ranker."""


def page_path(context: Context, partition: Partition) -> Path:
    """Where the page of a comparison lies; views of earlier times lie apart."""
    moment = context.project.as_of
    view = f"_as_of_{moment:%Y%m%dT%H%M%S}" if moment else ""
    folder = context.project.workspace.folder / "reports" / context.problem.name
    return folder / f"comparison_{partition.day}{view}.html"


def write_page(
    context: Context, partition: Partition, table: pd.DataFrame, noted: Mapping[str, Any]
) -> Path:
    """Write the page of a comparison.

    Args:
        context: the project, with everything that the comparison was made from.
        partition: the comparison's.
        table: its rows.
        noted: what its build noted: checks, agreement with online tests, MLflow's run.
    """
    path = page_path(context, partition)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(comparison_page(context, partition, table, noted)), "utf-8")
    return path


def existing_page(context: Context, partition: Partition) -> Path:
    """The page of a comparison that was built; written again where somebody removed it."""
    path = page_path(context, partition)
    if not path.is_file():
        relation = context.lake.scan("comparisons", [partition.day])
        table = context.engine.frame(f"from {relation}")
        write_page(context, partition, table, context.require(partition).attributes)
    return path


def comparison_page(
    context: Context, partition: Partition, table: pd.DataFrame, noted: Mapping[str, Any]
) -> ComparisonPage:
    """What stands on the page of a comparison; see ``write_page``."""
    baseline = context.problem.policies.baseline
    found = verdicts(table, baseline)
    supported = tuple(each.arm for each in judge_arms(table) if each.is_supported)
    contender = supported[0] if supported else _contender(table, found)
    names = [str(name) for name in table["policy"].drop_duplicates()]
    return ComparisonPage(
        problem=context.problem.name,
        day=partition.day.isoformat(),
        baseline=baseline,
        verdicts=found,
        table=table,
        supported=supported,
        promotion=str(noted.get("promotion", "")),
        curves=tuple(_curves(context, partition)),
        histograms=tuple(_histograms(context, partition, names)),
        importances=tuple(_importances(context, partition, names)),
        examples=example_lists(context, partition, *contender) if contender else (),
        contender=", ".join(contender) if contender else "",
        agreement=(
            *(each["words"] for each in noted.get("agreement_with_online_tests", ())),
            *(f"left out: {each}" for each in noted.get("online_tests_left_out", ())),
        ),
        checks=tuple(_checks({"fits": table["fits"].max(), **noted})),
        lineage=_lineage(context, partition, names, noted),
    )


def _contender(table: pd.DataFrame, found: tuple[ArmVerdict, ...]) -> tuple[str, str] | None:
    """The arm that stands beside the baseline where none is supported: with most in favour."""
    others = [each for each in found if not each.is_baseline]
    if not others:
        return None
    whole = table[(table["slice"] == ALL) & table["difference_low"].notna()]
    lowest = whole.groupby(["policy", "ranker"])["difference_low"].max()

    best = max(
        others, key=lambda each: float(lowest.get((each.policy, each.ranker), float("-inf")))
    )
    return best.policy, best.ranker


def _curves(context: Context, partition: Partition) -> Iterator[Curve]:
    """The chosen curve over all contexts, and those of each."""
    columns = list(context.problem.context)
    day = context.split(partition.day).train[-1]
    relation = context.lake.scan("propensities", [day])
    table = context.engine.frame(f"from {relation} where chosen")
    pooled = is_pooled(table, columns)
    judged = context.require(Partition("propensities", day)).attributes
    yield from _curve("all", table[pooled], f"{judged['estimator']}: {judged['verdict']}")
    if columns:
        for key, rows in table[~pooled].groupby(columns, sort=True):
            values = key if isinstance(key, tuple) else (key,)
            named = ", ".join(f"{c} {v}" for c, v in zip(columns, values, strict=True))
            yield from _curve(named, rows, str(judged["estimator"]))


def _curve(title: str, rows: pd.DataFrame, note: str) -> Iterator[Curve]:
    known = rows[rows["propensity"].notna()].sort_values("position")
    if len(known) < 2:
        return

    def column(name: str) -> tuple[float, ...]:
        return tuple(known[name].fillna(known["propensity"]).astype(float))

    yield Curve(
        title,
        tuple(known["position"].astype(int)),
        column("propensity"),
        column("ci_low"),
        column("ci_high"),
        note,
    )


def _histograms(context: Context, partition: Partition, names: list[str]) -> Iterator[Histogram]:
    day = context.split(partition.day).train[-1]
    for name in names:
        labels = Partition("labels", day, name)
        if context.lake.manifest(labels) is None:
            continue
        counts = label_counts(context, labels)
        if counts.empty:
            continue
        filled = counts.set_index("bin")["labels"].reindex(range(LABEL_BINS), fill_value=0)
        low, high = (float(counts[column].iloc[0]) for column in ("low", "high"))
        yield Histogram(name, low, high, tuple(int(each) for each in filled))


def _importances(context: Context, partition: Partition, names: list[str]) -> Iterator[Importance]:
    for name in names:
        trained = Partition("rankers", partition.day, name)
        if context.lake.manifest(trained) is None:
            continue
        for spec, ranker in stored_rankers(context, trained):
            shares = sorted(gain_shares(ranker).items(), key=lambda each: -each[1])
            yield Importance(f"{name}, {spec.title}", tuple(shares[:_FEATURES]))


def _checks(noted: Mapping[str, Any]) -> Iterator[Check]:
    """What the build noted of the log and of the numbers."""
    for each in noted.get(CHECKS, ()):
        yield Check(bool(each["passed"]), f"{each['name']}: {each['sentence']}")
    if noted.get(MISSING):
        yield Check(passed=False, text=f"evaluation days without a log: {noted[MISSING]}")
    fits = int(noted["fits"])
    if fits < ENOUGH_FITS:
        yield Check(
            passed=False,
            text=f"{fits} trainings on resampled logs tell little of how far they spread, needed "
            f"{ENOUGH_FITS} (training.fits)",
        )
    for text in noted.get(DISAGREEING, ()):
        yield Check(passed=False, text=f"a bootstrap finds another error: {text}")


def _lineage(
    context: Context, partition: Partition, names: list[str], noted: Mapping[str, Any]
) -> dict[str, str]:
    split = context.split(partition.day)
    versions = {
        f"policy {name}": (
            f"version {policy_version(context.project.policy(name), context.problem)}, "
            f"labels {label_version(context.project.policy(name), context.problem)}"
        )
        for name in names
    }
    curve = context.require(Partition("propensities", split.train[-1]))
    return {
        "training days": f"{split.train[0]} to {split.train[-1]}",
        "validation days": f"{split.validate[0]} to {split.validate[-1]}",
        "evaluation days": f"{split.evaluate[0]} to {split.evaluate[-1]}",
        **versions,
        "propensities": curve.content_hash,
        "MLflow run": str(noted.get("mlflow_run", "")),
    }
