"""Sample ratios of an offline comparison, and that a policy does not differ from itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, chi2_contingency

from label_platform.evaluation import LogCheck, Panel, mix_check, randomized_share_check
from label_platform.evaluation.arms import Effort
from label_platform.evaluation.identity import HALVES, SAME_SEED, identity_checks
from label_platform.evaluation.resampling import halves
from label_platform.ranking import RankerTrainer
from tests.evaluation.test_arms import SPEC, clicked_twice, data, world

EFFORT = Effort(rounds=8, fits=3, seed=1)


def checked(frame: pd.DataFrame, panel: Panel, **changes: int) -> list[LogCheck]:
    """The checks of a ranker fitted on these rows, perhaps with another effort."""
    effort = replace(EFFORT, **changes)
    trainer = RankerTrainer(data(frame), None, SPEC)
    ranker = trainer.fit(rounds=effort.rounds, seed=effort.seed)
    return identity_checks(data(frame), None, SPEC, ranker, panel, EFFORT)


def test_the_p_value_is_that_of_a_table_of_counts() -> None:
    counts = {"a": (30, 1000), "b": (60, 1000), "c": (33, 1000)}

    found = randomized_share_check("x", counts)

    expected = chi2_contingency([[30, 60, 33], [970, 940, 967]], correction=False).pvalue
    assert f"p = {expected:.2g}" in found.sentence
    assert not found.passed
    assert "4.10% of 3,000 lists are in random order, from 3.00% (a) to 6.00% (b)" in found.sentence


@pytest.mark.parametrize("seed", [0, 1])
def test_an_even_share_seldom_fires_and_a_lost_one_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fired = found = 0
    for _ in range(1000):
        random = rng.binomial(3000, 0.03, 10)
        even = {str(day): (int(count), 3000) for day, count in enumerate(random)}
        fired += not randomized_share_check("x", even).passed
        found += not randomized_share_check("x", even | {"9": (30, 3000)}).passed
    assert fired <= binom.ppf(0.999, 1000, 0.001)
    assert found > 900


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"a": (0, 100), "b": (0, 100)}, "no list is in random order"),
        ({"a": (100, 100), "b": (9, 9)}, "every list is in random order"),
        ({"a": (3, 100)}, "too few lists"),
        ({"a": (1, 4), "b": (1, 4)}, "too few lists"),
        ({}, "no list is in random order"),
    ],
)
def test_what_cannot_be_tested_passes_and_says_so(
    counts: dict[str, tuple[int, int]], words: str
) -> None:
    found = randomized_share_check("x", counts)

    assert found.passed
    assert found.sentence == f"not tested: {words}"


def test_a_mix_fires_where_it_moved_far_and_not_where_it_drifted() -> None:
    before = {"desktop": 60_000, "mobile": 40_000}

    drifted = mix_check("x", before, {"desktop": 11_000, "mobile": 9_000})
    moved = mix_check("x", before, {"desktop": 9_000, "mobile": 11_000})
    by_chance = mix_check("x", {"a": 30, "b": 20}, {"a": 20, "b": 30})

    assert drifted.passed
    assert "5.0% of lists changed their part" in drifted.sentence
    assert not moved.passed
    assert "15.0% of lists changed their part" in moved.sentence
    assert by_chance.passed  # a fifth moved, of too few lists to tell


def test_a_part_that_is_gone_or_new_is_a_move() -> None:
    found = mix_check("x", {"desktop": 900, "mobile": 100}, {"desktop": 700, "tv": 300})

    assert not found.passed
    assert "most of all tv from 0.0% to 30.0%" in found.sentence


def test_without_lists_there_is_no_mix() -> None:
    assert mix_check("x", {"desktop": 10}, {}).sentence == "not tested: too few lists"


def test_a_policy_is_identical_to_itself_and_its_halves_do_not_differ() -> None:
    frame, panel = world()

    found = {each.name: each for each in checked(frame, panel)}

    assert found[SAME_SEED].passed
    first, second = found[SAME_SEED].sentence.removeprefix("fitted twice: ").split(" and ")
    assert first == second
    assert len(first) == 12
    assert found[HALVES].passed
    assert found[HALVES].sentence.startswith("on two halves of the queries, true_ndcg_at_10: ")


def test_another_ranker_is_not_identical() -> None:
    frame, panel = world()

    found = checked(frame, panel, rounds=7)[0]

    assert found.name == SAME_SEED
    assert not found.passed


def test_halves_that_were_labelled_otherwise_differ() -> None:
    frame, panel = world()
    first = halves(frame["query_id"].unique().tolist(), EFFORT.seed)[frame["query_id"]]
    frame["label"] = np.where(first, frame["f_good"], 1 - frame["f_good"])

    found = {each.name: each for each in checked(frame, panel)}

    assert found[SAME_SEED].passed
    assert not found[HALVES].passed
    assert "better than the other half" not in found[HALVES].sentence
    assert "by Holm" in found[HALVES].sentence


def test_halves_of_noisy_clicks_seldom_differ() -> None:
    fired = 0
    for seed in range(12):
        frame, panel = clicked_twice(seed)
        fired += not checked(frame, panel)[1].passed
    assert fired <= binom.ppf(0.999, 12, 0.01)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_halves_are_random_and_the_same_for_the_same_seed(seed: int) -> None:
    found = halves(range(4000), seed)

    assert binom.ppf(0.0005, 4000, 0.5) <= found.sum() <= binom.ppf(0.9995, 4000, 0.5)
    np.testing.assert_array_equal(found, halves(range(4000), seed))
    assert (found != halves(range(4000), seed + 10)).any()
