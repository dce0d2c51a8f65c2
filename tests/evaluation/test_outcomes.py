"""Online tests: read from a CSV, and held against the yardsticks."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from scipy.stats import t as student

from label_platform.evaluation import Outcome, agreement, read_outcomes, unmatched
from label_platform.evaluation.agreement_with_outcomes import Agreement
from label_platform.strict_yaml import ConfigurationError

HEADER = "test,kind,policy,baseline,metric,difference,low,high,started_on,ended_on"
ROW = "t1,ab,coec,raw_click,clicks,0.02,0.01,0.03,2026-09-01,2026-09-14"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(*lines: str) -> Path:
        path = tmp_path / "outcomes.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return written


def test_a_row_is_one_test(write: Write) -> None:
    (found,) = read_outcomes(write(HEADER, "", ROW))

    assert (found.test, found.kind, found.policy, found.metric) == ("t1", "ab", "coec", "clicks")
    assert (found.difference, found.low, found.high, found.ranker) == (0.02, 0.01, 0.03, "")
    assert (found.ended_on - found.started_on).days == 13
    assert found.sign == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("ab,", "a/b,"), "kind: 'a/b'; did you mean 'ab'? valid: ab, interleaving"),
        (("0.02", "much"), "difference: 'much' is not a finite number"),
        (("0.02", "nan"), "difference: 'nan' is not a finite number"),
        (("0.03", "inf"), "high: 'inf' is not a finite number"),
        (("0.02", "0.2"), "difference: 0.2 is not between low 0.01 and high 0.03"),
        (("0.02,0.01,0.03", "0,0,0"), "low, high: both are 0, an interval without width"),
        (("2026-09-01", "1.9.2026"), "started_on: '1.9.2026' is not a day such as 2026-09-01"),
        (("09-14", "08-14"), "ended_on: 2026-08-14 is before started_on 2026-09-01"),
        (("coec", " "), "policy: is empty"),
        (("coec", "raw_click"), "baseline: 'raw_click' is the policy itself"),
        ((",2026-09-14", ""), "found 9 cells, expected 10"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_line(
    write: Write, change: tuple[str, str], words: str
) -> None:
    path = write(HEADER, ROW, ROW.replace("t1", "t2").replace(*change))

    with pytest.raises(ConfigurationError) as refused:
        read_outcomes(path)

    assert str(refused.value) == f"{path}:3: {words}"


def test_every_bad_row_is_named(write: Write) -> None:
    path = write(HEADER, ROW, ROW, ROW.replace("ab", "b").replace("0.02", "x"))

    with pytest.raises(ConfigurationError) as refused:
        read_outcomes(path)

    lines = str(refused.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:3", f"{path}:4", f"{path}:4"]
    assert lines[0].endswith("t1, clicks, coec stands on line 2 already")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.replace("metric", "metrc"), "unknown column 'metrc'; did you mean 'metric'?"),
        (HEADER.replace(",metric", ""), "no column metric; expected test, kind"),
        (f"{HEADER},test", "the column 'test' stands twice"),
        ("", "no column test, kind"),
    ],
)
def test_columns_that_do_not_fit_are_refused(write: Write, header: str, words: str) -> None:
    path = write(header, ROW)

    with pytest.raises(ConfigurationError) as refused:
        read_outcomes(path)

    assert str(refused.value).startswith(f"{path}:1: {words}")


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_bytes(b"\xff\xfe\x00t")

    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_outcomes(path)


def outcome(policy: str, difference: float, half: float = 0.01, **changes: str) -> Outcome:
    days = (date(2026, 9, 1), date(2026, 9, 14))
    low, high = difference - half, difference + half
    values = {"test": policy, "baseline": "raw_click", "metric": "clicks", "ranker": ""} | changes
    return Outcome(
        values["test"],
        "ab",
        policy,
        values["baseline"],
        values["metric"],
        difference,
        low,
        high,
        *days,
        ranker=values["ranker"],
    )


def compared(offline: dict[str, float], yardstick: str = "off_policy_dcg") -> pd.DataFrame:
    rows = [
        {"policy": policy, "ranker": "lambdarank", "yardstick": yardstick, "slice": part}
        | {"difference": value * factor}
        for policy, value in offline.items()
        for part, factor in (("all", 1.0), ("device=mobile", -1.0))
    ]
    return pd.DataFrame(rows)


def only(found: tuple[Agreement, ...]) -> Agreement:
    (one,) = found
    return one


def test_signs_are_counted_on_tests_that_can_tell() -> None:
    offline = {"a": 0.1, "b": 0.2, "c": -0.1, "d": 0.3}
    online = [outcome("a", 0.05), outcome("b", -0.05), outcome("c", -0.02), outcome("d", 0.005)]

    found = only(agreement(compared(offline), online, "raw_click"))

    exact = binomtest(2, 3).proportion_ci(0.95, "exact")
    assert (found.outcomes, found.clear, found.agreeing) == (4, 3, 2)
    assert (found.sign_low, found.sign_high) == pytest.approx((exact.low, exact.high))
    assert found.words.startswith(
        "the off-policy estimate and clicks (A/B): same sign in 2 of 3 tests that exclude 0 (9% to"
    )


@pytest.mark.parametrize("agreeing", [0, 5])
def test_the_interval_of_none_and_of_all_is_exact(agreeing: int) -> None:
    offline = {f"p{n}": 0.1 if n < agreeing else -0.1 for n in range(5)}

    found = only(agreement(compared(offline), [outcome(p, 0.05) for p in offline], "raw_click"))

    exact = binomtest(agreeing, 5).proportion_ci(0.95, "exact")
    assert (found.sign_low, found.sign_high) == pytest.approx((exact.low, exact.high))


def test_the_slope_is_weighted_and_through_the_origin() -> None:
    offline, halves = {"a": 0.1, "b": 0.2, "c": -0.1}, [0.01, 0.02, 0.04]
    online = [
        outcome(policy, 0.5 * value + error, half)
        for (policy, value), half, error in zip(
            offline.items(), halves, [0.002, -0.003, 0.001], strict=True
        )
    ]

    found = only(agreement(compared(offline), online, "raw_click"))

    x = np.array([*offline.values()])
    y = np.array([each.difference for each in online])
    weight = (1.959964 / np.array(halves)) ** 2
    slope = (weight * x * y).sum() / (weight * x * x).sum()
    half = student.ppf(0.975, 2) / np.sqrt((weight * x * x).sum())  # scatter within the errors
    expected = (slope, slope - half, slope + half)
    assert (found.slope, found.slope_low, found.slope_high) == pytest.approx(expected)


def test_tests_that_scatter_more_than_their_errors_widen_the_slope() -> None:
    offline = {"a": 0.1, "b": 0.2, "c": 0.1}

    def width(scatter: float) -> float:
        signs = (1, -1, 1)
        online = [
            outcome(policy, 0.5 * value + sign * scatter)
            for (policy, value), sign in zip(offline.items(), signs, strict=True)
        ]
        found = only(agreement(compared(offline), online, "raw_click"))
        return found.slope_high - found.slope_low

    assert width(0.1) > 5 * width(0.001)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_slope_interval_covers_the_true_slope(seed: int) -> None:
    rng = np.random.default_rng(seed)
    studies, tests = 200, 5
    draws = rng.normal(0, 0.1, (studies, tests))
    offline = {f"{n}_{m}": float(draws[n, m]) for n in range(studies) for m in range(tests)}
    online = [
        outcome(p, 2 * x + rng.normal(0, 0.01 / 1.96), metric=p.split("_")[0])
        for p, x in offline.items()
    ]

    found = agreement(compared(offline), online, "raw_click")

    covered = sum(each.slope_low <= 2 <= each.slope_high for each in found)
    assert len(found) == studies
    # at least: errors are taken as known, and the t interval allows for their being estimated
    assert covered >= studies * 0.95 - 4 * np.sqrt(studies * 0.95 * 0.05)
    assert any(each.slope_low > 1.5 for each in found)


def test_two_tests_have_no_slope() -> None:
    offline = {"a": 0.1, "b": 0.2}

    found = only(agreement(compared(offline), [outcome(p, 0.05) for p in offline], "raw_click"))

    assert found.slope is None
    assert found.words.endswith("no slope from 2 tests, needed 3")


def test_metrics_are_held_against_yardsticks_one_by_one() -> None:
    table = pd.concat([compared({"a": 0.1}), compared({"a": np.nan}, "randomized_click_dcg")])
    online = [outcome("a", 0.05), outcome("a", -0.05, metric="revenue")]

    found = {(each.yardstick, each.metric): each for each in agreement(table, online, "raw_click")}

    assert found["off_policy_dcg", "clicks"].agreeing == 1
    assert found["off_policy_dcg", "revenue"].agreeing == 0
    refused = found["randomized_click_dcg", "clicks"]
    assert (refused.outcomes, refused.sign_low) == (0, None)
    assert refused.words.endswith("no test of a policy that this yardstick judges")


def test_tests_that_say_nothing_are_named() -> None:
    table = pd.concat([compared({"a": 0.1}), compared({"a": 0.1}).assign(ranker="pointwise")])
    online = [
        outcome("a", 0.05, baseline="ips"),
        outcome("gone", 0.05),
        outcome("a", 0.05, test="t3"),
        outcome("a", 0.05, ranker="boosted"),
        outcome("a", 0.05, ranker="pointwise"),
    ]

    assert unmatched(table, online, "raw_click") == (
        "a: tested against ips, not raw_click",
        "gone: gone is not in the comparison",
        "t3: names none of the rankers of a: lambdarank, pointwise",
        "a: a has no ranker 'boosted', only lambdarank, pointwise",
    )
    assert only(agreement(table, online, "raw_click")).outcomes == 1
