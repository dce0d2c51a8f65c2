from math import log2

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from label_platform.evaluation import Lists, estimate_dcg, logged_examination, rank_discounts
from label_platform.evaluation.comparison import FitValues, estimate
from label_platform.evaluation.metrics import Floats
from label_platform.propensity import PropensityCurve, Verdict

LISTS, LENGTH = 400, 6
THETA = 1 / np.arange(1, LENGTH + 1)


def logged(
    seed: int, theta: Floats = THETA, lists: int = LISTS, ctr: float = 0.9
) -> tuple[Floats, Floats, Floats]:
    """Lists ordered by something, clicked as the position-based model says."""
    rng = np.random.default_rng(seed)
    gamma = rng.random((lists, LENGTH)) * ctr
    clicks = (rng.random(gamma.shape) < gamma * theta).astype(float)
    return gamma.ravel(), clicks.ravel(), np.tile(theta, lists)


def target(seed: int = 9, lists: int = LISTS) -> tuple[Floats, Lists]:
    """A new order that has nothing to do with the logged one."""
    of = Lists.of_sorted(np.repeat(np.arange(lists), LENGTH))
    scores = np.random.default_rng(seed).random(lists * LENGTH)
    return rank_discounts(scores, of, k=10), of


def test_parts_of_one_list_are_as_computed_by_hand() -> None:
    of = Lists.of_sorted(np.array([1, 1]))
    discounts = np.array([1 / log2(3), 1.0])

    found = estimate_dcg(discounts, np.array([1.0, 1.0]), np.array([1.0, 0.5]), of)

    total = 1 + 1 / log2(3)
    assert found.numerator.tolist() == pytest.approx([total * (1 / log2(3) + 1 / 0.5)])
    assert found.denominator.tolist() == pytest.approx([total])


def test_is_unbiased_and_its_interval_covers_the_truth() -> None:
    discounts, of = target()
    errors, covered = [], 0
    seeds = 200
    for seed in range(seeds):
        gamma, clicks, theta = logged(seed)
        truth = (discounts * gamma).sum() / LISTS
        found = estimate_dcg(discounts, clicks, theta, of)
        errors.append(found.value - truth)
        # three fits that agree: what is left is the spread over queries
        sides = [
            np.repeat(part[:, None], 3, axis=1) for part in (found.numerator, found.denominator)
        ]
        low, high = estimate(FitValues(np.arange(LISTS).astype(str), *sides)).interval(0.95)
        covered += low <= truth <= high
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(seeds)
    # truth here is that of the very lists, so the interval over lists is a little wide
    assert covered >= binom.ppf(0.001, seeds, 0.95)


def test_lists_where_the_ranker_puts_what_was_hard_to_see_on_top_are_no_evidence() -> None:
    theta = 1 / np.arange(1.0, LENGTH + 1) ** 5
    _, clicks, examination = logged(0, theta)
    of = Lists.of_sorted(np.repeat(np.arange(LISTS), LENGTH))
    reversed_order = rank_discounts(np.tile(np.arange(LENGTH), LISTS).astype(float), of, k=10)

    found = estimate_dcg(reversed_order, clicks, examination, of)

    assert found.overlap.verdict == "no_overlap"
    assert "for this ranking the lists are worth" in found.overlap.reason
    assert np.isnan(found.value)


def test_the_logged_order_itself_is_well_supported() -> None:
    _, clicks, theta = logged(0)
    of = Lists.of_sorted(np.repeat(np.arange(LISTS), LENGTH))
    same = rank_discounts(-np.tile(np.arange(LENGTH), LISTS).astype(float), of, k=10)

    overlap = estimate_dcg(same, clicks, theta, of).overlap

    discount = 1 / np.log2(1 + np.arange(1, LENGTH + 1))
    expected = discount.sum() ** 2 / (THETA.sum() * (discount**2 / THETA).sum())
    assert overlap.list_ess_share == pytest.approx(expected)
    assert overlap.verdict == "ok"
    assert overlap.reason == ""


def test_few_clicks_are_refused_with_their_effective_number() -> None:
    _, clicks, theta = logged(0, ctr=0.02)
    discounts, of = target()

    overlap = estimate_dcg(discounts, clicks, theta, of).overlap

    weight = (discounts / theta)[clicks > 0]
    assert overlap.click_ess == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert (
        overlap.reason
        == f"{int(clicks.sum())} clicks are worth {overlap.click_ess:.0f}, needed 100"
    )


def test_gain_at_positions_without_a_propensity_is_refused() -> None:
    _, clicks, theta = logged(0)
    discounts, of = target()
    theta[LENGTH - 1 :: LENGTH] = np.nan

    overlap = estimate_dcg(discounts, clicks, theta, of).overlap

    lost = discounts[LENGTH - 1 :: LENGTH].sum() / discounts.sum()
    assert overlap.unsupported_share == pytest.approx(lost)
    assert f"{lost:.1%} of the ranking's gain lies on items that the log never" in overlap.reason


def test_clipping_does_not_hide_how_little_overlap_there_is() -> None:
    theta = np.array([1, 1, 1, 1, 1, 0.001])
    _, clicks, examination = logged(0, theta)
    discounts, of = target()

    clipped = estimate_dcg(discounts, clicks, examination, of, "clipped", clip=0.5).overlap
    as_it_is = estimate_dcg(discounts, clicks, examination, of, "clipped", clip=0).overlap

    assert clipped.list_ess_share == as_it_is.list_ess_share
    lost = (1 - 0.001 / 0.5) * discounts[LENGTH - 1 :: LENGTH].sum() / discounts.sum()
    assert clipped.clipped_share == pytest.approx(lost)
    assert f"clipping cuts off {lost:.1%}" in clipped.reason
    assert as_it_is.clipped_share == 0


def test_examination_comes_from_the_own_context_then_from_the_pooled_curve() -> None:
    table = pd.DataFrame(
        {
            "device": ["phone", "phone", None, None],
            "position": [1, 2, 1, 2],
            "propensity": [1.0, 0.3, 1.0, 0.4],
        }
    )
    curve = PropensityCurve("randomized", ("device",), table, Verdict.OK, "")
    shown = pd.DataFrame(
        {"device": ["phone", "tablet", None, "phone"], "position": [2, 2, 2, 3]}, index=[9, 8, 7, 6]
    )

    found = logged_examination(shown, curve)

    assert found[:3].tolist() == [0.3, 0.4, 0.4]
    assert np.isnan(found[3])


def test_without_context_the_pooled_curve_is_used() -> None:
    table = pd.DataFrame({"position": [1, 2], "propensity": [1.0, 0.4]})
    curve = PropensityCurve("randomized", (), table, Verdict.OK, "")

    assert logged_examination(pd.DataFrame({"position": [2, 1]}), curve).tolist() == [0.4, 1.0]
