"""What MLflow keeps of rankers and comparisons, and what it tells of them later."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_platform.ranking import Ranker

if TYPE_CHECKING:
    from mlflow.entities import Run

CONTENT_TAG = "content"
"""Tells runs apart by what they hold: the same content is not logged twice."""
_OF_THE_OCCASION = frozenset({"dagster_run_id", "code_revision"})
"""Tags that say when and by which code something was made, not what it is."""


@dataclass(frozen=True)
class RankerRecord:
    """What MLflow keeps of one trained ranker.

    Attributes:
        name: the run's name, for people.
        tags: policy, versions and hashes that lead back to what the ranker was made from.
        parameters: how it was trained.
        metrics: what was measured.
        policy_text: the policy file as it was.
        datasets: content hash of each dataset that went in, by name.
        ranker: the ranker itself.
        lineage: content hashes of every table that it was made from, by table and day.
        files: further files that went in, such as a teacher's model, by the artifact's folder.
        pictures: PNG files by name.
    """

    name: str
    tags: Mapping[str, str]
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    policy_text: str
    datasets: Mapping[str, str]
    ranker: Ranker
    lineage: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """A hash of all that makes it this ranker: equal for the same training on the same rows."""
        tags = {name: text for name, text in self.tags.items() if name not in _OF_THE_OCCASION}
        parts = [
            self.name,
            tags,
            dict(self.parameters),
            dict(self.metrics),
            self.policy_text,
            dict(self.datasets),
            {table: dict(hashes) for table, hashes in self.lineage.items()},
            {name: sha256(path.read_bytes()).hexdigest() for name, path in self.files.items()},
            self.ranker.to_json(),
        ]
        return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class ComparisonRecord:
    """What MLflow keeps of one comparison.

    Attributes:
        name: the run's name, for people.
        content: a hash of what was compared: the same comparison keeps its run.
        tags: the day, and what was decided.
        csv: the table.
        datasets: content hash of each policy's evaluation, by name.
        children: the runs of the rankers compared, shown beneath it.
    """

    name: str
    content: str
    tags: Mapping[str, str]
    csv: str
    datasets: Mapping[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrackedRanker:
    """A ranker's run, as far as it tells what the ranker was made from.

    Attributes:
        run_id: the run.
        name: its name, for people.
        policy: the policy of its labels.
        first_day: the first day that it was trained on.
        last_day: the last day that decided when to stop training.
        versions: its versions in the model registry, each with its aliases (champion, ...).
    """

    run_id: str
    name: str
    policy: str
    first_day: date
    last_day: date
    versions: Mapping[str, tuple[str, ...]]


def tracked(run: "Run", versions: Mapping[str, tuple[str, ...]]) -> TrackedRanker:
    """What a ranker's run tells.

    Args:
        run: of a ranker.
        versions: its versions in the model registry, each with its aliases.
    """
    tags = run.data.tags
    first, last = tags["train_days"].split("..")
    # runs from before this tag was kept: the day that they were trained on comes after all of them
    last = tags.get("validate_days", f"..{tags.get('day', last)}").split("..")[1]
    return TrackedRanker(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        policy=tags["policy"],
        first_day=date.fromisoformat(first),
        last_day=date.fromisoformat(last),
        versions=versions,
    )
