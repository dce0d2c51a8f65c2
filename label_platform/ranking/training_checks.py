"""Training rows that hold nothing to learn from, refused or warned of in words that name why."""

import numpy as np

from label_platform.policy import RankerSpec
from label_platform.ranking.comparable_lists import Floats
from label_platform.ranking.errors import TrainingError
from label_platform.ranking.training_data import TrainingData


def check_numbers(data: TrainingData) -> None:
    """Refuse labels and weights that are no numbers, and weights below 0.

    Raises:
        TrainingError: says how many.
    """
    for name, values in (("label", data.label), ("weight", data.weight)):
        wrong = int((~np.isfinite(values)).sum())
        if wrong:
            raise TrainingError(
                f"{name}: {wrong} of {len(values)} rows are NaN or infinite, expected numbers"
            )
    if (data.weight < 0).any():
        raise TrainingError(f"weight: found {data.weight.min():g}, expected 0 or more")


def learnable_labels(train: TrainingData) -> Floats:
    """The labels of the rows with weight.

    Raises:
        TrainingError: none, or all the same.
    """
    known = train.label[train.weight > 0]
    if len(known) == 0:
        raise TrainingError(f"all {len(train)} rows have weight 0: nothing to learn from")
    low, high = float(known.min()), float(known.max())
    if low == high == 0:
        raise TrainingError(f"no positives: the label is 0 in all {len(known)} rows")
    if low == high:
        raise TrainingError(f"constant labels: the label is {low:g} in all {len(known)} rows")
    return known


def list_warnings(train: TrainingData, spec: RankerSpec) -> list[str]:
    """What is doubtful about the lists, though they can be trained on."""
    if not spec.compares_within_lists or len(train.group_sizes) > 1:
        return []
    line = (
        f"{spec.objective} learned from a single list of {len(train)} rows: nothing says whether "
        "another list would have taught the same"
    )
    return [line]


def nothing_to_compare(train: TrainingData, objective: str) -> str:
    """Why no two rows of a list can be compared."""
    if train.group_sizes.max() == 1:
        return (
            f"{objective} has nothing to compare: all lists have one item "
            f"({len(train.group_sizes)} lists); use objective: pointwise"
        )
    return (
        f"{objective} has nothing to compare: none of {len(train.group_sizes)} lists has two "
        "different labels; use objective: pointwise"
    )
