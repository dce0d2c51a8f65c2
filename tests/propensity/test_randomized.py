import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from label_platform.propensity import (
    PropensityCurve,
    Verdict,
    estimate_randomized,
    expected_error,
)
from label_platform.propensity.shrinkage import shrink
from label_platform.propensity_settings import PropensityGates

GATES = PropensityGates()
Cell = tuple[int, int, int, int]


def lists(*cells: Cell, **context: str | None) -> pd.DataFrame:
    columns = ["length", "position", "impressions", "clicks"]
    return pd.DataFrame(list(cells), columns=columns).assign(**context)


def at(curve: PropensityCurve, position: int) -> pd.Series:
    [(_, row)] = curve.table[curve.table["position"] == position].iterrows()
    return row


def test_ratio_and_interval_by_hand() -> None:
    curve = estimate_randomized(lists((2, 1, 1000, 300), (2, 2, 1000, 150)), (), GATES)
    error = math.sqrt(1 / 150 - 1 / 1000 + 1 / 300 - 1 / 1000)
    row = at(curve, 2)
    assert row["propensity"] == (150 / 1000) / (300 / 1000)
    assert row["ci_low"] == round(0.5 * math.exp(-1.96 * error), 6)
    assert row["ci_high"] == round(0.5 * math.exp(1.96 * error), 6)
    assert (row["impressions"], row["clicks"]) == (1000, 150)


def test_the_reference_position_is_one_by_definition() -> None:
    row = at(estimate_randomized(lists((2, 1, 1000, 300), (2, 2, 1000, 150)), (), GATES), 1)
    assert [row["propensity"], row["ci_low"], row["ci_high"]] == [1, 1, 1]
    assert row["verdict"] == "ok"


def test_position_one_is_taken_from_the_lists_long_enough() -> None:
    # Short lists are clicked twice as often: position 1 of all lists would give .2/.6 = .33.
    curve = estimate_randomized(
        lists(
            (1, 1, 10_000, 8_000),
            (2, 1, 5_000, 2_500),
            (2, 2, 5_000, 1_500),
            (3, 1, 5_000, 1_500),
            (3, 2, 5_000, 1_000),
            (3, 3, 5_000, 300),
        ),
        (),
        GATES,
    )
    assert at(curve, 2)["propensity"] == round(
        ((1500 + 1000) / 10_000) / ((2500 + 1500) / 10_000), 6
    )
    assert at(curve, 3)["propensity"] == (300 / 5_000) / (1_500 / 5_000)
    assert at(curve, 1)["impressions"] == 10_000 + 5_000 + 5_000


def test_no_click_counts_as_half_a_click() -> None:
    curve = estimate_randomized(lists((2, 1, 1000, 300), (2, 2, 1000, 0)), (), GATES)
    row = at(curve, 2)
    error = math.sqrt(1 / 0.5 - 1 / 1000 + 1 / 300 - 1 / 1000)
    assert row["propensity"] == round(0.5 / 300, 6)
    assert row["ci_high"] == round(0.5 / 300 * math.exp(1.96 * error), 6)
    assert row["clicks"] == 0
    assert row["verdict"] == "wide"


def test_rows_of_one_cell_are_summed() -> None:
    whole = lists((2, 1, 1000, 300), (2, 2, 1000, 150))
    parts = lists((2, 2, 400, 70), (2, 1, 1000, 300), (2, 2, 600, 80))
    pd.testing.assert_frame_equal(
        estimate_randomized(parts, (), GATES).table, estimate_randomized(whole, (), GATES).table
    )


def test_each_context_has_a_curve_and_the_pooled_one_has_null_context() -> None:
    statistics = pd.concat(
        [
            lists((2, 1, 9000, 3000), (2, 2, 9000, 1500), device="mobile"),
            lists((2, 1, 9000, 2000), (2, 2, 9000, 1600), device="desktop"),
            lists((2, 1, 9000, 1000), (2, 2, 9000, 700), device=None),
        ]
    )
    curve = estimate_randomized(statistics, ["device"], GATES)
    found = curve.table[["device", "position", "propensity"]].to_numpy().tolist()
    assert found[:4] == [
        ["desktop", 1, 1],
        ["desktop", 2, 1600 / 2000],
        ["mobile", 1, 1],
        ["mobile", 2, 1500 / 3000],
    ]
    # A record without a context value belongs to the pooled curve and to no other.
    assert [row[1:] for row in found[4:]] == [[1, 1], [2, round((1500 + 1600 + 700) / 6000, 6)]]
    assert curve.table["device"].isna().tolist() == [False] * 4 + [True] * 2
    assert curve.verdict is Verdict.OK


def test_row_order_and_input_order_do_not_change_the_table() -> None:
    statistics = pd.concat(
        [lists((2, 1, 9000, 3000), (2, 2, 9000, 1500), device=device) for device in ("a", "b", "c")]
    )
    tables = [
        estimate_randomized(statistics.sample(frac=1, random_state=seed), ["device"], GATES).table
        for seed in (1, 2)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_log_of_single_records_is_taken_as_lists_of_one_length() -> None:
    curve = estimate_randomized(lists((1, 1, 9000, 3000), (2, 2, 9000, 1500)), (), GATES)
    assert at(curve, 2)["propensity"] == 1500 / 3000
    assert "the log keeps no lists" in curve.reason


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ((2, 3, 10, 1), "position beyond the list's length"),
        ((2, 0, 10, 1), "position below 1"),
        ((2, 1, 10, 11), "more clicks than impressions"),
        ((2, 1, 10, -1), "negative count"),
    ],
)
def test_contradicting_counts_are_refused(cell: Cell, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_randomized(lists(cell), (), GATES)


def test_missing_columns_are_named() -> None:
    with pytest.raises(ValueError, match="device"):
        estimate_randomized(lists((1, 1, 10, 1)), ["device"], GATES)


@pytest.mark.parametrize(("ctr", "error"), [(0.30, 0.036), (0.05, 0.092)])
def test_expected_error_is_the_published_figure(ctr: float, error: float) -> None:
    # METHODS: 10,000 lists of 10 under 1/k: 3.6% at CTR@1 .30, 9.2% at .05.
    statistics = lists(*((10, k, 10_000, round(10_000 * ctr / k)) for k in range(1, 11)))
    assert expected_error(statistics) == pytest.approx(error, abs=0.0005)


def test_expected_error_by_hand() -> None:
    statistics = lists((3, 1, 100, 50), (3, 2, 100, 20), (3, 3, 100, 0))
    second = math.sqrt(1 / 20 - 1 / 100 + 1 / 50 - 1 / 100)
    third = math.sqrt(1 / 0.5 - 1 / 100 + 1 / 50 - 1 / 100)
    assert expected_error(statistics) == pytest.approx(0.8 * (second + third) / 2)


def simulated(seed: int, ctr: float) -> pd.DataFrame:
    """Lists of 6 and of 10 with their own relevance, examined with 1/k."""
    generator = np.random.default_rng(seed)
    return lists(
        *(
            (length, k, count, int(generator.binomial(count, gamma / k)))
            for length, count, gamma in ((6, 4_000, min(2 * ctr, 1)), (10, 10_000, ctr))
            for k in range(1, length + 1)
        )
    )


def recoveries(ctr: float) -> Iterator[tuple[float, bool, float]]:
    for seed in range(20):
        statistics = simulated(seed, ctr)
        table = estimate_randomized(statistics, (), GATES).table.query("position > 1")
        truth = 1 / table["position"]
        error = ((table["propensity"] - truth).abs() / truth).mean()
        covered = (table["ci_low"] <= truth) & (truth <= table["ci_high"])
        yield float(error), float(covered.mean()), expected_error(statistics)


@pytest.mark.parametrize("ctr", [0.05, 0.30])
def test_known_truth_is_recovered_with_honest_intervals(ctr: float) -> None:
    errors, coverages, expected = (np.mean(values) for values in zip(*recoveries(ctr), strict=True))
    assert 0.90 <= coverages <= 0.99
    assert 0.5 * expected <= errors <= 1.2 * expected


def of_devices(seed: int, devices: int, curve: tuple[float, ...]) -> pd.DataFrame:
    """Each device's 600 lists, all examined alike."""
    generator = np.random.default_rng(seed)
    return pd.concat(
        [
            lists(
                *(
                    (len(curve), k, 600, int(generator.binomial(600, 0.4 * theta)))
                    for k, theta in enumerate(curve, start=1)
                ),
                device=f"d{number}",
            )
            for number in range(devices)
        ]
    )


def of_contexts(curve: PropensityCurve) -> pd.DataFrame:
    return curve.table[curve.table["device"].notna() & (curve.table["position"] > 1)]


def test_many_contexts_are_shrunk_toward_their_mean_by_the_formula() -> None:
    statistics = of_devices(1, 6, (1, 0.5, 0.3))
    curve = estimate_randomized(statistics, ["device"], GATES)
    alone = pd.concat(
        [
            estimate_randomized(rows.drop(columns="device"), (), GATES).table.assign(device=device)
            for device, rows in statistics.groupby("device")
        ]
    ).sort_values(["device", "position"])
    logs = np.log(alone["propensity"].to_numpy(float)).reshape(6, 3)
    high = np.log(alone["ci_high"].to_numpy(float)).reshape(6, 3)
    expected, errors = shrink(logs, (high - logs) / 1.96)
    found = of_contexts(curve)
    assert found["propensity"].to_numpy() == pytest.approx(np.exp(expected)[:, 1:].ravel(), 1e-4)
    ends = np.exp(expected + 1.96 * errors)[:, 1:].ravel()
    assert found["ci_high"].to_numpy() == pytest.approx(ends, rel=1e-4)
    assert found["ci_low"].to_numpy() == pytest.approx(
        np.exp(expected - 1.96 * errors)[:, 1:].ravel(), rel=1e-4
    )
    assert found["propensity"].std() < alone.query("position > 1")["propensity"].std()
    assert "curves of contexts are shrunk toward their mean" in curve.reason


def test_shrunk_intervals_hold_the_truth() -> None:
    inside = []
    for seed in range(15):
        found = of_contexts(estimate_randomized(of_devices(seed, 6, (1, 0.5)), ["device"], GATES))
        inside.extend((found["ci_low"] <= 0.5) & (found["ci_high"] >= 0.5))
    assert len(inside) == 15 * 6
    assert 0.9 <= np.mean(inside) <= 1


def test_four_contexts_stay_as_they_are() -> None:
    statistics = of_devices(1, 4, (1, 0.5))
    curve = estimate_randomized(statistics, ["device"], GATES)
    first, second = statistics.query("device == 'd0'")["clicks"]
    assert of_contexts(curve)["propensity"].iloc[0] == round(second / first, 6)
    assert "shrunk" not in curve.reason


def test_a_context_without_a_click_at_the_top_draws_no_other() -> None:
    statistics = of_devices(1, 6, (1, 0.5))
    broken = lists((2, 1, 600, 0), (2, 2, 600, 500), device="d9")
    with_broken = estimate_randomized(pd.concat([statistics, broken]), ["device"], GATES)
    pd.testing.assert_frame_equal(
        of_contexts(with_broken), of_contexts(estimate_randomized(statistics, ["device"], GATES))
    )
    assert "device = d9 takes this curve" in with_broken.reason
