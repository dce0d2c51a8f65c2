from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

FEATURES = ["f_good", "f_noise"]


@pytest.fixture
def make_examples() -> Callable[..., pd.DataFrame]:
    """Lists whose clicks follow f_good and fall with the position."""

    def make(lists: int = 120, length: int = 5, seed: int = 0, part: str = "train") -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        rows = lists * length
        good = rng.random(rows).round(3)
        position = np.tile(np.arange(1, length + 1), lists)
        click = (rng.random(rows) < good / position).astype(float)
        return pd.DataFrame(
            {
                "part": part,
                "group_id": np.repeat(np.arange(lists), length),
                "query_id": np.repeat(np.arange(lists) % 40, length),
                "item_id": np.arange(rows) % 50,
                "position": position,
                "label": click * position,
                "weight": 1.0,
                "raw_label": click,
                "raw_weight": 1.0,
                "impressions": 1,
                "expected_examinations": 1 / position,
                "f_good": good,
                "f_noise": rng.random(rows).round(3),
            }
        )

    return make
