"""The platform's way to a ranker ends at the trees that LightGBM grows by itself."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from label_platform.policy import RankerSpec
from label_platform.ranking import RankerTrainer, TrainingData, fit_ranker

REAL = Path(__file__).parents[3] / "shared" / "data" / "lightgbm_lambdarank"
FEATURES = [f"f_{number}" for number in range(300)]
ROUNDS = 30
SEED = 3
SAID: dict[str, Any] = {
    "learning_rate": 0.08,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 0.5,
    "max_bin": 127,
}
PAIRS = {"lambdarank_truncation_level": 15, "lambdarank_norm": False}
EXPONENTIAL = [2**grade - 1 for grade in range(31)]
ARMS: dict[str, tuple[RankerSpec, dict[str, Any]]] = {
    "linear": (
        RankerSpec(objective="lambdarank", parameters=SAID | PAIRS),
        {"objective": "lambdarank", "label_gain": [0, 1, 2, 3, 4], **SAID, **PAIRS},
    ),
    "exponential": (
        RankerSpec(objective="lambdarank", gain="exponential", parameters=SAID | PAIRS),
        {"objective": "lambdarank", **SAID, **PAIRS},
    ),
    "rank_xendcg": (
        RankerSpec(objective="rank_xendcg", gain="exponential", parameters=SAID),
        {"objective": "rank_xendcg", **SAID},
    ),
    "pointwise": (
        RankerSpec(objective="pointwise", parameters=SAID),
        {"objective": "regression", **SAID},
    ),
}


@cache
def frame_of(name: str) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The judgments as given, in the layout of examples, and the sizes of their lists."""
    matrix, label = load_svmlight_file(str(REAL / name), n_features=len(FEATURES), zero_based=False)
    sizes = np.loadtxt(REAL / f"{name}.query", dtype=int)
    query = np.repeat(np.arange(len(sizes)), sizes)
    fields = {
        "part": "train",
        "group_id": query,
        "query_id": query,
        "item_id": np.arange(len(label)),
        "label": label,
        "weight": 1.0,
        "raw_label": label,
        "raw_weight": 1.0,
    }
    return pd.DataFrame(matrix.toarray(), columns=FEATURES).assign(**fields), sizes


def mean_ndcg_at_10(
    label: NDArray[np.float64], score: NDArray[np.float64], sizes: NDArray[np.int64], base: float
) -> float:
    """With gains 2^label - 1 (base 2) or label (base 1), written out list by list."""
    found, end = [], 0
    discount = 1 / np.log2(np.arange(10) + 2)
    for size in sizes:
        one, ranked = label[end : end + size], np.argsort(-score[end : end + size], kind="stable")
        end += size
        gain = one if base == 1 else base**one - 1
        best = (np.sort(gain)[::-1][:10] * discount[:size]).sum()
        if best > 0:
            found.append((gain[ranked[:10]] * discount[:size]).sum() / best)
    return float(np.mean(found))


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data is not beside the project")
@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("once", [True, False])
def test_real_judgments_are_ranked_as_by_lightgbm_alone(arm: str, *, once: bool) -> None:
    spec, parameters = ARMS[arm]
    (train, sizes), (test, test_sizes) = frame_of("rank.train"), frame_of("rank.test")

    data = TrainingData.from_examples(train, spec, FEATURES)
    ours = RankerTrainer(data, None, spec, once=once).fit(rounds=ROUNDS, seed=SEED).score(test)
    rows = lgb.Dataset(
        train[FEATURES].to_numpy(np.float32),
        train["label"],
        group=None if arm == "pointwise" else sizes,
        params={"verbosity": -1, "max_bin": 127, "feature_pre_filter": False},
    )
    bare = lgb.train(
        {**parameters, "seed": SEED, "deterministic": True, "verbosity": -1, "num_threads": 1},
        rows.construct(),
        num_boost_round=ROUNDS,
    )
    theirs = bare.predict(test[FEATURES].to_numpy(np.float32), raw_score=True)

    np.testing.assert_array_equal(ours, theirs)
    label = test["label"].to_numpy()
    for base in (1, 2):
        mine = mean_ndcg_at_10(label, ours, test_sizes, base)
        assert abs(mine - mean_ndcg_at_10(label, theirs, test_sizes, base)) <= 1e-9
        assert mine > 0.4  # a constant score has 0.37 to 0.39 here


def labels_of(spec: RankerSpec, examples: pd.DataFrame) -> pd.DataFrame:
    if spec.loss == "binary":
        return examples.assign(label=examples["raw_label"])
    return examples.assign(label=examples["label"] / 10) if spec.loss != "squared" else examples


@pytest.mark.parametrize(
    "spec",
    [
        RankerSpec(objective="pointwise", loss="binary"),
        RankerSpec(objective="pointwise", loss="cross_entropy"),
        RankerSpec(objective="rank_xendcg"),
        RankerSpec(objective="lambdarank", gain="exponential", parameters=SAID),
        RankerSpec(objective="lambdarank", position="lightgbm_bias"),
    ],
    ids=lambda spec: spec.title[:30],
)
def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(
    make_examples: Callable[..., pd.DataFrame], spec: RankerSpec
) -> None:
    examples = labels_of(spec, make_examples(lists=400))
    data = TrainingData.from_examples(examples, spec, ["f_good", "f_noise"])

    first = fit_ranker(data, None, spec, rounds=10, seed=SEED)

    assert fit_ranker(data, None, spec, rounds=10, seed=SEED) == first
    assert fit_ranker(data, None, spec, rounds=10, seed=SEED, threads=2) == first
    low, high = first.score(np.array([[0.1, 0.5], [0.9, 0.5]]))
    assert high > low
    assert json.loads(first.to_json())["loss"] == spec.loss
