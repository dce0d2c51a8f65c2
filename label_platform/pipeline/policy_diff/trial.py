"""Both policies trained on the problem's split, beside the lake: the paired difference."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from label_platform.evaluation import ALL, compare
from label_platform.examples import SplitError
from label_platform.lake import Partition
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.label_statistics import needs_statistics
from label_platform.pipeline.policy_diff.scratch import scratch
from label_platform.pipeline.policy_diff.training import REFUSALS
from label_platform.pipeline.steps import build_partition
from label_platform.policy import Policy
from label_platform.ranking import TrainingError

_COLUMNS = (
    "ranker",
    "yardstick",
    "baseline_value",
    "value",
    "difference",
    "difference_low",
    "difference_high",
    "verdict",
)


@dataclass(frozen=True, eq=False)
class Trial:
    """What training both policies showed.

    Attributes:
        table: per ranker and yardstick both values, the difference and its interval; verdicts are
            corrected for their number.
        words: why there is no table, where that is so.
        refused: whether the new policy's training rows are refused.
    """

    table: pd.DataFrame
    words: str = ""
    refused: bool = False

    def as_json(self) -> dict[str, Any]:
        """The table for programs."""
        rows = self.table.to_dict(orient="records")
        return {
            "words": self.words,
            "refused": self.refused,
            "rows": [
                {str(key): None if pd.isna(value) else value for key, value in row.items()}
                for row in rows
            ],
        }


def try_both(context: Context, policies: tuple[Policy, Policy], names: tuple[str, str]) -> Trial:
    """Train and measure both policies; nothing that the lake or MLflow holds is touched.

    Args:
        context: of the live lake.
        policies: old and new.
        names: as people know them.
    """
    old, new = _told_apart(policies)
    taken = {each.name for each in policies}
    others = tuple(each for each in context.project.policies if each.name not in taken)
    measured = []
    for policy in (old, new):
        try:
            measured.append(_evaluated(context, (*others, old, new), policy))
        except (SplitError, TrainingError, *REFUSALS) as error:
            refused = policy is new and isinstance(error, REFUSALS)
            return Trial(pd.DataFrame(columns=list(_COLUMNS)), str(error), refused)
    paired = _paired(measured[0], measured[1], names)
    whole = paired[paired["slice"] == ALL]
    return Trial(compare(whole, baseline=names[0])[list(_COLUMNS)])


def _told_apart(policies: tuple[Policy, Policy]) -> tuple[Policy, Policy]:
    """Two versions of a policy have tables of their own here."""
    old, new = policies
    if old.name != new.name:
        return policies
    return old.model_copy(update={"name": f"{old.name}_old"}), new


def _evaluated(context: Context, policies: tuple[Policy, ...], policy: Policy) -> pd.DataFrame:
    """The evaluation of one policy's rankers, without a baseline beside them."""
    project = _judging(context.project, policies, policy)
    with scratch(context, project) as trial:
        day = trial.log_days[-1]
        split = trial.split(day)
        for each in (*split.train, *split.validate):
            if needs_statistics(policy):
                build_partition(trial, Partition("label_statistics", each, policy.name))
            build_partition(trial, Partition("labels", each, policy.name))
        for table in ("examples", "evaluations"):
            build_partition(trial, Partition(table, day, policy.name))
        return trial.engine.frame(f"from {trial.lake.scan('evaluations', [day], policy.name)}")


def _judging(project: Project, policies: tuple[Policy, ...], policy: Policy) -> Project:
    """A project in which the policy is its own baseline, so that no other is fitted."""
    selection = project.problem.policies.model_copy(update={"baseline": policy.name})
    # only what stands in the trial's table
    evaluation = project.problem.evaluation.model_copy(update={"slices": (), "checks": False})
    changes = {"policies": selection, "evaluation": evaluation}
    problem = project.problem.model_copy(update=changes)
    return Project(problem, policies, project.workspace, project.path)


def _paired(old: pd.DataFrame, new: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """The new policy as contender and the old as its baseline, ranker by ranker.

    Rankers belong together by their titles, else by their objectives, else in their order.
    """
    titles = [title for title, _ in _by_ranker(old)]
    parts = []
    for number, (title, rows) in enumerate(_by_ranker(new)):
        contender = rows.assign(side="contender", policy=names[1])
        objective = str(contender["objective"].iloc[0])
        alike = [each for each in titles if each.partition(",")[0] == objective]
        match = title if title in titles else (*alike, *titles[number : number + 1], titles[0])[0]
        shown = title if match == title else f"{title} (old: {match})"
        other = old[old["ranker"] == match].assign(
            side="baseline",
            policy=names[1],
            objective=objective,
            grain=contender["grain"].iloc[0],
        )
        parts += [contender.assign(ranker=shown), other.assign(ranker=shown)]
    return pd.concat(parts, ignore_index=True)


def _by_ranker(evaluations: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [
        (title, evaluations[evaluations["ranker"] == title])
        for title in dict.fromkeys(map(str, evaluations["ranker"]))
    ]
