"""Online tests of policies, read from a CSV that people keep.

    test,kind,policy,baseline,metric,difference,low,high,started_on,ended_on
    ranking-12,ab,coec_click,raw_click,clicks_per_list,0.021,0.009,0.033,2026-09-01,2026-09-14

One row per test, metric and policy; ``low`` and ``high`` are the 95% interval of the difference,
policy minus baseline. ``ranker`` is an optional column: which ranker of the policy was served.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, cast

from label_platform.strict_yaml import ConfigurationError, nearest

Kind = Literal["ab", "interleaving"]
KINDS = ("ab", "interleaving")
REQUIRED = (
    "test",
    "kind",
    "policy",
    "baseline",
    "metric",
    "difference",
    "low",
    "high",
    "started_on",
    "ended_on",
)
OPTIONAL = ("ranker",)


@dataclass(frozen=True)
class Outcome:
    """What one online test found.

    Attributes:
        test: what people call it.
        kind: an A/B test, or an interleaving of the two rankings.
        policy: the label policy whose ranker was tested.
        baseline: the policy that it was tested against.
        metric: what was counted.
        difference: policy minus baseline.
        low: the 95% interval's lower end.
        high: its upper end.
        started_on: the test's first day.
        ended_on: its last.
        ranker: which ranker of the policy; empty if it has only one.
    """

    test: str
    kind: Kind
    policy: str
    baseline: str
    metric: str
    difference: float
    low: float
    high: float
    started_on: date
    ended_on: date
    ranker: str = ""

    @property
    def sign(self) -> int:
        """1 or -1 where the interval excludes 0; 0 where the test cannot tell."""
        return int(self.low > 0) - int(self.high < 0)


def read_outcomes(path: Path) -> tuple[Outcome, ...]:
    """The rows of an outcomes file.

    Raises:
        ConfigurationError: every row that does not fit, each with file, line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            _check_header(path, header)
            rows = [(lines.line_num, cells) for cells in lines if any(map(str.strip, cells))]
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text: {error}") from error
    except csv.Error as error:
        raise ConfigurationError(f"{path}: not a CSV: {error}") from error
    found: dict[tuple[str, ...], int] = {}
    outcomes, refusals = [], []
    for line, cells in rows:
        try:
            outcome = _outcome(header, cells)
        except ValueError as error:
            refusals += [f"{path}:{line}: {words}" for words in str(error).splitlines()]
            continue
        key = (outcome.test, outcome.metric, outcome.policy, outcome.ranker)
        if key in found:
            shown = ", ".join(filter(None, key))
            refusals.append(f"{path}:{line}: {shown} stands on line {found[key]} already")
        found[key] = line
        outcomes.append(outcome)
    if refusals:
        raise ConfigurationError("\n".join(refusals))
    return tuple(outcomes)


def _check_header(path: Path, header: list[str]) -> None:
    known = (*REQUIRED, *OPTIONAL)
    for name in header:
        if name not in known:
            raise ConfigurationError(f"{path}:1: unknown column {name!r}; {nearest(name, known)}")
        if header.count(name) > 1:
            raise ConfigurationError(f"{path}:1: the column {name!r} stands twice")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise ConfigurationError(
            f"{path}:1: no column {', '.join(missing)}; expected {', '.join(REQUIRED)}"
        )


def _outcome(header: list[str], cells: list[str]) -> Outcome:
    """One row; a ValueError has a line per refusal."""
    if len(cells) != len(header):
        raise ValueError(f"found {len(cells)} cells, expected {len(header)}")
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    refusals = list(_text_refusals(row))
    numbers = {name: _number(row[name], name, refusals) for name in ("difference", "low", "high")}
    days = {name: _day(row[name], name, refusals) for name in ("started_on", "ended_on")}
    if not refusals:
        refusals += _contradictions(numbers, days)
    if refusals:
        raise ValueError("\n".join(refusals))
    return Outcome(
        test=row["test"],
        kind=cast("Kind", row["kind"]),
        policy=row["policy"],
        baseline=row["baseline"],
        metric=row["metric"],
        ranker=row.get("ranker", ""),
        difference=numbers["difference"],
        low=numbers["low"],
        high=numbers["high"],
        started_on=days["started_on"],
        ended_on=days["ended_on"],
    )


def _text_refusals(row: dict[str, str]) -> Iterator[str]:
    for name in ("test", "policy", "baseline", "metric"):
        if not row[name]:
            yield f"{name}: is empty"
    if row["kind"] not in KINDS:
        yield f"kind: {row['kind']!r}; {nearest(row['kind'], KINDS)}"
    if row["policy"] and row["policy"] == row["baseline"]:
        yield f"baseline: {row['baseline']!r} is the policy itself"


def _contradictions(numbers: dict[str, float], days: dict[str, date]) -> Iterator[str]:
    low, difference, high = (numbers[name] for name in ("low", "difference", "high"))
    if not low <= difference <= high:
        yield f"difference: {difference:g} is not between low {low:g} and high {high:g}"
    elif low == high:
        yield f"low, high: both are {low:g}, an interval without width"
    if days["ended_on"] < days["started_on"]:
        yield f"ended_on: {days['ended_on']} is before started_on {days['started_on']}"


def _number(text: str, name: str, refusals: list[str]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        refusals.append(f"{name}: {text!r} is not a finite number")
    return value


def _day(text: str, name: str, refusals: list[str]) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        refusals.append(f"{name}: {text!r} is not a day such as 2026-09-01")
        return date.min
