"""Two policies' labels side by side: counts against pandas over both label tables, and words."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from label_platform.lake import Engine
from label_platform.policy import (
    LabelDiff,
    LabelInputs,
    Policy,
    Side,
    WatchTime,
    compile_labels,
    day_sql,
    label_diff,
    layout_of,
    load_policy,
    total_sql,
)
from label_platform.policy.diff_select import split_select
from label_platform.problem import Problem
from tests.policy.conftest import POLICIES, Publish

DAYS = (date(2026, 10, 1), date(2026, 10, 2))
Diff = Callable[[Policy, Policy], LabelDiff]


def shipped(name: str) -> Policy:
    return load_policy(POLICIES / f"{name}.yaml")


def impressions(seed: int, day: int, size: int = 400) -> list[dict[str, Any]]:
    """Rows in which every signal comes often, cells repeat, and some rows are excluded."""
    random = np.random.default_rng(seed)
    return [
        {
            "key": 1_000_000 * day + number,
            "query_id": int(random.integers(8)),
            "item_id": int(random.integers(12)),
            "position": int(random.integers(1, 5)),
            "device": random.choice(["mobile", "desktop", "tablet"]),
            "click": (clicked := int(random.random() < 0.3)),
            "dwell_s": clicked * int(random.integers(300)),
            "add_to_cart": clicked * int(random.random() < 0.5),
            "purchase": clicked * int(random.random() < 0.3),
            "excluded_reason": "'bot'" if random.random() < 0.05 else "null",
        }
        for number in range(size)
    ]


@pytest.fixture(params=[1, 2])
def scans(request: pytest.FixtureRequest, publish: Publish) -> dict[date, str]:
    """Two days of impressions, each as a scan."""
    both = ""
    for number, day in enumerate(DAYS):
        both = publish(impressions(10 * request.param + number, number), day)
    first, second = re.findall(r"'[^']+parquet'", both)
    rest = both.partition("],")[2]
    return {DAYS[0]: f"read_parquet([{first}],{rest}", DAYS[1]: f"read_parquet([{second}],{rest}"}


def labels_of(policy: Policy, problem: Problem, scan: str, curve: str) -> str:
    debiased = None if policy.debias.method == "none" else curve
    return compile_labels(policy, problem, LabelInputs(scan, debiased))


@pytest.fixture
def compare(engine: Engine, problem: Problem, scans: dict[date, str], curve: str) -> Diff:
    """The difference by SQL."""

    def run(old: Policy, new: Policy) -> LabelDiff:
        layout = None
        for day, scan in scans.items():
            sides = []
            for policy in (old, new):
                labels = labels_of(policy, problem, scan, curve)
                sides.append(Side(policy, labels, tuple(engine.schema(f"({labels})"))))
            layout = layout or layout_of(problem, *sides)
            into = "create temp table days as" if day == DAYS[0] else "insert into days"
            engine.execute(f"{into} {day_sql(layout, scan, *sides)}")
        assert layout is not None
        return label_diff(engine, layout, f"({total_sql(layout, 'days', several_days=True)})")

    return run


@pytest.fixture
def tables(
    engine: Engine, problem: Problem, scans: dict[date, str], curve: str
) -> Callable[[Policy], pd.DataFrame]:
    """A policy's label table of both days, as a build would write it."""

    def read(policy: Policy) -> pd.DataFrame:
        queries = [labels_of(policy, problem, scan, curve) for scan in scans.values()]
        return pd.concat([engine.frame(query) for query in queries], ignore_index=True)

    return read


@pytest.fixture
def shown(engine: Engine, scans: dict[date, str]) -> pd.DataFrame:
    rows = pd.concat([engine.frame(f"from {scan}") for scan in scans.values()])
    return rows[rows["excluded_reason"].isna()]


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Labels by query and item: parts are added up over days and divided once."""
    sums = table.groupby(["query_id", "item_id"])[["gain_sum", "expected_examinations"]].sum()
    sums = sums.astype("float64")
    label = (sums["gain_sum"] / sums["expected_examinations"]).round(6)
    return sums.assign(label=label).reset_index()


PAIRS = (
    ("raw_click", "ips_click"),
    ("ips_click", "multi_signal"),
    ("multi_signal", "raw_click"),
    ("raw_click", "purchase_max"),
    ("ips_click", "ips_by_other_curve"),
)


def variant(name: str) -> Policy:
    """A shipped policy, or one that no file has."""
    if name == "purchase_max":
        return shipped("multi_signal").model_copy(update={"combine": "max"})
    if name == "ips_by_other_curve":
        policy = shipped("ips_click")
        debias = policy.debias.model_copy(update={"propensity": "randomized", "clip": 0.5})
        return policy.model_copy(update={"debias": debias})
    return shipped(name)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_counts_of_impressions_are_those_of_brute_force(
    old: str,
    new: str,
    compare: Diff,
    tables: Callable[[Policy], pd.DataFrame],
    shown: pd.DataFrame,
) -> None:
    found = compare(variant(old), variant(new))
    both = tables(variant(old)).merge(
        tables(variant(new)), on="impression_id", how="outer", suffixes=("_old", "_new")
    )
    both = both.merge(shown, on="impression_id")
    changed = both["label_old"] != both["label_new"]
    assert (found.total.rows, found.total.changed) == (len(both), int(changed.sum()))
    assert 0 < found.total.changed < len(both)
    assert (found.total.new, found.total.vanished) == (0, 0)
    by_device = changed.groupby(both["device"]).sum().to_dict()
    assert {part.of: part.changed for part in found.by_segment["device"]} == by_device
    assert found.total.old_mean == pytest.approx(both["label_old"].mean())
    assert found.new.share_positive == pytest.approx((both["label_new"] > 0).mean())
    with_purchase = sum(part.rows for part in found.by_signal if "purchase" in part.of.split(" + "))
    if {"multi_signal", "purchase_max"} & {old, new}:
        assert with_purchase == int((both["purchase"] > 0).sum())
    crossed = pd.crosstab(both["label_old"] > 0, both["label_new"] > 0)
    assert sum(
        rows
        for of, row in found.cross_table.items()
        for to, rows in row.items()
        if (of, to) == ("0", "0")
    ) == int(crossed.loc[False, False])
    assert sum(found.new.histogram.values()) == len(both)


@pytest.mark.parametrize(
    ("old", "new"), [("coec_click", "coec_multi_signal"), ("coec_multi_signal", "coec_click")]
)
def test_counts_of_cells_are_those_of_brute_force(
    old: str,
    new: str,
    compare: Diff,
    tables: Callable[[Policy], pd.DataFrame],
    shown: pd.DataFrame,
) -> None:
    found = compare(shipped(old), shipped(new))
    keys = ["query_id", "item_id"]
    both = cells(tables(shipped(old))).merge(
        cells(tables(shipped(new))), on=keys, how="outer", suffixes=("_old", "_new")
    )
    changed = both["label_old"] != both["label_new"]
    assert (found.total.rows, found.total.changed) == (len(both), int(changed.sum()))
    assert 0 < found.total.changed < len(both)
    devices = shown.groupby(keys)["device"].agg(["min", "nunique"])
    segment = devices["min"].where(devices["nunique"] == 1, "(several)").rename("device")
    by_device = changed.groupby(both.join(segment, on=keys)["device"]).sum().to_dict()
    assert {part.of: part.changed for part in found.by_segment["device"]} == by_device
    purchases = shown.groupby(keys)["purchase"].max() > 0
    told = sum(part.rows for part in found.by_signal if "purchase" in part.of.split(" + "))
    assert told == int(purchases.sum())


def test_an_impression_policy_is_compared_by_query_and_item(
    compare: Diff, tables: Callable[[Policy], pd.DataFrame], shown: pd.DataFrame
) -> None:
    found = compare(shipped("raw_click"), shipped("coec_click"))
    assert found.grain == "query_item"
    means = tables(shipped("raw_click")).merge(shown, on="impression_id")
    old = means.groupby(["query_id", "item_id"])["label"].mean().round(6)
    new = cells(tables(shipped("coec_click"))).set_index(["query_id", "item_id"])["label"]
    assert found.total.rows == len(old)
    assert found.total.changed == int((old != new).sum())
    assert found.total.old_mean == pytest.approx(old.mean())


def test_rows_that_only_one_side_labels_are_new_or_vanish(
    engine: Engine, problem: Problem, publish: Publish
) -> None:
    rows = [
        {"key": key, "item_id": key, "position": 1, "device": "mobile", "click": key % 2}
        for key in range(10)
    ]
    scan = publish(rows)
    policy = shipped("raw_click")
    # what watch time labels is left to its own query, so the two are joined by their keys
    watch_time = WatchTime(label="wt", watch_s="dwell_s")
    watching = policy.model_copy(update={"watch_time": watch_time})
    full = compile_labels(policy, problem, LabelInputs(scan))
    sides = [
        Side(watching, f"select * from ({full}) where {kept}", ("impression_id", "label", "weight"))
        for kept in (
            "impression_id <> md5('3')::uuid",
            "impression_id not in (md5('4')::uuid, md5('5')::uuid)",
        )
    ]
    layout = layout_of(problem, Side(policy, full, sides[0].columns), sides[1])
    engine.execute(f"create temp table days as {day_sql(layout, scan, *sides)}")
    found = label_diff(engine, layout, f"({total_sql(layout, 'days', several_days=False)})")
    assert (found.total.rows, found.total.new, found.total.vanished) == (10, 1, 2)
    assert found.total.changed == 0
    assert found.cross_table["no label"] == {"(0.75, 1]": 1}
    assert (found.old.rows, found.new.rows) == (9, 8)
    assert found.movers == ()


def test_the_rows_that_move_most_come_first(
    engine: Engine, problem: Problem, publish: Publish, curve: str
) -> None:
    # a click at position 2 counts 1 / .4 on mobile and 1 / .8 on a desktop
    rows = [
        {"key": 1, "item_id": 1, "position": 2, "device": "desktop", "click": 1},
        {"key": 2, "item_id": 2, "position": 2, "device": "mobile", "click": 1},
        {"key": 3, "item_id": 3, "position": 1, "device": "mobile", "click": 1},
    ]
    scan = publish(rows)
    sides = [
        Side(policy, labels_of(policy, problem, scan, curve), ("impression_id", "label", "weight"))
        for policy in (shipped("raw_click"), shipped("ips_click"))
    ]
    layout = layout_of(problem, *sides)
    found = label_diff(engine, layout, f"({day_sql(layout, scan, *sides)})")
    assert [(row["old_label"], row["new_label"]) for row in found.movers] == [
        (1.0, 1 / 0.4),
        (1.0, 1 / 0.8),
    ]
    assert found.cross_table == {"(0.75, 1]": {"(0.75, 1]": 1, "(1, 2]": 1, "(2, 5]": 1}}
    assert found.new.quantiles["0.5"] == 1 / 0.8


COLUMNS = {
    "raw_click": ("impression_id", "label", "weight"),
    "coec_click": ("query_id", "item_id", "gain_sum", "expected_examinations"),
}


def test_both_sides_are_read_in_one_scan(problem: Problem, curve: str) -> None:
    for old, new in (("raw_click", "ips_click"), ("coec_click", "coec_multi_signal")):
        sides = [
            Side(each, labels_of(each, problem, "wide", curve), COLUMNS[old])
            for each in (shipped(old), shipped(new))
        ]
        query = day_sql(layout_of(problem, *sides), "wide", *sides)
        assert query.count("from wide") == 1


def test_a_select_is_told_apart_whatever_stands_in_brackets_and_quotes() -> None:
    found = split_select(
        'select\n    id,\n    round(cast("from, as" as double), 6) as label,\n'
        "    (select max(x) from t) as y\nfrom (select ', from ' from a)\ngroup by id"
    )
    assert found.columns == {
        "id": "id",
        "label": 'round(cast("from, as" as double), 6)',
        "y": "(select max(x) from t)",
    }
    assert found.source == "(select ', from ' from a)"
    with pytest.raises(ValueError, match=r"expected select ... from"):
        split_select("with a as (select 1) select x from a")
