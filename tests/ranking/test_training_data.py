from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from label_platform.policy import RankerSpec
from label_platform.ranking import TrainingData, TrainingError
from label_platform.ranking.example_rows import MAX_GROUP_ROWS, split_large_groups

FEATURES = ["f_good", "f_noise"]
POINTWISE = RankerSpec(objective="pointwise")


def test_rows_of_a_group_come_together(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples(lists=2, length=2).iloc[[0, 2, 1, 3]]

    data = TrainingData.from_examples(examples, POINTWISE, FEATURES)

    assert data.group_sizes.tolist() == [2, 2]
    assert data.label.tolist() == examples["label"].iloc[[0, 2, 1, 3]].tolist()


def test_only_rows_of_the_part_are_taken(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = pd.concat([make_examples(lists=3), make_examples(lists=2, part="validate")])

    assert len(TrainingData.from_examples(examples, POINTWISE, FEATURES)) == 3 * 5
    assert len(TrainingData.from_examples(examples, POINTWISE, FEATURES, "validate")) == 2 * 5


def test_arrow_and_pandas_give_the_same(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples()
    spec = RankerSpec(objective="pointwise", position="feature")

    of_pandas = TrainingData.from_examples(examples, spec, FEATURES)
    of_arrow = TrainingData.from_examples(pa.Table.from_pandas(examples), spec, FEATURES)

    np.testing.assert_array_equal(of_pandas.features.matrix, of_arrow.features.matrix)
    assert of_arrow.features.matrix.dtype == np.float32
    assert of_arrow.features.names == ("f_good", "f_noise", "position")
    assert of_arrow.features.matrix[:, -1].tolist() == examples["position"].tolist()


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("one", [2, 3]),
        ("impressions", [2 * 4, 3 * 5]),
        ("expected_examinations", [2 * 9, 3 / 4]),
        ("sqrt_expected_examinations", [2 * 3, 3 / 2]),
    ],
)
def test_weight_is_the_rows_own_times_the_evidence(
    make_examples: Callable[..., pd.DataFrame], weight: str, expected: list[float]
) -> None:
    examples = make_examples(lists=1, length=2).assign(
        weight=[2.0, 3.0], impressions=[4, 5], expected_examinations=[9.0, 1 / 4]
    )
    spec = RankerSpec(objective="pointwise", weight=weight)

    data = TrainingData.from_examples(examples, spec, FEATURES)

    assert data.weight.tolist() == expected


@pytest.mark.parametrize(
    "weight", ["one", "impressions", "expected_examinations", "sqrt_expected_examinations"]
)
def test_what_was_never_shown_counts_as_its_own_weight_says(
    make_examples: Callable[..., pd.DataFrame], weight: str
) -> None:
    """Of no looks there is no evidence, which would make each weight 0 or unknown."""
    examples = make_examples(lists=1, length=2).assign(
        weight=[2.0, 3.0], impressions=[1, 0], expected_examinations=[1.0, None]
    )
    spec = RankerSpec(objective="pointwise", weight=weight)

    assert TrainingData.from_examples(examples, spec, FEATURES).weight.tolist() == [2, 3]


def test_the_raw_side_has_raw_labels_and_no_position(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    examples = make_examples().assign(weight=7.0, raw_weight=3.0)
    spec = RankerSpec(objective="lambdarank", position="feature")
    data = TrainingData.from_examples(examples, spec, FEATURES)

    raw = data.raw_side()

    assert raw.label.tolist() == examples["raw_label"].tolist()
    assert set(raw.weight) == {3.0}
    assert raw.features.names == ("f_good", "f_noise")
    assert raw.features.matrix.shape == (len(examples), 2)


def test_other_labels_share_the_bins(make_examples: Callable[..., pd.DataFrame]) -> None:
    data = TrainingData.from_examples(make_examples(), POINTWISE, FEATURES)

    skyline = data.with_labels(np.arange(len(data)), np.ones(len(data)))

    assert skyline.features.binned(255) is data.features.binned(255)
    assert skyline.label[-1] == len(data) - 1


@pytest.mark.parametrize(
    ("queries", "groups", "kind"),
    [(40, 120, "query_id"), (1, 120, "group_id"), (1, 1, "item_id")],
)
def test_resampling_draws_queries_where_there_are_enough(
    make_examples: Callable[..., pd.DataFrame], queries: int, groups: int, kind: str
) -> None:
    examples = make_examples(lists=120)
    examples["query_id"] %= queries
    examples["group_id"] %= groups

    units = TrainingData.from_examples(examples, POINTWISE, FEATURES).units

    assert units.kind == kind
    named = units.names[units.codes]
    assert set(named) == set(examples[kind].astype(str))


def test_large_groups_are_split_into_full_pieces() -> None:
    sizes = split_large_groups(np.array([3, 2 * MAX_GROUP_ROWS + 5, MAX_GROUP_ROWS]))

    assert sizes.tolist() == [3, MAX_GROUP_ROWS, MAX_GROUP_ROWS, 5, MAX_GROUP_ROWS]


def test_missing_feature_values_stay_missing(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples(lists=1, length=2).assign(f_good=[None, 0.5])

    matrix = TrainingData.from_examples(examples, POINTWISE, FEATURES).features.matrix

    assert np.isnan(matrix[0, 0])
    assert matrix[1, 0] == 0.5


@pytest.mark.parametrize("as_table", [pa.Table.from_pandas, lambda frame: frame])
def test_a_moment_as_a_feature_is_refused_by_name(
    make_examples: Callable[..., pd.DataFrame], as_table: Callable[[pd.DataFrame], Any]
) -> None:
    examples = make_examples().assign(f_noise=pd.Timestamp("2026-10-01"))

    with pytest.raises(TrainingError, match=r"'f_noise' is of type timestamp.*numbers"):
        TrainingData.from_examples(as_table(examples), POINTWISE, FEATURES)


def test_an_absent_feature_is_refused_with_the_nearest(
    make_examples: Callable[..., pd.DataFrame],
) -> None:
    with pytest.raises(TrainingError, match=r"'f_god' .*did you mean 'f_good'"):
        TrainingData.from_examples(make_examples(), POINTWISE, ["f_god"])


def test_evidence_that_is_null_is_refused(make_examples: Callable[..., pd.DataFrame]) -> None:
    examples = make_examples().assign(expected_examinations=None)
    spec = RankerSpec(objective="pointwise", weight="expected_examinations")

    with pytest.raises(TrainingError, match="expected_examinations is null in 600 of 600"):
        TrainingData.from_examples(examples, spec, FEATURES)


def test_no_rows_are_refused(make_examples: Callable[..., pd.DataFrame]) -> None:
    with pytest.raises(TrainingError, match="no rows with part 'validate'"):
        TrainingData.from_examples(make_examples(), POINTWISE, FEATURES, "validate")


def test_other_labels_must_fit_the_rows(make_examples: Callable[..., pd.DataFrame]) -> None:
    data = TrainingData.from_examples(make_examples(), POINTWISE, FEATURES)

    with pytest.raises(TrainingError, match="2 labels and 2 weights for 600 rows"):
        data.with_labels(np.ones(2), np.ones(2))
