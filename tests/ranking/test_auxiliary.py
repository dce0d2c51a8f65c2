import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from label_platform.policy import RankerSpec
from label_platform.ranking import Ranker, RankerTrainer, TrainingData, TrainingError, fit_ranker
from label_platform.ranking.agreement import mean_ndcg_at_10, rank_correlation
from label_platform.ranking.auxiliary import WEIGHTS
from label_platform.ranking.booster_trainer import BoosterTrainer
from label_platform.ranking.fit_options import FitOptions, Start

FEATURES = ["f_a", "f_b", "f_c"]
OBJECTIVES = ["pointwise", "lambdarank"]
MODES = ["combine", "transfer"]
SPARSE, DENSE = 0.12, 1.0


def world(
    seed: int, lists: int = 300, length: int = 8, rate: float = SPARSE, *, noise: bool = False
) -> pd.DataFrame:
    """Clicks and rarer purchases of items, both by f_a * f_b; or clicks by nothing at all."""
    rng = np.random.default_rng(seed)
    rows = lists * length
    features = rng.random((rows, 3))
    relevance = features[:, 0] * features[:, 1]
    clicks = rng.random(rows) < (0.25 if noise else relevance)
    return pd.DataFrame(
        {
            "part": np.where(np.arange(rows) < rows * 2 // 3, "train", "validate"),
            "group_id": np.repeat(np.arange(lists), length),
            "query_id": np.repeat(np.arange(lists), length),
            "item_id": np.arange(rows),
            "position": np.tile(np.arange(1, length + 1), lists),
            "label": (rng.random(rows) < rate * relevance).astype(float),
            "weight": 1.0,
            "auxiliary_label": clicks.astype(float),
            "raw_label": clicks.astype(float),
            "raw_weight": 1.0,
            "relevance": relevance,
            **dict(zip(FEATURES, features.T, strict=True)),
        }
    )


def spec_of(objective: str, auxiliary: str, position: str = "none") -> RankerSpec:
    return RankerSpec.model_validate(
        {"objective": objective, "auxiliary": auxiliary, "position": position}
    )


def parts(frame: pd.DataFrame, spec: RankerSpec) -> tuple[TrainingData, TrainingData]:
    train = TrainingData.from_examples(frame, spec, FEATURES)
    return train, TrainingData.from_examples(frame, spec, FEATURES, "validate")


def fit(frame: pd.DataFrame, spec: RankerSpec, rounds: int = 40, **options: object) -> Ranker:
    return fit_ranker(*parts(frame, spec), spec, rounds=rounds, seed=1, **options)


def trees(text: str, frame: pd.DataFrame, position: int | None = None) -> np.ndarray:
    matrix = frame[FEATURES].to_numpy(dtype=np.float32)
    if position is not None:
        matrix = np.column_stack([matrix, np.full(len(frame), position, dtype=np.float32)])
    return lgb.Booster(model_str=text).predict(matrix, raw_score=True)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("position", [None, "feature"])
def test_combined_scores_are_the_sum_of_standardised_ones(
    objective: str, position: str | None
) -> None:
    frame = world(0)
    ranker = fit(frame, spec_of(objective, "combine", position or "none"))
    fixed = 1 if position else None

    train = frame[frame["part"] == "train"]
    own, second = (
        (trees(text, frame, fixed) - trees(text, train, fixed).mean())
        / trees(text, train, fixed).std()
        for text in (ranker.booster, ranker.auxiliary.booster)
    )
    assert ranker.auxiliary.weight in WEIGHTS
    np.testing.assert_allclose(
        ranker.score(frame), own + ranker.auxiliary.weight * second, atol=1e-9
    )
    doubled = replace(ranker, auxiliary=replace(ranker.auxiliary, weight=2.0))
    np.testing.assert_allclose(doubled.score(frame), own + 2.0 * second, atol=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_of_combined_rankers_is_the_one_trained_alone(objective: str) -> None:
    frame = world(1)
    ranker = fit(frame, spec_of(objective, "combine"))

    alone = fit(frame, spec_of(objective, "none"))
    dense = fit(frame.assign(label=frame["auxiliary_label"]), spec_of(objective, "none"))

    assert (ranker.booster, ranker.rounds) == (alone.booster, alone.rounds)
    assert (ranker.auxiliary.booster, ranker.auxiliary.rounds) == (dense.booster, dense.rounds)


def test_transferred_scores_are_those_of_the_start_and_of_what_was_added() -> None:
    frame = world(2)
    ranker = fit(frame, spec_of("pointwise", "transfer"))

    train = frame[frame["part"] == "train"]
    slope, intercept = np.polyfit(trees(ranker.auxiliary.booster, train), train["label"], 1)
    start = intercept + slope * trees(ranker.auxiliary.booster, frame)
    np.testing.assert_allclose(ranker.score(frame), start + trees(ranker.booster, frame), atol=1e-9)
    # on the label's scale, so that the first trees need not unlearn the clicks' scale
    assert ranker.score(train).mean() == pytest.approx(train["label"].mean(), rel=0.05)


def test_a_transferred_lambdarank_starts_from_scores_as_they_are() -> None:
    frame = world(2)
    ranker = fit(frame, spec_of("lambdarank", "transfer"))

    added = trees(ranker.auxiliary.booster, frame) + trees(ranker.booster, frame)
    gap = ranker.score(frame) - added
    np.testing.assert_allclose(gap, gap[0], atol=1e-9)


def test_going_on_by_least_squares_is_learning_what_the_start_left() -> None:
    """The start comes from a regression, so that what it leaves has mean 0 in training."""
    frame = world(3, rate=DENSE)
    transferred = fit(frame, spec_of("pointwise", "transfer"))

    start = transferred.score(frame) - trees(transferred.booster, frame)
    left = fit(frame.assign(label=frame["label"] - start), spec_of("pointwise", "none"))

    assert left.rounds == transferred.rounds
    np.testing.assert_allclose(left.score(frame), trees(transferred.booster, frame), atol=1e-6)


def test_pairs_that_the_start_orders_already_are_not_learnt_again() -> None:
    spec = spec_of("lambdarank", "none")
    frame = world(3, rate=DENSE)
    trainer = BoosterTrainer(parts(frame, spec)[0], None, spec)
    alone = trainer.fit(FitOptions(rounds=10, seed=1))
    train = frame[frame["part"] == "train"]
    nothing = Start(np.zeros(len(train)), None)
    ordered = Start(10 * train["label"].to_numpy(), None)

    assert trainer.fit(FitOptions(rounds=10, seed=1), nothing) == alone
    after = trainer.fit(FitOptions(rounds=10, seed=1), ordered)
    assert np.std(after.score(train)) < 0.75 * np.std(alone.score(train))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_informative_second_label_gets_weight(objective: str) -> None:
    found = [fit(world(seed, 600), spec_of(objective, "combine")).auxiliary for seed in range(6)]

    assert np.median([each.weight for each in found]) >= 0.5
    assert {each.tuned_by for each in found} == {"nDCG@10 of label"}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_second_label_of_noise_gets_none(objective: str) -> None:
    spec = spec_of(objective, "combine")
    weights = [
        fit(world(seed, 1200, rate=3, noise=True), spec).auxiliary.weight for seed in range(5)
    ]

    assert np.median(weights) == 0
    assert max(weights) <= 0.1


@pytest.mark.parametrize("mode", MODES)
def test_a_dense_label_helps_a_sparse_one(mode: str) -> None:
    """About 35 purchases in training, and 400 clicks of the same cause."""
    gains = []
    for seed in range(5):
        frame, unseen = world(seed), world(100 + seed)
        sizes = np.full(300, 8)
        alone, helped = (
            mean_ndcg_at_10(
                unseen["relevance"].to_numpy(),
                fit(frame, spec_of("pointwise", auxiliary)).score(unseen),
                sizes,
            )
            for auxiliary in ("none", mode)
        )
        gains.append(helped - alone)

    assert min(gains) > 0
    assert np.mean(gains) > 0.02


def test_lists_of_one_item_are_judged_by_rank_correlation() -> None:
    spec = spec_of("pointwise", "combine")
    frame = world(5, lists=4000, length=1)
    train, validate = parts(frame, spec)

    ranker = fit_ranker(train, validate, spec, rounds=40, seed=1)

    assert ranker.auxiliary.tuned_by == "rank correlation of label"
    quality = {
        weight: rank_correlation(
            validate.label,
            replace(ranker, auxiliary=replace(ranker.auxiliary, weight=weight)).score_rows(
                validate.features.matrix
            ),
        )
        for weight in WEIGHTS
    }
    assert quality[ranker.auxiliary.weight] == pytest.approx(max(quality.values()))
    assert max(quality.values()) > quality[0.0]


def test_validation_rows_that_say_nothing_leave_the_label_alone() -> None:
    spec = spec_of("pointwise", "combine")
    frame = world(6)
    frame.loc[frame["part"] == "validate", "label"] = 0.0

    found = fit(frame, spec).auxiliary

    assert (found.weight, found.tuned_by) == (
        0.0,
        "nothing: label the same in all validation rows",
    )
    both = fit(frame, spec, tune="both").auxiliary
    assert both.weight > 0
    assert both.tuned_by == "nDCG@10 of auxiliary_label"
    train, _ = parts(frame, spec)
    unvalidated = fit_ranker(train, None, spec, rounds=5, seed=1).auxiliary
    assert (unvalidated.weight, unvalidated.tuned_by) == (0.0, "no validation rows")


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("mode", MODES)
def test_text_scores_the_same_bit_for_bit(objective: str, mode: str) -> None:
    frame = world(7)
    ranker = fit(frame, spec_of(objective, mode, "feature"))

    again = Ranker.from_json(ranker.to_json())

    assert again == ranker
    np.testing.assert_array_equal(again.score(frame), ranker.score(frame))
    one_by_one = np.concatenate([again.score(frame[n : n + 1]) for n in range(20)])
    np.testing.assert_array_equal(one_by_one, ranker.score(frame)[:20])
    np.testing.assert_array_equal(again.score(frame.assign(position=7)), ranker.score(frame))


def test_text_of_before_there_were_two_boosters_is_read() -> None:
    ranker = fit(world(8), spec_of("pointwise", "none"))
    fields = json.loads(ranker.to_json())
    del fields["auxiliary"]

    assert Ranker.from_json(json.dumps(fields)) == ranker


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("mode", MODES)
def test_resampled_fits_are_those_of_rows_that_count_so_often(objective: str, mode: str) -> None:
    frame = world(9, rate=DENSE)
    spec = spec_of(objective, mode)
    train, validate = parts(frame, spec)
    counts = np.random.default_rng(9).poisson(1, len(frame))[train.units.codes]
    trainer = RankerTrainer(train, validate, spec)

    resampled = trainer.fit(rounds=20, seed=1, multiplicity=counts)

    weighted = train.with_labels(np.where(counts == 0, 0.5, train.label), counts)
    direct = RankerTrainer(weighted, validate, spec).fit(rounds=20, seed=1)
    np.testing.assert_allclose(resampled.score(frame), direct.score(frame), atol=1e-9)
    whole = trainer.fit(rounds=20, seed=1)
    assert whole.auxiliary.second != resampled.auxiliary.second
    assert trainer.fit(rounds=20, seed=1) == whole


@pytest.mark.parametrize("mode", MODES)
def test_a_second_label_that_teaches_nothing_is_refused(mode: str) -> None:
    spec = spec_of("pointwise", mode)
    with pytest.raises(TrainingError, match="auxiliary label: no positives: the label is 0 in all"):
        fit(world(0).assign(auxiliary_label=0.0), spec)
    with pytest.raises(TrainingError, match="auxiliary label: label: 1600 of 1600 rows are NaN"):
        fit(world(0).assign(auxiliary_label=np.nan), spec)
    with pytest.raises(TrainingError, match="examples have no column 'auxiliary_label'"):
        fit(world(0).drop(columns="auxiliary_label"), spec)
    train, _ = parts(world(0), spec_of("pointwise", "none"))
    with pytest.raises(TrainingError, match="made for a ranker without auxiliary"):
        RankerTrainer(train, None, spec)


def test_the_raw_side_has_no_second_label() -> None:
    train, _ = parts(world(0), spec_of("pointwise", "combine"))

    assert train.auxiliary_side().label.tolist() == train.auxiliary_label.tolist()
    assert train.raw_side().auxiliary_label is None
