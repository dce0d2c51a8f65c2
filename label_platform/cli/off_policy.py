"""label-platform off-policy: what a target that was not shown is worth, by an old log."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from label_platform.cli.options import (
    DaysOption,
    JsonOption,
    LogsOption,
    ProblemOption,
    console,
    day_range,
    errors,
    problem_path,
)
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.evaluation.off_policy_answer import Side
    from label_platform.pipeline.off_policy import OffPolicyReport

app = typer.Typer()

_DEFAULT_CLIP = 0.01
_BETWEEN_REASONS = "; "
_HEAD = ("lists", "estimator", "value", "95% interval", "clicks worth", "log worth", "verdict")


@app.command("off-policy")
def off_policy_command(  # noqa: PLR0913, PLR0917 - options of a command line
    policy: Annotated[
        str | None, typer.Option("--policy", help="The policy whose ranker is the target.")
    ] = None,
    ranker: Annotated[
        str | None,
        typer.Option("--ranker", help="Which of its rankers.", show_default="the first"),
    ] = None,
    target: Annotated[
        Literal["uniform", "logging"] | None,
        typer.Option("--target", help="Or a target without a ranker."),
    ] = None,
    propensities: Annotated[
        Literal["auto", "logged", "randomized", "estimated", "as_shown"],
        typer.Option(help="How likely the old ranker was to show what it showed: from where."),
    ] = "auto",
    curve: Annotated[
        str | None,
        typer.Option(
            help="The estimator of P(examined | position), such as affine.",
            show_default="the one that training uses",
        ),
    ] = None,
    clip: Annotated[
        float, typer.Option(help="What clipped and doubly robust estimates raise propensities to.")
    ] = _DEFAULT_CLIP,
    problem: ProblemOption = None,
    logs: LogsOption = None,
    days: DaysOption = None,
    as_json: JsonOption = False,
) -> None:
    """The value of a ranking that was not shown, with its interval and whether the log can tell.

    Exit code 1: no estimate from the old ranker's lists passes its gates.

    Example: label-platform off-policy --target uniform
    """
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.off_policy import Question, off_policy_value, require_known
    from label_platform.pipeline.session import Session
    from label_platform.pipeline.workspace import Workspace

    _check(policy, ranker, target, clip)
    question = Question(policy, ranker, target, propensities, curve, day_range(days), clip)
    project = Project.load(problem_path(problem), Workspace.from_environment(), logs)
    require_known(project, question)
    shown = errors if as_json else console
    session = Session.start(problem, logs, policy, day_range(days), shown)
    session.run("propensities" if policy is None else "rankers")
    with session.project.open() as context:
        found = off_policy_value(context, question)
    if as_json:
        print(json.dumps(found.as_json(), default=str))  # noqa: T201 - the command's result
    else:
        _print(found)
    if not any(value.is_answer for value in found.answer.old.estimates):
        raise typer.Exit(1)


def _check(policy: str | None, ranker: str | None, target: str | None, clip: float) -> None:
    if (policy is None) == (target is None):
        raise ConfigurationError("expected one of --policy and --target")
    if ranker is not None and policy is None:
        raise ConfigurationError("--ranker: expected --policy, whose ranker it is")
    if not 0 <= clip < 1:
        raise ConfigurationError(f"--clip: expected 0 or more and below 1, found {clip:g}")


def _print(found: "OffPolicyReport") -> None:
    answer = found.answer
    _say(f"{found.target}: {answer.measure}")
    _say(f"examination: {found.curve}")
    for source, reason in answer.passed_over.items():
        _say(f"not by {source} propensities: {reason}")
    rows: list[tuple[str, ...]] = [_HEAD]
    for name, side in _sides(found):
        rows += _rows(name, side)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        _say("  ".join(map(str.ljust, row, widths)).rstrip())
    _explain(found)


def _sides(found: "OffPolicyReport") -> list[tuple[str, "Side"]]:
    """The parts of the log; only randomised lists where nothing else was asked."""
    answer = found.answer
    old = [] if answer.randomized is answer.old else [("old ranker", answer.old)]
    return [*old, ("randomised", answer.randomized)]


def _rows(name: str, side: "Side") -> list[tuple[str, ...]]:
    if side.refused:
        return [(name, "-", "-", "-", "-", "-", "refused")]
    return [
        (
            name,
            value.estimator.replace("_", " "),
            _number(value.estimate) if value.is_answer else f"({_number(value.estimate)})",
            f"{_number(value.ci_low)} to {_number(value.ci_high)}",
            f"{value.effective_clicks:,.0f} of {side.clicks:,}",
            f"{value.list_ess_share:.1%} of {side.lists:,}",
            value.verdict,
        )
        for value in side.estimates
    ]


def _explain(found: "OffPolicyReport") -> None:
    from label_platform.evaluation.off_policy_answer import SOURCES_IN_WORDS

    for name, side in _sides(found):
        if side.refused:
            _say(f"{name}: no value: {side.refused}")
            continue
        words = SOURCES_IN_WORDS.get(side.source, side.source)
        _say(f"{name}: logging propensities: {words}; intervals over {side.unit}")
        largest = max(value.max_weight for value in side.estimates)
        _say(f"{name}: the largest weight is {largest:,.1f} times the mean one")
        for line in refusals_in_words(side):
            _say(f"{name}: {line}")


def refusals_in_words(side: "Side") -> list[str]:
    """Why what stands in brackets is no answer: each reason once, with its estimators."""
    refused = [value for value in side.estimates if not value.is_answer]
    about: dict[str, list[str]] = {}
    for value in refused:
        for reason in value.reason.split(_BETWEEN_REASONS):
            about.setdefault(reason, []).append(value.estimator.replace("_", " "))
    found: dict[tuple[str, ...], list[str]] = {}
    for reason, estimators in about.items():
        found.setdefault(tuple(estimators), []).append(reason)
    of_all = tuple(value.estimator.replace("_", " ") for value in refused)
    lines = []
    for whose, reasons in found.items():
        said = "no_overlap, so what stands in brackets is no answer"
        if whose != of_all:
            said = f"no_overlap of {', '.join(whose)}"
        lines.append(f"{said}: {'; '.join(reasons)}")
    return lines


def _number(value: float) -> str:
    """To four significant digits, since click rates may be small."""
    return f"{value:.4g}"


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
