"""A problem and its policies under git, with an MLflow of its own."""

import os
import subprocess
from pathlib import Path

import yaml

from label_platform.pipeline.policy_versions import PolicyHistory, policy_history
from label_platform.policy import label_version, load_policy, policy_version
from label_platform.problem import Problem, load_problem
from label_platform.tracking import TrackingStore

POLICY = """# what people clicked
name: mine   # as the file
description: Clicks.
grain: impression
signals:
  click: {gain: 1.0}
rankers:
  - {objective: pointwise, position: none}
"""
HEAVIER = POLICY.replace("gain: 1.0", "gain: 2.0")
PAIRS = HEAVIER.replace("objective: pointwise", "objective: lambdarank")


class Checkout:
    """A problem and its policies under git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policies = folder / "policies"
        self.policies.mkdir(parents=True)
        problem = {
            "name": "shop",
            "start_date": "2026-10-01",
            "logs": [{"format": "native", "impressions": "i", "interactions": "e"}],
            "signals": {"click": {"window": "30m"}, "like": {"window": "30m"}},
            "policies": {"from": "policies", "use": ["mine"]},
        }
        self.problem_file = folder / "shop.yaml"
        self.problem_file.write_text(yaml.safe_dump(problem))
        self.git("init", "--quiet")

    def git(self, *arguments: str, at: str = "2026-10-01T10:00:00Z") -> None:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@shop.example")
        subprocess.run(
            ["git", *who, *arguments],
            cwd=self.folder,
            check=True,
            env={**os.environ, "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at},
        )

    def commit(self, text: str, subject: str, hour: int, name: str = "mine") -> None:
        (self.policies / f"{name}.yaml").write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", subject, at=f"2026-10-01T{hour}:00:00Z")

    @property
    def problem(self) -> Problem:
        return load_problem(self.problem_file)

    @property
    def store(self) -> TrackingStore:
        return TrackingStore(self.folder / "mlflow", "shop")

    def history(self, name: str = "mine") -> PolicyHistory:
        return policy_history(self.problem, self.store, name)

    def versions_of(self, text: str) -> tuple[str, str]:
        file = self.folder / "mine.yaml"
        file.write_text(text)
        policy = load_policy(file)
        return policy_version(policy, self.problem), label_version(policy, self.problem)
