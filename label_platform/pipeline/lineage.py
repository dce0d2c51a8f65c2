"""From a registered ranker back to its policy, propensities, days, code and the tables it used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from label_platform.lake import Lake, Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.workspace import Workspace
from label_platform.tracking import RegisteredRanker, TitleChange, TrackingStore

_PER_POLICY = frozenset({"examples", "labels"})
_FACTS = (
    "policy",
    "ranker",
    "policy_version",
    "label_version",
    "objective",
    "position",
    "train_days",
    "validate_days",
    "day",
    "propensity_version",
    "propensity_estimator",
    "propensity_verdict",
    "propensity_reason",
    "label_hash",
    "examples_hash",
    "code_revision",
    "dagster_run_id",
)


@dataclass(frozen=True)
class Lineage:
    """What a registered ranker was made from.

    Attributes:
        ranker: the version.
        facts: versions, days, propensities and code, as the run was tagged.
        datasets: the full content hash of each dataset that went into training.
        tables: the content hash of each table's days as they were, upstream of the examples.
        changed: the days of each table that the lake now holds otherwise, or no longer.
        titles: when this version became champion or ceased to be, and why.
    """

    ranker: RegisteredRanker
    facts: Mapping[str, str]
    datasets: Mapping[str, str]
    tables: Mapping[str, Mapping[str, str]]
    changed: Mapping[str, tuple[str, ...]]
    titles: tuple[TitleChange, ...]

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "version": self.ranker.version,
            "run_id": self.ranker.run_id,
            "aliases": self.ranker.aliases,
            **self.facts,
            "datasets": dict(self.datasets),
            "tables": {table: dict(days) for table, days in self.tables.items()},
            "changed_since": dict(self.changed),
            "titles": [vars(change) for change in self.titles],
        }


def upstream_hashes(context: Context, partition: Partition) -> dict[str, dict[str, str]]:
    """The content of everything that a policy's rankers are made from, by table and day.

    Args:
        context: of the build.
        partition: of the rankers.
    """
    split = context.split(partition.day)
    days = (*split.train, *split.validate)
    # feedback on the last of them comes until the end
    events = tuple(day for day in context.event_days if days[0] <= day <= partition.day)
    found = {
        "examples": context.contents("examples", (partition.day,), partition.policy),
        "labels": context.contents("labels", days, partition.policy),
        "impression_signals": context.contents("impression_signals", days),
        "impressions": context.contents("impressions", days),
        "interactions": context.contents("interactions", events),
        "items": context.contents("items", tuple(context.item_days)),
        "propensities": context.contents("propensities", (split.train[-1],)),
    }
    return {table: hashes for table, hashes in found.items() if hashes}


def lineage_of(workspace: Workspace, problem: str, wanted: str) -> Lineage:
    """What a version in the registry was made from, held against the lake as it is now.

    Args:
        workspace: where lake and MLflow's store lie.
        problem: the problem's name.
        wanted: the version's number or alias.

    Raises:
        ConfigurationError: there is no such version.
    """
    store = TrackingStore(workspace.mlflow_folder, problem)
    ranker = store.registry.find(wanted)
    run = store.client.get_run(ranker.run_id)
    tables = store.lineage(ranker.run_id)
    lake = workspace.lake(problem)
    policy = run.data.tags.get("policy", "")
    changed = {
        table: days
        for table, hashes in tables.items()
        if (days := _changed(lake, table, policy if table in _PER_POLICY else "", hashes))
    }
    changes = store.registry.changes()
    return Lineage(
        ranker=ranker,
        facts={name: run.data.tags[name] for name in _FACTS if name in run.data.tags},
        datasets=store.datasets(ranker.run_id),
        tables=tables,
        changed=changed,
        titles=tuple(each for each in changes if ranker.version in {each.version, each.before}),
    )


def lineage_lines(lineage: Lineage) -> list[str]:
    """The same in words, a line each."""
    width = max(map(len, lineage.facts), default=0)
    lines = [lineage.ranker.name, f"MLflow run {lineage.ranker.run_id}"]
    lines += [f"  {name:<{width}}  {text}" for name, text in lineage.facts.items()]
    lines.append("made from")
    for table, hashes in lineage.tables.items():
        changed = lineage.changed.get(table, ())
        lines += [f"  {table:<20}{day}  {content}" for day, content in sorted(hashes.items())]
        if changed:
            lines.append(f"  {'':<20}the lake holds other content now: {', '.join(changed)}")
    for change in lineage.titles:
        word = "champion" if change.version == lineage.ranker.version else "no longer champion"
        lines.append(f"{change.at}  {word} ({change.how}): {change.reason}")
    return lines


def _changed(lake: Lake, table: str, policy: str, hashes: Mapping[str, str]) -> tuple[str, ...]:
    now = {day: lake.manifest(Partition(table, date.fromisoformat(day), policy)) for day in hashes}
    return tuple(
        day
        for day, manifest in now.items()
        if manifest is None or manifest.content_hash != hashes[day]
    )
