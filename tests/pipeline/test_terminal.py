"""What people read in the terminal."""

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from label_platform.logs.delays import DelayEstimate, Percentile
from label_platform.pipeline.delays import SignalDelays
from label_platform.pipeline.terminal import duration, print_comparison, print_delays


def shown(width: int = 100) -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=width), text


ROW = {
    "policy": "coec_multi_signal",
    "yardstick": "randomized_click_dcg",
    "slice": "all",
    "value": 0.5,
    "ci_low": 0.4,
    "ci_high": 0.6,
    "difference": 0.1,
    "difference_low": 0.05,
    "difference_high": 0.15,
    "verdict": "better than raw_click",
    "reason": "",
    "p_value": 0.001,
    "queries": 10,
    "lists": 1200,
    "positives": 34,
    "days": 2,
    "fits": 2,
}


def compared(width: int, *rankers: str) -> list[str]:
    """The lines of a table of one policy's rankers."""
    console, text = shown(width)
    rows = pd.DataFrame([ROW | {"ranker": each} for each in rankers])
    print_comparison(console, rows, "raw_click")
    return text.getvalue().splitlines()


def test_two_rankers_of_one_objective_are_told_apart() -> None:
    titles = ("lambdarank", "lambdarank, position feature")
    lines = [line for line in compared(100, *titles) if "0.5000" in line]
    assert [line.split("0.5000")[0].split("signal")[1].strip() for line in lines] == [*titles]


def test_a_comparison_fits_a_terminal() -> None:
    lines = compared(80, "lambdarank", "pointwise, weight expected_examinations")
    assert "…" not in "".join(lines)
    (row,) = [line for line in lines if "pointwise" in line and "0.5000" in line]
    assert row.split() == (
        ["coec_multi_signal", "pointwise", "0.5000", "±0.1000", "+0.1000", "±0.0500", "better"]
    )


def test_a_slice_is_shown_where_it_says_something_else() -> None:
    console, text = shown(100)
    rows = [
        ROW | {"ranker": "lambdarank"},
        ROW | {"ranker": "lambdarank", "slice": "device=desktop"},
        ROW | {"ranker": "lambdarank", "slice": "new_items", "verdict": "no difference shown"},
        ROW | {"ranker": "lambdarank", "slice": "device=mobile", "verdict": "worse than raw_click"},
    ]
    print_comparison(console, pd.DataFrame(rows), "raw_click")
    lines = text.getvalue().splitlines()
    (slice_line,) = [line for line in lines if line.startswith("  worse for")]
    assert slice_line == (
        "  worse for device=mobile: coec_multi_signal, lambdarank: +0.1000 ±0.0500 on 1,200 lists"
    )
    assert "randomized_click_dcg  10 queries, 1,200 lists of 2 days, 34 clicks" in lines
    assert "desktop" not in text.getvalue()
    said = text.getvalue().split("In words\n")[1].split()
    assert " ".join(said) == (
        "coec_multi_signal, lambdarank: better than raw_click on 1 of 1 yardstick (the randomised "
        "slice); worse for device=mobile on the randomised slice"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (59, "59s"), (90, "1.5m"), (3600, "1h"), (36 * 3600, "1.5d"), (-90, "-1.5m")],
)
def test_spans_of_time_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_delays_fit_a_terminal_and_a_refusal_shows_lower_bounds() -> None:
    percentiles = tuple(Percentile(each, each * 60, each * 50, each * 70) for each in (50, 90, 99))
    known = DelayEstimate(90_000, 1234, 4 * 86400, percentiles, 0.012, 3 * 3600, 0.05)
    refused = DelayEstimate(
        90_000, 1234, 4 * 86400, percentiles, 0.012, None, 0.05, "not identifiable: too short"
    )
    console, text = shown(width=80)
    print_delays(
        console,
        [
            SignalDelays("add_to_cart", 1800, known, (1.0, 90.0, 7200.0)),
            SignalDelays("purchase", 86400, refused, ()),
        ],
    )
    table, words = text.getvalue().split("\nadd_to_cart: ")
    rows = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    assert "…" not in table
    assert " ".join(rows["add_to_cart"].split()) == (
        "add_to_cart 1,234 50m 1.5h 1.65h 30m 1.2% 3h 5.0%"
    )
    assert " ".join(rows["purchase"].split()) == (
        "purchase 1,234 ≥50m ≥1.5h ≥1.65h 1d ≥1.2% none 5.0%"
    )
    said = " ".join(words.split())
    assert "99% come within 1.65h (1.38h to 1.93h)" in said
    assert "from event to ingestion p50, p90, p99: 1s, 1.5m, 2h" in said
    assert "purchase: no window is recommended: not identifiable: too short" in said
