from collections.abc import Callable
from datetime import date
from math import log
from typing import Any

import pytest

from label_platform.lake import Engine, Lake, Partition, SqlError
from label_platform.policy import LabelInputs, Policy, compile_labels, load_policies
from label_platform.policy.gains import rounded_sql
from label_platform.problem import Problem

Publish = Callable[..., str]
MakePolicy = Callable[..., Policy]

ROWS: list[dict[str, Any]] = [
    {"key": 1, "item_id": 1, "position": 1, "device": "mobile", "click": 1, "dwell_s": 60},
    {
        "key": 2,
        "item_id": 2,
        "position": 2,
        "device": "mobile",
        "click": 1,
        "dwell_s": 300,
        "add_to_cart": 1,
    },
    {"key": 3, "item_id": 3, "position": 3, "device": "mobile"},
    {"key": 4, "item_id": 2, "position": 2, "device": "desktop", "click": 1, "purchase": 1},
    {"key": 5, "item_id": 1, "position": 4, "device": "tablet", "click": 1, "dwell_s": 600},
    {"key": 6, "item_id": 1, "position": 9, "device": "desktop"},
    {
        "key": 7,
        "item_id": 1,
        "position": 1,
        "device": "mobile",
        "click": 1,
        "excluded_reason": "'clicks_per_minute'",
    },
]


def shipped(problem: Problem, name: str) -> Policy:
    return next(policy for policy in load_policies(problem) if policy.name == name)


def labels_by_key(engine: Engine, sql: str, signals: str) -> dict[int, float]:
    rows = engine.rows(
        f"select key, label, weight from ({sql}) as labels inner join {signals} as signals "
        "on labels.impression_id = signals.impression_id"
    )
    assert {weight for _, _, weight in rows} == {1.0}
    return {key: label for key, label, _ in rows}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("raw_click", {1: 1, 2: 1, 3: 0, 4: 1, 5: 1, 6: 0}),
        # tablets have no curve of their own: the pooled .02 at position 4, clipped to .05
        ("ips_click", {1: 1 / 1, 2: 1 / 0.4, 3: 0, 4: 1 / 0.8, 5: 1 / 0.05, 6: 0}),
        ("multi_signal", {1: 0.3, 2: 0.3 + 0.5, 3: 0, 4: 0.3 + 1.0, 5: 0.3, 6: 0}),
    ],
)
def test_impression_labels_by_hand(
    engine: Engine,
    problem: Problem,
    publish: Publish,
    curve: str,
    name: str,
    expected: dict[int, float],
) -> None:
    signals = publish(ROWS)
    sql = compile_labels(shipped(problem, name), problem, LabelInputs(signals, curve))
    assert labels_by_key(engine, sql, signals) == pytest.approx(expected)


# item 1: rows 1, 5, 6; item 2: rows 2 and 4; item 3: row 3, whose position mobiles have no estimate
# for and the pooled curve skips: it takes the nearest above, .6
EXAMINATIONS = {1: 1.0 + 0.05 + 0.05, 2: 0.4 + 0.8, 3: 0.6}
IMPRESSIONS_AND_CLICKS = {1: (3, 2), 2: (2, 2), 3: (1, 0)}


@pytest.mark.parametrize(
    ("name", "gains"),
    [
        ("coec_click", {1: 2, 2: 2, 3: 0}),
        (
            "coec_multi_signal",
            {1: 0.3 * log(1 + 60 / 300) / log(2) + 0.3 * 1, 2: (0.3 * 1 + 0.5) + (0 + 1.0), 3: 0},
        ),
    ],
)
def test_query_item_labels_by_hand(
    engine: Engine,
    problem: Problem,
    publish: Publish,
    curve: str,
    name: str,
    gains: dict[int, float],
) -> None:
    sql = compile_labels(shipped(problem, name), problem, LabelInputs(publish(ROWS), curve))
    rows = engine.frame(sql).set_index("item_id").astype(float)
    assert rows["gain_sum"].to_dict() == pytest.approx(gains, abs=1e-6)
    assert rows["expected_examinations"].to_dict() == pytest.approx(EXAMINATIONS)
    counts = zip(rows["impressions"], rows["clicks"], strict=True)
    assert dict(zip(rows.index, counts, strict=True)) == IMPRESSIONS_AND_CLICKS


def test_columns_are_those_of_the_labels_table(
    engine: Engine, problem: Problem, publish: Publish, curve: str
) -> None:
    signals = publish(ROWS)
    impression = compile_labels(shipped(problem, "ips_click"), problem, LabelInputs(signals, curve))
    assert engine.schema(f"({impression})") == {
        "impression_id": "UUID",
        "label": "DOUBLE",
        "weight": "DOUBLE",
    }
    query_item = compile_labels(
        shipped(problem, "coec_multi_signal"), problem, LabelInputs(signals, curve)
    )
    assert engine.schema(f"({query_item})") == {
        "query_id": "BIGINT",
        "item_id": "BIGINT",
        "gain_sum": "DECIMAL(18,6)",
        "expected_examinations": "DECIMAL(18,6)",
        "impressions": "BIGINT",
        "clicks": "BIGINT",
    }


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("log", log(1 + 60 / 100) / log(2)),
        ("linear", 60 / 100),
        ("minimum", 0),
    ],
)
def test_quality_shapes_below_and_above_the_cap(
    engine: Engine,
    problem: Problem,
    publish: Publish,
    make_policy: MakePolicy,
    shape: str,
    expected: float,
) -> None:
    quality = {"of": "dwell_s", "shape": shape, "cap": 100}
    policy = make_policy(signals={"click": {"gain": 1, "quality": quality}})
    signals = publish(ROWS)
    labels = labels_by_key(engine, compile_labels(policy, problem, LabelInputs(signals)), signals)
    assert labels[1] == pytest.approx(expected, abs=1e-6)
    assert labels[2] == 1
    assert labels[3] == 0


def test_max_takes_the_best_signal(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    gains = {"click": {"gain": 0.3}, "add_to_cart": {"gain": 0.5}, "purchase": {"gain": 1.0}}
    policy = make_policy(signals=gains, combine="max")
    signals = publish(ROWS)
    labels = labels_by_key(engine, compile_labels(policy, problem, LabelInputs(signals)), signals)
    assert labels == pytest.approx({1: 0.3, 2: 0.5, 3: 0, 4: 1.0, 5: 0.3, 6: 0})


def test_the_order_of_keys_does_not_reach_the_sql(
    problem: Problem, make_policy: MakePolicy
) -> None:
    """Versions do not depend on it, and sums of floating-point numbers must not either."""
    gains = {"click": {"gain": 0.3}, "add_to_cart": {"gain": 0.5}, "purchase": {"gain": 1.0}}
    policy = make_policy(signals=gains)
    other = policy.model_copy(update={"signals": dict(reversed(policy.signals.items()))})
    assert list(other.signals) != list(policy.signals)
    assert compile_labels(other, problem, LabelInputs("s")) == compile_labels(
        policy, problem, LabelInputs("s")
    )


def test_a_policy_that_falls_back_builds_without_propensities(
    engine: Engine, problem: Problem, publish: Publish, make_policy: MakePolicy
) -> None:
    signals = publish(ROWS)
    with pytest.raises(ValueError, match="ips_click cannot be compiled without propensities"):
        compile_labels(shipped(problem, "ips_click"), problem, LabelInputs(signals))
    fall_back = {"fall_back_to": "none"}
    ips = make_policy(debias={"method": "ips", "on_refusal": fall_back})
    labels = labels_by_key(engine, compile_labels(ips, problem, LabelInputs(signals)), signals)
    assert labels == {1: 1, 2: 1, 3: 0, 4: 1, 5: 1, 6: 0}
    coec = make_policy(grain="query_item", debias={"method": "coec", "on_refusal": fall_back})
    cells = engine.frame(compile_labels(coec, problem, LabelInputs(signals))).set_index("item_id")
    assert cells["expected_examinations"].astype(float).to_dict() == {1: 3, 2: 2, 3: 1}


def test_without_context_the_pooled_curve_is_all(
    engine: Engine,
    publish: Publish,
    make_problem: Callable[..., Problem],
    curve: str,
) -> None:
    problem = make_problem(context=[])
    signals = publish(ROWS)
    pooled = f"(select * exclude (device) from {curve} where device is null)"
    sql = compile_labels(shipped(problem, "ips_click"), problem, LabelInputs(signals, pooled))
    labels = labels_by_key(engine, sql, signals)
    assert labels == pytest.approx(
        {1: 1, 2: 1 / 0.6, 3: 0, 4: 1 / 0.6, 5: 1 / 0.05, 6: 0}, abs=1e-6
    )


def test_a_curve_without_a_pooled_estimate_is_an_error_and_no_null(
    engine: Engine, problem: Problem, publish: Publish, curve: str
) -> None:
    partial = f"(select * from {curve} where device is not null)"
    sql = compile_labels(
        shipped(problem, "ips_click"), problem, LabelInputs(publish(ROWS), partial)
    )
    with pytest.raises(SqlError, match="no pooled estimate at or above this position"):
        engine.rows(sql)


@pytest.mark.parametrize("name", ["ips_click", "coec_multi_signal"])
def test_labels_do_not_depend_on_row_order_or_files(
    engine: Engine, lake: Lake, problem: Problem, publish: Publish, curve: str, name: str
) -> None:
    policy = shipped(problem, name)
    rows = [row | {"key": 10 * n + row["key"]} for n in range(40) for row in ROWS]
    day = date(2026, 10, 1)
    one_file = lake.publish(
        engine,
        Partition("labels", day, "one"),
        compile_labels(policy, problem, LabelInputs(publish(rows), curve)),
        recipe="r",
    )
    thirds = [rows[third::3][::-1] for third in range(3)]
    scans = [publish(third, date(2026, 10, 1 + n)) for n, third in enumerate(thirds)]
    three_files = lake.publish(
        engine,
        Partition("labels", day, "three"),
        compile_labels(policy, problem, LabelInputs(scans[-1], curve)),
        recipe="r",
    )
    assert three_files.rows == one_file.rows
    assert three_files.content_hash == one_file.content_hash


def test_rounding_is_that_of_six_digits(engine: Engine) -> None:
    numbers = """
        select case range % 4
            when 0 then hash(range) / 2.0**64
            when 1 then hash(range, 1) / 2.0**64 * 1e7
            when 2 then -(hash(range, 2) / 2.0**64)
            else range / 2e6 end::double as x
        from range(100_000)
        union all select unnest([0.0, 5e-7, -5e-7, 1.5e-6, 1e18, 'inf', 'nan', null]::double[])"""
    others = f"{rounded_sql('x')} is distinct from round(x, 6)"
    assert engine.row(f"select count(*), count_if({others}) from ({numbers})") == (100_008, 0)
