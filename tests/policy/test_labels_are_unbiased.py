"""On clicks simulated from the position model with trust, labels average to true relevance."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.policy import LabelInputs, Policy, compile_labels
from label_platform.problem import Problem

RELEVANCE = np.array([0.9, 0.6, 0.4, 0.2, 0.1])
POSITIONS = np.arange(1, len(RELEVANCE) + 1)
THETA = 1 / POSITIONS  # never below the clip
TRUST = np.where(POSITIONS > 1, 0.05, 0.0)
LISTS = 20_000


def simulate(seed: int, trust: np.ndarray) -> pd.DataFrame:
    """Lists of a logging ranker that mostly puts the relevant items first."""
    rng = np.random.default_rng(seed)
    scores = RELEVANCE + rng.normal(0, 0.5, (LISTS, len(RELEVANCE)))
    items = np.argsort(-scores, axis=1)
    clicked = rng.random(items.shape) < THETA * RELEVANCE[items] + trust
    positions = np.broadcast_to(POSITIONS, items.shape)
    return pd.DataFrame(
        {
            "impression_id": np.arange(items.size),
            "query_id": 1,
            "item_id": items.ravel(),
            "position": positions.ravel(),
            "click": clicked.ravel().astype(float),
            "excluded_reason": pd.Series([None] * items.size, dtype="str"),
        }
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("method", "trust", "unbiased"),
    [
        ("ips", 0 * TRUST, True),
        ("coec", 0 * TRUST, True),
        ("affine", TRUST, True),
        ("doubly_robust", TRUST, True),
        ("none", 0 * TRUST, False),
        ("coec", TRUST, False),  # what trust explains looks like relevance
    ],
)
def test_labels_of_queries_and_items(
    engine: Engine,
    make_problem: Callable[..., Problem],
    make_policy: Callable[..., Policy],
    seed: int,
    method: str,
    trust: np.ndarray,
    unbiased: bool,  # noqa: FBT001 - of a parametrised test
) -> None:
    log = simulate(seed, trust)
    engine.register("log", log)
    engine.register(
        "curve",
        pd.DataFrame(
            {
                "estimator": "affine",
                "position": POSITIONS,
                "propensity": THETA,
                "trust_offset": trust,
                "chosen": True,
            }
        ),
    )
    position = "none" if method == "none" else "debias_only"
    policy = make_policy(
        grain="query_item",
        debias={"method": method},
        rankers=[{"objective": "pointwise", "position": position}],
    )
    labels = compile_labels(policy, make_problem(context=[]), LabelInputs("log", "curve"))
    cells = engine.frame(f"from ({labels}) order by item_id").astype(float)
    found = (cells["gain_sum"] / cells["expected_examinations"]).to_numpy()
    shown = pd.crosstab(log["item_id"], log["position"]).to_numpy()
    clicks = THETA * RELEVANCE[:, None] + trust
    if method == "ips":
        # a mean of c / theta over impressions
        variance = (shown * clicks * (1 - clicks) / THETA**2).sum(axis=1) / shown.sum(axis=1) ** 2
    else:
        variance = (shown * clicks * (1 - clicks)).sum(axis=1) / (shown * THETA).sum(axis=1) ** 2
    errors = np.abs(found - RELEVANCE) / np.sqrt(variance)
    # five standard errors: an unbiased label fails in one of 20,000 runs
    assert (errors.max() < 5) == unbiased


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_positives_learn_what_is_said_of_them(
    engine: Engine,
    make_problem: Callable[..., Problem],
    make_policy: Callable[..., Policy],
    seed: int,
) -> None:
    log = simulate(seed, 0 * TRUST)
    engine.register("log", log)
    engine.register(
        "curve", pd.DataFrame({"position": POSITIONS, "propensity": THETA, "chosen": True})
    )
    policy = make_policy(
        debias={"method": "ips", "into": "weight"},
        rankers=[{"objective": "pointwise", "position": "debias_only"}],
    )
    labels = compile_labels(policy, make_problem(context=[]), LabelInputs("log", "curve"))
    found = engine.rows(
        "select item_id, position, sum(label * weight) / sum(weight), count(*) "
        f"from ({labels}) inner join log using (impression_id) group by all order by all"
    )
    for item_id, position, mean, impressions in found:
        gamma, theta = RELEVANCE[item_id], THETA[position - 1]
        # the weighted mean is theta g w / (theta g w + 1 - theta g) with w = 1 / theta
        expected = gamma / (gamma + 1 - theta * gamma)
        clicks = theta * gamma
        slope = expected**2 / (clicks**2 / theta) if clicks else 0
        error = slope * np.sqrt(clicks * (1 - clicks) / impressions)
        assert abs(mean - expected) < 5 * error + 1e-9
