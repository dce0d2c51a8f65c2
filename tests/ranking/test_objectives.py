import re
from collections.abc import Callable

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, TrainingData, TrainingError, fit_ranker
from label_platform.ranking.objectives import LabelScale

FEATURES = ["f_good", "f_noise"]
BINARY = RankerSpec(objective="pointwise", loss="binary")
SOFT = RankerSpec(objective="pointwise", loss="cross_entropy")
PAIRS = RankerSpec(objective="lambdarank")
GRADES = RankerSpec(objective="lambdarank", gain="exponential")
LISTS = RankerSpec(objective="rank_xendcg")


def fit(examples: pd.DataFrame, spec: RankerSpec, rounds: int = 10) -> Ranker:
    train = TrainingData.from_examples(examples, spec, FEATURES)
    parts = set(examples["part"])
    validate = None
    if "validate" in parts:
        validate = TrainingData.from_examples(examples, spec, FEATURES, "validate")
    return fit_ranker(train, validate, spec, rounds=rounds, seed=1)


@pytest.mark.parametrize(
    ("spec", "labels", "expected"),
    [
        (PAIRS, [0, 3, 255, 1], [0, 3, 255, 1]),
        (PAIRS, [1, 3], [1, 3]),
        (PAIRS, [0, 256], [0, 255]),
        (PAIRS, [-1, 0, 1], [0, 128, 255]),
        (PAIRS, [0, 0.5, 1], [0, 128, 255]),
        (GRADES, [0, 4, 30], [0, 4, 30]),
        # 2^level - 1 nearest to 255 times 0, .5 and 1, on a log scale: log2(128.5) = 7.01
        (LISTS, [0, 0.5, 1], [0, 7, 8]),
        (LISTS, [0, 1], [0, 8]),
        (SOFT, [0, 0.25, 1], [0, 0.25, 1]),
    ],
)
def test_labels_become_what_the_objective_takes(
    spec: RankerSpec, labels: list[float], expected: list[float]
) -> None:
    label = np.array(labels, dtype=np.float64)

    assert LabelScale.of(label, spec).targets(label).tolist() == expected


def test_labels_beyond_those_of_training_take_the_nearest_level() -> None:
    grades = LabelScale.of(np.array([0.0, 2.0]), GRADES)
    levels = LabelScale.of(np.array([0.0, 0.5]), PAIRS)

    assert grades.targets(np.array([-1.0, 1.4, 99.0])).tolist() == [0, 1, 30]
    assert levels.targets(np.array([-1.0, 0.25, 9.0])).tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("spec", "labels", "message"),
    [
        (BINARY, [0, 1, 0.5, 0.25], "binary takes 0 and 1, found 0.5 and others in 2 of 4 rows"),
        (BINARY, [0, 1, 2, 1], "found 2 and others in 1 of 4 rows; use loss: cross_entropy"),
        (SOFT, [0, 1.5, 0.5, 1], "cross_entropy takes 0 to 1, found 1.5 and others in 1 of 4"),
        (SOFT, [0, -0.5, 0.5, 1], "takes 0 to 1, found -0.5"),
        (GRADES, [0, 1, 31, 2], "takes whole grades from 0 to 30, found 31 and others in 1 of 4"),
        (GRADES, [0, 1, 1.5, 2], "found 1.5 and others in 1 of 4 rows; use gain: linear"),
        (GRADES, [0, 1, -1, 2], "found -1"),
    ],
)
def test_labels_that_mean_nothing_to_the_loss_are_refused(
    make_examples: Callable[..., pd.DataFrame], spec: RankerSpec, labels: list[float], message: str
) -> None:
    examples = make_examples(lists=1, length=4).assign(label=labels)

    with pytest.raises(TrainingError, match=re.escape(message)):
        fit(examples, spec)


def test_labels_of_validation_rows_are_looked_at_too(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    train = make_examples().assign(label=lambda rows: rows["raw_label"])
    examples = pd.concat([train, make_examples(part="validate").assign(label=0.5)])

    with pytest.raises(TrainingError, match="validation rows: label: loss: binary"):
        fit(examples, BINARY)


def test_log_odds_of_a_binary_loss_are_calibrated(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    """Clicks come with probability f_good / position; the mean over positions is known."""
    for seed in (0, 1):
        examples = make_examples(lists=4_000, seed=seed)
        examples["label"] = examples["raw_label"]
        for spec in (BINARY, SOFT):
            scores = fit(examples, spec, rounds=40).score(np.array([[0.2, 0.5], [0.8, 0.5]]))
            mean = np.mean(1 / np.arange(1, 6))
            # 4,000 clicks of each fifth or so: errors of a few percent
            np.testing.assert_allclose(
                1 / (1 + np.exp(-scores)), [0.2 * mean, 0.8 * mean], rtol=0.25
            )


def test_log_odds_go_on_from_those_of_the_auxiliary_label(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples(lists=400)
    examples["auxiliary_label"] = examples["raw_label"]
    rare = np.random.default_rng(2).random(len(examples)) < 0.2
    examples["label"] = examples["raw_label"] * rare
    ranker = fit(examples, BINARY.model_copy(update={"auxiliary": "transfer"}), rounds=60)
    assert ranker.auxiliary is not None

    parts = [
        lgb.Booster(model_str=text).predict(examples[FEATURES].to_numpy(), raw_score=True)
        for text in (ranker.booster, ranker.auxiliary.booster)
    ]

    np.testing.assert_allclose(ranker.score(examples), parts[0] + parts[1], atol=1e-12)
    chance = 1 / (1 + np.exp(-ranker.score(examples)))
    assert chance.mean() == pytest.approx(examples["label"].mean(), rel=0.1)


@pytest.mark.parametrize("spec", [PAIRS, LISTS, GRADES])
def test_lists_without_contrast_are_refused_by_the_objectives_name(
    make_examples: Callable[..., pd.DataFrame], spec: RankerSpec
) -> None:
    examples = make_examples()
    examples["label"] = (examples["group_id"] % 2).astype(float)

    with pytest.raises(TrainingError, match=f"{spec.objective} has nothing to compare: none of"):
        fit(examples, spec)


def test_one_list_is_learned_from_with_a_warning(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples(lists=1, length=300)

    assert fit(examples, PAIRS).warnings == (
        (
            "lambdarank learned from a single list of 300 rows: nothing says whether another list "
            "would have taught the same"
        ),
    )
    assert fit(examples, RankerSpec(objective="pointwise")).warnings == ()


def test_a_list_over_the_limit_trains_in_pieces(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples(lists=1, length=10_050)
    examples["label"] = (examples["f_good"] > 0.5).astype(float)

    ranker = fit(examples, PAIRS, rounds=2)

    low, high = ranker.score(np.array([[0.1, 0.5], [0.9, 0.5]]))
    assert high > low


def test_position_bias_explains_clicks_that_only_positions_make(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    """The logger put f_noise on top: clicks fall with the position and owe f_noise nothing."""
    shares = []
    for seed in (0, 1, 2):
        examples = make_examples(lists=1_500, length=6, seed=seed)
        ranked = examples.sort_values(["group_id", "f_noise"], ascending=[True, False])
        examples = ranked.assign(position=examples["position"].to_numpy())
        chance = examples["f_good"] / examples["position"]
        random = np.random.default_rng(seed).random(len(examples))
        examples["label"] = (random < chance).astype(float)
        grid = np.array([[0.5, noise] for noise in np.linspace(0.05, 0.95, 50)])
        spread = {
            position: np.ptp(fit(examples, RankerSpec(**said), rounds=30).score(grid))
            for position in ("none", "lightgbm_bias")
            for said in [{"objective": "lambdarank", "position": position}]
        }
        shares.append(spread["lightgbm_bias"] / spread["none"])

    assert max(shares) < 0.8


def test_rows_without_positions_are_a_mistake_for_a_position_bias(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    train = TrainingData.from_examples(make_examples(), PAIRS, FEATURES)
    biased = RankerSpec(objective="lambdarank", position="lightgbm_bias")

    with pytest.raises(ValueError, match="not made for a ranker with position: lightgbm_bias"):
        fit_ranker(train, None, biased, rounds=5, seed=1)


def test_what_was_never_shown_has_a_place_of_its_own(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples(lists=2, length=2).assign(position=[1, 2, None, 1])
    biased = RankerSpec(objective="lambdarank", position="lightgbm_bias")

    data = TrainingData.from_examples(examples, biased, FEATURES)

    assert data.logged_position is not None
    assert data.logged_position.tolist() == [1, 2, 0, 1]


def test_rounds_and_patience_are_the_rankers_own(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = pd.concat([make_examples(), make_examples(seed=1, part="validate")])

    def rounds(**said: int) -> int:
        spec = RankerSpec(objective="pointwise", parameters=said)
        return fit(examples, spec, rounds=200).rounds

    stopped = rounds()
    assert stopped < 180
    assert rounds(early_stopping_rounds=0) == 200
    assert rounds(early_stopping_rounds=0, rounds=7) == 7
    assert rounds(rounds=stopped + 1) == stopped
