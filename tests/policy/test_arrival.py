"""Labels of rows whose windows are still open, corrected for the feedback that is on its way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.logs.delays import DelayCounts, arrival_curve
from label_platform.policy import ARRIVED, LabelInputs, Policy, compile_labels
from label_platform.problem import Problem

NOW = datetime(2026, 10, 8, tzinfo=UTC)
HOUR_S = 3600
WINDOW_S = 24 * HOUR_S
MakePolicy = Callable[..., Policy]


def shown(engine: Engine, ages_h: list[float], clicks: list[int], purchases: list[int]) -> None:
    """One impression per age, all of one query and item."""
    rows = pd.DataFrame(
        {
            "impression_id": range(len(ages_h)),
            "query_id": 1,
            "item_id": 1,
            "position": 1,
            "device": "mobile",
            "click": np.array(clicks, dtype=float),
            "purchase": np.array(purchases, dtype=float),
            "shown_at": [NOW - timedelta(hours=age) for age in ages_h],
            "excluded_reason": pd.Series([None] * len(ages_h), dtype="str"),
        }
    )
    engine.register("shown", rows)


def arrived(engine: Engine, shares: dict[str, list[tuple[float, float]]]) -> None:
    """The curve of each signal: age in hours, share."""
    rows = [
        {"statistic": ARRIVED, "name": name, "bucket": 0, "at": age * HOUR_S, "value": share}
        for name, steps in shares.items()
        for age, share in steps
    ]
    engine.register("statistics", pd.DataFrame(rows))


INPUTS = LabelInputs("shown", statistics="statistics", as_of=NOW)


def test_what_is_expected_shrinks_with_the_share_that_has_come(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    shown(engine, [0.5, 2, 5, 30], [0, 1, 1, 0], [0, 0, 0, 0])
    arrived(engine, {"click": [(1, 0.6), (4, 1.0)]})
    policy = make_policy(grain="query_item", delay={"immature": "reweight"})
    labels = compile_labels(policy, problem, INPUTS)
    # nothing has come after half an hour: raised to .05
    assert engine.rows(
        f"select gain_sum::double, expected_examinations::double from ({labels})"
    ) == [(2, pytest.approx(0.05 + 0.6 + 1 + 1))]


def test_several_signals_are_each_divided_by_their_own_share(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    shown(engine, [2, 5], [1, 1], [1, 1])
    arrived(engine, {"click": [(1, 1.0)], "purchase": [(1, 0.25), (4, 0.5)]})
    policy = make_policy(
        signals={"click": {"gain": 0.3}, "purchase": {"gain": 1.0}},
        delay={"immature": "reweight"},
    )
    labels = compile_labels(policy, problem, INPUTS)
    assert engine.rows(f"select label from ({labels}) order by impression_id") == [
        (pytest.approx(0.3 / 1 + 1 / 0.25),),
        (pytest.approx(0.3 / 1 + 1 / 0.5),),
    ]


def test_without_open_windows_nothing_is_reweighted(
    engine: Engine, problem: Problem, make_policy: MakePolicy
) -> None:
    shown(engine, [2, 5], [1, 0], [0, 0])
    policy = make_policy(delay={"immature": "reweight"})
    plain = compile_labels(make_policy(), problem, LabelInputs("shown"))
    assert compile_labels(policy, problem, LabelInputs("shown")) == plain


def test_the_curve_by_hand() -> None:
    # of 10 impressions 2 have an event at once; 4 leave before an hour; 1 of the other 4 has one
    counts = DelayCounts(
        np.array([0, HOUR_S]), np.array([2, 1]), np.array([60, 2 * HOUR_S]), np.array([4, 3])
    )
    ages, shares = arrival_curve(counts, WINDOW_S)
    at_once, later = 1 - 8 / 10, 1 - 8 / 10 * 3 / 4
    assert ages.tolist() == [0, HOUR_S]
    assert shares.tolist() == pytest.approx([at_once / later, 1.0])
    # what comes after the window does not count
    assert arrival_curve(counts, 60)[1].tolist() == [1.0]
    nothing = DelayCounts(*(np.zeros(0, np.int64),) * 4)
    assert [part.tolist() for part in arrival_curve(nothing, 60)] == [[], []]


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_young_rows_average_to_those_of_old_ones(
    engine: Engine, problem: Problem, make_policy: MakePolicy, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    size, rate = 60_000, 0.2
    ages_s = rng.uniform(0, 2 * WINDOW_S, size)
    # within the window, early ones more than late ones
    delays_s = WINDOW_S * rng.random(size) ** 3
    comes = rng.random(size) < rate
    seen = comes & (delays_s <= ages_s)
    counted = np.minimum(ages_s, WINDOW_S).astype(np.int64)
    at, events = np.unique(delays_s[seen].astype(np.int64), return_counts=True)
    until, waiting = np.unique(counted[~seen], return_counts=True)
    found_at, share = arrival_curve(DelayCounts(at, events, until, waiting), WINDOW_S)
    # a whole second holds all that came within it
    truth = ((found_at + 1) / WINDOW_S) ** (1 / 3)
    assert np.abs(share - truth).max() < 0.02
    shown(engine, (ages_s / HOUR_S).tolist(), seen.astype(int).tolist(), [0] * size)
    steps = list(zip((found_at / HOUR_S).tolist(), share.tolist(), strict=True))
    arrived(engine, {"click": steps})
    policy = make_policy(grain="query_item", delay={"immature": "reweight"})
    reweighted, plain = (
        engine.row(f"select gain_sum::double / expected_examinations::double from ({labels})")[0]
        for labels in (
            compile_labels(policy, problem, INPUTS),
            compile_labels(make_policy(grain="query_item"), problem, LabelInputs("shown")),
        )
    )
    error = np.sqrt(rate / size)
    assert abs(reweighted - rate) < 5 * error
    assert abs(plain - rate) > 5 * error
