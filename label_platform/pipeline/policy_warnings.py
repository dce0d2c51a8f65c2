"""Tells people what their policies and problem may say, and perhaps do not mean."""

from collections.abc import Iterable
from datetime import date

from rich.console import Console
from rich.markup import escape

from label_platform.evaluation import read_outcomes
from label_platform.evaluation_settings import ENOUGH_FITS
from label_platform.lake import Partition, quote_identifier
from label_platform.pipeline.comparisons import outcomes_path
from label_platform.pipeline.context import Context
from label_platform.pipeline.evaluation_slices import declared_columns, wrong_slices
from label_platform.policy import Policy, unseen_values, warnings_of
from label_platform.problem import Problem
from label_platform.strict_yaml import ConfigurationError

Days = tuple[date, date] | None


def print_policy_warnings(console: Console, policies: Iterable[Policy], problem: Problem) -> None:
    """Each warning once, with the policies that it is about; then what the problem is warned of."""
    _print(console, {policy.name: warnings_of(policy, problem) for policy in policies})
    _print(console, {problem.name: _of_training(problem)})


def require_comparable(problem: Problem) -> None:
    """Refuse what a comparison would refuse, before hours of work.

    Raises:
        ConfigurationError: the problem has slices that it cannot have, or the file of online tests
            is not there or wrong.
    """
    outcomes = outcomes_path(problem)
    if outcomes is not None:
        read_outcomes(outcomes)
    wrong = wrong_slices(problem)
    if wrong:
        raise ConfigurationError("\n".join(wrong))


def _of_training(problem: Problem) -> list[str]:
    fits = problem.training.fits
    if fits >= ENOUGH_FITS:
        return []
    said = (
        f"training.fits: {fits} trainings on resampled logs tell little of how far they spread, "
        "which the intervals of a comparison carry: they are wide, and differences are seldom "
        f"shown; write {ENOUGH_FITS} or more, or take it as a quick look"
    )
    return [said]


def print_unseen_values(
    console: Console, context: Context, policies: Iterable[Policy], days: Days = None
) -> None:
    """Each value of a segment that occurs in none of the labelled impressions."""
    _print(console, {policy.name: unseen_in(context, policy, days) for policy in policies})
    built = context.lake.days("impression_signals")
    manifest = context.lake.manifest(Partition("impression_signals", max(built))) if built else None
    if manifest is not None:
        # of slices by a pattern of features only the log can tell; each line names the problem
        known = [*manifest.columns, *declared_columns(context.problem)]
        lines = wrong_slices(context.problem, known)
        _print(console, {"not compared": lines})


def unseen_in(context: Context, policy: Policy, days: Days = None) -> list[str]:
    """Warnings of a policy's segments: values that none of the labelled impressions has.

    Args:
        context: with ``impression_signals``; of days that are not built nothing is said.
        policy: a checked policy.
        days: the first and the last day to look at; None for all.
    """
    first, last = days or (date.min, date.max)
    built = [day for day in context.lake.days("impression_signals") if first <= day <= last]
    columns = sorted({column for segment in policy.segments for column in segment.when})
    if not built or not columns:
        return []
    scan = context.lake.scan("impression_signals", built)
    listed = ", ".join(
        f"list(distinct cast({quote_identifier(column)} as varchar))" for column in columns
    )
    found = context.engine.row(f"select {listed} from {scan} where excluded_reason is null")
    seen = {
        # nulls are of no segment
        column: [value for value in values or () if value is not None]
        for column, values in zip(columns, found, strict=True)
    }
    return list(unseen_values(policy, seen))


def _print(console: Console, found: dict[str, list[str]]) -> None:
    about: dict[str, list[str]] = {}
    for name, lines in found.items():
        for line in lines:
            about.setdefault(line, []).append(name)
    for line, names in about.items():
        console.print(
            f"[yellow]warning:[/] {', '.join(names)}: {escape(line)}",
            highlight=False,
            soft_wrap=True,
        )
