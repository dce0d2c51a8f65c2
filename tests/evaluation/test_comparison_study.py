from typing import Any

import numpy as np
import pandas as pd
import pytest
from comparison_study import policies, replication, verdicts, world
from scipy.stats import binom, binomtest

from label_platform.evaluation import Panel, ShownLists, click_yardsticks
from label_platform.policy import RankerSpec
from label_platform.ranking import RankerTrainer, TrainingData

SMALL = world.Sizes(queries=50, items=6, training_lists=120, judged_lists=300)
LOGS = 15
STUDY = replication.Study("small", policies=("other_noise", "other_half"), rounds=6, sizes=SMALL)


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """A small study: each log has 2 policies that equal the baseline, in 14 tests."""
    rows = pd.concat([replication.replicate(STUDY, seed) for seed in range(LOGS)])
    return verdicts.with_policy_truth(rows)


def test_policies_that_equal_the_baseline_are_seldom_called_different(drawn: pd.DataFrame) -> None:
    alarms = verdicts.false_alarms(drawn)

    assert alarms["better"] <= alarms["different"] <= binom.ppf(0.999, LOGS, 0.05)


def test_without_training_variance_the_same_study_cries_wolf(drawn: pd.DataFrame) -> None:
    alarms = verdicts.false_alarms(drawn)

    assert alarms["different_queries_alone"] > binom.ppf(0.999, LOGS, 0.05)


def test_each_replication_draws_another_log_and_the_same_seed_the_same() -> None:
    first, again, other = (replication.replicate(STUDY, seed) for seed in (3, 3, 4))

    pd.testing.assert_frame_equal(first, again)
    assert not np.isclose(first["value"], other["value"]).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_true_of_a_ranker_is_what_endless_traffic_would_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    universe = world.Universe.drawn(SMALL, rng)
    log = universe.log(100, 0.0, rng)
    labelled = world.examples(universe, log, "train")
    labelled = labelled.assign(label=log.clicks(rng).ravel(), raw_label=0.0)
    spec = RankerSpec(objective="pointwise")
    rows = TrainingData.from_examples(labelled, spec, world.FEATURES)
    ranker = RankerTrainer(rows, None, spec).fit(rounds=6, seed=seed)

    expected = replication.without_noise(ranker, universe)

    traffic = universe.log(30_000, 0.5, rng)
    table = world.impressions(universe, traffic, traffic.clicks(rng))
    curve = world.true_curve(SMALL.items)
    shown = ShownLists.from_impressions(table, world.FEATURES, "click", curve)
    mobile = shown.chosen(traffic.mobile[shown.request.astype(np.int64)])
    for part, name in ((shown, "all"), (mobile, "device=mobile")):
        for (yardstick, _), found in Panel(click_yardsticks(part, curve)).measure(ranker).items():
            # DCG of a list varies by about its mean, and by 4 times that where clicks are weighed
            assert found.value == pytest.approx(expected[yardstick, name], rel=4 * 4 / 170)


def test_labels_of_equal_policies_are_drawn_alike_and_are_not_the_same() -> None:
    rng = np.random.default_rng(0)
    universe = world.Universe.drawn(SMALL, rng)
    log = universe.log(20_000, 0.0, rng)
    labels = policies.labels_of(log, rng)
    chance = log.examination * log.relevance
    expected = (chance * (1 - policies.MISSED) + (1 - chance) * policies.SPURIOUS).mean()

    for policy in ("raw", "other_noise", "other_noise_too", "clicked_again"):
        assert labels[policy].mean() == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(120_000))
    assert (labels["raw"] != labels["other_noise"]).any()
    np.testing.assert_array_equal(labels["true_chance"], log.relevance.ravel())


def test_the_halves_of_a_policy_and_its_baseline_share_no_row() -> None:
    rng = np.random.default_rng(0)
    universe = world.Universe.drawn(SMALL, rng)
    log = universe.log(100, 0.0, rng)
    frame = world.examples(universe, log, "train").assign(label=0.0, raw_label=0.0)
    rows = TrainingData.from_examples(frame, RankerSpec(objective="pointwise"), world.FEATURES)
    first = rng.random(len(rows)) < 0.5

    halved = policies.rows_of("other_half", rows, policies.labels_of(log, rng), first)

    np.testing.assert_array_equal(halved.weight, first)
    np.testing.assert_array_equal(halved.raw_weight, ~first)
    np.testing.assert_array_equal(halved.label, halved.raw_label)


def judged(logs: int, alarms: int, uncovered: int) -> dict[str, dict[str, Any]]:
    """Verdicts of a study of one cell, in which so many logs go wrong."""
    number = np.arange(logs)
    rows = pd.DataFrame(
        {
            "policy": "other_noise",
            "yardstick": "y",
            "slice": "all",
            "seed": number,
            "verdict": np.where(number < alarms, "better than raw_click", "no difference shown"),
            "p_value": np.where(number < alarms, 0.01, 0.5),
            "p_value_holm": np.where(number < alarms, 0.01, 0.5),
            "p_queries_alone": 0.5,
            "value": 0.5,
            "true_value": 0.5,
            "true_baseline": 0.5,
            "ci_low": 0.4,
            "ci_high": 0.6,
            "difference": 0.0,
            "difference_low": np.where(number < uncovered, 0.01, -0.01),
            "difference_high": 0.02,
        }
    )
    return verdicts.judge("s", verdicts.with_policy_truth(rows))


@pytest.mark.parametrize("count", [15, 16])
def test_a_study_is_missed_where_the_exact_test_rejects_five_percent(count: int) -> None:
    # of 200 logs, 15 or more go wrong with chance 0.078 at a rate of 5%, and 16 or more with 0.044
    is_met = binomtest(count, 200, 0.05, alternative="greater").pvalue >= 0.05
    alarms = judged(200, alarms=count, uncovered=0)
    uncovered = judged(200, alarms=0, uncovered=count)

    assert is_met == (count == 15)
    better = "s: an equal policy is called better in at most 5% of logs"
    covered = "s: 95% intervals of paired differences cover the truth in every cell"
    assert alarms[better]["met"] == is_met
    assert f"{count} of 200" in alarms[better]["found"]
    assert alarms[covered]["met"]
    assert uncovered[covered]["met"] == is_met
    assert uncovered[better]["met"]


def test_power_counts_logs_in_which_a_better_policy_is_found_anywhere() -> None:
    cells = [
        # seed, yardstick, difference, p value, verdict
        (0, "off_policy_dcg", 0.2, 0.01, "better than raw_click"),
        (0, "true_ndcg_at_10_unseen", 0.1, 0.2, "no difference shown"),
        (1, "off_policy_dcg", 0.1, 0.04, "no difference shown"),
        (1, "true_ndcg_at_10_unseen", 0.1, 0.01, "no difference shown"),
        (2, "off_policy_dcg", -0.3, 0.01, "worse than raw_click"),
        (2, "true_ndcg_at_10_unseen", 0.4, 0.01, "better than raw_click"),
        (3, "off_policy_dcg", 0.1, 0.3, "no difference shown"),
        (3, "true_ndcg_at_10_unseen", 0.1, 0.3, "no difference shown"),
    ]
    names = ["seed", "yardstick", "difference", "p_value", "verdict"]
    rows = pd.DataFrame(cells, columns=names).assign(
        policy="true_chance", slice="all", true_value=0.6, true_baseline=0.5
    )

    (found,) = verdicts.power(verdicts.with_policy_truth(rows)).to_dict("records")

    assert found["difference"] == pytest.approx(0.6 - 0.5)
    assert found["alone"] == 2 / 4
    assert found["corrected"] == 2 / 4
