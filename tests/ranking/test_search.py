"""Search for parameters, on labels that a ranker of two leaves cannot learn."""

import sys
from typing import Literal

import numpy as np
import pandas as pd
import pytest
import yaml

from label_platform.policy import BoosterParameters, RankerSpec
from label_platform.ranking import TrainingData, TrainingError, fit_ranker
from label_platform.ranking.search import (
    ExtraMissingError,
    search_parameters,
)
from label_platform.ranking.search_space import SearchSpace, as_yaml
from label_platform.ranking.search_trials import SearchOptions, SearchResult, Trial
from label_platform.ranking.validation_measure import Judgment, ValidationMeasure

pytest.importorskip("optuna")

FEATURES = ["f_left", "f_right", "f_noise"]
ROUNDS = 10
STUMPS = BoosterParameters(num_leaves=2)
PAIRS = RankerSpec(objective="lambdarank", parameters=STUMPS)
SQUARES = RankerSpec(objective="pointwise", parameters=STUMPS)
LENGTH = 6


def interacting(lists: int, seed: int, part: str = "train") -> pd.DataFrame:
    """An item is good if both features are high or both are low: no sum of stumps says that."""
    rng = np.random.default_rng(seed)
    rows = lists * LENGTH
    left, right = rng.random(rows).round(3), rng.random(rows).round(3)
    good = np.where((left > 0.5) == (right > 0.5), 0.8, 0.2)
    click = (rng.random(rows) < good).astype(float)
    return pd.DataFrame(
        {
            "part": part,
            "group_id": np.repeat(np.arange(lists), LENGTH),
            "query_id": np.repeat(np.arange(lists) % 40, LENGTH),
            "item_id": np.arange(rows) % 50,
            "position": np.tile(np.arange(1, LENGTH + 1), lists),
            "label": click,
            "weight": 1.0,
            "raw_label": click,
            "raw_weight": 1.0,
            "impressions": 1,
            "expected_examinations": 1.0,
            "f_left": left,
            "f_right": right,
            "f_noise": rng.random(rows).round(3),
        }
    )


def parts(seed: int, spec: RankerSpec) -> tuple[TrainingData, TrainingData]:
    frame = pd.concat([interacting(150, seed), interacting(80, seed + 100, "validate")])
    both: tuple[Literal["train"], Literal["validate"]] = ("train", "validate")
    train, validate = (TrainingData.from_examples(frame, spec, FEATURES, each) for each in both)
    return train, validate


def search(
    seed: int, spec: RankerSpec, trials: int = 10, timeout_s: float | None = None
) -> SearchResult:
    options = SearchOptions(trials=trials, seed=seed, rounds=ROUNDS, timeout_s=timeout_s)
    return search_parameters(*parts(seed, spec), spec, options)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("spec", [PAIRS, SQUARES], ids=["lists", "pointwise"])
def test_leaves_that_are_missing_are_found(seed: int, spec: RankerSpec) -> None:
    found = search(seed, spec)

    assert found.best.number > 0
    assert found.best.parameters.num_leaves > 2
    assert not found.is_within_noise
    assert 0 < found.gain.low < found.gain.value < found.gain.high
    assert found.gain_elsewhere > 0
    before, best = found.before.value, found.best.value
    assert before is not None
    assert best is not None
    gain = best - before if found.higher_is_better else before - best
    assert found.gain.value == pytest.approx(gain)
    clicks = interacting(80, seed + 100, "validate").groupby("group_id")["label"]
    assert found.lists == (80 if spec is SQUARES else int((clicks.nunique() == 2).sum()))


def test_same_seed_same_trials_and_another_one_others() -> None:
    first, again, other = (
        search(1, PAIRS),
        search(1, PAIRS),
        search_parameters(*parts(1, PAIRS), PAIRS, SearchOptions(trials=10, seed=2, rounds=ROUNDS)),
    )

    assert first.trials == again.trials
    assert first.gain == again.gain
    others = [trial.parameters for trial in other.trials]
    assert all(trial.parameters not in others for trial in first.trials)


def test_shorter_searches_are_the_beginning_of_longer_ones() -> None:
    assert search(1, SQUARES, trials=4).trials == search(1, SQUARES, trials=8).trials[:4]


def test_printed_lines_train_the_ranker_that_was_judged() -> None:
    found = search(1, PAIRS)
    (entry,) = yaml.safe_load(as_yaml(PAIRS, found.best.parameters))
    spec = RankerSpec.model_validate(entry)
    train, validate = parts(1, spec)
    ranker = fit_ranker(train, validate, spec, rounds=ROUNDS, seed=0)

    assert spec.parameters == found.best.parameters
    assert ranker.rounds == found.best.rounds
    assert ValidationMeasure(validate, spec).judge(ranker).value == found.best.value


def test_each_trial_is_told_with_the_best_so_far() -> None:
    told: list[tuple[Trial, Trial]] = []
    options = SearchOptions(trials=6, seed=1, rounds=ROUNDS)
    found = search_parameters(
        *parts(1, PAIRS), PAIRS, options, lambda trial, best: told.append((trial, best))
    )

    assert [trial.number for trial, _ in told] == [0, 1, 2, 3, 4, 5, 6]
    values = [best.value or 0.0 for _, best in told]
    assert values == sorted(values)
    assert told[-1][1] is found.best
    judged = [each.value for each in (found.before, *found.trials) if each.value is not None]
    assert found.best.value == max(judged)


def test_trials_below_the_median_end_early() -> None:
    found = search(1, SQUARES, trials=24)
    early = [trial for trial in found.trials if trial.state == "ended early"]

    assert early
    assert all(trial.value is None and trial.rounds is None for trial in early)
    # ten are complete before there is a median: the ranker as it is, and nine of the first twelve
    assert min(trial.number for trial in early) > 8


def test_no_time_leaves_the_ranker_as_it_is() -> None:
    found = search(1, PAIRS, timeout_s=1e-9)

    assert found.trials == ()
    assert found.best is found.before
    assert found.gain.value == found.gain.low == found.gain_elsewhere == 0
    assert found.is_within_noise


def test_nothing_that_changes_bins_is_searched() -> None:
    train, _ = parts(1, PAIRS)
    space = SearchSpace.of(PAIRS, train, ROUNDS)

    assert "max_bin" not in space.spans
    assert space.rounds == 5 * ROUNDS
    # lists have six rows, and a leaf at most a twentieth of all
    assert space.spans["lambdarank_truncation_level"].high == LENGTH
    assert space.spans["min_data_in_leaf"].high == 150 * LENGTH // 20
    assert "lambdarank_truncation_level" not in SearchSpace.of(SQUARES, train, ROUNDS).spans
    # two leaves are fewer than any that are searched
    known = space.known_as(STUMPS, least_leaf=18)
    assert known["num_leaves"] == 4
    assert known["min_data_in_leaf"] == 18
    assert known["feature_fraction"] == known["bagging_fraction"] == 1


def test_validation_lists_that_say_nothing_are_refused() -> None:
    train, validate = parts(1, PAIRS)
    silent = validate.with_labels(np.ones(len(validate)), validate.weight)
    weightless = validate.with_labels(validate.label, np.zeros(len(validate)))
    options = SearchOptions(trials=2, seed=1, rounds=ROUNDS)

    with pytest.raises(TrainingError, match="none of 80 lists has two different labels"):
        search_parameters(train, silent, PAIRS, options)
    with pytest.raises(TrainingError, match="all 480 have weight 0"):
        search_parameters(train, weightless, PAIRS, options)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(ExtraMissingError, match=r"pip install 'label-platform\[search\]'"):
        search(1, PAIRS)


def test_losses_are_those_of_the_rows_by_their_weight() -> None:
    spec = RankerSpec(objective="pointwise", loss="binary")
    train, validate = parts(1, spec)
    weight = np.where(np.arange(len(validate)) < LENGTH, 3.0, 1.0)
    weighted = validate.with_labels(validate.label, weight)
    ranker = fit_ranker(train, weighted, spec, rounds=3, seed=0)
    judgment = ValidationMeasure(weighted, spec).judge(ranker)
    chance = 1 / (1 + np.exp(-ranker.score_rows(validate.features.matrix)))
    loss = -np.log(np.where(validate.label == 1, chance, 1 - chance))

    assert judgment.total[:2] == pytest.approx([3 * loss[:6].sum(), loss[6:12].sum()])
    assert judgment.mass[:2].tolist() == [18, 6]
    assert judgment.value == pytest.approx(np.average(loss, weights=weight))


def test_gains_are_paired_and_turned_so_that_more_is_better() -> None:
    measure = ValidationMeasure(parts(1, SQUARES)[1], SQUARES)
    rng = np.random.default_rng(0)
    mass = np.ones(400)
    over = Judgment(rng.random(400), mass)
    # the loss is .01 lower in half of the lists, and in the others the same
    less = np.where(np.arange(400) < 200, 0.01, 0.0)
    gain = measure.gain(Judgment(over.total - less, mass), over, seed=1)
    half_width = 1.96 * 0.005 / np.sqrt(400)

    assert gain.value == pytest.approx(0.005)
    assert gain.low == pytest.approx(0.005 - half_width, abs=half_width / 5)
    assert gain.high == pytest.approx(0.005 + half_width, abs=half_width / 5)
    assert not gain.is_within_noise
    assert measure.gain(over, over, seed=1).is_within_noise
