import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_svmlight_file

from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, RankerTrainer, TrainingData, TrainingError, fit_ranker

FEATURES = ["f_good", "f_noise"]
REAL = Path(__file__).parents[3] / "shared" / "data" / "lightgbm_lambdarank"
POINTWISE = RankerSpec(objective="pointwise")
LAMBDARANK = RankerSpec(objective="lambdarank")


def fit(examples: pd.DataFrame, spec: RankerSpec, **options: int) -> Ranker:
    train = TrainingData.from_examples(examples, spec, FEATURES)
    return fit_ranker(train, None, spec, **{"rounds": 15, "seed": 1, **options})


@pytest.mark.parametrize("spec", [POINTWISE, LAMBDARANK])
def test_learns_what_is_clicked(
    make_examples: Callable[..., pd.DataFrame], spec: RankerSpec
) -> None:
    ranker = fit(make_examples(), spec)

    low, high = ranker.score(np.array([[0.1, 0.5], [0.9, 0.5]]))

    assert high > low
    assert ranker.rounds == 15


@pytest.mark.parametrize("spec", [POINTWISE, LAMBDARANK])
def test_same_seed_same_bytes_whatever_the_threads(
    make_examples: Callable[..., pd.DataFrame], spec: RankerSpec
) -> None:
    first = fit(make_examples(lists=400), spec)

    assert fit(make_examples(lists=400), spec) == first
    assert fit(make_examples(lists=400), spec, threads=2) == first


def test_position_is_fixed_when_scoring(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples(lists=400)
    examples["label"] = (examples["position"] == 1).astype(float) + 0.1 * examples["f_good"]
    ranker = fit(examples, RankerSpec(objective="pointwise", position="feature"))

    moved = examples.assign(position=5)
    scores = ranker.score(examples)

    np.testing.assert_array_equal(scores, ranker.score(moved))
    np.testing.assert_array_equal(scores, ranker.score(examples[FEATURES].to_numpy()))
    assert scores.mean() == pytest.approx(1.05, abs=0.3)  # as at position 1: not the mean of 1/5
    assert ranker.feature_names == tuple(FEATURES)


def test_text_scores_the_same(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples()
    ranker = fit(examples, LAMBDARANK)

    again = Ranker.from_json(ranker.to_json())

    assert again == ranker
    np.testing.assert_array_equal(again.score(examples), ranker.score(examples))


def test_validation_stops_early_and_keeps_the_best_round(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = pd.concat([make_examples(), make_examples(seed=1, part="validate")])
    train = TrainingData.from_examples(examples, POINTWISE, FEATURES)
    validate = TrainingData.from_examples(examples, POINTWISE, FEATURES, "validate")

    ranker = fit_ranker(train, validate, POINTWISE, rounds=200, seed=1)

    assert 0 < ranker.rounds < 200 - 20
    shorter = fit_ranker(train, None, POINTWISE, rounds=ranker.rounds, seed=1)
    np.testing.assert_array_equal(shorter.score(examples), ranker.score(examples))


def test_validation_with_nothing_to_compare_does_not_stop(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    flat = make_examples(part="validate").assign(label=1.0)
    examples = pd.concat([make_examples(), flat])
    train = TrainingData.from_examples(examples, LAMBDARANK, FEATURES)
    validate = TrainingData.from_examples(examples, LAMBDARANK, FEATURES, "validate")

    assert fit_ranker(train, validate, LAMBDARANK, rounds=30, seed=1).rounds == 30


@pytest.mark.parametrize("spec", [POINTWISE, LAMBDARANK])
def test_multiplicity_weighs_queries_and_drops_those_drawn_never(
    make_examples: Callable[..., pd.DataFrame], spec: RankerSpec
) -> None:
    examples = make_examples()
    train = TrainingData.from_examples(examples, spec, FEATURES)
    counts = np.where(examples["query_id"] % 2 == 0, 3, 0)
    resampled = RankerTrainer(train, None, spec).fit(rounds=15, seed=1, multiplicity=counts)

    spoiled = np.where(counts == 0, 99.0, train.label)
    elsewhere = train.with_labels(spoiled, np.where(counts == 0, 0.0, 3.0))
    weighted = RankerTrainer(elsewhere, None, spec).fit(rounds=15, seed=1)

    np.testing.assert_array_equal(resampled.score(examples), weighted.score(examples))
    assert (resampled.score(examples) != fit(examples, spec).score(examples)).any()


def test_items_of_one_list_are_resampled_by_repeating_rows(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples(lists=1, length=200).assign(query_id=0)
    train = TrainingData.from_examples(examples, LAMBDARANK, FEATURES)
    counts = np.arange(200) % 3

    ranker = RankerTrainer(train, None, LAMBDARANK).fit(rounds=5, seed=1, multiplicity=counts)

    assert train.units.kind == "item_id"
    repeated = examples.loc[np.repeat(np.arange(200), counts)]
    assert "leaf_count" in ranker.booster
    first_tree = re.search(r"internal_count=(\d+)", ranker.booster)
    assert first_tree is not None
    assert int(first_tree[1]) == len(repeated)


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        (POINTWISE, {"label": 0.0}, "no positives: the label is 0 in all 600 rows"),
        (LAMBDARANK, {"label": 0.0}, "no positives"),
        (POINTWISE, {"label": 2.0}, "constant labels: the label is 2 in all 600 rows"),
        (POINTWISE, {"label": np.nan}, "label: 600 of 600 rows are NaN or infinite"),
        (POINTWISE, {"label": np.inf}, "label: 600 of 600 rows are NaN or infinite"),
        (POINTWISE, {"weight": np.nan}, "weight: 600 of 600 rows are NaN or infinite"),
        (POINTWISE, {"weight": -1.0}, "weight: found -1, expected 0 or more"),
        (POINTWISE, {"weight": 0.0}, "all 600 rows have weight 0"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    make_examples: Callable[..., pd.DataFrame],
    spec: RankerSpec,
    changes: dict[str, float],
    message: str,
) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        fit(make_examples().assign(**changes), spec)


def test_lists_of_one_item_are_refused_for_lambdarank(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples(lists=100, length=1)

    with pytest.raises(TrainingError, match=r"nothing to compare: all lists have one item \(100"):
        fit(examples, LAMBDARANK)


def test_lists_of_equal_labels_are_refused_for_lambdarank(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples()
    examples["label"] = (examples["group_id"] % 2).astype(float)

    with pytest.raises(TrainingError, match="none of 120 lists has two different labels"):
        fit(examples, LAMBDARANK)


def test_a_resample_without_contrast_is_refused(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples()
    train = TrainingData.from_examples(examples, POINTWISE, FEATURES)

    with pytest.raises(TrainingError, match="a resample of the training rows"):
        fit_ranker(
            train, None, POINTWISE, rounds=5, seed=1, multiplicity=(train.label == 0).astype(int)
        )


def test_rows_made_for_another_position_mode_are_a_mistake(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    train = TrainingData.from_examples(make_examples(), POINTWISE, FEATURES)

    with pytest.raises(ValueError, match="not made for a ranker with position: both"):
        RankerTrainer(train, None, RankerSpec(objective="pointwise", position="both"))


def test_an_array_of_another_width_is_refused(make_examples: Callable[..., pd.DataFrame]) -> None:
    ranker = fit(make_examples(), RankerSpec(objective="pointwise", position="feature"))

    with pytest.raises(TrainingError, match=r"shape \(2, 3\), expected \(rows, 2\)"):
        ranker.score(np.zeros((2, 3)))


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data is not beside the project")
@pytest.mark.parametrize("spec", [POINTWISE, LAMBDARANK])
def test_ranks_real_judgments_better_than_chance(spec: RankerSpec) -> None:
    train = read_libsvm(REAL / "rank.train", spec)
    test = read_libsvm(REAL / "rank.test", spec)

    ranker = fit_ranker(train, None, spec, rounds=50, seed=1)

    score = ranker.score(test.features.matrix)
    wins = []
    for end, size in zip(np.cumsum(test.group_sizes), test.group_sizes, strict=True):
        label, ours = test.label[end - size : end], score[end - size : end]
        better = label[:, None] > label[None, :]
        wins.append((ours[:, None] > ours[None, :])[better])
    concordant = np.concatenate(wins)
    assert concordant.mean() > 0.5 + 4 * 0.5 / np.sqrt(len(concordant))


def read_libsvm(path: Path, spec: RankerSpec) -> TrainingData:
    matrix, label = load_svmlight_file(str(path), n_features=301)
    sizes = np.loadtxt(path.with_name(path.name + ".query"), dtype=int)
    names = [f"f_{number}" for number in range(matrix.shape[1])]
    query = np.repeat(np.arange(len(sizes)), sizes)
    frame = pd.DataFrame(matrix.toarray(), columns=names).assign(
        part="train",
        group_id=query,
        query_id=query,
        item_id=np.arange(len(label)),
        label=label,
        weight=1.0,
        raw_label=label,
        raw_weight=1.0,
    )
    return TrainingData.from_examples(frame, spec, names)
