"""What training rows need of each other, fitted on real rows and put into labels."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from label_platform.examples import Fitted
from label_platform.lake import Engine
from label_platform.pipeline.finishing import finished_examples
from label_platform.policy import Policy, PriorRefusedError, load_policy

QUERIES, ITEMS = 60, 10
MakePolicy = Callable[..., Policy]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(threads=2) as engine:
        yield engine


@pytest.fixture
def make(tmp_path: Path) -> MakePolicy:
    def policy(**changes: Any) -> Policy:  # noqa: ANN401 - parsed YAML
        content = {
            "name": "mine",
            "grain": "query_item",
            "signals": {"click": {"gain": 1.0}},
            "debias": {"method": "coec"},
            "rankers": [{"objective": "pointwise", "position": "debias_only"}],
        }
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content | changes))
        return load_policy(tmp_path / "mine.yaml")

    return policy


def cells(seed: int, gain: float = 1.0, *, follows: bool = False) -> pd.DataFrame:
    """Base rows at query-item grain: clicks are Poisson with a gamma's relevance."""
    rng = np.random.default_rng(seed)
    size = QUERIES * ITEMS
    relevance = rng.gamma(2.0, 0.1, size)
    examined = 1 + 60 * relevance if follows else rng.gamma(2.0, 10.0, size) + 0.5
    number = np.arange(size)
    return pd.DataFrame(
        {
            "part": np.where(number % 5 == 0, "validate", "train"),
            "group_id": number // ITEMS,
            "query_id": number // ITEMS,
            "item_id": number,
            "impression_id": pd.Series([None] * size, dtype="str"),
            "position": pd.Series([None] * size, dtype="Int32"),
            "label": gain * rng.poisson(examined * relevance) / examined,
            "weight": 1.0,
            "expected_examinations": examined,
            "origin": "cell",
            "f_a": relevance + rng.normal(0, 0.02, size),
        }
    )


def finish(engine: Engine, policy: Policy, rows: pd.DataFrame) -> tuple[pd.DataFrame, Fitted]:
    engine.register("given", rows)
    query, fitted = finished_examples(engine, policy, "select * from given", ("f_a",))
    return engine.frame(query), fitted


def prior(toward: str) -> dict[str, Any]:
    return {"debias": {"method": "coec", "prior": {"toward": toward}}}


@pytest.mark.parametrize("seed", range(3))
def test_labels_lean_on_predictions_as_far_as_evidence_is_thin(
    engine: Engine, make: MakePolicy, seed: int
) -> None:
    rows = cells(seed)
    found, _ = finish(engine, make(**prior("model")), rows)
    found = found.set_index("item_id").loc[rows["item_id"]]
    examined, label = rows["expected_examinations"].to_numpy(), rows["label"].to_numpy()
    expected = (label * examined + found["prediction"].to_numpy()) / (examined + 1)
    np.testing.assert_allclose(found["label"], expected, atol=2e-6)
    assert np.corrcoef(found["prediction"], rows["f_a"])[0, 1] > 0.6


@pytest.mark.parametrize("gain", [0.3, 1.0, 10.0])
def test_an_empirical_prior_does_not_depend_on_what_a_click_is_worth(
    engine: Engine, make: MakePolicy, gain: float
) -> None:
    _, fitted = finish(
        engine, make(signals={"click": {"gain": gain}}, **prior("empirical_bayes")), cells(1, gain)
    )
    _, plain = finish(engine, make(**prior("empirical_bayes")), cells(1))
    assert fitted.prior_strength == pytest.approx(plain.prior_strength, rel=1e-6)
    assert fitted.prior_mean == pytest.approx(gain * plain.prior_mean, rel=1e-6)
    # the gamma that made them has mean .2 and rate 10
    assert plain.prior_mean == pytest.approx(0.2, rel=0.15)
    assert plain.prior_strength == pytest.approx(10, rel=0.5)


def test_a_prior_that_misleads_is_refused_or_left_out_and_said(
    engine: Engine, make: MakePolicy
) -> None:
    followed = cells(2, follows=True)
    with pytest.raises(PriorRefusedError, match="is refused: rarely examined items have lower"):
        finish(engine, make(**prior("empirical_bayes")), followed)
    falls_back = prior("empirical_bayes")["debias"] | {"on_refusal": {"fall_back_to": "none"}}
    found, fitted = finish(engine, make(debias=falls_back), followed)
    assert "rarely examined" in fitted.prior_refusal
    np.testing.assert_allclose(found.sort_values("item_id")["label"], followed["label"], atol=1e-6)


def test_rows_that_stand_for_others_count_for_them(engine: Engine, make: MakePolicy) -> None:
    rows = cells(3)
    none = (rows["label"] == 0) & (rows["part"] == "train")
    sampled = rows[~none | (rows["item_id"] % 2 == 0)].assign(
        weight=lambda kept: np.where(none[kept.index], 2.0, 1.0)
    )
    policy = make(**prior("model"))
    whole, _ = finish(engine, policy, rows)
    half, _ = finish(engine, policy, sampled)
    unweighted, _ = finish(engine, policy, sampled.assign(weight=1.0))
    mean = whole["prediction"].mean()
    assert abs(half["prediction"].mean() - mean) < abs(unweighted["prediction"].mean() - mean)
