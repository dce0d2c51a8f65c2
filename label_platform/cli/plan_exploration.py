"""label-platform plan-exploration: how many lists to randomise or to swap, and what it costs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.table import Table

from label_platform.cli.options import JsonOption, console
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.pipeline.exploration import LoggedTraffic, PlannedTraffic, PlanTerms
    from label_platform.propensity import Floats
    from label_platform.propensity.exploration import Plan

app = typer.Typer()

_DEFAULT_EXPONENT = "1.0"
_DEFAULT_POSITIONS = 10
_UNKNOWN = "?"


_ListsPerDayOption = Annotated[
    float | None, typer.Option(help="Lists shown a day.", show_default="from --problem")
]
_ClickRateOption = Annotated[
    str | None,
    typer.Option(
        help="Click rate at position 1 as the lists are now; or, to know the cost as well, at "
        "every position, separated by commas.",
        show_default="from --problem",
    ),
]
_RandomClickRateOption = Annotated[
    str | None, typer.Option(help="Click rate at position 1 of lists in random order, if known.")
]
_WithinOption = Annotated[str, typer.Option(help="How precisely to know the curve.")]
_MeasureOption = Annotated[
    Literal["every", "mean"],
    typer.Option(
        help="What is to be so precise: the 95% interval at every position, or the mean error."
    ),
]
_PositionsOption = Annotated[
    int | None,
    typer.Option(
        min=2,
        max=1000,
        help="How deep to know the curve.",
        show_default="10, or the length of half the lists of --problem",
    ),
]
_CurveOption = Annotated[
    str | None,
    typer.Option(
        help="The curve to assume: an exponent (1/k^1.0), or all its propensities.",
        show_default="the problem's propensities, or 1.0",
    ),
]
_CandidatesOption = Annotated[
    int | None, typer.Option(help="Draw random lists from so many items: says the worst case.")
]
_ShareOption = Annotated[str, typer.Option(help="Share of the lists to explore with.")]
_ExplorationDaysOption = Annotated[
    int | None,
    typer.Option(min=1, help="Say also what these days give, and the share they would need."),
]
_TrafficProblemOption = Annotated[
    Path | None,
    typer.Option(help="Read traffic and click rates from the lake of this problem file."),
]


@app.command("plan-exploration")
def plan_exploration_command(  # noqa: PLR0913, PLR0917 - options of a command line
    lists_per_day: _ListsPerDayOption = None,
    click_rate: _ClickRateOption = None,
    random_click_rate: _RandomClickRateOption = None,
    within: _WithinOption = "10%",
    measure: _MeasureOption = "every",
    positions: _PositionsOption = None,
    curve: _CurveOption = None,
    candidates: _CandidatesOption = None,
    share: _ShareOption = "3%",
    days: _ExplorationDaysOption = None,
    problem: _TrafficProblemOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many lists to randomise or swap until the curve is known, and the clicks this costs.

    Example: label-platform plan-exploration --lists-per-day 10000 --click-rate 0.15 --within 10%
    """
    from label_platform.pipeline.exploration import PlanTerms, plan_as_json, plan_figures

    _check_traffic(problem, lists_per_day, click_rate)
    terms = PlanTerms(_share("--within", within), measure, _share("--share", share), days)
    rates = None if click_rate is None else _rates(click_rate)
    random_rate = None
    if random_click_rate is not None:
        random_rate = _share("--random-click-rate", random_click_rate)
    logged = None if problem is None else _logged(problem, positions)
    traffic = _traffic(lists_per_day, rates, random_rate, curve, positions, logged)
    if candidates is not None:
        _check_candidates(candidates, len(traffic.model.curve))
    with _naming("--problem" if rates is None else "--click-rate"):
        plans, notes = _plans(traffic, terms, candidates)
    figures = [plan_figures(plan, traffic, terms) for plan in plans]
    if as_json:
        print(json.dumps(plan_as_json(traffic, terms, figures, notes)))  # noqa: T201 - the result
        return
    _print_table(figures, terms)
    for note in notes:
        console.print(note, highlight=False, markup=False)


def _check_traffic(
    problem: Path | None, lists_per_day: float | None, click_rate: str | None
) -> None:
    if problem is None and (lists_per_day is None or click_rate is None):
        raise _wrong("expected --lists-per-day and --click-rate, or a --problem to read them from")
    if lists_per_day is not None and not 0 < lists_per_day < float("inf"):
        raise _wrong(f"--lists-per-day: found {lists_per_day:g}, expected a number above 0")


def _check_candidates(candidates: int, positions: int) -> None:
    if candidates < positions:
        raise _wrong(
            f"--candidates: found {candidates}, expected {positions} or more, as lists have "
            f"{positions} positions"
        )


def _plans(
    traffic: "PlannedTraffic", terms: "PlanTerms", candidates: int | None
) -> tuple[list["Plan"], list[str]]:
    """A plan of each design, and in words what they take for granted."""
    from label_platform.pipeline.exploration import (
        assumptions_in_words,
        logged_in_words,
        worst_case_in_words,
    )
    from label_platform.propensity.exploration import drawn_from, plan_randomised, plan_swaps

    model = traffic.model
    plans = [
        plan_randomised(model, terms.within, terms.measure),
        plan_swaps(model, terms.within, terms.measure),
        plan_swaps(model, terms.within, terms.measure, neighbours=True),
    ]
    notes = [*assumptions_in_words(traffic, terms), *logged_in_words(traffic, plans[0], terms)]
    if candidates is not None:
        worst = plan_randomised(drawn_from(model, candidates), terms.within, terms.measure)
        notes.append(worst_case_in_words(worst, candidates))
    return plans, notes


def _wrong(words: str) -> ConfigurationError:
    return ConfigurationError(f"plan-exploration: {words}")


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """What cannot be planned is the user's to mend, by this option."""
    try:
        yield
    except ConfigurationError:
        raise
    except ValueError as error:
        raise _wrong(f"{option}: {error}") from error


def _numbers(option: str, text: str) -> list[float]:
    """Numbers separated by commas; 15% is 0.15."""
    try:
        found = [
            float(part.strip().removesuffix("%")) / (100 if part.strip().endswith("%") else 1)
            for part in text.split(",")
        ]
    except ValueError as error:
        raise _wrong(f"{option}: found {text!r}, expected numbers such as 0.15 or 15%") from error
    if not all(isfinite(number) for number in found):
        raise _wrong(f"{option}: found {text!r}, expected finite numbers")
    return found


def _share(option: str, text: str) -> float:
    numbers = _numbers(option, text)
    if len(numbers) != 1 or not 0 < numbers[0] <= 1:
        raise _wrong(f"{option}: found {text!r}, expected one share such as 10% or 0.1")
    return numbers[0]


def _rates(text: str) -> list[float]:
    """One click rate, or those of all positions, of which some may be 0."""
    rates = _numbers("--click-rate", text)
    if not all(0 <= rate <= 1 for rate in rates) or not any(rates):
        expected = "a share above 0 and at most 1"
        if len(rates) > 1:
            expected = "shares from 0 to 1, some of them above 0"
        raise _wrong(f"--click-rate: found {text!r}, expected {expected}")
    return rates


def _curve(text: str, positions: int) -> "Floats":
    import numpy as np

    from label_platform.propensity.exploration import power_curve

    numbers = _numbers("--curve", text)
    if len(numbers) > 1:
        if len(numbers) != positions:
            raise _wrong(
                f"--curve: found {len(numbers)} propensities, expected an exponent, or "
                f"{positions} for {positions} positions"
            )
        if numbers[0] != 1 or min(numbers) <= 0:
            expected = "1 at position 1 and above 0 everywhere"
            raise _wrong(f"--curve: found {text!r}, expected {expected}")
        return np.array(numbers)
    if not 0 <= numbers[0] <= 10:
        raise _wrong(f"--curve: found {text!r}, expected an exponent from 0 to 10")
    return power_curve(numbers[0], positions)


def _logged(problem: Path, positions: int | None) -> "LoggedTraffic":
    from label_platform.pipeline.context import Project
    from label_platform.pipeline.exploration import logged_traffic
    from label_platform.pipeline.workspace import Workspace

    with Project.load(problem, Workspace.from_environment()).open() as context:
        return logged_traffic(context, positions)


def _traffic(
    lists_per_day: float | None,
    rates: list[float] | None,
    random_rate: float | None,
    curve: str | None,
    positions: int | None,
    logged: "LoggedTraffic | None",
) -> "PlannedTraffic":
    """What the command line says comes before what the log says."""
    from label_platform.pipeline.exploration import PlannedTraffic
    from label_platform.propensity.exploration import model_of_click_rates, model_of_rate

    from_log = rates is None and logged is not None
    if rates is None and logged is not None:
        rates = logged.click_rates.tolist()
    of_curve = curve.split(",") if curve is not None else []
    given = [numbers for numbers in (rates or [], of_curve) if len(numbers) > 1]
    depth = positions or (len(given[0]) if given else _DEFAULT_POSITIONS)
    if rates is not None and len(rates) not in {1, depth}:
        raise _wrong(
            f"--click-rate: found {len(rates)} click rates, expected 1, or {depth} for "
            f"--positions {depth}"
        )
    theta = _curve(curve or _DEFAULT_EXPONENT, depth)
    if curve is None and logged is not None and logged.curve is not None:
        theta = logged.curve if len(logged.curve) == depth else theta
    if random_rate is None and from_log and logged is not None and logged.positions == depth:
        random_rate = logged.random_click_rate(theta)
    per_day = lists_per_day or (logged.lists_per_day if logged else 0.0)
    if from_log and not any(rates or []):
        raise _wrong(f"--problem: found no click on lists of {depth} positions, expected some")
    # lengths and ranges are checked by now: what is left is a curve that falls too steeply
    with _naming("--curve"):
        if rates is not None and len(rates) > 1:
            model = model_of_click_rates(theta, rates, random_rate)
        else:
            model = model_of_rate(theta, random_rate or (rates[0] if rates else 0.0))
    return PlannedTraffic(per_day, model, logged)


def _print_table(figures: list[dict[str, Any]], terms: "PlanTerms") -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("design", no_wrap=True)
    names = [
        "lists",
        f"days at\n{100 * terms.share:.3g}%",
        "lost\na day",
        "lost\nin all",
    ]
    if terms.days is not None:
        names += [f"share for\n{terms.days} days", f"within in\n{terms.days} days"]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in figures:
        cells = [row["design"], f"{row['lists']:,}", f"{row['days']:,}"]
        costs = (row["clicks_lost_a_day"], row["clicks_lost"])
        cells += [_UNKNOWN if cost is None else _count(cost) for cost in costs]
        if terms.days is not None:
            share, reached = row["share_for_days"], row["within_after_days"]
            cells += [
                f"{100 * share:.3g}%" if share <= 1 else "over 100%",
                f"{100 * reached:.3g}%" if reached < 10 else "over 1000%",
            ]
        table.add_row(*cells)
    console.print(table)


def _count(clicks: float) -> str:
    """Clicks, with decimals where there are few."""
    return f"{clicks:.2g}" if abs(clicks) < 10 else f"{clicks:,.0f}"
