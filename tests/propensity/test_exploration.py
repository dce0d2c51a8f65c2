"""Promised precision and cost against simulated lists, and against arithmetic by hand."""

from math import exp, log, sqrt

import numpy as np
import pandas as pd
import pytest

from label_platform.logs.simulators.click_lists import (
    ClickLists,
    ClickListSettings,
    simulate_click_lists,
)
from label_platform.propensity.exploration import (
    ClickModel,
    Measure,
    drawn_from,
    model_of_click_rates,
    model_of_rate,
    plan_randomised,
    plan_swaps,
    power_curve,
    precision_of,
    randomised_design,
    swap_design,
)
from label_platform.propensity.randomized import estimate_randomized
from label_platform.propensity_settings import PropensityGates

WITHIN = 0.1
CURVE = power_curve(1.0, 5)


def simulated(lists: int, seed: int, **changes: object) -> ClickLists:
    settings = {"n_queries": 2_000, "top_click_rate": 0.3, "logger": "random"} | changes
    curves = (tuple(CURVE),)
    return simulate_click_lists(
        ClickListSettings(n_lists=lists, curves=curves, randomized_share=1.0, **settings), seed
    )


def estimated(lists: ClickLists) -> pd.DataFrame:
    statistics = pd.DataFrame(
        {
            "length": len(CURVE),
            "position": np.arange(1, len(CURVE) + 1),
            "impressions": len(lists.clicked),
            "clicks": lists.clicked.sum(axis=0),
        }
    )
    return estimate_randomized(statistics, (), PropensityGates()).table


def test_the_counts_of_randomised_lists_are_the_formulas() -> None:
    # two positions, propensity 1/2, relevance .2: 1/c_2 + 1/c_1 - 2/n = (10 + 5 - 2) / n
    model = model_of_rate(np.array([1, 0.5]), 0.2)
    every = plan_randomised(model, WITHIN)
    assert every.lists == pytest.approx(13 * (1.96 / log(1.1)) ** 2, abs=1)
    assert every.log_error[1] == pytest.approx(sqrt(13 / every.lists))
    assert plan_randomised(model, WITHIN, "mean").lists == pytest.approx(
        (0.8 / 0.1) ** 2 * 13, abs=1
    )
    assert every.days(10_000, 0.03) == 19  # 5,498 lists, 300 a day: 18 days give 5,400
    assert every.clicks_lost is None


def test_the_counts_of_swapped_lists_are_the_formulas() -> None:
    # relevance by rank .4, .2, .2; the pairs (1, 2) and (1, 3) have .3 on average
    curve = np.array([1, 0.5, 0.25])
    model = model_of_click_rates(curve, [0.4, 0.1, 0.05])
    second, third = 1 / 0.15 + 1 / 0.3 - 2, 1 / 0.075 + 1 / 0.3 - 2
    with_first = plan_swaps(model, WITHIN)
    assert with_first.lists == pytest.approx((second + third) * (1.96 / log(1.1)) ** 2, abs=1)
    assert with_first.design.pair_shares == pytest.approx(
        [second / (second + third), third / (second + third)]
    )
    # the pair (2, 3) has .2; the variances of the two links add at position 3
    link = 1 / 0.1 + 1 / 0.05 - 2
    chain = plan_swaps(model, WITHIN, neighbours=True)
    best = (sqrt(second) + sqrt(link)) ** 2
    assert chain.lists == pytest.approx(best * (1.96 / log(1.1)) ** 2, abs=1)
    assert chain.log_error[2] > chain.log_error[1] > chain.log_error[0] == 0


def test_no_other_sharing_out_of_lists_makes_the_last_of_a_chain_better_known() -> None:
    design = swap_design(model_of_click_rates(CURVE, 0.3 * CURVE), neighbours=True)
    links = np.diff(design.unit_variance) * design.pair_shares
    for shift in (0.9, 1.1):
        other = design.pair_shares * [shift, 1, 1, 1]
        assert (links / (other / other.sum())).sum() > design.unit_variance[-1]


@pytest.mark.parametrize("measure", ["every", "mean"])
@pytest.mark.parametrize("neighbours", [None, False, True])
def test_precision_is_the_inverse_of_the_plan(
    measure: Measure,
    neighbours: bool | None,  # noqa: FBT001 - a parameter of pytest
) -> None:
    model = model_of_click_rates(power_curve(0.7, 10), 0.2 * power_curve(1.2, 10))
    plan = (
        plan_randomised(model, 0.04, measure)
        if neighbours is None
        else plan_swaps(model, 0.04, measure, neighbours=neighbours)
    )
    assert precision_of(plan.design, plan.lists, measure) == pytest.approx(0.04, rel=1e-3)
    assert precision_of(plan.design, plan.lists, measure) <= 0.04
    assert precision_of(plan.design, plan.lists - 1, measure) > 0.04


def test_simulated_randomised_lists_keep_the_promise() -> None:
    plan = plan_randomised(model_of_rate(CURVE, 0.3), WITHIN)
    curves = [estimated(simulated(plan.lists, seed)) for seed in range(40)]
    # the estimator's own interval at the last position, which is the widest, is as wide as promised
    ends = [curve["ci_high"].iloc[-1] / curve["propensity"].iloc[-1] - 1 for curve in curves]
    assert np.mean(ends) == pytest.approx(WITHIN, rel=0.05)
    assert np.ptp(ends) < 0.3 * WITHIN
    # and holds the truth in 95 of 100 logs; fewer than 33 of 40 is a chance of 1 in 1,000
    errors = np.array([np.log(curve["propensity"] / CURVE) for curve in curves])
    inside = np.abs(errors[:, -1]) <= log(1 + WITHIN)
    assert inside.sum() >= 33
    assert errors[:, 1:].std(axis=0) == pytest.approx(plan.log_error[1:], rel=0.35)


def test_simulated_mean_errors_are_the_promised_ones() -> None:
    plan = plan_randomised(model_of_rate(CURVE, 0.3), 0.05, "mean")
    curves = [estimated(simulated(plan.lists, seed)) for seed in range(40)]
    errors = [np.abs(curve["propensity"] / CURVE - 1)[1:].mean() for curve in curves]
    assert np.mean(errors) == pytest.approx(0.05, rel=0.2)


def simulate_swaps(
    model: ClickModel, lists: int, *, neighbours: bool, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """log theta from lists of pairs that a coin swaps, and the clicks these lists lost."""
    assert model.relevance is not None
    design = swap_design(model, neighbours=neighbours)
    ratios = [0.0]
    clicks = expected = 0.0
    for pair, of_pair in enumerate(rng.multinomial(lists, design.pair_shares)):
        low, high = (pair if neighbours else 0), pair + 1
        swapped = rng.binomial(of_pair, 0.5)
        both = [(low, high, of_pair - swapped), (high, low, swapped)]
        at_low = sum(rng.binomial(n, model.curve[low] * model.relevance[up]) for up, _, n in both)
        at_high = sum(
            rng.binomial(n, model.curve[high] * model.relevance[down]) for _, down, n in both
        )
        clicks += at_low + at_high
        expected += of_pair * (model.curve * model.relevance)[[low, high]].sum()
        ratios.append(log(at_high / at_low))
    logs = np.array(ratios)
    return (logs.cumsum() if neighbours else logs), expected - clicks


@pytest.mark.parametrize("neighbours", [False, True])
def test_simulated_swaps_keep_the_promise(neighbours: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    model = model_of_click_rates(CURVE, [0.3, 0.12, 0.07, 0.05, 0.03])
    plan = plan_swaps(model, WITHIN, neighbours=neighbours)
    rng = np.random.default_rng(3)
    runs = [simulate_swaps(model, plan.lists, neighbours=neighbours, rng=rng) for _ in range(400)]
    errors = np.array([logs for logs, _ in runs]) - np.log(CURVE)
    assert np.abs(errors.mean(axis=0)).max() < 0.01
    # 400 runs tell a standard deviation to 3.5%; items of two relevances vary a little less
    assert errors[:, 1:].std(axis=0) == pytest.approx(plan.log_error[1:], rel=0.12)
    assert np.mean([lost for _, lost in runs]) == pytest.approx(plan.clicks_lost, rel=0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_clicks_that_random_lists_lose_are_the_promised_ones(seed: int) -> None:
    # as many candidates as positions: a list in random order holds what the ranker shows
    ranked = {"logger": "strong", "rankers": 1, "candidates": 5}
    settings = ClickListSettings(
        n_lists=60_000, n_queries=500, curves=(tuple(CURVE),), top_click_rate=0.3, **ranked
    )
    logged = simulate_click_lists(settings, seed)
    chance = simulated(60_000, seed, n_queries=500, candidates=5)
    design = randomised_design(model_of_click_rates(CURVE, logged.clicked.mean(axis=0)))
    lost = logged.clicked.sum(axis=1).mean() - chance.clicked.sum(axis=1).mean()
    assert design.clicks_lost_per_list == pytest.approx(lost, abs=0.02)
    assert lost > 0.1


def test_costs_by_hand() -> None:
    # relevance .4, .2, 0 by rank; a list gets .4 + .1, in random order (1 + .5 + .25) * .2
    curve = np.array([1, 0.5, 0.25])
    model = model_of_click_rates(curve, [0.4, 0.1, 0.0])
    design = randomised_design(model)
    assert design.clicks_lost_per_list == pytest.approx(0.5 - 0.35)
    plan = plan_randomised(model, WITHIN)
    assert plan.clicks_lost == pytest.approx(0.15 * plan.lists)
    # half the lists of a pair are swapped: .4 moves from 1 to .5, .2 from .5 to 1
    swaps = swap_design(model)
    second, third = swaps.pair_shares
    assert swaps.clicks_lost_per_list == pytest.approx(
        0.5 * (second * (0.2 * 0.5) + third * (0.4 * 0.75))
    )
    # where random lists were logged, their own rate counts
    known = randomised_design(model_of_click_rates(curve, [0.4, 0.1, 0.0], 0.1))
    assert known.clicks_lost_per_list == pytest.approx(0.5 - 0.175)


def test_items_from_beyond_the_list_cost_more_and_tell_less() -> None:
    model = model_of_click_rates(CURVE, 0.3 * CURVE)
    worst = drawn_from(model, 25)
    assert worst.random_relevance == pytest.approx(0.3 * 5 / 25)
    lost = randomised_design(worst).clicks_lost_per_list
    assert lost == pytest.approx(CURVE.sum() * (0.3 - 0.06))
    assert randomised_design(model).clicks_lost_per_list == pytest.approx(0)
    assert plan_randomised(worst, WITHIN).lists > 5 * plan_randomised(model, WITHIN).lists


def test_a_steeper_curve_a_lower_rate_and_more_precision_take_more_lists() -> None:
    lists = plan_randomised(model_of_rate(CURVE, 0.2), WITHIN).lists
    assert plan_randomised(model_of_rate(power_curve(1.5, 5), 0.2), WITHIN).lists > lists
    assert plan_randomised(model_of_rate(CURVE, 0.1), WITHIN).lists > lists
    halved = plan_randomised(model_of_rate(CURVE, 0.2), exp(log(1 + WITHIN) / 2) - 1).lists
    assert halved == pytest.approx(4 * lists, abs=4)


def test_what_cannot_be_planned_is_said() -> None:
    model = model_of_rate(CURVE, 0.2)
    with pytest.raises(ValueError, match="nothing to learn of 1 position"):
        model_of_rate(np.ones(1), 0.2)
    with pytest.raises(ValueError, match=r"1 at position 1 and above 0 everywhere, found 0\.5, 1"):
        model_of_rate(np.array([0.5, 1]), 0.2)
    with pytest.raises(ValueError, match="relevance in random lists is 0; expected above 0"):
        model_of_rate(CURVE, 0.0)
    with pytest.raises(ValueError, match="2 click rates for a curve of 5 positions"):
        model_of_click_rates(CURVE, [0.1, 0.1])
    with pytest.raises(ValueError, match=r"a share from 0 to 1, found 1\.1"):
        model_of_click_rates(CURVE, [1.1, 0.1, 0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match=r"0.3 at position 5 .* propensity 0.2 allows"):
        model_of_click_rates(CURVE, [0.3, 0.3, 0.3, 0.2, 0.3])
    with pytest.raises(ValueError, match="found a precision of 0; expected above 0"):
        plan_randomised(model, 0)
    with pytest.raises(ValueError, match="found 0 lists"):
        precision_of(randomised_design(model), 0)
    with pytest.raises(ValueError, match="4 candidates for lists of 5 positions"):
        drawn_from(model, 4)
    with pytest.raises(ValueError, match="no clicks are expected at positions 2 and 3"):
        swap_design(model_of_click_rates(CURVE[:3], [0.1, 0, 0]), neighbours=True)
