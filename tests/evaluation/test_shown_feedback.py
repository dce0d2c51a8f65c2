from math import log2
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from label_platform.evaluation import shown_feedback_yardsticks
from label_platform.evaluation.yardsticks import MIN_QUERIES

SIGNALS = ("click", "watch_s", "like", "follow")


def impressions(people: int = 40, each: int = 3, **columns: object) -> pa.Table:
    """Impressions of people one after the other, in the order of f_good."""
    count = people * each
    table = {
        "request_id": [str(number) for number in range(count)],
        "impression_id": [str(number) for number in range(count)],
        "user_key": np.repeat([f"u{number}" for number in range(people)], each).tolist(),
        "shown_at": list(range(count)),
        "f_good": np.tile(np.arange(each, dtype=float), people),
        "watch_s": np.tile([4.0, 0.0, 8.0], people)[:count],
        "like": np.tile([0.0, 1.0, 0.0], people)[:count],
        "follow": np.tile([2.0, 0.0, 0.0], people)[:count],
        "excluded_reason": pa.array([None] * count, pa.string()),
    }
    return pa.table(table | columns)


def named(table: pa.Table, signals: tuple[str, ...] = SIGNALS) -> dict[str, Any]:
    return {each.name: each for each in shown_feedback_yardsticks(table, ["f_good"], signals)}


def test_values_by_hand() -> None:
    found = named(impressions())
    scores = found["shown_watch_ndcg_at_10"].features[:, 0].astype(float)
    # ranked 8, 0, 4; the best order is 8, 4, 0
    watch = found["shown_watch_ndcg_at_10"].measure(scores)
    assert watch.value == pytest.approx((8 + 4 / log2(4)) / (8 + 4 / log2(3)))
    # ranked 0, 1, 1: a follow of value 2 is one piece of feedback like any other
    explicit = found["shown_explicit_ndcg_at_10"].measure(scores)
    assert explicit.value == pytest.approx((1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3)))
    assert len(set(watch.units)) == len(watch.units) == 40


def test_the_cutoff_is_that_of_the_problem() -> None:
    found = {
        each.name: each
        for each in shown_feedback_yardsticks(impressions(), ["f_good"], SIGNALS, cutoff=1)
    }
    watch = found["shown_watch_ndcg_at_1"]
    ranked_by_feature = watch.features[:, 0].astype(float)
    assert watch.measure(ranked_by_feature).value == 1
    assert watch.measure(-ranked_by_feature).value == pytest.approx(4 / 8)


@pytest.mark.parametrize(("column", "per_second"), [("duration_s", 1), ("duration_ms", 1000)])
def test_spread_of_durations_is_that_of_the_first_items(column: str, per_second: int) -> None:
    durations = [each * per_second for each in (10.0, 20.0, 60.0)] * 40
    table = impressions(**{column: durations})
    (name, yardstick) = list(
        {
            each.name: each
            for each in shown_feedback_yardsticks(table, ["f_good"], SIGNALS, cutoff=2)
        }.items()
    )[-1]
    assert name == "shown_duration_spread_at_2"
    measured = yardstick.measure(yardstick.features[:, 0].astype(float))
    # the first two last 60 and 20 seconds
    assert measured.value == pytest.approx(np.std([60, 20], ddof=1))
    assert len(set(measured.units)) == 40


def test_spread_needs_known_durations_of_enough_people() -> None:
    durations: list[float | None] = [10.0, 20.0, 60.0] * 40
    durations[0:3] = [None, 0.0, 60.0]
    found = named(impressions(duration_s=pa.array(durations, pa.float64())))
    assert len(found["shown_duration_spread_at_10"].lists) == 39
    few = named(impressions(MIN_QUERIES - 1, duration_s=durations[: 3 * (MIN_QUERIES - 1)]))
    reason = few["shown_duration_spread_at_10"].measure(np.zeros(0)).refused
    assert reason.startswith(f"{MIN_QUERIES - 2} people of the evaluation days")
    one = shown_feedback_yardsticks(impressions(duration_s=durations), ["f_good"], SIGNALS, 1)
    assert one[-1].measure(np.zeros(0)).refused.startswith("one item has no spread")
    without_watch = named(impressions(duration_s=durations), ("click", "like"))
    assert "shown_duration_spread_at_10" not in without_watch


def test_the_order_of_rows_does_not_matter() -> None:
    table = impressions()
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    for one, other in zip(named(table).values(), named(shuffled).values(), strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_array_equal(one.gains, other.gains)


def test_whom_nothing_can_be_said_of_is_left_out() -> None:
    users: list[str | None] = [f"u{number // 3}" for number in range(120)]
    users[0:3] = [None, None, None]
    users[3] = "alone"  # leaves two impressions to the second person
    reasons: list[str | None] = [None] * 120
    reasons[6:9] = ["bot"] * 3
    watch = np.tile([4.0, 0.0, 8.0], 40)
    watch[9:12] = 0.0
    table = impressions(
        user_key=users, excluded_reason=pa.array(reasons, pa.string()), watch_s=watch
    )
    found = named(table)["shown_watch_ndcg_at_10"]
    assert len(found.lists) == 40 - 2
    assert len(found.measure(np.zeros(len(found.features))).units) == 40 - 3


def test_too_few_people_are_no_answer() -> None:
    few = named(impressions(MIN_QUERIES - 1))["shown_explicit_ndcg_at_10"].measure(np.zeros(0))
    assert few.refused.startswith("29 people of the evaluation days")
    assert named(impressions(MIN_QUERIES))["shown_explicit_ndcg_at_10"].features.shape == (90, 1)
    single = named(impressions(each=1))["shown_watch_ndcg_at_10"].measure(np.zeros(0))
    assert single.refused.startswith("0 people")


def test_only_signals_of_the_problem_make_yardsticks() -> None:
    assert set(named(impressions(), ("click", "follow"))) == {"shown_explicit_ndcg_at_10"}
    assert named(impressions(), ("click",)) == {}
