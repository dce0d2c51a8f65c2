"""The numbers of a small day, by hand."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from label_platform.crafting import HealthInputs, LabelHealth, measure_label_health
from label_platform.lake import Engine
from label_platform.policy import LabelInputs, Policy, compile_labels
from label_platform.problem import Problem, load_problem

PROJECT = Path(__file__).parents[2]

SHOWN = [
    # item, position, device, click, purchase, hour, excluded_reason
    (1, 1, "mobile", 1, 0, 8, "null"),
    (2, 2, "mobile", 0, 0, 8, "null"),
    (3, 3, "mobile", 1, 1, 8, "null"),
    (1, 1, "desktop", 0, 0, 20, "null"),
    (2, 2, "desktop", 1, 0, 20, "null"),
    (3, 3, "desktop", 0, 0, 20, "null"),
    (1, 1, "desktop", 1, 1, 20, "'bot'"),
]
THETA = {("mobile", 1): 1.0, ("mobile", 2): 0.5, ("mobile", 3): 0.2}
THETA |= {("desktop", 1): 1.0, ("desktop", 2): 0.8, ("desktop", 3): 0.4}


@pytest.fixture(scope="module")
def problem() -> Problem:
    return load_problem(PROJECT / "data" / "problems" / "product_search.yaml")


@pytest.fixture
def day(engine: Engine) -> str:
    """Seven impressions of one query, one of them a bot's, and curves of two devices."""
    rows = ", ".join(
        f"({number}, 1, {item}, {position}, '{device}', {click}.0, {purchase}.0, "
        f"timestamptz '2026-10-01 {hour:02}:00:00+00', {reason})"
        for number, (item, position, device, click, purchase, hour, reason) in enumerate(SHOWN)
    )
    engine.execute(
        f"create or replace table shown as from (values {rows}) as t(impression_id, query_id, "
        "item_id, position, device, click, purchase, shown_at, excluded_reason)"
    )
    curve = ", ".join(
        f"('pbm', '{device}', {position}, {theta}, true)"
        for (device, position), theta in THETA.items()
    )
    pooled = ", ".join(f"('pbm', null, {position}, 0.5, true)" for position in (1, 2, 3))
    engine.execute(
        f"create or replace table curve as from (values {curve}, {pooled}) "
        "as t(estimator, device, position, propensity, chosen)"
    )
    return "shown"


def policy(**changes: Any) -> Policy:  # noqa: ANN401 - the keys of a policy file
    base = {
        "name": "clicks",
        "grain": "impression",
        "signals": {"click": {"gain": 1.0}},
        "rankers": [{"objective": "pointwise"}],
    }
    return Policy.model_validate(base | changes)


def measured(
    engine: Engine,
    problem: Problem,
    of: Policy,
    propensities: str | None = None,
    open_since: datetime | None = None,
) -> LabelHealth:
    labels = compile_labels(of, problem, LabelInputs("shown", propensities))
    inputs = HealthInputs(f"({labels})", "shown", propensities, open_since)
    return measure_label_health(engine, of, problem, inputs)


@pytest.mark.usefixtures("day")
def test_plain_clicks(engine: Engine, problem: Problem) -> None:
    found = measured(engine, problem, policy())
    assert (found.rows, found.positives) == (6, 3)
    assert found.positive_share == 3 / 6
    assert found.mean == pytest.approx(3 / 6)
    assert found.effective_share == 1
    assert found.clip_share is None
    assert found.immature_share == 0
    assert sorted(found.buckets.values()) == [3, 3]
    assert found.buckets[0] == 3


@pytest.mark.usefixtures("day")
def test_labels_divided_by_propensities(engine: Engine, problem: Problem) -> None:
    found = measured(
        engine, problem, policy(debias={"method": "ips", "clip": 0.25}), propensities="curve"
    )
    labels = (1 / 1.0, 1 / 0.25, 1 / 0.8)
    assert found.mean == pytest.approx(sum(labels) / 6)
    squares = sum(label**2 for label in labels)
    assert found.effective_share == pytest.approx(sum(labels) ** 2 / squares / 3)
    # only the phone's third position, .2, is below .25
    assert found.clip_share == pytest.approx(1 / 6)
    # 1/1, 1/.8 and 1/.25 lie in three buckets, beside that of 0
    assert sorted(found.buckets.values()) == [1, 1, 1, 3]


@pytest.mark.usefixtures("day")
def test_the_clip_of_a_segment_counts(engine: Engine, problem: Problem) -> None:
    segments = [{"when": {"device": "desktop"}, "clip": 0.5}]
    of = policy(debias={"method": "ips", "clip": 0.25}, segments=segments)
    # .2 of phones is below .25, .4 of desktops below .5
    assert measured(engine, problem, of, "curve").clip_share == pytest.approx(2 / 6)


@pytest.mark.usefixtures("day")
def test_weights_pull_as_labels_do(engine: Engine, problem: Problem) -> None:
    label, weight = (
        measured(
            engine, problem, policy(debias={"method": "ips", "clip": 0.1, "into": into}), "curve"
        )
        for into in ("label", "weight")
    )
    pulls = (1 / 1.0, 1 / 0.2, 1 / 0.8)
    expected = sum(pulls) ** 2 / sum(pull**2 for pull in pulls) / 3
    assert label.effective_share == pytest.approx(expected)
    assert weight.effective_share == pytest.approx(expected)
    assert weight.mean == pytest.approx(3 / 6)
    assert label.clip_share == 0


@pytest.mark.usefixtures("day")
def test_pairs_of_query_and_item(engine: Engine, problem: Problem) -> None:
    of = policy(grain="query_item", debias={"method": "coec", "clip": 0.25})
    found = measured(engine, problem, of, "curve")
    labels = (1 / (1.0 + 1.0), 1 / (0.5 + 0.8), 1 / (0.25 + 0.4))
    assert (found.rows, found.positives) == (3, 3)
    assert found.mean == pytest.approx(sum(labels) / 3, abs=1e-6)
    squares = sum(label**2 for label in labels)
    assert found.effective_share == pytest.approx(sum(labels) ** 2 / squares / 3, abs=1e-6)
    assert found.clip_share == pytest.approx(1 / 6)


@pytest.mark.usefixtures("day")
def test_labels_below_0_are_no_positives(engine: Engine, problem: Problem) -> None:
    found = measured(
        engine, problem, policy(signals={"click": {"gain": -0.5}, "purchase": {"gain": 2.0}})
    )
    # labels -.5, 0, 2 - .5, 0, -.5, 0
    assert (found.rows, found.positives) == (6, 1)
    assert found.mean == pytest.approx((-0.5 + 1.5 - 0.5) / 6)
    buckets = sorted(found.buckets)
    assert [found.buckets[bucket] for bucket in buckets] == [2, 3, 1]
    assert buckets[0] < 0 < buckets[2]


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize("propensities", [None, "curve"])
def test_immature_are_those_shown_too_late(
    engine: Engine, problem: Problem, propensities: str | None
) -> None:
    of = policy(debias={"method": "ips"}) if propensities else policy()
    since = datetime(2026, 10, 1, 12, tzinfo=UTC)
    found = measured(engine, problem, of, propensities, since)
    assert found.immature_share == pytest.approx(3 / 6)


@pytest.mark.usefixtures("day")
def test_a_day_without_impressions_has_no_shares(engine: Engine, problem: Problem) -> None:
    engine.execute("delete from shown")
    found = measured(engine, problem, policy(debias={"method": "ips"}), "curve")
    assert (found.rows, found.positives, found.buckets) == (0, 0, {})
    assert (found.positive_share, found.mean, found.effective_share) == (None, None, None)


@pytest.mark.usefixtures("day")
def test_numbers_come_back_from_json(engine: Engine, problem: Problem) -> None:
    found = measured(engine, problem, policy(signals={"click": {"gain": -0.5}}))
    assert min(found.buckets) < 0
    assert LabelHealth.from_facts(json.loads(json.dumps(found.as_facts()))) == found


def test_buckets_rise_with_labels_in_steps_of_5_percent(engine: Engine, problem: Problem) -> None:
    values = [-40.0, -1.0, -1e-6, 0.0, 1e-9, 1e-6, 0.9, 1.01, 1.04, 1.07, 60.0]
    rows = ", ".join(f"({value!r}::double, 1.0)" for value in values)
    labels = f"(select * from (values {rows}, ('nan'::double, 1.0)) as t(label, weight))"
    found = measure_label_health(engine, policy(), problem, HealthInputs(labels, "shown"))
    # 1e-9 and 1e-6 share the first bucket, 1.01 and 1.04 the one from 1 to 1.05
    assert [found.buckets[key] for key in sorted(found.buckets)] == [1, 1, 1, 1, 2, 1, 2, 1, 1]
    assert min(bucket for bucket in found.buckets if bucket > 0) == 1
    assert found.rows == len(values)
