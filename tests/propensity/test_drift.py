from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from label_platform.logs.simulators.click_lists import ClickListSettings, simulate_click_lists
from label_platform.propensity.cells import Cells, Floats
from label_platform.propensity.estimators.pbm import pbm_propensities
from label_platform.propensity.gates.drift import drift_test, joint_drift
from label_platform.propensity_settings import PropensityGates

SIGNIFICANCE = PropensityGates().drift_significance
POSITIONS = np.arange(1, 11)
DAYS = 14


def days_of(
    exponents: Sequence[float], seed: int, n_lists: int, logger: str = "weak", n_queries: int = 40
) -> tuple[list[Cells], Floats]:
    """Cells of each day, and the curve of all; a day is simulated as a device is."""
    settings = ClickListSettings(
        n_lists=n_lists,
        n_queries=n_queries,
        curves=tuple(tuple((POSITIONS**-exponent).tolist()) for exponent in exponents),
        logger=logger,  # type: ignore[arg-type]
    )
    table = simulate_click_lists(settings, seed).table()
    days = [Cells.from_table(table[table["device"] == day], 10) for day in range(len(exponents))]
    return days, pbm_propensities(Cells.from_table(table))


@pytest.mark.parametrize("logger", ["weak", "random"])
def test_seldom_cries_wolf(logger: str) -> None:
    p_values = []
    for seed in range(6):
        found = drift_test(*days_of([1.0] * DAYS, seed, 4_000, logger), SIGNIFICANCE)
        p_values.append(found.p_value)

    assert np.min(p_values) > SIGNIFICANCE
    assert np.mean(np.array(p_values) < 0.05) <= 0.3
    assert np.mean(p_values) > 0.25


@pytest.mark.parametrize("seed", [1, 2])
def test_a_curve_that_changes_halfway_is_found(seed: int) -> None:
    found = drift_test(*days_of([1.0] * 7 + [1.8] * 7, seed, 15_000, "random"), SIGNIFICANCE)

    assert found.name == "drift"
    assert found.p_value < 1e-4
    assert found.degrees_of_freedom <= (DAYS - 1) * (10 - 1)
    assert found.sentence.startswith("the position curve changed within these 14 days (chi-square")


def test_items_that_change_are_not_drift() -> None:
    days = []
    for day in range(4):
        settings = ClickListSettings(n_lists=5_000, n_queries=60, logger="random")
        table = simulate_click_lists(settings, 100 + day).table()
        days.append(Cells.from_table(table, 10))

    assert drift_test(days, 1 / POSITIONS, SIGNIFICANCE).p_value > 0.01


def test_a_wrong_start_does_not_matter() -> None:
    days, propensity = days_of([1.0] * 4, 5, 10_000)

    right, wrong = (
        drift_test(days, propensity, SIGNIFICANCE),
        drift_test(days, np.ones(10), SIGNIFICANCE),
    )

    assert wrong.statistic == pytest.approx(right.statistic, rel=1e-3)


@pytest.mark.parametrize(
    ("n_lists", "power", "fired"), [(2_000, (0.0, 0.1), (0, 1)), (14_000, (0.7, 1.0), (4, 6))]
)
def test_power_is_what_happens(
    n_lists: int, power: tuple[float, float], fired: tuple[int, int]
) -> None:
    stated, found = [], []
    for seed in range(6):
        stated.append(
            drift_test(*days_of([1.0] * 2, seed, n_lists, "random", 300), SIGNIFICANCE).power
        )
        changed = drift_test(*days_of([1.0, 1.2], seed, n_lists, "random", 300), SIGNIFICANCE)
        found.append(changed.p_value < SIGNIFICANCE)

    assert power[0] <= np.mean(stated) <= power[1]
    assert fired[0] <= sum(found) <= fired[1]


def test_the_sentence_states_the_power() -> None:
    found = drift_test(*days_of([1.0] * 3, 1, 3_000), SIGNIFICANCE)

    assert found.sentence.startswith("one position curve holds on all 3 days as far as")
    assert found.sentence.endswith(
        f"a change halfway from 1/k to 1/k^1.2 would be found {found.power:.0%} of times"
    )


def test_nothing_to_test() -> None:
    columns = ["query", "item", "position", "impressions", "clicks"]
    few = Cells.from_table(
        pd.DataFrame([("q", "a", 1, 3, 1), ("q", "a", 2, 3, 1)], columns=columns)
    )
    none = Cells.from_table(pd.DataFrame([], columns=columns).astype({"position": int}), 2)
    for days in ([], [few], [few, few], [few, none], [none, none]):
        for propensity in (np.ones(2), np.full(2, np.nan)):
            found = drift_test(days, propensity, SIGNIFICANCE)
            assert (found.p_value, found.degrees_of_freedom, found.power) == (1, 0, 0)
            assert found.sentence.startswith("drift could not be tested: ")


@pytest.mark.parametrize("seed", [1, 2])
def test_power_and_words_follow_the_significance(seed: int) -> None:
    days, curve = days_of([1.0, 1.2], seed, 6_000, "random", 300)
    strict, lax = (drift_test(days, curve, level) for level in (1e-4, 0.1))

    assert strict.p_value == lax.p_value
    assert strict.power < lax.power - 0.1
    for level, changed in ((strict.p_value * 1.01, True), (strict.p_value * 0.99, False)):
        alone = drift_test(days, curve, level)
        joint = joint_drift({"tv": alone, "pc": alone}, alone.p_value)
        assert alone.sentence.startswith("the position curve changed") is changed
        assert joint.sentence.startswith("position curves changed") is (
            joint.p_value < alone.p_value
        )
