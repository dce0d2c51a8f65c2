"""label-platform policies health: how the labels of each day and policy are."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table

from label_platform.cli.options import (
    DaysOption,
    JsonOption,
    PoliciesOption,
    ProblemOption,
    console,
    day_range,
    errors,
    problem_path,
)
from label_platform.strict_yaml import ConfigurationError, nearest

if TYPE_CHECKING:
    from label_platform.pipeline.context import Context


def health_command(
    problem: ProblemOption = None,
    days: DaysOption = None,
    policies: PoliciesOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many labels are above 0, how even, how much at the clip, and whether they drift.

    Of each built day and policy, with the limits of the policy file that it breaks. Exits with 0
    also where limits are broken: they are warnings.

    Example: label-platform policies health --policies coec_click --days 2026-10-01..
    """
    from label_platform.lake import Partition
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.label_health import day_of_labels
    from label_platform.pipeline.workspace import Workspace

    project = Project.load(problem_path(problem), Workspace.from_environment())
    first, last = day_range(days)
    with project.open() as context:
        names = _named(policies, [policy.name for policy in project.policies])
        built = {name: sorted(context.lake.days("labels", name)) for name in names}
        if days is not None and not any(
            first <= day <= last for of_policy in built.values() for day in of_policy
        ):
            said = "; ".join(f"{name}: {_built(of_policy)}" for name, of_policy in built.items())
            raise ConfigurationError(f"--days: no labels are built for {days}; {said}")
        found = {
            name: [
                day_of_labels(context, Partition("labels", day, name)).as_facts()
                for day in of_policy
                if first <= day <= last and _is_of_grain(context, name, day)
            ]
            for name, of_policy in built.items()
        }
    if as_json:
        print(json.dumps({"labels": found}))  # noqa: T201 - the result
        return
    for name, rows in found.items():
        _print(name, rows, built[name])


def _is_of_grain(context: "Context", name: str, day: date) -> bool:
    """Whether a day's labels have the grain that the policy says; if not, it is told."""
    from label_platform.pipeline.labels import require_grain

    try:
        require_grain(context, context.project.policy(name), day)
    except ConfigurationError as error:
        errors.print(f"[yellow]warning:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return False
    return True


def _named(policies: str | None, known: list[str]) -> list[str]:
    if policies is None:
        return known
    names = [name.strip() for name in policies.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(
            "\n".join(
                f"--policies: {name} is not used by the problem; {nearest(name, known)}"
                for name in unknown
            )
        )
    return names


def _built(days: Sequence[date]) -> str:
    """Which days are built, or what builds them."""
    if not days:
        return "no day is built yet, `label-platform labels` builds them"
    return f"{days[0]} to {days[-1]} are built" if len(days) > 1 else f"{days[0]} is built"


def _print(name: str, rows: list[dict[str, Any]], built: Sequence[date]) -> None:
    if not rows:
        of_these = "no labels for these days: " if built else ""
        console.print(f"[bold]{name}[/]: {of_these}{_built(built)}", highlight=False)
        return
    numbers = ("rows", "> 0", "mean", "effective", "clip", "PSI", "p", "immature")
    console.print(f"\n[bold]{name}[/]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("day", no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        shares = (row["positive_share"], row["mean"], row["effective_share"], row["clip_share"])
        drift = (row["psi"], row["p_value"], row["immature_share"])
        shown = [f"{row['rows']:,}", *_shown(shares), *_shown(drift)]
        table.add_row(row["day"], *shown, style="yellow" if row["warnings"] else None)
    console.print(table)
    for row in rows:
        for words in row["warnings"].values():
            console.print(f"  [yellow]warning[/] {row['day']}: {words}", highlight=False)
    console.print(f"  drift of {rows[-1]['day']}: {rows[-1]['drift']}", highlight=False)


def _shown(values: Iterable[float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.2g}" for value in values]
