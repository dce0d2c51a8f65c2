"""Every version of a policy that is known: to git, to MLflow, and as its file is now."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from label_platform.pipeline.policy_versions.revisions import Revision, revisions_of
from label_platform.policy import (
    Policy,
    check_policy,
    key_changes,
    label_version,
    policy_of_text,
    policy_version,
)
from label_platform.problem import NAME_PATTERN, Problem
from label_platform.strict_yaml import ConfigurationError, nearest
from label_platform.tracking import TrackedPolicy, TrackingStore, policy_text, tracked_policies


@dataclass(frozen=True)
class Sighting:
    """One place that a policy's text was found in.

    Attributes:
        seen_at: when it was committed, trained on, or saved.
        text: of the whole file.
        policy: the text, read.
        source: the commit or the runs; None is the file as it is now.
    """

    seen_at: datetime
    text: str
    policy: Policy
    source: Revision | TrackedPolicy | None


@dataclass(frozen=True)
class KnownVersion:
    """One version of a policy.

    Attributes:
        policy_version: by the problem as it is now; empty if the policy does not fit it.
        label_version: likewise.
        misfit: why it does not fit.
        sightings: where it was found, the oldest first.
        changes: what differs from the version before, key by key.
    """

    policy_version: str
    label_version: str
    misfit: str
    sightings: tuple[Sighting, ...]
    changes: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the policy's file says this now."""
        return any(sighting.source is None for sighting in self.sightings)

    @property
    def text(self) -> str:
        """The policy file as it was last found to say this."""
        return self.sightings[-1].text

    @property
    def commits(self) -> list[Revision]:
        """The commits that say this."""
        return [each.source for each in self.sightings if isinstance(each.source, Revision)]

    @property
    def runs(self) -> list[TrackedPolicy]:
        """MLflow's runs that were trained on this."""
        return [each.source for each in self.sightings if isinstance(each.source, TrackedPolicy)]

    @property
    def names(self) -> set[str]:
        """Every version that it goes by, also those of a time when the problem said else."""
        tagged = {name for run in self.runs for name in (run.policy_version, run.label_version)}
        return {self.policy_version, self.label_version, *tagged} - {""}

    def as_json(self) -> dict[str, Any]:
        """The version for programs."""
        return {
            "policy_version": self.policy_version or None,
            "label_version": self.label_version or None,
            "is_current": self.is_current,
            "first_seen": self.sightings[0].seen_at.astimezone(UTC).isoformat(),
            "does_not_fit": self.misfit or None,
            "changes": list(self.changes),
            "commits": [
                {
                    "commit": each.commit,
                    "author": each.author,
                    "committed_at": each.committed_at.astimezone(UTC).isoformat(),
                    "subject": each.subject,
                }
                for each in self.commits
            ],
            "mlflow": [
                {
                    "policy_version": each.policy_version,
                    "label_version": each.label_version,
                    "first_run": each.run_id,
                    "first_trained_at": each.first_trained_at.isoformat(),
                    "runs": each.runs,
                    "last_day": each.last_day,
                }
                for each in self.runs
            ],
        }


@dataclass(frozen=True)
class PolicyHistory:
    """All versions of a policy, the newest first, and what could not be read.

    Attributes:
        name: the policy's.
        versions: by when they were first seen.
        skipped: a line for each text that is no policy.
    """

    name: str
    versions: tuple[KnownVersion, ...]
    skipped: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The history for programs."""
        return {
            "policy": self.name,
            "versions": [each.as_json() for each in self.versions],
            "skipped": list(self.skipped),
        }


def policy_history(problem: Problem, store: TrackingStore, name: str) -> PolicyHistory:
    """Every version of a policy that is known.

    Args:
        problem: its folder of policies is where the file is, or was.
        store: the problem's MLflow.
        name: the policy's; the file may be gone.

    Raises:
        ConfigurationError: nothing is known of such a policy.
    """
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise ConfigurationError(
            f"found {name!r}, expected a policy's name: lower-case letters, digits and _"
        )
    search = _Search(problem, store, name)
    former = sorted(search.former(), key=lambda each: each.seen_at)
    # the file as it is now is the last of all, whatever the clocks of commits and runs say
    sightings = [*former, *search.current()]
    if not sightings and not search.skipped:
        folder = problem.resolve_policies()
        known = {file.stem for file in folder.glob("*.yaml")}
        hint = nearest(name, known) if known else "there are no policy files"
        raise ConfigurationError(
            f"no policy {name!r} in {folder}, nor in its history or MLflow; {hint}"
        )
    versions: list[KnownVersion] = []
    for same in _grouped(sightings, problem):
        first = same.sightings[0].policy
        changes: tuple[str, ...] = ()
        if versions:
            before = versions[-1].sightings[-1].policy
            changes = tuple(str(each) for each in key_changes(before, first))
        versions.append(
            KnownVersion(
                same.policy_version, same.label_version, same.misfit, same.sightings, changes
            )
        )
    return PolicyHistory(name, tuple(reversed(versions)), tuple(search.skipped))


@dataclass
class _Search:
    problem: Problem
    store: TrackingStore
    name: str
    skipped: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.problem.resolve_policies() / f"{self.name}.yaml"

    def former(self) -> Iterator[Sighting]:
        for revision in revisions_of(self.file):
            path = self.file.with_stem(revision.name)
            said = f"git {revision.commit[:12]}"
            yield from self._read(revision.committed_at, revision.text, path, said, revision)
        for tracked in tracked_policies(self.store, self.name):
            said = f"MLflow run {tracked.run_id}"
            text = policy_text(self.store, tracked.run_id)
            if text is None:
                self.skipped.append(f"{said}: its policy file is gone")
                continue
            yield from self._read(tracked.first_trained_at, text, self.file, said, tracked)

    def current(self) -> Iterator[Sighting]:
        if self.file.is_file():
            saved_at = datetime.fromtimestamp(self.file.stat().st_mtime, UTC)
            text, said = self.file.read_text(), f"{self.file} as it is now"
            yield from self._read(saved_at, text, self.file, said, None)

    def _read(
        self,
        seen_at: datetime,
        text: str,
        path: Path,
        said: str,
        source: Revision | TrackedPolicy | None,
    ) -> Iterator[Sighting]:
        try:
            yield Sighting(seen_at, text, policy_of_text(text, path, said), source)
        except ConfigurationError as error:
            self.skipped.append(str(error).splitlines()[0])


def _grouped(sightings: list[Sighting], problem: Problem) -> list[KnownVersion]:
    """Sightings of the same version together, by when the first of them was."""
    found: dict[str, KnownVersion] = {}
    for sighting in sightings:
        labels, whole, misfit = _versions(sighting.policy, problem)
        same = found.get(whole or sighting.text)
        earlier = same.sightings if same is not None else ()
        found[whole or sighting.text] = KnownVersion(whole, labels, misfit, (*earlier, sighting))
    return list(found.values())


def _versions(policy: Policy, problem: Problem) -> tuple[str, str, str]:
    """Label version and policy version; or, of a policy that does not fit, why."""
    try:
        check_policy(policy, problem)
    except ConfigurationError as error:
        line = str(error).splitlines()[0].removeprefix(f"{policy.path}: ")
        return "", "", line
    return label_version(policy, problem), policy_version(policy, problem), ""
