import math

import numpy as np
import pandas as pd
import pytest

from label_platform.propensity import Verdict, estimate_randomized
from label_platform.propensity_settings import PropensityGates

GATES = PropensityGates(max_interval_ratio=1.5, min_clicks=20)
REFUSED = Verdict.INSUFFICIENT_INTERVENTIONS


def lists(*cells: tuple[int, int, int, int], **context: str | None) -> pd.DataFrame:
    columns = ["length", "position", "impressions", "clicks"]
    return pd.DataFrame(list(cells), columns=columns).assign(**context)


PLENTY = ((2, 1, 100_000, 30_000), (2, 2, 100_000, 15_000))


def test_much_evidence_is_ok() -> None:
    curve = estimate_randomized(lists(*PLENTY), (), GATES)
    assert curve.verdict is Verdict.OK
    assert curve.reason.startswith("45,000 clicks on 200,000 randomised impressions")


def test_a_flat_curve_with_much_evidence_is_ok() -> None:
    generator = np.random.default_rng(3)
    clicks = generator.binomial(50_000, 0.05, size=5)
    cells = ((5, k, 50_000, int(count)) for k, count in enumerate(clicks, start=1))
    curve = estimate_randomized(lists(*cells), (), GATES)
    assert curve.verdict is Verdict.OK
    assert curve.table["propensity"].between(0.9, 1.1).all()


def test_a_steep_curve_with_little_evidence_is_wide() -> None:
    curve = estimate_randomized(lists((2, 1, 1000, 80), (2, 2, 1000, 20)), (), GATES)
    assert curve.verdict is Verdict.WIDE
    assert curve.table["verdict"].tolist() == ["ok", "wide"]
    half = math.exp(1.96 * math.sqrt(1 / 20 - 1 / 1000 + 1 / 80 - 1 / 1000))
    bounds = f"{0.25 / half:.2f} and {0.25 * half:.2f}".replace("0.", ".")
    assert f"position 2 lies between {bounds}" in curve.reason
    assert "at most 1.5 is asked" in curve.reason


def test_the_gate_on_the_interval_can_be_set() -> None:
    statistics = lists((2, 1, 1000, 80), (2, 2, 1000, 20))
    curve = estimate_randomized(statistics, (), PropensityGates(max_interval_ratio=3))
    assert curve.verdict is Verdict.OK


def test_little_evidence_that_could_be_flat_is_refused() -> None:
    curve = estimate_randomized(lists((2, 1, 1000, 20), (2, 2, 1000, 15)), (), GATES)
    assert curve.verdict is REFUSED
    assert set(curve.table["verdict"]) == {"insufficient_interventions"}
    assert "35 clicks on 2,000 randomised impressions cannot tell" in curve.reason


def test_too_few_clicks_are_refused_however_uneven() -> None:
    curve = estimate_randomized(lists((2, 1, 1000, 19), (2, 2, 1000, 0)), (), GATES)
    assert curve.verdict is REFUSED
    assert "19 clicks on 2,000 randomised impressions, where at least 20" in curve.reason
    enough = estimate_randomized(lists((2, 1, 1000, 20), (2, 2, 1000, 0)), (), GATES)
    assert enough.verdict is Verdict.WIDE


def test_no_randomised_list_is_refused_with_a_row_that_says_so() -> None:
    curve = estimate_randomized(lists((2, 1, 0, 0), (2, 2, 0, 0)), (), GATES)
    assert curve.verdict is REFUSED
    assert "no randomised list" in curve.reason
    assert curve.table[["position", "propensity", "impressions"]].to_numpy().tolist() == [[1, 1, 0]]
    assert estimate_randomized(lists(), (), GATES).verdict is REFUSED


def test_lists_that_never_randomise_position_one_are_refused() -> None:
    curve = estimate_randomized(lists((3, 2, 9000, 900), (3, 3, 9000, 600)), (), GATES)
    assert curve.verdict is REFUSED
    assert "the first randomised position is 2" in curve.reason


def test_a_reference_without_clicks_is_refused() -> None:
    curve = estimate_randomized(lists((2, 1, 9000, 0), (2, 2, 9000, 600)), (), GATES)
    assert curve.verdict is REFUSED
    assert "no click on the 9,000 at position 1" in curve.reason


def test_randomised_lists_of_one_item_say_nothing_about_longer_ones() -> None:
    curve = estimate_randomized(lists((1, 1, 9000, 900), (3, 3, 0, 0)), (), GATES)
    assert curve.verdict is REFUSED
    assert "while lists show positions up to 3" in curve.reason
    # Where nothing but position 1 exists, its propensity is 1 by definition.
    assert estimate_randomized(lists((1, 1, 9000, 900)), (), GATES).verdict is Verdict.OK


def test_positions_without_a_propensity_are_named() -> None:
    curve = estimate_randomized(lists(*PLENTY, (4, 3, 0, 0), (4, 4, 0, 0)), (), GATES)
    assert curve.verdict is Verdict.OK
    assert "no propensity at position 3, 4" in curve.reason


def test_a_refused_context_takes_the_pooled_curve() -> None:
    statistics = pd.concat(
        [lists(*PLENTY, device="mobile"), lists((2, 1, 50, 3), (2, 2, 50, 2), device="tv")]
    )
    curve = estimate_randomized(statistics, ["device"], GATES)
    assert curve.verdict is Verdict.OK
    assert curve.table["device"].dropna().unique().tolist() == ["mobile"]
    assert "device = tv takes this curve: 5 clicks on 100 randomised impressions" in curve.reason
    # The refused context still counts for the pooled curve.
    assert curve.table["clicks"].tolist()[-2:] == [30_000 + 3, 15_000 + 2]


def test_a_context_without_randomised_lists_takes_the_pooled_curve() -> None:
    statistics = pd.concat([lists(*PLENTY, device="mobile"), lists((2, 1, 0, 0), device="tv")])
    curve = estimate_randomized(statistics, ["device"], GATES)
    assert "device = tv takes this curve: no randomised list" in curve.reason


def test_when_the_pooled_curve_is_refused_too_everything_is_shown_and_refused() -> None:
    statistics = pd.concat(
        [
            lists((2, 1, 500, 10), (2, 2, 500, 8), device="mobile"),
            lists((2, 1, 50, 3), (2, 2, 50, 2), device="tv"),
        ]
    )
    curve = estimate_randomized(statistics, ["device"], GATES)
    assert curve.verdict is REFUSED
    assert curve.table["device"].dropna().unique().tolist() == ["mobile", "tv"]
    assert "takes this curve" not in curve.reason
    assert "all contexts: 23 clicks on 1,100 randomised impressions cannot tell" in curve.reason


@pytest.mark.parametrize(("refuse_wide", "own_curve"), [(False, True), (True, False)])
def test_a_wide_context_keeps_its_curve_unless_wide_is_refused(
    refuse_wide: bool,  # noqa: FBT001 - a test case
    own_curve: bool,  # noqa: FBT001 - a test case
) -> None:
    statistics = pd.concat(
        [lists(*PLENTY, device="mobile"), lists((2, 1, 500, 80), (2, 2, 500, 20), device="tv")]
    )
    gates = PropensityGates(refuse_wide=refuse_wide)
    curve = estimate_randomized(statistics, ["device"], gates)
    assert ("tv" in set(curve.table["device"])) == own_curve
    assert curve.verdict is (Verdict.WIDE if own_curve else Verdict.OK)


def test_flat_curves_are_rarely_taken_for_steep_ones() -> None:
    refused = 0
    for seed in range(100):
        clicks = np.random.default_rng(seed).binomial(3_333, 46 / 10_000, size=3)
        cells = ((3, k, 3_333, int(count)) for k, count in enumerate(clicks, start=1))
        refused += estimate_randomized(lists(*cells), (), GATES).verdict is REFUSED
    # The test's level is 5%: 95 of 100 expected, standard deviation 2.2.
    assert 88 <= refused <= 100
