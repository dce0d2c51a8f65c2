"""What people read in the terminal."""

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from label_platform.logs.delays import DelayEstimate, Percentile
from label_platform.pipeline.delays import SignalDelays
from label_platform.pipeline.terminal import (
    duration,
    print_agreement,
    print_comparison,
    print_delays,
)


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


def refused(policy: str, ranker: str, reason: str) -> dict[str, object]:
    """A row of a yardstick that gives this ranker no answer."""
    nothing = dict.fromkeys(("value", "ci_low", "ci_high", "difference", "p_value"))
    names = {"policy": policy, "ranker": ranker, "yardstick": "off_policy_dcg"}
    return ROW | nothing | names | {"verdict": f"refused: {reason}", "reason": reason}


def lines_of(*rows: dict[str, object]) -> list[str]:
    console, text = shown(300)
    print_comparison(console, pd.DataFrame(rows), "raw_click")
    return text.getvalue().splitlines()


def test_a_reason_for_no_answer_is_said_once_with_its_rankers() -> None:
    lines = lines_of(
        refused("a", "lambdarank", "too few clicks"),
        refused("a", "pointwise, weight one", "too few clicks"),
        refused("b", "lambdarank", "too few clicks"),
        refused("b", "pointwise", "no common lists"),
        ROW | {"policy": "c", "ranker": "lambdarank", "yardstick": "off_policy_dcg"},
    )
    said, words = lines[: lines.index("In words")], lines[lines.index("In words") :]
    assert "  a ('lambdarank', 'pointwise, weight one'); b (lambdarank): too few clicks" in said
    assert "  b (pointwise): no common lists" in said
    assert "\n".join(said).count("too few clicks") == 1
    assert sum("no answer" in line for line in said) == 4  # the rows of the table
    assert words[1:] == [
        "c, lambdarank: better than raw_click on 1 of 1 yardstick (the off-policy estimate)",
        "a, lambdarank; a, pointwise, weight one; b, lambdarank: no answer: too few clicks",
        "b, pointwise: no answer: no common lists",
    ]


def test_a_yardstick_without_any_answer_has_no_table() -> None:
    lines = lines_of(
        refused("a", "lambdarank", "too few clicks"), refused("b", "pointwise", "too few clicks")
    )
    start = lines.index("off_policy_dcg: no answer")
    assert lines[start + 1] == "  every ranker: too few clicks"
    assert lines[start + 2].startswith("± is")


def test_a_missing_baseline_is_a_reason_and_the_value_still_stands() -> None:
    reason = "no difference: no baseline was evaluated"
    row = {"ranker": "lambdarank", "difference": None, "reason": reason, "p_value": None}
    lines = lines_of(ROW | row | {"verdict": f"refused: {reason}"})
    (cells,) = [line.split() for line in lines if "0.5000" in line]
    assert cells == ["coec_multi_signal", "lambdarank", "0.5000", "±0.1000", "no", "answer"]
    assert f"  coec_multi_signal (lambdarank): {reason}" in lines


def test_agreement_with_online_tests_is_a_sentence_each() -> None:
    console, text = shown(100)
    print_agreement(console, {"mlflow_run": "1"})
    assert not text.getvalue()
    print_agreement(
        console,
        {
            "agreement_with_online_tests": [{"words": "off-policy and clicks [A/B]: same sign"}],
            "online_tests_left_out": ["t2: tested against ips_click, not raw_click"],
        },
    )
    assert text.getvalue().splitlines() == [
        "",
        "Agreement with online tests",
        "off-policy and clicks [A/B]: same sign",
        "left out: t2: tested against ips_click, not raw_click",
    ]


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
