"""A small problem, and tables of it as real Parquet partitions."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from label_platform.lake import Engine, Lake, Partition
from label_platform.policy import Policy, check_policy, load_policy
from label_platform.problem import Problem, load_problem
from label_platform.strict_yaml import ConfigurationError

POLICIES = Path(__file__).parents[2] / "policies"
SHIPPED = ("raw_click", "ips_click", "multi_signal", "coec_click", "coec_multi_signal")
PROBLEM = {
    "name": "shop",
    "start_date": date(2026, 10, 1),
    "ids": "integer",
    "logs": [{"format": "native", "impressions": "i/*.parquet", "interactions": "e/*.jsonl"}],
    "signals": {
        "click": {"window": "30m"},
        "dwell_s": {"of": "click", "window": "30m"},
        "add_to_cart": {"window": "1d"},
        "purchase": {"window": "3d", "reversed_by": "return"},
    },
    "context": ["device"],
    "features": ["f_*"],
    "item_features": ["item_*"],
    "policies": {"from": str(POLICIES), "use": list(SHIPPED)},
}
BASE_POLICY = {
    "name": "mine",
    "grain": "impression",
    "signals": {"click": {"gain": 1.0}},
    "rankers": [{"objective": "pointwise"}],
}
CURVE = {
    ("mobile", 1): 1.0,
    ("mobile", 2): 0.4,
    ("desktop", 1): 1.0,
    ("desktop", 2): 0.8,
    ("desktop", 3): 0.5,
    (None, 1): 1.0,
    (None, 2): 0.6,
    (None, 4): 0.02,
}
"""Propensities by device and position; without a device: pooled, which skips position 3."""

MakeProblem = Callable[..., Problem]
MakePolicy = Callable[..., Policy]
Publish = Callable[..., str]


def refusal_of(policy: Policy, problem: Problem) -> str:
    """What a policy is refused with, without the numbers of lines; empty if it is fine."""
    try:
        check_policy(policy, problem)
    except ConfigurationError as refusal:
        return without_lines(refusal)
    return ""


def without_lines(refusal: BaseException) -> str:
    """A refusal without the numbers of lines, which are tested on their own."""
    return re.sub(r"yaml: line \d+: ", "yaml: ", str(refusal))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(threads=2) as engine:
        yield engine


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", "shop")


@pytest.fixture
def make_problem(tmp_path: Path) -> MakeProblem:
    def make(**changes: object) -> Problem:
        path = tmp_path / "shop.yaml"
        path.write_text(yaml.safe_dump(PROBLEM | changes, sort_keys=False))
        return load_problem(path)

    return make


@pytest.fixture
def problem(make_problem: MakeProblem) -> Problem:
    return make_problem()


@pytest.fixture
def make_policy(tmp_path: Path) -> MakePolicy:
    def make(**changes: Any) -> Policy:  # noqa: ANN401 - parsed YAML
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(BASE_POLICY | changes))
        return load_policy(path)

    return make


@pytest.fixture
def publish(engine: Engine, lake: Lake) -> Publish:
    """Writes rows of impression_signals as the partition of a day, and gives the scan of days."""
    days: set[date] = set()

    def write(rows: list[dict[str, Any]], day: date = date(2026, 10, 1)) -> str:
        values = ", ".join(
            f"({row['key']}, {row.get('query_id', 1)}, {row['item_id']}, {row['position']}, "
            f"'{row['device']}', {row.get('click', 0)}, {row.get('dwell_s', 0)}, "
            f"{row.get('add_to_cart', 0)}, {row.get('purchase', 0)}, "
            f"{row.get('excluded_reason', 'null')})"
            for row in rows
        )
        query = f"""
            select cast(md5(cast(key as varchar)) as uuid) as impression_id, key,
                cast(query_id as bigint) as query_id, cast(item_id as bigint) as item_id,
                cast(position as integer) as position, device,
                cast(click as double) as click, cast(dwell_s as double) as dwell_s,
                cast(add_to_cart as double) as add_to_cart, cast(purchase as double) as purchase,
                cast(excluded_reason as varchar) as excluded_reason
            from (values {values}) as rows(key, query_id, item_id, position, device, click,
                dwell_s, add_to_cart, purchase, excluded_reason)"""
        lake.publish(engine, Partition("impression_signals", day), query, recipe="r")
        days.add(day)
        return lake.scan("impression_signals", sorted(days))

    return write


@pytest.fixture
def curve(engine: Engine, lake: Lake) -> str:
    rows = ", ".join(
        f"({'null' if device is None else repr(device)}, {position}, {theta})"
        for (device, position), theta in CURVE.items()
    )
    query = f"""
        select 'randomized' as estimator, cast(device as varchar) as device,
            cast(position as integer) as position, cast(propensity as double) as propensity
            , true as chosen
        from (values {rows}) as rows(device, position, propensity)
        union all
        select 'pbm', null, 1, 0.0, false"""
    day = date(2026, 10, 1)
    lake.publish(engine, Partition("propensities", day), query, recipe="r")
    return lake.scan("propensities", [day])
