"""label-platform plan-exploration from numbers on the command line."""

import json
import sys
from math import log
from typing import Any

import pytest

from label_platform.cli import application

RATES = "0.15,0.07,0.045,0.03,0.02"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["label-platform", "plan-exploration", *arguments])
    with pytest.raises(SystemExit) as end:
        application.main()
    return int(end.value.code or 0)


def planned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> dict[str, Any]:
    assert run(monkeypatch, "--lists-per-day", "10000", *arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_counts_and_costs_are_the_formulas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--click-rate", "0.2,0.05", "--curve", "1,0.5", "--within", "10%", "--share", "2%")
    found = planned(monkeypatch, capsys, *arguments, "--days", "14")
    # relevance .2 and .1, .15 on average: variance 1/.075 + 1/.15 - 2 = 18 of one list
    lists = 18 * (1.96 / log(1.1)) ** 2
    randomised, swaps, neighbours = found["designs"]
    assert randomised["lists"] == pytest.approx(lists, abs=1)
    assert randomised["days"] == 39  # 7,613 lists, 200 a day
    # .25 clicks now, (1 + .5) * .15 = .225 in random order
    assert randomised["clicks_lost_per_list"] == pytest.approx(0.025)
    assert randomised["clicks_lost_a_day"] == pytest.approx(0.025 * 200)
    assert randomised["clicks_lost"] == pytest.approx(0.025 * lists, abs=0.1)
    assert randomised["share_for_days"] == pytest.approx(lists / 140_000, abs=1e-5)
    assert log(1 + randomised["within_after_days"]) == pytest.approx(1.96 * (18 / 2_800) ** 0.5)
    # two positions have one pair, in which half the lists are random: the same thing
    for each in (swaps, neighbours):
        assert each["lists"] == randomised["lists"]
        assert each["clicks_lost"] == pytest.approx(randomised["clicks_lost"])
        assert each["pair_shares"] == [1.0]


def test_numbers_may_be_shares_or_percentages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = planned(monkeypatch, capsys, "--click-rate", "15%", "--within", "5%", "--share", "3%")
    other = planned(monkeypatch, capsys, "--click-rate", "0.15", "--within", "0.05")
    assert one == other
    assert len(one["curve"]) == 10
    assert one["designs"][0]["clicks_lost"] is None
    five = planned(monkeypatch, capsys, "--click-rate", "0.15", "--positions", "5")
    assert five["curve"] == [1 / k for k in range(1, 6)]


def test_the_mean_error_takes_fewer_lists(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every = planned(monkeypatch, capsys, "--click-rate", "0.15")
    mean = planned(monkeypatch, capsys, "--click-rate", "0.15", "--measure", "mean")
    for one, other in zip(mean["designs"], every["designs"], strict=True):
        assert one["lists"] < other["lists"] / 3


def test_what_people_read_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--lists-per-day", "10000", "--click-rate", RATES, "--within", "5%"]
    assert run(monkeypatch, *arguments, "--days", "14", "--candidates", "25") == 0
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split())
    assert "randomised 71,833 240 6.1 1,469 51.3% 22.4%" in words
    assert "swaps with 1 203,010 677 3.6 2,407 over 100% 40.4%" in words
    assert "a list gets 0.315 now, in random order 0.295" in words
    assert "drawn from 25 items need up to 372,073 lists" in words

    assert run(monkeypatch, "--lists-per-day", "10000", "--click-rate", "0.15") == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "randomised 30,167 101 ? ?" in words
    assert "needs the click rates of the ranker's lists at every position" in words


def test_a_curve_that_falls_too_steeply_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # under 1/k the relevance would be .1, .18, .24
    found = planned(monkeypatch, capsys, "--click-rate", "0.1,0.09,0.08")
    assert found["designs"][0]["clicks_lost"] < 0
    assert "the curve falls less steeply" in found["notes"][-1]
    flatter = planned(monkeypatch, capsys, "--click-rate", "0.1,0.09,0.08", "--curve", "0.1")
    assert flatter["designs"][0]["clicks_lost"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "expected --lists-per-day and --click-rate, or a --problem"),
        ("--lists-per-day 10", "expected --lists-per-day and --click-rate, or a --problem"),
        ("--lists-per-day 0 --click-rate .1", "--lists-per-day: found 0, expected a number above"),
        ("--lists-per-day nan --click-rate .1", "--lists-per-day: found nan"),
        ("--lists-per-day 9 --click-rate x", "--click-rate: found 'x', expected numbers such as"),
        ("--lists-per-day 9 --click-rate nan", "--click-rate: found 'nan', expected finite"),
        ("--lists-per-day 9 --click-rate 0", "--click-rate: found '0', expected a share above 0"),
        ("--lists-per-day 9 --click-rate 1.5", "--click-rate: found '1.5', expected a share"),
        (
            "--lists-per-day 9 --click-rate 0,0",
            "--click-rate: found '0,0', expected shares from 0 to 1, some of them above 0",
        ),
        (
            "--lists-per-day 9 --click-rate .2,-.1",
            "--click-rate: found '.2,-.1', expected shares from 0 to 1",
        ),
        (
            "--lists-per-day 9 --click-rate .2,0,0",
            "--click-rate: no clicks are expected at positions 2 and 3, which would change places",
        ),
        ("--lists-per-day 9 --click-rate .1 --within 5", "--within: found '5', expected one share"),
        ("--lists-per-day 9 --click-rate .1 --within 0", "--within: found '0', expected one share"),
        ("--lists-per-day 9 --click-rate .1 --share 2", "--share: found '2', expected one share"),
        ("--lists-per-day 9 --click-rate .1 --curve -1", "--curve: found '-1', expected an exp"),
        (
            "--lists-per-day 9 --click-rate .1 --curve 1,0",
            "--curve: found '1,0', expected 1 at position",
        ),
        ("--lists-per-day 9 --click-rate .1 --curve .5,.2", "--curve: found '.5,.2', expected 1"),
        (
            "--lists-per-day 9 --click-rate .1,.1 --curve 1,.5,.2",
            "--curve: found 3 propensities, expected an exponent, or 2 for 2 positions",
        ),
        (
            "--lists-per-day 9 --click-rate .1,.1 --positions 3",
            "--click-rate: found 2 click rates, expected 1, or 3 for --positions 3",
        ),
        (
            "--lists-per-day 9 --click-rate .2,.6",
            "--curve: a click rate of 0.6 at position 2 is more than the assumed propensity 0.5 a",
        ),
        (
            "--lists-per-day 9 --click-rate .2,.1 --candidates 1",
            "--candidates: found 1, expected 2 or more, as lists have 2 positions",
        ),
    ],
)
def test_wrong_input_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    words: str,
) -> None:
    assert run(monkeypatch, *arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: plan-exploration: ")
    assert error.count("\n") == 1
    assert words in error
