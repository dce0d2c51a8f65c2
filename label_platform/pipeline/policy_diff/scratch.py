"""A lake to try policies in: the live lake's shared tables, and a policy's own thrown away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from label_platform.lake import Lake
from label_platform.pipeline.context import Context, Project
from label_platform.pipeline.steps import STEPS
from label_platform.policy import Policy


def with_policy(project: Project, policy: Policy) -> Project:
    """The project as it would be with this policy: in the place of its namesake, or added."""
    return replace(
        project,
        policies=_taken_up(project.policies, policy),
        named=_taken_up(project.named, policy) if project.named else (),
    )


def _taken_up(policies: tuple[Policy, ...], policy: Policy) -> tuple[Policy, ...]:
    if all(each.name != policy.name for each in policies):
        return (*policies, policy)
    return tuple(policy if each.name == policy.name else each for each in policies)


@contextmanager
def scratch(context: Context, project: Project) -> Iterator[Context]:
    """A context of a project whose policies' tables are written to a folder that goes away.

    Args:
        context: of the live lake, which is only read.
        project: with the policies to try.
    """
    own = {step.table for step in STEPS if step.per_policy} | {"comparisons"}
    with TemporaryDirectory(prefix="label-platform-") as folder:
        lake = Lake(Path(folder), context.problem.name)
        lake.folder.mkdir()
        for table in context.lake.folder.iterdir():
            if table.is_dir() and table.name not in own:
                (lake.folder / table.name).symlink_to(table, target_is_directory=True)
        yield Context(project, context.engine, lake.pinned(), context.run_id)
