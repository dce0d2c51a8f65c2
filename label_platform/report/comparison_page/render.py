"""The page as HTML: one file, no script, no font, no picture and no request from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from label_platform.evaluation import ALL, DECIDE_NOTHING, in_words
from label_platform.report.comparison_page.content import ComparisonPage, Curve, Histogram

_TEMPLATE = "page.html.jinja"
_MARGIN = 0.06
_HIGHEST_BAR = 100.0


def render_page(page: ComparisonPage) -> str:
    """The page as HTML text."""
    return _template().render(
        page=page,
        yardsticks=[_yardstick(str(name), rows) for name, rows in page.table.groupby("yardstick")],
        arms=list(_arms(page.table)),
        cells=_cells(page.table),
        curve_shapes=[_curve_shape(each) for each in page.curves],
        histogram_bars=[_bars(each) for each in page.histograms],
        in_words=in_words,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: "" if pd.isna(value) else f"{value:.4f}",
        "signed": lambda value: "" if pd.isna(value) else f"{value:+.4f}",
        "count": lambda value: "" if pd.isna(value) else f"{int(value):,}",
        "share": lambda value: "" if pd.isna(value) else f"{value:.0%}",
    }
    return environment.get_template(_TEMPLATE)


@dataclass(frozen=True)
class _Line:
    """An arm on the plot of a yardstick; places are percent of its width."""

    title: str
    kind: str
    difference: float
    low: float
    high: float
    left: float
    width: float
    dot: float


@dataclass(frozen=True)
class _Yardstick:
    """A yardstick with its plot, its slices and what its numbers rest on."""

    name: str
    title: str
    decides: bool
    lines: list[_Line]
    zero: float
    refused: str
    slices: list[dict[str, Any]]
    evidence: dict[str, Any]


def _yardstick(name: str, rows: pd.DataFrame) -> _Yardstick:
    whole = rows[rows["slice"] == ALL]
    drawn = whole[whole["difference"].notna()]
    low, high = _span(drawn)

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 3)

    lines = [
        _Line(
            f"{row['policy']}, {row['ranker']}",
            kind_of(row["verdict"]),
            row["difference"],
            row["difference_low"],
            row["difference_high"],
            left=place(row["difference_low"]),
            width=round(place(row["difference_high"]) - place(row["difference_low"]), 3),
            dot=place(row["difference"]),
        )
        for row in drawn.to_dict(orient="records")
    ]
    reasons = whole.loc[whole["verdict"].str.startswith("refused"), "reason"]
    measured = whole[whole["value"].notna()]
    evidence = measured if len(measured) else whole
    return _Yardstick(
        name,
        in_words(name),
        not name.startswith(DECIDE_NOTHING),
        lines,
        place(0.0),
        "" if len(drawn) else "; ".join(dict.fromkeys(map(str, reasons))),
        _records(rows[rows["slice"] != ALL]),
        _records(evidence.head(1))[0],
    )


def _span(rows: pd.DataFrame) -> tuple[float, float]:
    """The plot's range: all intervals and 0, with a margin."""
    low = min(0.0, *rows["difference_low"]) if len(rows) else 0.0
    high = max(0.0, *rows["difference_high"]) if len(rows) else 0.0
    margin = (high - low) * _MARGIN or 1.0
    return low - margin, high + margin


def kind_of(verdict: str) -> str:
    """A verdict as one word, which style and symbol follow."""
    for word in ("better", "worse", "baseline", "refused"):
        if str(verdict).startswith(word):
            return word
    return "open"


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    kinds = rows["verdict"].map(kind_of)
    return [
        {str(name): value for name, value in row.items()}
        for row in rows.assign(kind=kinds).to_dict(orient="records")
    ]


def _arms(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    pairs = table[["policy", "ranker"]].drop_duplicates()
    yield from zip(pairs["policy"], pairs["ranker"], strict=True)


def _cells(table: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The comparison on all of the data, by policy, ranker and yardstick."""
    whole = table[table["slice"] == ALL]
    return {(row["policy"], row["ranker"], row["yardstick"]): row for row in _records(whole)}


def _curve_shape(curve: Curve) -> dict[str, Any]:
    """A line and a band in a square of 100 by 100, the highest value on top."""
    last = max(curve.positions[-1], 2)
    top = max(1.0, *curve.high)

    def points(values: tuple[float, ...]) -> list[str]:
        return [
            f"{100 * (position - 1) / (last - 1):.2f},{100 * (1 - value / top):.2f}"
            for position, value in zip(curve.positions, values, strict=True)
        ]

    band = [*points(curve.high), *reversed(points(curve.low))]
    return {
        "curve": curve,
        "line": " ".join(points(curve.propensity)),
        "band": " ".join(band),
        "top": top,
        "last": last,
    }


def _bars(histogram: Histogram) -> dict[str, Any]:
    """Heights in percent of the tallest bar, on a square root scale so that rare labels show."""
    tallest = max(*histogram.counts, 1)
    heights = [_HIGHEST_BAR * (count / tallest) ** 0.5 for count in histogram.counts]
    return {"histogram": histogram, "heights": heights, "rows": sum(histogram.counts)}
