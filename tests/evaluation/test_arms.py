import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import binom, kstest

from label_platform.evaluation import (
    Arm,
    ArmEvaluation,
    Panel,
    RefusedYardstick,
    SideCache,
    compare,
    evaluate_arm,
    poisson_counts,
    row_counts,
    true_ndcg_yardsticks,
)
from label_platform.evaluation.estimates import FitValues, estimate
from label_platform.evaluation.metrics import Floats
from label_platform.policy import RankerSpec
from label_platform.ranking import TrainingData, TrainingError

FEATURES = ["f_good", "f_shown"]
SPEC = RankerSpec(objective="pointwise")
ARM = Arm("coec_click", "query_item", SPEC)
QUERIES, LENGTH = 100, 6
STUDIES = 25
TRUE = ("true_ndcg_at_10", "all")
SIZE = {"rounds": 8, "fits": 3, "seed": 1}


def world(seed: int = 0) -> tuple[pd.DataFrame, Panel]:
    """Training rows labelled by truth, raw clicks that reward another feature, and the truth."""
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(QUERIES), LENGTH)
    good, shown = rng.random((2, len(query)))
    frame = pd.DataFrame(
        {
            "part": "train",
            "group_id": query,
            "query_id": query,
            "item_id": np.arange(len(query)),
            "label": good,
            "weight": 1.0,
            "raw_label": (rng.random(len(query)) < good * shown).astype(float),
            "raw_weight": 1.0,
            "f_good": good,
            "f_shown": shown,
        }
    )
    truth = frame.assign(relevance=good, seen_in_log=True)
    names = ["query_id", "item_id", "relevance", "seen_in_log", *FEATURES]
    return frame, Panel(true_ndcg_yardsticks(pa.Table.from_pandas(truth[names]), FEATURES))


def data(frame: pd.DataFrame, spec: RankerSpec = SPEC) -> TrainingData:
    return TrainingData.from_examples(frame, spec, FEATURES)


def test_an_arm_with_better_labels_is_found_to_be_better() -> None:
    frame, panel = world()

    evaluated = evaluate_arm(data(frame), None, ARM, panel, **SIZE)

    row = compare(evaluated.to_frame()).set_index("yardstick").loc["true_ndcg_at_10"]
    assert row["verdict"] == "better than raw_click"
    assert row["value"] == pytest.approx(evaluated.main_values["true_ndcg_at_10"])
    assert row["value"] > 0.95 > row["baseline_value"]


def test_the_table_holds_every_side_fit_and_query() -> None:
    frame, panel = world()

    table = evaluate_arm(data(frame), None, ARM, panel, **SIZE).to_frame()

    judged = table[table["yardstick"] == "true_ndcg_at_10"]
    assert len(judged) == 2 * (1 + 3) * QUERIES
    refused = table[table["yardstick"] == "true_ndcg_at_10_unseen"]
    assert len(refused) == 2 * (1 + 3)
    assert refused["numerator"].isna().all()
    assert list(table.columns) == [
        *("policy", "grain", "objective", "ranker"),
        *("side", "fit", "yardstick", "slice"),
        *("query_id", "numerator", "denominator", "refused"),
        *("lists", "positives", "days", "randomized_share"),
    ]


def test_the_same_seed_gives_the_same_table() -> None:
    frame, panel = world()

    tables = [evaluate_arm(data(frame), None, ARM, panel, **SIZE).to_frame() for _ in range(2)]

    pd.testing.assert_frame_equal(*tables)


def test_both_sides_see_each_query_as_often() -> None:
    frame, _ = world()
    contender = data(frame)
    other_rows = data(frame[frame["item_id"] % 3 > 0])

    counts = row_counts(contender, replicate=2, seed=7)
    of_others = row_counts(other_rows, replicate=2, seed=7)

    np.testing.assert_array_equal(counts, row_counts(contender.raw_side(), 2, 7))
    np.testing.assert_array_equal(counts[frame["item_id"] % 3 > 0], of_others)
    np.testing.assert_array_equal(counts[::LENGTH], poisson_counts(range(QUERIES), 2, 7))


def test_the_baseline_policy_has_no_baseline() -> None:
    frame, panel = world()
    arm = Arm("raw_click", "impression", SPEC, is_baseline=True)

    evaluated = evaluate_arm(data(frame), None, arm, panel, **SIZE)

    assert evaluated.baseline is None
    assert compare(evaluated.to_frame())["verdict"].tolist()[0] == "baseline"


def test_a_baseline_that_cannot_be_trained_is_refused() -> None:
    frame, panel = world()

    evaluated = evaluate_arm(data(frame.assign(raw_label=0.0)), None, ARM, panel, **SIZE)

    reason = compare(evaluated.to_frame())["reason"][0]
    assert reason.startswith("no difference: the baseline cannot be trained: no positives")


def test_an_arm_that_cannot_be_trained_raises_and_can_be_shown_as_refused() -> None:
    frame, panel = world()

    with pytest.raises(TrainingError, match="no positives") as error:
        evaluate_arm(data(frame.assign(label=0.0)), None, ARM, panel, **SIZE)

    table = compare(ArmEvaluation.refused(ARM, panel, str(error.value)).to_frame())
    assert table["verdict"].str.startswith("refused: no positives").all()
    assert len(table) == len(panel.yardsticks)


def test_equal_baselines_are_fitted_once() -> None:
    frame, panel = world()
    cache = SideCache()

    first = evaluate_arm(data(frame), None, ARM, panel, cache=cache, **SIZE)
    other_labels = frame.assign(label=frame["label"] ** 2)
    second = evaluate_arm(data(other_labels), None, ARM, panel, cache=cache, **SIZE)
    other_rows = evaluate_arm(data(frame[6:]), None, ARM, panel, cache=cache, **SIZE)

    assert second.baseline is first.baseline
    assert second.contender is not first.contender
    assert other_rows.baseline is not first.baseline


def test_position_as_a_feature_belongs_to_the_contender_only() -> None:
    frame, panel = world()
    spec = RankerSpec(objective="lambdarank", position="feature")
    rows = data(frame.assign(position=1), spec)

    evaluated = evaluate_arm(rows, None, Arm("p", "impression", spec), panel, **SIZE)

    assert evaluated.contender.ranker.uses_position_feature
    assert not evaluated.baseline.ranker.uses_position_feature


@pytest.mark.parametrize("mode", ["combine", "transfer"])
def test_an_auxiliary_label_belongs_to_the_contender_only(mode: str) -> None:
    frame, panel = world()
    frame["auxiliary_label"] = frame["f_good"]
    frame["label"] = (frame.index % 40 == 0).astype(float)
    plain = evaluate_arm(data(frame), None, ARM, panel, **SIZE)
    spec = RankerSpec(objective="pointwise", auxiliary=mode)

    evaluated = evaluate_arm(
        data(frame, spec), None, Arm("p", "query_item", spec), panel, cache=SideCache(), **SIZE
    )

    assert evaluated.contender.ranker.auxiliary is not None
    assert len(evaluated.contender.fits) == 1 + 3
    assert evaluated.baseline.ranker == plain.baseline.ranker
    for ours, theirs in zip(evaluated.baseline.fits, plain.baseline.fits, strict=True):
        assert ours[TRUE].value == theirs[TRUE].value


def test_a_cache_tells_ways_of_using_an_auxiliary_label_apart() -> None:
    frame, panel = world()
    frame = frame.assign(auxiliary_label=frame["f_good"] ** 2)
    cache = SideCache()
    arms = [
        Arm("p", "query_item", RankerSpec(objective="pointwise", auxiliary=mode), tune=tune)
        for mode, tune in [
            ("none", "label"),
            ("combine", "label"),
            ("combine", "both"),
            ("transfer", "label"),
        ]
    ]

    for arm in arms:
        evaluate_arm(data(frame, arm.spec), None, arm, panel, cache=cache, **SIZE)
    changed = frame.assign(auxiliary_label=frame["f_good"] ** 3)
    evaluate_arm(data(changed, arms[1].spec), None, arms[1], panel, cache=cache, **SIZE)

    assert len(cache.sides) == 1 + len(arms) + 1  # the baseline is one and the same


def test_rows_that_yardsticks_share_are_scored_alike() -> None:
    frame, panel = world()
    one, _ = panel.yardsticks
    doubled = Panel((one, RefusedYardstick("refused", "because"), one))
    ranker = evaluate_arm(data(frame), None, ARM, panel, **SIZE).contender.ranker

    found = doubled.measure(ranker)

    direct = one.measure(ranker.score(one.features))
    np.testing.assert_array_equal(found[TRUE].numerator, direct.numerator)
    assert found["refused", "all"].refused == "because"


def clicked_twice(seed: int) -> tuple[pd.DataFrame, Panel]:
    """Rows whose two sides are clicks of the same kind, drawn anew."""
    frame, panel = world(seed)
    draws = np.random.default_rng([seed, 1]).random((2, len(frame)))
    clicks = (draws < 0.6 * frame["f_good"].to_numpy()).astype(float)
    return frame.assign(label=clicks[0], raw_label=clicks[1]), panel


def all_fits_alike(parts: tuple[Floats, Floats]) -> FitValues:
    """One side whose fits all agree; parts of shape (numerator and denominator, queries)."""
    numerator, denominator = (np.repeat(part[:, None], 3, axis=1) for part in parts)
    return FitValues(np.arange(len(numerator)).astype(str), numerator, denominator)


def test_two_rankers_of_one_policy_are_seldom_called_different() -> None:
    """Nothing but chance tells the sides apart, so every p-value is as likely as any other.

    Intervals too narrow gather p-values at 0, those too wide at 1, where no ranker would ever be
    called better.
    """
    p_values = []
    for seed in range(STUDIES):
        frame, panel = clicked_twice(seed)
        evaluated = evaluate_arm(data(frame), None, ARM, panel, rounds=8, fits=5, seed=seed)
        p_values.append(compare(evaluated.to_frame())["p_value"][0])
    assert np.isfinite(p_values).all()
    assert kstest(p_values, "uniform").pvalue > 0.01
    assert sum(p < 0.05 for p in p_values) <= binom.ppf(0.999, STUDIES, 0.05)


def test_intervals_over_queries_alone_call_them_different_far_too_often() -> None:
    different = 0
    for seed in range(STUDIES):
        frame, panel = clicked_twice(seed)
        evaluated = evaluate_arm(data(frame), None, ARM, panel, rounds=8, fits=0, seed=seed)
        found = (side.fits[0][TRUE] for side in (evaluated.contender, evaluated.baseline))
        sides = [all_fits_alike((one.numerator, one.denominator)) for one in found]
        different += estimate(*sides).p_value < 0.05
    assert different > binom.ppf(0.999, STUDIES, 0.05)
