"""A policy's examples -> a folder of files for another program."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from label_platform.export import (
    TARGETS,
    Export,
    Finding,
    Target,
    describe_codes,
    findings,
    gather_facts,
    parse_scale,
    write_part,
    write_runs,
)
from label_platform.lake import MissingPartitionError, Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.rankers import ranker_features, stored_examples, stored_rankers
from label_platform.policy import Policy, label_version, policy_version
from label_platform.ranking import FeatureCodes, TrainingError
from label_platform.strict_yaml import ConfigurationError, nearest

MANIFEST = "export.json"
_PARTS = ("train", "validate")


@dataclass(frozen=True)
class ExportReport:
    """What was written, or why nothing was.

    Attributes:
        folder: where.
        files: their names, with the rows of those that hold rows.
        findings: by part, what the program would stumble over.
    """

    folder: Path
    files: dict[str, int | None]
    findings: dict[str, list[Finding]]

    @property
    def is_refused(self) -> bool:
        """Whether nothing was written."""
        return any(each.level == "error" for found in self.findings.values() for each in found)


def export_examples(
    context: Context,
    policy: str,
    target: str,
    folder: Path,
    *,
    day: date | None = None,
    labels: str | None = None,
    pointwise: bool = False,
) -> ExportReport:
    """Write the examples of a policy for a program; nothing where it could not read them.

    Args:
        context: the project.
        policy: whose examples.
        target: the program, a name of ``TARGETS``.
        folder: must not exist or be empty.
        day: whose training window; by default the last one that was built.
        labels: as_is, levels or grades:N; by default what suits the program.
        pointwise: the program is to learn row by row, even if the policy's rankers do not.

    Raises:
        ConfigurationError: no such policy, program, scale or day, or the folder is not empty.
        MissingPartitionError: the policy has no examples.
    """
    to = _target(target)
    chosen = _policy(context, policy)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"--out: {folder} is there already, expected an empty folder")
    partition = Partition("examples", _day(context, chosen, day), chosen.name)
    ranks = not pointwise and any(each.objective != "pointwise" for each in chosen.rankers)
    features = _features(context, partition, to)
    stored = context.lake.scan("examples", [partition.day], chosen.name)
    weighted = {
        part: f"(select * from {stored} where part = '{part}' and weight > 0)" for part in _PARTS
    }
    scale = parse_scale(labels or (to.ranking_scale if ranks else to.scale))
    export = Export(to, scale, features.written, ranks, weighted["train"], features.codes)
    facts = {
        part: gather_facts(context.engine, rows, features.numbers)
        for part, rows in weighted.items()
    }
    found = {
        part: findings(to, facts[part], scale, features.left_out, ranks=ranks) for part in _PARTS
    }
    report = ExportReport(folder, {}, found)
    if report.is_refused:
        return report
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, int | None] = {}
    for part, rows in weighted.items():
        names = write_part(context.engine, export, rows, part, folder)
        # the first file has the rows, the others go with it
        files |= {names[0]: facts[part].rows, **dict.fromkeys(names[1:])}
    if to.name == "trec":
        files |= _runs(context, partition, weighted, folder)
    manifest = _manifest(context, chosen, partition, export, found)
    (folder / MANIFEST).write_text(json.dumps(manifest | {"files": files}, indent=2) + "\n")
    return ExportReport(folder, files, found)


def _target(name: str) -> Target:
    if name not in TARGETS:
        raise ConfigurationError(
            f"--to: found {name!r}, expected one of {', '.join(TARGETS)}; {nearest(name, TARGETS)}"
        )
    return TARGETS[name]


def _policy(context: Context, name: str) -> Policy:
    names = [policy.name for policy in context.project.policies]
    if name not in names:
        raise ConfigurationError(
            f"found no policy {name!r} in problem {context.problem.name}; {nearest(name, names)}"
        )
    return context.project.policy(name)


def _day(context: Context, policy: Policy, day: date | None) -> date:
    days = context.lake.days("examples", policy.name)
    if not days:
        raise MissingPartitionError(
            f"{policy.name}: no examples were built yet; label-platform examples"
        )
    if day is None:
        return days[-1]
    if day not in days:
        raise ConfigurationError(
            f"--day: no examples of {policy.name} on {day}, built are {days[0]} to {days[-1]}"
        )
    return day


@dataclass(frozen=True)
class _Features:
    """The features of a policy's examples, and what becomes of them."""

    written: tuple[str, ...]
    numbers: tuple[str, ...]
    left_out: tuple[str, ...]
    codes: FeatureCodes


def _features(context: Context, partition: Partition, to: Target) -> _Features:
    types = context.require(partition).columns
    every = ranker_features(context, partition)
    text = tuple(name for name in every if types[name] == "VARCHAR")
    codes = _codes(context, partition, text if to.text == "codes" else ())
    kept = text if to.text == "as_is" else codes.vocabularies
    left_out = tuple(name for name in text if name not in kept)
    return _Features(
        written=tuple(name for name in every if name not in left_out),
        numbers=tuple(name for name in every if name not in text),
        left_out=left_out,
        codes=codes,
    )


def _codes(context: Context, partition: Partition, text: tuple[str, ...]) -> FeatureCodes:
    """Those of the policy's own rankers; without the features that have too many values."""
    examples = stored_examples(context, partition)
    found: dict[str, tuple[str, ...]] = {}
    for name in text:
        with suppress(TrainingError):
            found |= FeatureCodes.of(examples, [name]).vocabularies
    return FeatureCodes(found)


def _runs(
    context: Context, partition: Partition, weighted: dict[str, str], folder: Path
) -> dict[str, int | None]:
    """The rankings of the policy's rankers, to be judged by the labels."""
    trained = Partition("rankers", partition.day, partition.policy)
    if context.lake.manifest(trained) is None:
        return {}
    files: dict[str, int | None] = {}
    for part, rows in weighted.items():
        table = context.engine.arrow(f"from {rows}")
        ids = table.select(["group_id", "item_id"]).to_pandas()
        for spec, ranker in stored_rankers(context, trained):
            title = spec.title.replace(", ", ".").replace(" ", "_")
            name = f"{part}.{title}.run"
            write_runs(ids, ranker.score(table), f"{partition.policy}.{title}", folder / name)
            files[name] = len(ids)
    return files


def _manifest(
    context: Context,
    policy: Policy,
    partition: Partition,
    export: Export,
    found: dict[str, list[Finding]],
) -> dict[str, Any]:
    """What the files were made from, and what was lost on the way."""
    coded = describe_codes(export.target.name, export.features, export.codes)
    return {
        "problem": context.problem.name,
        "policy": policy.name,
        "policy_version": policy_version(policy, context.problem),
        "label_version": label_version(policy, context.problem),
        "examples": context.content("examples", partition.day, policy.name),
        "day": partition.day.isoformat(),
        "to": export.target.name,
        "read_by": export.target.reader,
        "labels": export.scale.title,
        "learns_from": "lists" if export.ranks else "rows",
        "features": {str(number): name for number, name in enumerate(export.features, start=1)},
        **({"text_features": coded} if export.codes.vocabularies else {}),
        "warnings": {part: [each.text for each in texts] for part, texts in found.items()},
    }
