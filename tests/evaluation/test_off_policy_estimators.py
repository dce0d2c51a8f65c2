"""Estimators against sums by hand and against populations whose truth is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from off_policy_worlds import CUTOFF, World, WorldSettings, predictions

from label_platform.evaluation import Lists, LoggedClicks, estimate_value
from label_platform.evaluation.metrics import Floats
from label_platform.evaluation.off_policy import (
    cross_fitted_relevance,
    estimate_click_rate,
    interval_by_unit,
    logged_trust_offset,
)
from label_platform.evaluation_settings import OffPolicyEstimator
from label_platform.propensity import PropensityCurve, Verdict

ALL: tuple[OffPolicyEstimator, ...] = ("ips", "clipped", "snips", "doubly_robust")


def two_lists() -> tuple[LoggedClicks, Floats]:
    """A list of two items of which one was shown, and one of two that were shown."""
    logged = LoggedClicks(
        lists=Lists.of_sorted(np.array([1, 1, 2, 2])),
        clicks=np.array([1.0, 0.0, 0.0, 1.0]),
        examination=np.array([1.0, 0.0, 1.0, 0.5]),
        offset=np.array([0.0, 0.0, 0.0, -0.1]),
        expected=np.array([0.8, 0.2, 0.5, 0.4]),
        predicted=np.array([0.3, 0.2, 0.1, 0.6]),
    )
    return logged, np.array([1.0, 0.6, 0.6, 1.0])


def test_each_estimator_is_the_sum_that_its_formula_says() -> None:
    logged, discounts = two_lists()
    first, second = 1.0 * 1 / 0.8, 1.0 * (1 + 0.1) / 0.4
    shown = 1.0 * 1.0 / 0.8, 0.6 * 1.0 / 0.5 + 1.0 * 0.5 / 0.4
    wanted = (1.0 + 0.6 + 0.6 + 1.0) / 2
    of_model = (0.3 + 0.6 * 0.2 + 0.6 * 0.1 + 0.6) / 2
    residual = ((1 - 0.3) / 0.8 + 0.6 * (0 - 0.1) / 0.5 + (1 + 0.1 - 0.5 * 0.6) / 0.4) / 2
    expected = {
        "ips": (first + second) / 2,
        "snips": wanted * (first + second) / (shown[0] + shown[1]),
        "doubly_robust": of_model + residual,
    }

    for name in ("ips", "snips", "doubly_robust"):
        found = estimate_value(logged, discounts, name, clip=0.0).unsupported_value  # type: ignore[arg-type]
        assert found == pytest.approx(expected[name]), name


def test_clipping_raises_propensities_and_counts_what_it_cuts_off() -> None:
    logged, discounts = two_lists()

    found = estimate_value(logged, discounts, "clipped", clip=0.5)

    assert found.unsupported_value == pytest.approx((1 / 0.8 + 1.1 / 0.5) / 2)
    lost = 0.6 * (1 - 0.2 / 0.5) + 1.0 * (1 - 0.4 / 0.5)
    assert found.overlap.clipped_share == pytest.approx(lost / 3.2)


def test_gates_are_those_of_the_unclipped_weights_of_all_items() -> None:
    logged, discounts = two_lists()

    overlap = estimate_value(logged, discounts, "clipped", clip=0.5).overlap

    rho, weight = logged.expected, discounts / logged.expected
    kish = discounts.sum() ** 2 / (rho.sum() * (discounts * weight).sum())
    assert overlap.list_ess_share == pytest.approx(kish)
    clicked = weight[[0, 3]]
    assert overlap.click_ess == pytest.approx(clicked.sum() ** 2 / (clicked**2).sum())
    assert overlap.max_weight == pytest.approx((0.6 / 0.2) / (discounts.sum() / rho.sum()))


def test_items_that_logging_never_shows_are_unsupported() -> None:
    logged, discounts = two_lists()
    never = replace(logged, expected=np.array([0.8, 0.0, 0.5, np.nan]))

    found = estimate_value(never, discounts, "ips")

    assert found.overlap.unsupported_share == pytest.approx((0.6 + 1.0) / 3.2)
    assert found.overlap.verdict == "no_overlap"
    assert np.isnan(found.value)
    assert found.unsupported_value == pytest.approx(1 / 0.8 / 2)


def test_pooled_rows_count_as_often_as_the_lists_they_stand_for() -> None:
    logged, discounts = two_lists()
    pooled = replace(logged, times=np.array([3.0, 1.0]))

    found = estimate_value(pooled, discounts, "snips")

    wanted = (3 * 1.6 + 1.6) / 4
    shown = 1 / 0.8 + 0.6 / 0.5 + 0.5 / 0.4
    assert found.unsupported_value == pytest.approx(wanted * (1 / 0.8 + 1.1 / 0.4) / shown)


@pytest.mark.parametrize(
    "settings", [WorldSettings(), WorldSettings(trust=0.2, click_rate=0.3)], ids=["pbm", "affine"]
)
@pytest.mark.parametrize("estimator", ALL)
def test_is_unbiased_for_items_shown_and_not_shown(
    settings: WorldSettings, estimator: OffPolicyEstimator
) -> None:
    for seed in (0, 1):
        world = World(replace(settings, seed=seed))
        discounts = world.discounts(world.target("true relevance"))
        predicted = predictions(world)
        values = []
        for number in range(40):
            log = world.draw(150, 5, np.random.default_rng([seed, number]))
            logged = log.of_candidates(is_counted=False)
            logged = logged.with_predictions(predicted[log.query].ravel())
            found = estimate_value(logged, discounts[log.query].ravel(), estimator)
            values.append(found.unsupported_value)
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - world.true_value(discounts)) < 4 * error
        assert error < 0.02 * world.true_value(discounts)


def test_without_the_offset_trust_is_taken_for_relevance() -> None:
    world = World(WorldSettings(trust=0.3, click_rate=0.4, rankers=(), chance=1.0))
    discounts = world.discounts(world.target("true relevance"))
    log = world.draw(4000, 2, np.random.default_rng(0))
    logged = log.of_candidates(is_counted=False)

    def value(given: LoggedClicks) -> float:
        return estimate_value(given, discounts[log.query].ravel(), "ips").unsupported_value

    truth = world.true_value(discounts)
    ignored = replace(logged, offset=np.zeros(len(logged.offset)))
    assert value(logged) == pytest.approx(truth, rel=0.04)
    assert value(ignored) < 0.9 * truth


def test_a_model_narrows_the_interval_and_a_wrong_one_does_not_move_it() -> None:
    world = World(WorldSettings(chance=0.6, rankers=(0.4,)))
    discounts = world.discounts(world.target("noisy relevance"))
    log = world.draw(400, 5, np.random.default_rng(3))
    logged = log.of_candidates(is_counted=False)
    of_rows = discounts[log.query].ravel()
    plain = estimate_value(logged, of_rows, "ips").interval(log.unit)
    true_model = logged.with_predictions(world.gamma[log.query].ravel())
    wrong_model = logged.with_predictions(np.full(len(logged.clicks), 0.9))

    good = estimate_value(true_model, of_rows, "doubly_robust")
    wrong = estimate_value(wrong_model, of_rows, "doubly_robust")

    assert good.interval(log.unit).standard_error < 0.97 * plain.standard_error
    assert wrong.interval(log.unit).standard_error > 1.2 * plain.standard_error
    interval = wrong.interval(log.unit)
    assert interval.low < world.true_value(discounts) < interval.high


def test_cross_fitted_relevance_finds_what_features_tell() -> None:
    world = World(WorldSettings(population=300))
    log = world.draw(300, 20, np.random.default_rng(5))
    logged = log.of_candidates(is_counted=True)
    gamma = world.gamma[log.query[::20]].ravel()

    found = cross_fitted_relevance(
        gamma[:, None],
        logged.clicks,
        logged.examination,
        logged.offset,
        np.arange(300).astype(str)[logged.lists.codes],
    )

    assert np.corrcoef(found, gamma)[0, 1] > 0.9
    assert found.mean() == pytest.approx(gamma.mean(), rel=0.15)
    assert found.min() >= 0


def test_cross_fitting_does_not_see_a_query_of_its_own() -> None:
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(200), 10).astype(str)
    clicks = np.repeat(rng.integers(0, 2, 200), 10).astype(float)
    feature = np.repeat(np.arange(200.0), 10)[:, None]
    one = np.ones(2000)

    found = cross_fitted_relevance(feature, clicks, one, 0 * one, units)

    # the feature names the query, whose clicks are pure chance: nothing can be known of it
    assert abs(np.corrcoef(found, clicks)[0, 1]) < 0.25


def test_doubly_robust_without_predictions_is_an_error() -> None:
    logged, discounts = two_lists()
    with pytest.raises(ValueError, match="needs a model's predictions"):
        estimate_value(replace(logged, predicted=None), discounts, "doubly_robust")
    with pytest.raises(ValueError, match="needs a model's predictions"):
        estimate_click_rate(np.ones(2), np.ones(2), np.ones(2), estimator="doubly_robust")


def test_rows_that_do_not_fit_together_are_an_error() -> None:
    lists = Lists.of_sorted(np.array([1, 1]))
    two, three = np.ones(2), np.ones(3)
    with pytest.raises(ValueError, match=r"expected 2 clicks.*found \[2, 3\]"):
        LoggedClicks(lists, two, two, two, three)
    with pytest.raises(ValueError, match="expected 1 times, found 3"):
        LoggedClicks(lists, two, two, two, two, three)


def test_choices_of_single_items_by_hand() -> None:
    clicks = np.array([1.0, 0.0, 1.0])
    probability = np.array([0.5, 0.25, 0.2])
    wanted = np.full(3, 0.25)
    weight = 0.25 / probability

    def value(**settings: Any) -> float:  # noqa: ANN401 - of several types
        return estimate_click_rate(clicks, probability, wanted, **settings).unsupported_value

    assert value(estimator="ips") == pytest.approx((0.5 + 1.25) / 3)
    assert value(estimator="snips") == pytest.approx((0.5 + 1.25) / (0.5 + 1.0 + 1.25))
    assert value(estimator="clipped", clip=0.9) == pytest.approx((0.5 + 1 / 0.9) / 3)
    robust = value(
        estimator="doubly_robust",
        predicted=np.array([0.4, 0.1, 0.2]),
        predicted_of_target=np.array([0.3, 0.3, 0.2]),
    )
    assert robust == pytest.approx((0.3 + 0.3 + 0.2 + 0.5 * 0.6 - 1.0 * 0.1 + 1.25 * 0.8) / 3)
    overlap = estimate_click_rate(clicks, probability, wanted).overlap
    assert overlap.list_ess_share == pytest.approx(weight.sum() ** 2 / (weight**2).sum() / 3)
    assert overlap.max_weight == pytest.approx(1.25 / weight.mean())


def test_a_choice_that_was_shown_with_probability_0_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 of 2 are not above 0, though the item was shown"):
        estimate_click_rate(np.ones(2), np.array([0.5, 0.0]), np.ones(2))


def test_trust_offsets_come_from_the_row_that_gives_the_examination() -> None:
    table = pd.DataFrame(
        {
            "device": ["phone", "phone", None, None],
            "position": [1, 2, 1, 2],
            "propensity": [1.0, 0.3, 1.0, 0.4],
            "trust_offset": [0.0, -0.1, 0.0, np.nan],
        }
    )
    curve = PropensityCurve("affine", ("device",), table, Verdict.OK, "")
    shown = pd.DataFrame({"device": ["phone", "tablet", "phone"], "position": [2, 2, 3]})

    assert logged_trust_offset(shown, curve).tolist() == [-0.1, 0.0, 0.0]
    plain = replace(curve, table=table.drop(columns="trust_offset"))
    assert logged_trust_offset(shown, plain).tolist() == [0.0, 0.0, 0.0]


def test_the_interval_of_a_plain_mean_is_students_where_nothing_is_skewed() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    influence = (values - 3) / 5

    found = interval_by_unit(3.0, influence, np.arange(5))

    half = 2.7764451 * np.sqrt(2.5 / 5)  # t(4) at 97.5%, sample variance 2.5
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), abs=1e-6)
    assert found.units == 5


def test_lists_of_one_query_are_one_unit() -> None:
    influence = np.array([1.0, 1.0, -1.0, -1.0, 0.5, -0.5])
    query = np.array(["a", "a", "b", "b", "c", "c"])

    found = interval_by_unit(0.0, influence, query)

    assert found.units == 3
    assert found.standard_error == pytest.approx(np.sqrt(3 * np.var([2.0, -2.0, 0.0], ddof=1)))
    with pytest.raises(ValueError, match="1 queries or lists: an interval needs 2"):
        interval_by_unit(0.0, influence, np.full(6, "a"))


def test_means_of_skewed_values_are_covered_better_than_by_students_interval() -> None:
    for seed in (11, 12):
        rng = np.random.default_rng(seed)
        mean, size, repeats = 0.25, 60, 1500
        covered = plain = 0
        for values in rng.gamma(mean, size=(repeats, size)):  # their skewness is 4
            found = interval_by_unit(
                values.mean(), (values - values.mean()) / size, np.arange(size)
            )
            covered += found.low <= mean <= found.high
            half = 2.001 * found.standard_error
            plain += abs(values.mean() - mean) <= half
        assert plain / repeats < 0.93
        assert covered > plain + 0.01 * repeats


def test_the_target_of_a_world_is_cut_off() -> None:
    world = World(WorldSettings(population=3))
    discounts = world.discounts(world.target("logger"))
    assert (discounts > 0).sum(axis=1).tolist() == [CUTOFF] * 3
