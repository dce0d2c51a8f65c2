from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

QUERIES, CANDIDATES = 60, 6


@pytest.fixture
def make_impressions() -> Callable[..., pa.Table]:
    """Lists in random order; items are clicked by how good they are and where they stand."""

    def make(lists: int = 400, length: int = CANDIDATES, seed: int = 0) -> pa.Table:
        rng = np.random.default_rng(seed)
        good = rng.random((lists, length)).round(3)
        position = np.tile(np.arange(1, length + 1, dtype=np.int32), lists)
        click = rng.random(lists * length) < good.ravel() / position
        return pa.table(
            {
                "request_id": np.repeat(np.arange(lists), length),
                "query_id": np.repeat(np.arange(lists) % QUERIES, length),
                "item_id": np.arange(lists * length),
                "position": position,
                "device": ["phone"] * (lists * length),
                "randomized": np.repeat(np.arange(lists) % 2 == 0, length),
                "click": click.astype(float),
                "f_good": good.ravel(),
            }
        )

    return make


@pytest.fixture
def truth() -> pa.Table:
    """All candidates of queries of which every third was never logged."""
    rng = np.random.default_rng(5)
    query = np.repeat(np.arange(90), CANDIDATES)
    good = rng.random(len(query)).round(3)
    return pa.table(
        {
            "query_id": query,
            "item_id": np.arange(len(query)),
            "relevance": good,
            "seen_in_log": query < 60,
            "f_good": good,
        }
    )
