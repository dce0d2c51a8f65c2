"""On clicks simulated from the position model, IPS labels average to true relevance."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.policy import LabelInputs, Policy, compile_labels
from label_platform.problem import Problem

RELEVANCE = np.array([0.9, 0.6, 0.4, 0.2, 0.1])
THETA = 1 / np.arange(1, len(RELEVANCE) + 1)  # never below the clip
LISTS = 20_000


def simulate(seed: int) -> pd.DataFrame:
    """Lists of a logging ranker that mostly puts the relevant items first."""
    rng = np.random.default_rng(seed)
    scores = RELEVANCE + rng.normal(0, 0.5, (LISTS, len(RELEVANCE)))
    items = np.argsort(-scores, axis=1)
    clicked = rng.random(items.shape) < THETA * RELEVANCE[items]
    positions = np.broadcast_to(np.arange(1, len(RELEVANCE) + 1), items.shape)
    return pd.DataFrame(
        {
            "impression_id": np.arange(items.size),
            "item_id": items.ravel(),
            "position": positions.ravel(),
            "click": clicked.ravel().astype(float),
            "excluded_reason": pd.Series([None] * items.size, dtype="str"),
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_ips_labels_average_to_relevance_and_raw_clicks_do_not(
    engine: Engine,
    make_problem: Callable[..., Problem],
    make_policy: Callable[..., Policy],
    seed: int,
) -> None:
    problem = make_problem(context=[])
    log = simulate(seed)
    engine.register("log", log)
    engine.register(
        "curve", pd.DataFrame({"position": [1, 2, 3, 4, 5], "propensity": THETA, "chosen": True})
    )
    means = {}
    for method, position in (("ips", "debias_only"), ("none", "none")):
        policy = make_policy(
            debias={"method": method}, rankers=[{"objective": "pointwise", "position": position}]
        )
        labels = compile_labels(policy, problem, LabelInputs("log", "curve"))
        found = engine.rows(
            f"select item_id, avg(label) from ({labels}) as labels "
            "inner join log using (impression_id) group by item_id order by item_id"
        )
        means[method] = np.array([mean for _, mean in found])
    # Var(c/theta) at one position = gamma/theta - gamma^2; five standard errors, five items and
    # five seeds: an unbiased label fails in one of 70,000 runs
    shown = pd.crosstab(log["item_id"], log["position"]).to_numpy()
    variance = shown * (RELEVANCE[:, None] / THETA[None, :] - RELEVANCE[:, None] ** 2)
    error = np.sqrt(variance.sum(axis=1)) / shown.sum(axis=1)
    assert (np.abs(means["ips"] - RELEVANCE) < 5 * error).all()
    assert (np.abs(means["none"] - RELEVANCE) > 5 * error).all()
