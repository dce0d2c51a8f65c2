"""What had used an erased user's rows: label days, example sets, rankers; and what follows."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from label_platform.lake import Engine, Lake, Partition
from label_platform.logs import (
    Erasure,
    UserKeys,
    days_named,
    erase_user,
    find_user,
    homes,
    partitions,
)
from label_platform.pipeline.matching import window_days
from label_platform.pipeline.workspace import Workspace
from label_platform.problem import Problem
from label_platform.tracking import TrackedRanker, TrackingStore

_TRAINED_ON_EXAMPLES = ("rankers", "evaluations")


@dataclass(frozen=True)
class Uses:
    """What had used the rows of one user.

    Attributes:
        labels: label partitions, as their folders.
        examples: sets of training examples, as their folders.
        rankers: MLflow's runs of rankers that were trained on them.
        rebuilt: what ``run`` builds anew, as folders by table. It builds neither views as of some
            time nor sets of earlier days: these are only listed.
        named_in: keys of the problem file that name the user.
    """

    labels: tuple[str, ...]
    examples: tuple[str, ...]
    rankers: tuple[TrackedRanker, ...]
    rebuilt: dict[str, tuple[str, ...]]
    named_in: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "labels": self.labels,
            "examples": self.examples,
            "rankers": [
                {
                    "run_id": each.run_id,
                    "name": each.name,
                    "policy": each.policy,
                    "model_versions": {
                        version: list(aliases) for version, aliases in each.versions.items()
                    },
                }
                for each in self.rankers
            ],
            "to_rebuild": self.rebuilt,
            "named_in_problem_file": self.named_in,
        }


def erase(
    problem: Problem,
    workspace: Workspace,
    user: str,
    confirmed: Callable[[Erasure, Uses], bool],
) -> tuple[Erasure, Uses] | None:
    """Remove a user from a problem's lake, and say what had used the user's rows.

    Args:
        problem: whose lake it is.
        workspace: where lake and MLflow's store lie.
        user: the user's id as the logs have it.
        confirmed: is shown what would be removed; whether to go on.

    Returns:
        What was removed and what had used it; None if it was not confirmed.

    Raises:
        ConfigurationError: the secret is missing, or is not the one that the lake's keys are of.
    """
    lake = workspace.lake(problem.name)
    store = TrackingStore(workspace.mlflow_folder, problem.name)
    with Engine() as engine:
        found = find_user(problem, lake, engine, user)
        # before anything goes: manifests tell what was made from what
        uses = uses_of(problem, lake, engine, store, found, user)
        if not confirmed(found, uses):
            return None
        erased = erase_user(problem, lake, engine, user)
        return erased, uses


def uses_of(
    problem: Problem, lake: Lake, engine: Engine, store: TrackingStore, found: Erasure, user: str
) -> Uses:
    """What had used the rows that an erasure finds.

    Args:
        problem: may name the user itself.
        lake: the problem's tables.
        engine: reads the windows of examination curves.
        store: knows the rankers.
        found: the user's rows.
        user: the user's id as the logs have it.
    """
    labels = [folder for home in homes(lake) for folder in _labels(lake, home, found)]
    examples = [
        (home, partition)
        for home in homes(lake)
        for partition in partitions(home, "examples")
        if _covers(home, partition, found.days)
    ]
    days = found.days
    rankers = [
        each
        for each in store.rankers()
        if any(each.first_day <= day <= each.last_day for day in days)
    ]
    return Uses(
        labels=tuple(labels),
        examples=tuple(_folder(lake, home, partition) for home, partition in examples),
        rankers=tuple(rankers),
        rebuilt=_rebuilt(problem, lake, engine, found),
        named_in=tuple(_names(problem, user)),
    )


def _labels(lake: Lake, home: Lake, found: Erasure) -> Iterator[str]:
    """A day of single impressions' labels if it held some of the user's, of cells by its day."""
    for partition, manifest in partitions(home, "labels").items():
        folder = _folder(lake, home, partition)
        of_impressions = "impression_id" in manifest.columns
        if folder in found.rows if of_impressions else partition.day in found.days:
            yield folder


def _covers(home: Lake, partition: Partition, days: Collection[date]) -> bool:
    """Whether a set of examples was made from any of some days."""
    manifest = home.manifest(partition)
    if manifest is None:
        return False
    windows = [days_named(manifest, part) for part in ("train", "validate")]
    return any(window and window[0] <= day <= window[1] for window in windows for day in days)


def _rebuilt(
    problem: Problem, lake: Lake, engine: Engine, found: Erasure
) -> dict[str, tuple[str, ...]]:
    """What is stale once the rows are gone, as far as ``run`` builds it: sets of the last day."""

    def matched(partition: Partition) -> tuple[date, date]:
        return partition.day - timedelta(days=window_days(problem)), partition.day

    stale = {
        "matched_interactions": _stale(lake, "matched_interactions", found, matched),
        "orphaned_interactions": _stale(lake, "orphaned_interactions", found, _no_day),
        "impression_signals": _stale(lake, "impression_signals", found, _own_day),
        "position_statistics": _stale(lake, "position_statistics", found, _own_day),
        "propensities": _stale(lake, "propensities", found, _curve_window(lake, engine)),
    }
    curves = {partition.day for partition in stale["propensities"]}
    stale["labels"] = [
        partition
        for partition, manifest in partitions(lake, "labels").items()
        if partition.day in found.days
        or (manifest.attributes.get("debiased") and partition.day in curves)
    ]
    last = max(lake.days("impressions"), default=date.min)
    label_days: dict[str, set[date]] = {}
    for label in stale["labels"]:
        label_days.setdefault(label.policy, set()).add(label.day)
    sets = {Partition("examples", last, policy): days for policy, days in label_days.items()}
    stale["examples"] = [each for each, days in sorted(sets.items()) if _covers(lake, each, days)]
    for table in _TRAINED_ON_EXAMPLES:
        stale[table] = [Partition(table, last, each.policy) for each in stale["examples"]]
    stale["comparisons"] = [Partition("comparisons", last)] if stale["examples"] else []
    published = {table: tuple(_published(lake, wanted)) for table, wanted in stale.items()}
    return {table: folders for table, folders in published.items() if folders}


def _stale(
    lake: Lake, table: str, found: Erasure, window: Callable[[Partition], tuple[date, date]]
) -> list[Partition]:
    """The partitions that lost rows, or were made from days that did."""
    stale = []
    for partition in partitions(lake, table):
        first, last = window(partition)
        made_from_them = any(first <= day <= last for day in found.days)
        if made_from_them or partition.folder.as_posix() in found.rows:
            stale.append(partition)
    return stale


def _published(lake: Lake, wanted: list[Partition]) -> list[str]:
    return [each.folder.as_posix() for each in wanted if lake.manifest(each) is not None]


def _no_day(_partition: Partition) -> tuple[date, date]:
    return date.max, date.min


def _own_day(partition: Partition) -> tuple[date, date]:
    return partition.day, partition.day


def _curve_window(lake: Lake, engine: Engine) -> Callable[[Partition], tuple[date, date]]:
    """The days that a curve was estimated from, as its rows say."""

    def window(partition: Partition) -> tuple[date, date]:
        relation = lake.scan(partition.table, [partition.day])
        first, last = engine.row(f"select min(first_day), max(last_day) from {relation}")
        return (first, last) if first else _own_day(partition)

    return window


def _names(problem: Problem, user: str) -> Iterator[str]:
    if problem.bots and {user, UserKeys(problem).key(user)} & {*problem.bots.users}:
        yield "bots.users"


def _folder(lake: Lake, home: Lake, partition: Partition) -> str:
    return (home.folder / partition.folder).relative_to(lake.folder).as_posix()
